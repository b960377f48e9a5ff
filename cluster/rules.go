package cluster

import (
	"slices"
	"sort"

	"github.com/clusterd/clusterd/resources"
)

// Rules between services as placement sees them: exclusive and apart forbid a
// node, whoever asks for it, and Apply holds them. Together is where decisions of
// the cluster's own keep services; a person may move one, and the others follow.

// ruled are the services that have rules about places, removed ones included:
// most clusters have few, and should not pay for what they do not have.
type ruled struct {
	apart    []*Service
	together bool
	// barred is what keeps every service off a node; nil where nodes may change.
	barred map[string]string
}

func (w *World) rules() ruled {
	if w.ruled != nil {
		return *w.ruled
	}
	var found ruled
	look := func(s *Service) {
		if s.Spec.Exclusive || len(s.Spec.Apart) > 0 {
			found.apart = append(found.apart, s)
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
	why map[string]string
	// exclusive: it is a matter of being alone on a node.
	exclusive bool
}

// objectionsTo says which rule between services keeps a service off which node.
// What may be running on a node counts as being there, as in law L1.
func (w *World) objectionsTo(service Service) objections {
	o, rules := objections{}, w.rules()
	if len(rules.apart) == 0 {
		return o
	}
	o.why = map[string]string{}
	against := func(other *Service) {
		why, exclusive := clash(&service.Spec, &other.Spec)
		if why == "" || other.Spec.Name == service.Spec.Name || (other.Spec.UUID == service.Spec.UUID && service.Spec.UUID != "") {
			return
		}
		nodes := make([]string, 0, len(other.Holders)+1)
		for _, h := range other.Holders {
			nodes = append(nodes, h.Node)
		}
		for _, node := range append(nodes, w.also[other.Spec.Name]) {
			if _, said := o.why[node]; !said && node != "" {
				o.why[node], o.exclusive = why, o.exclusive || exclusive
			}
		}
	}
	if !service.Spec.Exclusive && len(service.Spec.Apart) == 0 {
		for _, other := range rules.apart {
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

// clash says why two services may not be on one node. A Spec is large and this is
// asked for each pair of services, so neither is copied.
func clash(one, other *resources.Spec) (why string, exclusive bool) {
	switch {
	case one.Exclusive:
		return "it is exclusive, and " + other.Name + " is here", true
	case other.Exclusive:
		return other.Name + " is here, which is exclusive", true
	case slices.Contains(one.Apart, other.Name) || slices.Contains(other.Apart, one.Name):
		return "it is kept apart from " + other.Name + ", which is here", false
	}
	return "", false
}

// companions are the services that run together with this one, directly or by
// way of others, in the order of their names.
func (w *World) companions(name string) []*Service {
	if !w.rules().together {
		return nil
	}
	group, todo := map[string]*Service{}, []string{name}
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
	list := make([]*Service, 0, len(group))
	for _, member := range sortedKeys(group) {
		list = append(list, group[member])
	}
	return list
}

func (w *World) specOf(name string) resources.Spec {
	service, _ := w.Services.Get(name)
	return service.Spec
}

// up tells whether a service does its work; during a live migration it does.
func (s Service) up() bool {
	return s.State == resources.Started || s.State == resources.Migrating
}

// seat is where a service runs or is on its way to; "" where there is none.
func (p *planner) seat(s *Service) string {
	switch i := s.Intent; {
	case p.also[s.Spec.Name] != "":
		return p.also[s.Spec.Name]
	case i != nil && i.Kind == IntentMigrate && !i.Settling:
		return i.Target
	case i != nil && i.Kind == IntentStart:
		return i.Node
	case s.up():
		return s.Owner
	}
	return ""
}

// gathering bars the nodes where a service would be away from those that run
// together with it. Where it cannot join them it goes elsewhere, and they follow.
func (p *planner) gathering(service Service, barred map[string]string) map[string]string {
	seats := map[string]string{}
	for _, other := range p.companions(service.Spec.Name) {
		node := p.seat(other)
		n, known := p.Nodes.Get(node)
		failed := slices.ContainsFunc(service.FailedOn, func(f FailedStart) bool {
			return f.Node == node &&
				p.failedThere(f)
		})
		if _, taken := seats[node]; !known || taken || failed || node == service.Avoid || barred[node] != "" || p.mayRun(service, n) != "" {
			continue
		}
		seats[node] = other.Spec.Name
	}
	away := map[string]string{}
	if len(seats) == 0 {
		return away
	}
	first := sortedKeys(seats)[0]
	for _, node := range p.Nodes.Keys() {
		if _, seat := seats[node]; !seat {
			away[node] = seats[first] + ", which it runs together with, is on " + first
		}
	}
	return away
}

// cramped says of nodes that a companion may not run there: they come last where
// the first of a group chooses for all.
func (p *planner) cramped(service Service) map[string]string {
	last := map[string]string{}
	for _, other := range p.companions(service.Spec.Name) {
		if !other.Enabled {
			continue
		}
		for _, name := range p.Nodes.Keys() {
			n, _ := p.Nodes.Get(name)
			if n.State == NodeOnline && last[name] == "" && p.mayRun(*other, n) != "" {
				last[name] = other.Spec.Name + ", which runs together with it, may not run here"
			}
		}
	}
	return last
}

// head tells whether a service decides for those that run together with it where
// they go by themselves: the one that an administrator placed last, else the first by name that has a failover domain.
func (p *planner) head(service Service, group []*Service) bool {
	// Where an administrator put one of them, that one decides.
	for _, one := range append(group, &service) {
		if one.up() && one.placed() && one.Spec.Name != service.Spec.Name && (!service.placed() || one.newer(service)) {
			return false
		}
	}
	if service.placed() {
		return true
	}
	names := []string{service.Spec.Name}
	for _, other := range group {
		if other.up() && other.Spec.Domain != "" {
			names = append(names, other.Spec.Name)
		}
	}
	sort.Strings(names)
	return names[0] == service.Spec.Name
}
