package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
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

// Follows says why a service has to go down after one that it needs hard; "" if
// it has not.
func (w *World) Follows(service cluster.Service) string {
	return w.followsBut(service, map[string]bool{})
}

func (w *World) followsBut(service cluster.Service, seen map[string]bool) string {
	name := service.Spec.Name
	if seen[name] {
		return ""
	}
	seen[name] = true
	for _, d := range service.Spec.Depend {
		needed, known := w.Services.Get(d.Service)
		switch {
		case !known || d.Mode != resources.Hard:
			continue
		case w.down(needed):
			return fmt.Sprintf("it depends on %s, which is %s", d.Service, needed.State)
		case w.Departs[d.Service] != "":
			return fmt.Sprintf("it depends on %s, which moves to %s", d.Service, w.Departs[d.Service])
		case needed.Going() != "":
			return fmt.Sprintf("it depends on %s, which somebody asked to %s", d.Service, needed.Going())
		}
		if why := w.followsBut(needed, seen); why != "" {
			return fmt.Sprintf("it depends on %s, and %s", d.Service, why)
		}
	}
	return ""
}

// Lacks says which service has to be started before this one may; "" if none.
func (w *World) Lacks(service cluster.Service) string {
	for _, d := range service.Spec.Depend {
		if needed, known := w.Services.Get(d.Service); known && !needed.Up() {
			return fmt.Sprintf("it depends on %s, which is %s", d.Service, needed.State)
		}
	}
	return ""
}
