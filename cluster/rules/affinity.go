package rules

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Rules between services as placement sees them: exclusive and apart forbid a
// node, whoever asks for it, and Apply holds them. Together is where decisions of
// the cluster's own keep services; a person may move one, and the others follow.

// ruled are the services that have rules about places, removed ones included:
// most clusters have few, and should not pay for what they do not have.
type ruled struct {
	Apart    []*cluster.Service
	together bool
	// Barred is what keeps every service off a node; nil where nodes may change.
	Barred map[string]message.Text
}

// Rules is what the rules between services say, found once for a plan.
func (w *World) Rules() ruled {
	if w.Ruled != nil {
		return *w.Ruled
	}
	var found ruled
	look := func(s *cluster.Service) {
		if s.Spec.Exclusive || len(s.Spec.Apart) > 0 {
			found.Apart = append(found.Apart, s)
		}
		found.together = found.together || len(s.Spec.Together) > 0
	}
	for _, service := range w.Services.Rows() {
		look(service)
	}
	for _, grave := range w.Tombstones.Rows() {
		look(grave)
	}
	return found
}

// objections are what the rules between services say against nodes.
type objections struct {
	Why map[string]message.Text
	// Exclusive: it is a matter of being alone on a node.
	Exclusive bool
}

// ObjectionsTo says which rule between services keeps a service off which node.
// What may be running on a node counts as being there, as in law L1.
func (w *World) ObjectionsTo(service cluster.Service) objections {
	o, rules := objections{}, w.Rules()
	if len(rules.Apart) == 0 {
		return o
	}
	o.Why = map[string]message.Text{}
	against := func(other *cluster.Service) {
		why, exclusive := cluster.Clash(&service.Spec, &other.Spec)
		if why.IsZero() || other.Spec.Name == service.Spec.Name ||
			(other.Spec.UUID == service.Spec.UUID && service.Spec.UUID != "") {
			return
		}
		nodes := make([]string, 0, len(other.Holders)+1)
		for _, h := range other.Holders {
			nodes = append(nodes, h.Node)
		}
		for _, node := range append(nodes, w.Also[other.Spec.Name]) {
			if _, said := o.Why[node]; !said && node != "" {
				o.Why[node], o.Exclusive = why, o.Exclusive || exclusive
			}
		}
	}
	if !service.Spec.Exclusive && len(service.Spec.Apart) == 0 {
		for _, other := range rules.Apart {
			against(other) // only these can have something against it
		}
		return o
	}
	for _, other := range w.Services.Rows() {
		against(other)
	}
	for _, grave := range w.Tombstones.Rows() {
		against(grave)
	}
	return o
}

// Companions are the services that run together with this one, directly or by
// way of others, in the order of their names.
func (w *World) Companions(name string) []*cluster.Service {
	if !w.Rules().together {
		return nil
	}
	group, todo := map[string]*cluster.Service{}, []string{name}
	for len(todo) > 0 {
		one := todo[0]
		todo = todo[1:]
		spec := w.specOf(one)
		for _, other := range w.Services.Rows() {
			if _, known := group[other.Spec.Name]; known || other.Spec.Name == name {
				continue
			}
			if slices.Contains(spec.Together, other.Spec.Name) || slices.Contains(other.Spec.Together, one) {
				group[other.Spec.Name] = other
				todo = append(todo, other.Spec.Name)
			}
		}
	}
	list := make([]*cluster.Service, 0, len(group))
	for _, member := range words.SortedKeys(group) {
		list = append(list, group[member])
	}
	return list
}

func (w *World) specOf(name string) resources.Spec {
	service, _ := w.Services.Get(name)
	return service.Spec
}
