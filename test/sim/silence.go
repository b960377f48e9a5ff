package sim

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// watchSilence holds of what the leader decides that nothing waits in silence: of each
// service that is not where and as it is wanted there is a note, an open intent, or
// something that is proposed.
func (w *World) watchSilence(s *cluster.State, d plan.Decision) {
	told := map[string]bool{}
	for _, note := range d.Notes {
		told[note.Subject] = true
	}
	for _, c := range d.Commands {
		switch c := c.(type) {
		case cluster.Begin:
			told[c.Service] = true
		case cluster.GiveUp:
			told[c.Service] = true
		case cluster.Thaw:
			told[c.Service] = true
		case cluster.BeginFence:
			told[c.Service] = true
		}
	}
	for _, service := range s.Services.Rows() {
		name := service.Spec.Name
		if !told[name] && service.Intent != nil {
			w.watchOpen(service)
		}
		if told[name] || service.Intent != nil || (s.Lock != nil && s.Lock.Stop && told[s.Cluster]) {
			continue
		}
		if why := w.amiss(s, service); why != "" {
			w.violate("silence: %s %s, and nothing tells of it", name, why)
			return
		}
	}
}

// amiss says in what a service is not where and as it is wanted; "" if it is.
func (w *World) amiss(s *cluster.State, service *cluster.Service) string {
	switch {
	case service.Flags&resources.Frozen != 0:
		return "is frozen"
	case service.Wish != nil:
		return "is asked to " + string(service.Wish.Op)
	case service.State == resources.Disabled && len(service.Holders) == 0 && !service.Enabled:
		return ""
	case !service.Enabled:
		return "is not enabled and " + service.State.String()
	case service.State != resources.Started:
		return "is " + service.State.String()
	}
	n, _ := s.Nodes.Get(service.Owner)
	switch {
	case n.State != cluster.NodeOnline || s.Fences.Has(n.Name) || n.Order != nil:
		return "runs on " + n.Name + ", which is " + string(n.State) + " or to be emptied"
	case len(service.Holders) != 1 || service.Holders[0].Condition != string(resources.Running):
		return "is not known to run well on " + n.Name + " alone"
	}
	return w.notHome(s, service)
}

// notHome says which node a service belongs to that is there and has it not.
func (w *World) notHome(s *cluster.State, service *cluster.Service) string {
	d, declared := s.Document.Domains[service.Spec.Domain]
	if declared {
		if legal, why := domain.Legal(&d, service.Owner); !legal {
			return "runs on " + service.Owner + ", " + why.String()
		}
	}
	if n, known := s.Nodes.Get(service.Home); known && service.Home != service.Owner && n.State == cluster.NodeOnline &&
		n.Order == nil {
		return "belongs on " + service.Home
	}
	if !declared || !d.Ordered || d.NoFailback || len(service.Spec.Together) > 0 || w.guarded {
		return ""
	}
	if w.Now-w.healed <= 2*cluster.Tick {
		return "" // a beat has yet to come
	}
	if better := w.betterMember(s, service, d); better != "" {
		return "runs on " + service.Owner + ", and " + better + " is better"
	}
	return ""
}

// betterMember is a member of a service's domain that ranks before its node and could have it now;
// "" if there is none.
func (w *World) betterMember(s *cluster.State, service *cluster.Service, d domain.Domain) string {
	rank := map[string]int{}
	for _, m := range d.Members {
		if rank[m.Node] = m.Priority; m.Priority == 0 {
			rank[m.Node] = 1000
		}
	}
	mine, member := rank[service.Owner]
	for _, m := range d.Members {
		n, known := s.Nodes.Get(m.Node)
		better := (!member || rank[m.Node] < mine) && known && n.State == cluster.NodeOnline && n.Order == nil &&
			!n.Witness && !s.Fences.Has(m.Node)
		if h := w.Hosts[m.Node]; better && h != nil && w.heardByLeader(h) && w.upToDate(h) && !w.inTrouble(h, noTroubleFor) &&
			w.welcome(*service, m.Node) && w.alone(s, service) {
			return m.Node
		}
	}
	return ""
}

