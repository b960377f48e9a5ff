package sim

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// ruled reports whether a seed's services have rules between each other, and its
// operators give standing orders. It is drawn apart, so that the faults of a seed
// are what they were before there was this.
func (s Script) ruled() *rand.Rand {
	own := rand.New(rand.NewPCG(uint64(s.Seed), 21))
	if own.IntN(2) == 0 {
		return nil
	}
	return own
}

// rule draws rules into a script's document, and orders among its faults.
func (s *Script) rule() {
	own := s.ruled()
	if own == nil {
		return
	}
	d := &s.Document
	names := s.declared(*d)
	next := cluster.Document{Services: map[string]resources.Spec{}}
	for i, name := range names {
		spec := d.Services[name]
		spec.Rules = drawRules(own, names, i)
		next.Services[name] = spec
	}
	d.Services = next.Services
	if own.IntN(3) == 0 {
		d.StartAtOnce = 1 + own.IntN(4)
	}
	s.order(own)
}

// madeOfResources makes every fourth service one of resources, where services have rules
// between each other.
func (s *Script) madeOfResources() {
	if s.ruled() == nil {
		return
	}
	services := map[string]resources.Spec{}
	for i, name := range s.declared(s.Document) {
		spec := s.Document.Services[name]
		if i%4 == 3 {
			spec.Name = resources.KindService + ":" + spec.Short()
		}
		services[spec.Name] = spec
	}
	s.Document.Services = services
}

func (s Script) declared(d cluster.Document) []string {
	var names []string
	for name := range d.Services {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// drawRules draws the rules of the service at a place of the list. It depends
// only on those before it, so that there are no circles.
func drawRules(r *rand.Rand, names []string, i int) resources.Rules {
	rules := resources.Rules{Tier: []int{0, 0, 1, 2}[r.IntN(4)], Priority: r.IntN(3)}
	other := names[r.IntN(len(names))]
	switch kind := r.IntN(8); {
	case kind == 0 && i == 0:
		rules.Exclusive = true
	case kind <= 2 && i > 0:
		rules.Depend = []resources.Dependency{
			{Service: names[r.IntN(i)], Mode: []resources.DependMode{resources.Hard, resources.Soft}[r.IntN(2)]}}
		rules.Tier = 2 // never before what it depends on
	case kind == 3 && other != names[i]:
		rules.Apart = []string{other}
	case kind == 4 && other != names[i]:
		rules.Together = []string{other}
	}
	if r.IntN(4) == 0 {
		rules.StopFailure = []resources.StopFailure{resources.LeaveFailed, resources.FenceNode}[r.IntN(2)]
	}
	return rules
}

// order adds what operators order, to the faults of each round.
func (s *Script) order(r *rand.Rand) {
	kinds := orderFaults()
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range 1 + r.IntN(6) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(15*time.Second))),
				While: time.Second + time.Duration(r.Int64N(int64(12*time.Second))),
				Kind:  pick(r, kinds).name, Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()),
				Choice: r.Uint64()})
		}
	}
	sort.SliceStable(s.Faults, func(i, j int) bool { return s.Faults[i].At < s.Faults[j].At })
}

// orderFaults are standing orders and what befalls services made of resources.
// They are drawn by order alone.
func orderFaults() []faultKind {
	return []faultKind{
		{"locked", 0, func(w *World, f Fault, h *Host) {
			w.Propose(h.Name, cluster.LockCluster{By: "root", Stop: f.Choice%4 == 0}, nil)
			w.After(f.While, func() { w.Propose(h.Name, cluster.UnlockCluster{By: "root", Start: true}, nil) })
		}},
		{"ordered away", 0, func(w *World, f Fault, h *Host) {
			kind := pick(f.random(), []cluster.OrderKind{cluster.OrderStandby, cluster.OrderDrain, cluster.OrderMaintenance})
			c := cluster.OrderNode{Node: f.Other, Order: kind, By: "root"}
			if f.Choice%2 == 0 {
				c.Within = f.While / 2
			}
			w.Propose(h.Name, c, nil)
			w.After(f.While, func() { w.Propose(h.Name, cluster.OrderNode{Node: f.Other, By: "root"}, nil) })
		}},
		{"frozen for a while", 0, func(w *World, f Fault, h *Host) {
			w.Request(h.Name, cluster.Ask{Op: cluster.OpFreeze, Service: f.Service, For: f.While, By: "root"})
		}},
		{"parts fail", 0, func(w *World, f Fault, h *Host) {
			if strings.HasPrefix(f.Service, resources.KindService) {
				w.owner(f).FailParts(f.Service, "ip:10.0.0.5: gone")
			}
		}},
		{"parts are dropped", 0, func(w *World, f Fault, h *Host) {
			if strings.HasPrefix(f.Service, resources.KindService) {
				w.owner(f).DropParts(f.Service, "script:report: gone", f.Choice%3 == 0)
				w.After(f.While/2, func() {
					if !w.asleep { // nobody asks for anything in a world that is to stay as it is
						w.Ask(h.Name, cluster.OpConvalesce, f.Service, "")
					}
				})
			}
		}},
	}
}

