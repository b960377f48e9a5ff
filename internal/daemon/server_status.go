package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/resources"
)

// shownEvents is how many events are sent when nobody says how many.
const shownEvents = 500

func (s *server) status(w http.ResponseWriter, r *http.Request, who caller) error {
	if r.URL.Query().Get("fresh") == "1" {
		if err := s.daemon.log.VerifyShared(r.Context()); err != nil {
			return err
		}
	}
	status := s.daemon.Status(time.Now())
	if who.kind != pki.KindNode && status.Leader != "" && status.Leader != status.Local {
		status.Notes = s.leadersNotes(r.Context(), status.Leader)
	}
	writeJSON(w, http.StatusOK, status)
	return nil
}

// leadersNotes asks the leader what is waited for: only who plans knows that.
func (s *server) leadersNotes(ctx context.Context, leader string) []cluster.Note {
	ctx, cancel := context.WithTimeout(ctx, progressAsk)
	defer cancel()
	var theirs api.Status
	if err := s.askLeader(ctx, leader, api.PathStatus, &theirs); err != nil {
		return []cluster.Note{{Subject: leader, Why: "the leader could not be asked what it waits for"}}
	}
	return theirs.Notes
}

// askLeader asks the leader for what only the node that plans knows.
func (s *server) askLeader(ctx context.Context, leader, path string, into any) error {
	n, known := s.daemon.replica.Root().Nodes.Get(leader)
	if !known {
		return errors.New("the State here does not know " + leader)
	}
	return s.daemon.ask(ctx, leader, n.Address, http.MethodGet, path, nil, into)
}

// Status is the cluster as this node sees it.
func (d *Daemon) Status(now time.Time) api.Status {
	root, role := d.replica.Root(), d.role.Load()
	status := api.Status{
		Cluster: d.membership.Cluster, ID: d.membership.ID, Generation: root.Generation, ConfigVersion: root.Config.Version,
		At: now, Quorate: role.leader != "", Leader: role.leader, Local: d.name, Index: root.Index,
		Simulated: d.options.Node.Simulate != nil, Warnings: d.warnings.texts(),
	}
	status.Lock = lockStatus(root)
	status.Warnings = append(status.Warnings, alertWarnings(root)...)
	if waits := root.AuthorityWaits(); waits != "" {
		status.Warnings = append(status.Warnings, waits)
	}
	status.Warnings = append(status.Warnings, root.KeyTurns()...)
	status.Warnings = append(status.Warnings, d.knocks.Texts(now)...)
	if root.Disarmed != nil {
		status.Disarmed = root.Disarmed.String()
	}
	if role.leading {
		status.Notes = d.decided.Load().notes
	}
	voters := map[string]bool{}
	for _, m := range d.log.Members() {
		voters[m.ID] = m.Voter
	}
	silence := cluster.TimingFor(root.Document.Timing).Lost
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		node := api.Node{
			Name: name, ID: n.ID, State: string(n.State), Local: name == d.name, Leader: name == role.leader,
			Voter: voters[name], Witness: n.Witness,
			Order: orderStatus(root, n), Address: n.Address, Unprotected: unprotected(root, name), Boot: n.Boot,
			Incarnation: n.Incarnation, Version: n.Version, Since: n.SinceAt, Why: n.Why,
			Hung: n.Hung,
		}
		_, named := root.Document.Nodes[name]
		node.Estranged = !named && !n.Witness && len(root.Document.Nodes) > 0
		node.Online = n.Reachable() && status.Quorate
		if !status.Quorate {
			// Without a quorum the State is old; what is heard here is all there is.
			node.Online = name == d.name || (n.Reachable() && d.hearing.within(name, silence, now))
		}
		if root.Fences.Has(name) {
			node.State = "fencing"
		}
		status.Nodes = append(status.Nodes, node)
	}
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		status.Services = append(status.Services, d.serviceStatus(root, service))
	}
	return status
}

func (d *Daemon) serviceStatus(root *cluster.State, service cluster.Service) api.Service {
	out := api.Service{
		Name: service.Spec.Name, State: int(service.State), StateText: service.State.String(), Flags: int(service.Flags),
		FlagsText: service.Flags.String(),
		Owner:     service.Owner, LastOwner: service.LastOwner,
		Restarts: len(resources.Remembered(service.Spec, service.Restarts, time.Now())), Since: service.SinceAt,
		Reason: service.Reason,
		Behind: service.BehindWhy(), Freeze: freezeStatus(service), Failures: failures(service),
	}
	for _, h := range service.Holders {
		out.Holders = append(out.Holders, h.Node)
		if h.Node == service.Owner && h.Condition == string(resources.Paused) && service.Intent == nil {
			out.Paused = cmp.Or(h.Reason, "for an unknown reason")
		}
	}
	if service.Intent != nil {
		out.Target = service.Intent.Target
	}
	if service.Owner != "" {
		out.Unprotected = cmp.Or(unprotected(root, service.Owner), rules.LeftBehind(root, service))
	}
	if service.Intent != nil && out.Owner == "" {
		out.Owner = service.Intent.Node
	}
	if p, moving := d.hands.progressOf(service.Spec.Name); moving {
		out.Progress = progressOf(p)
	}
	return out
}