// alone reports whether no rule between services has a say in where one runs.
func (w *World) alone(s *cluster.State, service *cluster.Service) bool {
	for _, other := range s.Services.Rows() {
		if contains(other.Spec.Together, service.Spec.Name) || contains(other.Spec.Apart, service.Spec.Name) ||
			other.Spec.Exclusive {
			return false
		}
	}
	return len(service.Spec.Apart) == 0 && !service.Spec.Exclusive
}

// watchTruth holds that no answer contradicts the State at its index.
func (w *World) watchTruth(before, after *cluster.State) {
	for _, id := range after.Requests.Keys() {
		r, _ := after.Requests.Get(id)
		if was, known := before.Requests.Get(id); !r.Done || (known && was.Done) {
			continue
		}
		if why := untrue(after, r); why != "" {
			w.violate("answers: %s %s was answered with %d %q %q, and %s", r.Op, r.Service, r.Code, r.Text, r.Why, why)
		}
	}
}

// The codes that promise something, as clusvcadm returns them.
const (
	success    = 0
	runs       = -10
	runsAtHome = -17
)

// untrue says in what an answer contradicts the State; "" if in nothing.
func untrue(s *cluster.State, r cluster.Request) string {
	service, known := s.Services.Get(r.Service)
	if !known || (r.Code != success && r.Code != runs && r.Code != runsAtHome) {
		return ""
	}
	switch r.Op {
	case cluster.OpFreeze, cluster.OpUnfreeze:
		if frozen := service.Flags&resources.Frozen != 0; frozen != (r.Op == cluster.OpFreeze) {
			return "that is not so"
		}
		return ""
	case cluster.OpCancel: // it promises that the abort is asked for, not what comes of it
		if i := service.Intent; i == nil || i.Cancelled == "" {
			return "no migration of it is given up"
		}
		return ""
	case cluster.OpDisable, cluster.OpStop:
		for _, h := range service.Holders {
			if !h.Ask || r.Why.IsZero() || r.Op == cluster.OpDisable { // else the answer says that it is asked for
				return "it may run on " + h.Node
			}
		}
		return ""
	}
	return notUp(s, service, r)
}

// notUp says in what the State contradicts an answer that promises a running service; "" if in
// nothing.
func notUp(s *cluster.State, service cluster.Service, r cluster.Request) string {
	n, _ := s.Nodes.Get(service.Owner)
	running := false
	for _, h := range service.Holders {
		running = running || (h.Node == service.Owner && h.Condition == string(resources.Running))
	}
	switch {
	case service.State != resources.Started || !running:
		return "it is " + service.State.String() + " and not known to run"
	case n.State == cluster.NodeSilent && n.Stopped && r.Code == success && !r.Why.IsZero() && r.Owner == n.Name:
		// Its guests run on without their daemon, which told of the start before it ended: to call
		// that a failure would have it started once more. The answer has to say so.
		return ""
	case r.Op != cluster.OpMigrate && (!n.Reachable() || s.Fences.Has(n.Name)): // where it came to can be lost by then
		return "its node is " + string(n.State)
	case r.Owner != service.Owner:
		return "it is on " + service.Owner
	case r.Code == success && r.Op != cluster.OpRestart && r.Node != "" && r.Node != service.Owner:
		return "it runs on " + service.Owner
	}
	return ""
}

// heardByLeader reports whether whoever leads hears a host.
func (w *World) heardByLeader(h *Host) bool {
	leader := w.Hosts[w.raft.leader]
	return leader != nil && (leader == h || w.hears(leader, h))
}

// watchReasons holds of what the leader says about a service that an explanation from the same
// State and View says the same: nothing else, and nothing less.
func (w *World) watchReasons(s *cluster.State, out mind.Output) {
	about := map[string][]cluster.Note{}
	var told []string
	for _, note := range out.Notes {
		if name := note.Subject; s.Services.Has(name) {
			if about[name] == nil {
				told = append(told, name)
			}
			about[name] = append(about[name], note)
		}
	}
	if len(told) == 0 {
		return
	}
	name := told[int(s.Index)%len(told)]
	if e, err := plan.Explain(s, *out.Seen, name); err != nil || !slices.Equal(e.Waits, about[name]) {
		w.violate("reasons: the leader says of %s %+v, and an explanation says %+v (%v)", name, about[name], e.Waits, err)
	}
}