// endOrders ends in calm what operators have ordered.
func (w *World) endOrders() {
	s, leader := w.State(), w.Leader()
	if leader == "" {
		return
	}
	if s.Lock != nil {
		w.Propose(leader, cluster.UnlockCluster{By: "root", Start: true}, nil)
	}
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); n.Order != nil {
			w.Propose(leader, cluster.OrderNode{Node: name, By: "root"}, nil)
		}
	}
}

// ordersNotSettled: a calm world has no standing orders.
func (w *World) ordersNotSettled() string {
	s := w.State()
	if w.random == nil {
		return ""
	}
	if s.Lock != nil {
		return "the cluster is locked"
	}
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); n.Order != nil {
			return fmt.Sprintf("%s is under the order %s", name, n.Order.Kind)
		}
	}
	return ""
}

// watchRules holds the rules between services against the truth: what is begun
// on a node must not meet there what it may not, nor begin before what it needs,
// nor under a lock or an order.
func (w *World) watchRules(before, after *cluster.State, c cluster.Begin) {
	node := c.Node
	if c.Intent == cluster.IntentMigrate {
		node = c.Target
	}
	service, _ := after.Services.Get(c.Service)
	for _, v := range w.Hosts[node].machines() {
		other, known := after.Services.Get(v.service)
		if !known || other.Spec.UUID != v.uuid || v.service == c.Service || w.byHand[v.service] || w.byHand[c.Service] {
			continue
		}
		one, two := service.Spec, other.Spec
		if one.Exclusive || two.Exclusive || contains(one.Apart, two.Name) || contains(two.Apart, one.Name) {
			w.violate("rules: %s is brought to %s, where %s is %s", c.Service, node, v.service, v.condition)
		}
	}
	if n, _ := after.Nodes.Get(node); n.Order != nil {
		w.violate("orders: %s is brought to %s, which is under the order %s", c.Service, node, n.Order.Kind)
	}
	if c.Intent != cluster.IntentStart {
		return
	}
	if before.Lock != nil && after.Lock != nil {
		w.violate("lock: %s is started although the cluster is locked", c.Service)
	}
	for _, d := range service.Spec.Depend {
		if needed, known := after.Services.Get(d.Service); known && needed.State != resources.Started &&
			needed.State != resources.Migrating {
			w.violate("rules: %s is started while %s, on which it depends, is %s", c.Service, d.Service, needed.State)
		}
	}
}

func contains(list []string, name string) bool {
	for _, one := range list {
		if one == name {
			return true
		}
	}
	return false
}

// disksTaken reports whether another service may write what this one declares.
func (w *World) disksTaken(service cluster.Service) bool {
	s := w.State()
	for _, key := range s.Services.Keys() {
		other, _ := s.Services.Get(key)
		for _, h := range other.Holders {
			if key != service.Spec.Name && len(resources.Conflicts(h.Disks, service.Spec.Disks)) > 0 {
				return true
			}
		}
	}
	return false
}

// placeable reports whether some node may run a service once all are well: its
// domain has a member here, and its disks are nobody else's.
func (w *World) placeable(service cluster.Service) bool {
	if w.disksTaken(service) {
		return false
	}
	s := w.State()
	d, declared := s.Document.Domains[service.Spec.Domain]
	if !declared || !d.Restricted {
		return true
	}
	for _, m := range d.Members {
		if n, known := s.Nodes.Get(m.Node); known && !n.Witness {
			return true
		}
	}
	return false
}

// hindered says why the rules between services leave a service down in a calm
// world, where nothing else does; "" if they do not.
func (w *World) hindered(service cluster.Service, seen map[string]bool) string {
	if seen[service.Spec.Name] {
		return ""
	}
	seen[service.Spec.Name] = true
	s := w.State()
	for _, d := range service.Spec.Depend {
		needed, known := s.Services.Get(d.Service)
		if known && needed.State != resources.Started && (!needed.Enabled || needed.Held || !w.placeable(needed) ||
			w.hindered(needed, seen) != "") {
			return "it depends on " + d.Service
		}
	}
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); !n.Witness && w.welcome(service, name) && roomFor(s, service, name) {
			return ""
		}
	}
	return "no node has room for it by the rules"
}

// welcome reports whether domain and rules let a service onto a node as it is.
func (w *World) welcome(service cluster.Service, node string) bool {
	s := w.State()
	if d, declared := s.Document.Domains[service.Spec.Domain]; declared && d.Restricted {
		member := false
		for _, m := range d.Members {
			member = member || m.Node == node
		}
		if !member {
			return false
		}
	}
	for _, name := range s.Services.Keys() {
		other, _ := s.Services.Get(name)
		one, two := service.Spec, other.Spec
		if name == one.Name || !(one.Exclusive || two.Exclusive || contains(one.Apart, two.Name) ||
			contains(two.Apart, one.Name)) {
			continue
		}
		for _, h := range other.Holders {
			if h.Node == node {
				return false
			}
		}
	}
	return true
}
