package plan

import (
	"slices"
	"sort"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/internal/message"
)

// seat is where a service runs or is on its way to; "" where there is none.
func (p *planner) seat(s *cluster.Service) string {
	switch i := s.Intent; {
	case p.Also[s.Spec.Name] != "":
		return p.Also[s.Spec.Name]
	case i != nil && i.Kind == cluster.IntentMigrate && !i.Settling:
		return i.Target
	case i != nil && i.Kind == cluster.IntentStart:
		return i.Node
	case s.Up():
		return s.Owner
	}
	return ""
}

// gathering bars the nodes where a service would be away from those that run
// together with it. Where it cannot join them it goes elsewhere, and they follow.
func (p *planner) gathering(
	service cluster.Service, barred map[string]message.Text,
) map[string]message.Text {
	seats := map[string]string{}
	for _, other := range p.Companions(service.Spec.Name) {
		node := p.seat(other)
		n, known := p.Nodes.Get(node)
		failed := slices.ContainsFunc(service.FailedOn, func(f cluster.FailedStart) bool {
			return f.Node == node &&
				p.FailedThere(f)
		})
		if _, taken := seats[node]; !known || taken || failed || node == service.Avoid || !barred[node].IsZero() ||
			!p.MayRun(service, n).IsZero() {
			continue
		}
		seats[node] = other.Spec.Name
	}
	away := map[string]message.Text{}
	if len(seats) == 0 {
		return away
	}
	first := words.SortedKeys(seats)[0]
	for _, node := range p.Nodes.Keys() {
		if _, seat := seats[node]; !seat {
			away[node] = message.CompanionAway.With(seats[first], first)
		}
	}
	return away
}

// cramped says of nodes that a companion may not run there: they come last where
// the first of a group chooses for all.
func (p *planner) cramped(service cluster.Service) map[string]message.Text {
	last := map[string]message.Text{}
	for _, other := range p.Companions(service.Spec.Name) {
		if !other.Enabled {
			continue
		}
		for _, name := range p.Nodes.Keys() {
			n, _ := p.Nodes.Get(name)
			if n.State == cluster.NodeOnline && last[name].IsZero() && !p.MayRun(*other, n).IsZero() {
				last[name] = message.CompanionBarred.With(other.Spec.Name)
			}
		}
	}
	return last
}

// head reports whether a service decides for those that run together with it where they go by
// themselves: the one that an administrator placed last, else the first by name that has a
// failover domain.
func (p *planner) head(service cluster.Service, group []*cluster.Service) bool {
	// Where an administrator put one of them, that one decides.
	for _, one := range append(group, &service) {
		if one.Up() && one.IsPlaced() && one.Spec.Name != service.Spec.Name && (!service.IsPlaced() || one.Newer(service)) {
			return false
		}
	}
	if service.IsPlaced() {
		return true
	}
	names := []string{service.Spec.Name}
	for _, other := range group {
		if other.Up() && other.Spec.Domain != "" {
			names = append(names, other.Spec.Name)
		}
	}
	sort.Strings(names)
	return names[0] == service.Spec.Name
}
