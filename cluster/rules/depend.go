package rules

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// A dependency is a rule about time, not about place: a service starts after the
// one it needs, and if it needs it hard, it is stopped when that one goes down.
// rgmanager honoured it in one of its modes only.

// down tells that a service is known not to do its work. One that is still
// looked for may be found running, and is not down.
func (w *World) down(s cluster.Service) bool {
	if s.Up() || s.State == resources.Uninitialized {
		return false
	}
	for _, h := range s.Holders {
		if n, _ := w.Nodes.Get(h.Node); h.Ask && n.Reachable() {
			return false
		}
	}
	return true
}

// Follows says why a service has to go down after one that it needs hard; nothing
// if it has not.
func (w *World) Follows(service cluster.Service) message.Text {
	return w.followsBut(service, map[string]bool{})
}

func (w *World) followsBut(service cluster.Service, seen map[string]bool) message.Text {
	name := service.Spec.Name
	if seen[name] {
		return message.Text{}
	}
	seen[name] = true
	for _, d := range service.Spec.Depend {
		needed, known := w.Services.Get(d.Service)
		switch {
		case !known || d.Mode != resources.Hard:
			continue
		case w.down(needed):
			return message.DependsOnDown.With(d.Service, needed.State)
		case w.Departs[d.Service] != "":
			return message.DependsOnMoving.With(d.Service, w.Departs[d.Service])
		case needed.Going() != "":
			return message.DependsOnLeaving.With(d.Service, needed.Going())
		}
		if why := w.followsBut(needed, seen); !why.IsZero() {
			return message.DependsOnChain.With(d.Service, why)
		}
	}
	return message.Text{}
}

// Lacks says which service has to be started before this one may; nothing if none.
func (w *World) Lacks(service cluster.Service) message.Text {
	for _, d := range service.Spec.Depend {
		if needed, known := w.Services.Get(d.Service); known && !needed.Up() {
			return message.DependsOnDown.With(d.Service, needed.State)
		}
	}
	return message.Text{}
}