func progressOf(p agents.Progress) *api.Progress {
	return &api.Progress{Phase: p.Phase, BytesTotal: p.BytesTotal, BytesRemaining: p.BytesRemaining,
		BytesPerSecond: p.BytesPerSecond, Elapsed: p.Elapsed, TimeLeft: p.TimeLeft}
}

// unprotected says why a node could not be fenced; empty when it could.
func unprotected(root *cluster.State, node string) string {
	levels := root.Document.Nodes[node].Fence
	if len(levels) == 0 {
		return "no fence device is configured for " + node
	}
	// What a device answers counts for less than that it has just not done it.
	if open, fencing := root.Fences.Get(node); fencing && open.TriedTotal > 0 {
		return fmt.Sprintf("%d attempts to fence %s have proven nothing, the last one: %s",
			open.TriedTotal, node, cluster.Briefly(open.LastWhy))
	}
	for _, level := range levels {
		usable := len(level.Devices) > 0
		for _, device := range level.Devices {
			check, asked := root.Checks.Get(device)
			usable = usable && asked && distrust(root, node, device, check) == ""
		}
		if usable {
			return ""
		}
	}
	device := levels[0].Devices[0]
	if check, asked := root.Checks.Get(device); asked {
		return "fence device " + device + ": " + distrust(root, node, device, check)
	}
	return "fence device " + device + " was not asked yet"
}

// distrust says why a device's last answer is not enough to fence the node
// with: it had a problem, or it is not known to be this machine's (law L3).
func distrust(root *cluster.State, node, device string, check cluster.DeviceCheck) string {
	n, _ := root.Nodes.Get(node)
	declared := root.Document.Devices[device]
	switch {
	case check.Problem != "":
		return check.Problem
	case declared.Nature() != fence.ByPower:
		return rules.Unguarded(root, node)
	case declared.Driver == "agent" && declared.Options["identity"] == "assumed":
		return ""
	case check.Identity != "" && !fence.SamePlatform(check.Identity, n.HardwareUUID) &&
		!fence.SamePlatform(check.Identity, declared.Options["identity"]):
		// Whatever a drill has shown: another board may hang there by now, and the
		// driver sends nothing to it.
		return "it tells the hardware UUID " + check.Identity + ", and " + node + " has " + n.HardwareUUID +
			": it belongs to another machine; check its address, or, if this board tells a UUID of its own, set option " +
			"identity to that and run the drill: clusterd fence test " + node
	case root.ProvenFor(device, node):
		return ""
	case check.Identity == "":
		return "it does not tell whose it is, so its off would prove nothing before a drill: clusterd fence test " + node
	case !fence.SamePlatform(check.Identity, n.HardwareUUID):
		return "it tells the identity declared for it and not the hardware UUID of " + node +
			", so its off would prove nothing before a drill: clusterd fence test " + node
	}
	if claimed := root.Claimed(node); claimed != "" {
		return "it tells the hardware UUID of " + node + ", but " + claimed +
			", so its off would prove nothing before a drill: clusterd fence test " + node
	}
	return ""
}

