package sim

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// watchLeave holds that an orderly leave stops no guest while another node could
// take it live: each of them was tried, and failed.
func (w *World) watchLeave(before *cluster.State, c cluster.Begin) {
	service, _ := before.Services.Get(c.Service)
	if c.Intent != cluster.IntentStop || c.Purpose != cluster.ForRecovery || c.By != "leave" ||
		service.Spec.Kind() != resources.KindVM {
		return
	}
	for _, h := range service.Holders {
		if h.Node != service.Owner || h.Condition != string(resources.Running) {
			return // it cannot move live
		}
	}
	if node := w.untried(before, service); node != "" {
		w.violate("leave: %s is stopped although %s could take it live", c.Service, node)
	}
}

// watchBanished holds of a world at rest that nothing stands where its restricted
// domain forbids it, unless no other node takes it.
func (w *World) watchBanished() {
	s := w.State()
	for _, service := range s.Services.Rows() {
		d, declared := s.Document.Domains[service.Spec.Domain]
		if !declared || service.State != resources.Started || !service.Enabled || service.Flags&resources.Frozen != 0 {
			continue
		}
		if legal, why := domain.Legal(&d, service.Owner); legal {
			continue
		} else if node := w.untried(s, *service); node != "" {
			w.violate("restricted: %s runs on %s, %s, although %s could take it", service.Spec.Name, service.Owner, why, node)
		}
	}
}

// untried is a node that may run a service, has room for it and where nothing of it has failed;
// "" if there is none.
func (w *World) untried(s *cluster.State, service cluster.Service) string {
	for _, name := range s.Nodes.Keys() {
		n, _ := s.Nodes.Get(name)
		tried := slices.ContainsFunc(service.Troubles, func(tr cluster.Trouble) bool { return tr.Node == name })
		if name == service.Owner || n.Witness || n.State != cluster.NodeOnline || n.Order != nil || !n.Hung.IsZero() ||
			s.Fences.Has(name) ||
			tried || !w.welcome(service, name) || !roomFor(s, service, name) || !roomFor(w.State(), service, name) {
			continue
		}
		if s.Lock == nil && !bound(s, service.Spec) && s.Document.Nodes[name].Fence != nil && !w.guarded {
			return name
		}
	}
	return ""
}

// bound reports whether a VM moves with others, by its own word or by theirs: what one of them
// cannot do, none of them does.
func bound(s *cluster.State, spec resources.Spec) bool {
	return len(spec.Together) > 0 || slices.ContainsFunc(s.Services.Rows(), func(other *cluster.Service) bool {
		return slices.Contains(other.Spec.Together, spec.Name)
	})
}

// strangerFor is how long a daemon must have been silent for nothing to be sent to it
// now: it may have talked for a moment in between, and a decision takes a while.
const strangerFor = 20 * time.Second

// watchTarget holds that nothing is sent to a host of which nobody has heard.
func (w *World) watchTarget(c cluster.Begin) {
	node := c.Node
	if c.Intent == cluster.IntentMigrate {
		node = c.Target
	}
	h := w.Hosts[node]
	if h == nil || w.watched.limbo || (c.Intent != cluster.IntentMigrate && c.Intent != cluster.IntentStart) {
		return
	}
	if h.daemon == nil && h.talks == 0 && w.Now-h.spoke >= strangerFor {
		w.violate("target: %s is sent to %s, whose daemon has been silent for %s", c.Service, node, w.Now-h.spoke)
	}
}

// retries are the moves that failed, and what trying them again may bring about. A note says when a
// rule tries each again: so a world at rest may do it once, and all that this brings about to that
// service. What waited for room goes where such a move has made some.
type retries struct {
	due  map[string][]time.Time // by service; the zero time is one that was tried
	left map[string]bool        // the nodes with more room
}

// moveAgain is how long the cluster remembers a move that failed.
const moveAgain = 30 * time.Minute

func (w *World) triedLater() retries {
	again := retries{due: map[string][]time.Time{}, left: map[string]bool{}}
	for _, service := range w.State().Services.Rows() {
		for _, tr := range service.Troubles {
			again.due[service.Spec.Name] = append(again.due[service.Spec.Name], tr.At.Add(moveAgain))
		}
	}
	return again
}

// announced reports whether an entry belongs to a move whose time had come; each is tried once.
func (again retries) announced(r record) bool {
	for _, c := range r.commands {
		begin, begins := c.(cluster.Begin)
		if !begins {
			continue
		}
		if begin.By == "move" && slices.ContainsFunc(again.due[begin.Service], time.Time.IsZero) {
			continue // a cold move's second half
		}
		if !again.comes(begin, r.at) {
			return false
		}
	}
	return !slices.ContainsFunc(r.applied.Events, func(e cluster.Event) bool {
		return !slices.ContainsFunc(again.due[e.Subject], time.Time.IsZero)
	})
}

// comes reports whether the act is one that was told: its time is over, or there is room now.
func (again retries) comes(begin cluster.Begin, now time.Time) bool {
	due := slices.IndexFunc(again.due[begin.Service], func(at time.Time) bool {
		return !at.IsZero() && !now.Before(at.Add(-time.Second)) // the stopwatch of who plans counts by steps
	})
	switch {
	case due >= 0:
		again.due[begin.Service][due] = time.Time{}
	case again.left[cmp.Or(begin.Target, begin.Node)] &&
		!slices.ContainsFunc(again.due[begin.Service], time.Time.IsZero): // once, and no to and fro
		again.due[begin.Service] = append(again.due[begin.Service], time.Time{})
	default:
		return false
	}
	if begin.Target != "" {
		again.left[begin.Node] = true
	}
	return true
}

// endsWithin is how long a move may take whose time came at the end of a round.
const endsWithin = time.Minute

// underWay reports whether what does not rest is a move whose time came a moment ago.
func (again retries) underWay(w *World, why string) bool {
	for service, tried := range again.due {
		now, known := w.State().Services.Get(service)
		if !known || now.Intent == nil || !slices.ContainsFunc(tried, time.Time.IsZero) ||
			w.Now-w.raft.log[now.Intent.Index-1].when > endsWithin {
			continue
		}
		if strings.Contains(why, service) || strings.HasSuffix(why, " is at work") {
			return true
		}
	}
	return false
}
