// Package report turns what a node knows into what is shown: the State, and a few facts that
// only the daemon has, become answers of the API. It is pure: it reads no clock and asks nobody.
package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/networks/users"
	"github.com/clusterd/clusterd/resources"
)

// Facts are what a daemon knows beside its State.
type Facts struct {
	// Now is the wall clock's time.
	Now time.Time
	// Cluster and ID are the name and the id of the cluster, Local is this node.
	Cluster, ID, Local string
	// Leader is the node that plans; empty where none is known.
	Leader string
	// Simulated reports whether hypervisor and fence devices are.
	Simulated bool
	// Notes are what is waited for, where this node leads.
	Notes []cluster.Note
	// Voters are the nodes whose vote counts.
	Voters map[string]bool
	// Heard are the nodes of which a heartbeat came within the time that lets a node be called lost.
	Heard map[string]bool
	// Warnings are this node's own; Knocks tells who was refused at its door.
	Warnings, Knocks []string
	// Moving is how far the migrations are that this node carries out, by service.
	Moving map[string]agents.Progress
}

// Status is the cluster as this node sees it.
func Status(root *cluster.State, f Facts) api.Status {
	status := api.Status{
		Cluster: f.Cluster, ID: f.ID, Generation: root.Generation, ConfigVersion: root.Config.Version,
		At: f.Now, Quorate: f.Leader != "", Leader: f.Leader, Local: f.Local, Index: root.Index,
		Simulated: f.Simulated, Warnings: warnings(root, f), Lock: Lock(root), Notes: f.Notes,
	}
	if root.Disarmed != nil {
		status.Disarmed = root.Disarmed.String()
	}
	world := rules.Of(root).Counted()
	for _, name := range root.Nodes.Keys() {
		shown := node(root, f, name)
		shown.Capacity = capacity(world, name)
		status.Nodes = append(status.Nodes, shown)
	}
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		status.Services = append(status.Services, serviceOf(root, f, service))
	}
	status.Networks = networks(root)
	return status
}

// networks are those of guests, with who uses them.
func networks(root *cluster.State) []api.Network {
	used := users.Of(root)
	attached := map[string][]string{}
	if len(used) > 0 {
		for _, name := range root.Services.Keys() {
			service, _ := root.Services.Get(name)
			for _, network := range service.Spec.Networks {
				attached[network] = append(attached[network], name)
			}
		}
	}
	var list []api.Network
	for _, name := range slices.Sorted(maps.Keys(used)) {
		n := root.Document.Networks[name]
		list = append(list, api.Network{Name: name, VLAN: n.VLAN, Over: n.Over, Bridge: n.Bridge, MTU: n.MTU,
			Nodes: used[name], Services: attached[name]})
	}
	return list
}

func warnings(root *cluster.State, f Facts) []string {
	list := append(f.Warnings[:len(f.Warnings):len(f.Warnings)], alertWarnings(root)...)
	if waits := root.AuthorityWaits(); !waits.IsZero() {
		list = append(list, waits.String())
	}
	return append(append(list, message.Sentences(root.KeyTurns())...), f.Knocks...)
}

func node(root *cluster.State, f Facts, name string) api.Node {
	n, _ := root.Nodes.Get(name)
	out := api.Node{
		Name: name, ID: n.ID, State: string(n.State), Local: name == f.Local, Leader: name == f.Leader,
		Voter: f.Voters[name], Witness: n.Witness,
		Order: Order(root, n), Address: n.Address, Unprotected: Unprotected(root, name), Boot: n.Boot,
		Incarnation: n.Incarnation, Version: n.Version, Since: n.SinceAt, Why: n.Why,
		Hung: n.Hung,
	}
	_, named := root.Document.Nodes[name]
	out.Estranged = !named && !n.Witness && len(root.Document.Nodes) > 0
	out.Online = n.Reachable()
	if f.Leader == "" {
		// Without a quorum the State is old; what is heard here is all there is.
		out.Online = name == f.Local || (n.Reachable() && f.Heard[name])
	}
	if root.Fences.Has(name) {
		out.State = "fencing"
	}
	return out
}

// capacity is what a node has and how much of it is taken; nil where it has not told.
func capacity(w *rules.World, name string) *api.Capacity {
	room, known := w.RoomOn(name)
	if !known {
		return nil
	}
	return &api.Capacity{Memory: uint64(room.Capacity.Memory), Reserved: uint64(room.Reserved),
		Limit: uint64(room.May.Memory), Used: uint64(room.Taken.Memory), Free: uint64(room.Free.Memory),
		Huge: uint64(room.Capacity.Huge), HugeUsed: uint64(room.Taken.Huge), CPUs: room.Capacity.CPUs,
		CPUsUsed: room.Taken.CPUs, CPULimit: room.May.CPUs}
}

func serviceOf(root *cluster.State, f Facts, service cluster.Service) api.Service {
	out := api.Service{
		Name: service.Spec.Name, State: int(service.State), StateText: service.State.String(), Flags: int(service.Flags),
		FlagsText: service.Flags.String(),
		Owner:     service.Owner, LastOwner: service.LastOwner,
		Restarts: len(resources.Remembered(service.Spec, service.Restarts, f.Now)), Since: service.SinceAt,
		Reason: service.Reason, Stays: service.Spec.Stays(),
		Behind: service.BehindWhy(), Freeze: freeze(service), Failures: failures(service),
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
		out.Unprotected = cmp.Or(Unprotected(root, service.Owner), rules.LeftBehind(root, service).String())
	}
	if service.Intent != nil && out.Owner == "" {
		out.Owner = service.Intent.Node
	}
	out.Progress = Preparing(service)
	if p, moving := f.Moving[service.Spec.Name]; moving {
		out.Progress = Progress(p)
	}
	return out
}

// Preparing is how far a migration is whose target is being asked; nil for anything else.
func Preparing(service cluster.Service) *api.Progress {
	if i := service.Intent; i == nil || !i.Preparing() {
		return nil
	}
	return &api.Progress{Phase: "asking " + service.Intent.Target + " whether it can take it"}
}

// alertWarnings tells of alerts that do not work.
func alertWarnings(root *cluster.State) []string {
	var lines []string
	for _, name := range root.Alerts.Keys() {
		if cursor, _ := root.Alerts.Get(name); cursor.Problem != "" {
			lines = append(lines, "alert "+name+" does not work: "+cursor.Problem+"; see clusterd alert list")
		}
	}
	return lines
}

// Progress is how far a migration is.
func Progress(p agents.Progress) *api.Progress {
	return &api.Progress{Phase: p.Phase, BytesTotal: p.BytesTotal, BytesRemaining: p.BytesRemaining,
		BytesPerSecond: p.BytesPerSecond, Elapsed: p.Elapsed, TimeLeft: p.TimeLeft}
}