func (s *server) events(w http.ResponseWriter, r *http.Request, _ caller) error {
	if strings.Contains(r.Header.Get("Accept"), streamType) {
		return s.stream(w, r)
	}
	query := r.URL.Query()
	after, _ := strconv.ParseUint(query.Get("after"), 10, 64)
	limit, _ := strconv.Atoi(query.Get("limit"))
	deadline := time.NewTimer(waitOf(r))
	defer deadline.Stop()
	for {
		changed := s.daemon.replica.Changed()
		page := pick(s.daemon.replica.Root(), after, limit, query.Get("service"), query.Get("node"))
		if len(page.Events) > 0 || waitOf(r) == 0 {
			writeJSON(w, http.StatusOK, page)
			return nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			writeJSON(w, http.StatusOK, page)
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

// pick chooses events, oldest first; of too many the newest.
func pick(root *cluster.State, after uint64, limit int, service, node string) api.Events {
	if limit <= 0 || limit > 5000 {
		limit = shownEvents
	}
	page := api.Events{Events: []cluster.Event{}}
	if len(root.Timeline) > 0 {
		page.Oldest = root.Timeline[0].Index
	}
	for _, e := range root.Timeline {
		if e.Index <= after || !concerns(e, service, node) {
			continue
		}
		page.Events = append(page.Events, e)
	}
	if excess := len(page.Events) - limit; excess > 0 && after == 0 {
		page.Events = page.Events[excess:]
	} else if excess > 0 {
		page.Events = page.Events[:endOfEntry(page.Events, limit)]
	}
	return page
}

// endOfEntry moves a page's end behind the last event of an entry: the next
// page begins with the next entry, and would miss what is left of this one.
func endOfEntry(events []cluster.Event, end int) int {
	for end < len(events) && events[end].Index == events[end-1].Index {
		end++
	}
	return end
}

func waitOf(r *http.Request) time.Duration {
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if err != nil || wait < 0 {
		return 0
	}
	return min(wait, longestWait)
}

// request takes an administrator's wish in. Once answered it is in the log
// (law L7); the same id again is answered with its state.
func (s *server) request(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.Request
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	if asked.ID == "" || len(asked.ID) > 64 || len(asked.Reason) > 500 {
		return refuse(http.StatusBadRequest, "bad_request",
			"a request needs an id of at most 64 bytes and a reason of at most 500")
	}
	ask := cluster.Ask{Request: asked.ID, Op: asked.Op, Service: asked.Service, Node: asked.Node, By: who.Name,
		Reason: asked.Reason, For: asked.For, DeclaredDisks: asked.DeclaredDisks}
	who.about("%.20s %.100q %.64s", asked.Op, asked.Service, asked.Node)
	if asked.DryRun {
		who.about(notKept)
		return s.rehearse(w, r, ask)
	}
	applied, err := s.daemon.propose(r.Context(), ask)
	if err != nil {
		return err
	}
	if err := applied.Err(); err != nil {
		return refuse(http.StatusConflict, "refused", "%v", err)
	}
	writeJSON(w, http.StatusOK, s.reply(s.daemon.replica.Root(), asked.ID))
	return nil
}

func (s *server) requestState(w http.ResponseWriter, r *http.Request, who caller) error {
	id := r.PathValue("id")
	deadline := time.NewTimer(waitOf(r))
	defer deadline.Stop()
	for {
		changed := s.daemon.replica.Changed()
		root := s.daemon.replica.Root()
		request, known := root.Requests.Get(id)
		if !known {
			if err := s.daemon.log.VerifyShared(r.Context()); err != nil {
				return err
			}
			root = s.daemon.replica.Root()
			if request, known = root.Requests.Get(id); !known {
				return refuse(http.StatusNotFound, "unknown_request",
					"no request %s is known; it was not taken in, or is too old", id)
			}
		}
		if request.Done || waitOf(r) == 0 {
			writeJSON(w, http.StatusOK, s.withProgress(r.Context(), root, s.reply(root, id), who))
			return nil
		}
		select {
		case <-changed:
		case <-deadline.C:
			writeJSON(w, http.StatusOK, s.withProgress(r.Context(), root, s.reply(root, id), who))
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

func (s *server) reply(root *cluster.State, id string) api.Reply {
	request, _ := root.Requests.Get(id)
	reply := api.Reply{ID: id, Done: request.Done, Code: request.Code, Text: request.Text, Owner: request.Owner,
		Why: request.Why, Total: request.Total, Downtime: request.Downtime}
	if p, moving := s.daemon.hands.progressOf(request.Service); moving && !request.Done {
		reply.Progress = progressOf(p)
	}
	return reply
}

// progressAsk bounds the question for a progress that only another node knows.
const progressAsk = 300 * time.Millisecond

// withProgress fills in how far a migration is that another node carries out.
func (s *server) withProgress(ctx context.Context, root *cluster.State, reply api.Reply, who caller) api.Reply {
	request, _ := root.Requests.Get(reply.ID)
	service, known := root.Services.Get(request.Service)
	if reply.Done || reply.Progress != nil || !known || service.Intent == nil ||
		service.Intent.Kind != cluster.IntentMigrate || who.kind == pki.KindNode {
		return reply
	}
	source, known := root.Nodes.Get(service.Intent.Node)
	if !known || source.Name == s.daemon.name {
		return reply
	}
	ctx, cancel := context.WithTimeout(ctx, progressAsk)
	defer cancel()
	var theirs api.Reply
	if err := s.daemon.ask(ctx, source.Name, source.Address, http.MethodGet, api.PathRequests+"/"+reply.ID, nil,
		&theirs); err == nil {
		reply.Progress = theirs.Progress
	}
	return reply
}
