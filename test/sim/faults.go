package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// How long faults go on in a random history, and how long everything that can
// be placed may take to run after the last one.
const (
	faultsFor = 40 * time.Second
	// The bound is long because a start that failed everywhere, and a fence
	// device that was dead, are tried again only every half minute.
	calmBound = 200 * time.Second
)

// History runs one random history and returns its world: a cluster, faults and
// requests for a while, then calm.
func History(seed int64, trace func(string)) *World {
	w := New(seed)
	w.Trace = trace
	nodes := w.foundRandomly()
	w.Run(6*time.Second, nil)
	for at := 6 * time.Second; at < faultsFor; at += w.between(100*time.Millisecond, 4*time.Second) {
		w.After(at-w.Now, func() { w.fault(nodes) })
	}
	w.strikeBusy()
	w.Run(faultsFor, nil)
	w.calm()
	deadline := w.Now + calmBound
	var why string
	w.Run(deadline, func() bool {
		if w.sequence%64 != 0 {
			return false
		}
		why = w.NotSettled()
		return why == ""
	})
	if len(w.Violations) > 0 {
		return w
	}
	if why = w.NotSettled(); why != "" {
		w.violate("not settled %s after the last fault: %s; notes: %v", calmBound, why, w.Notes())
		return w
	}
	w.watchQuiet()
	return w
}

func (w *World) foundRandomly() []string {
	document := cluster.Document{Cluster: "sim", Domains: map[string]domain.Domain{}}
	var nodes []string
	for i := range 3 + w.random.IntN(3) {
		name := fmt.Sprintf("node%d", i+1)
		nodes = append(nodes, name)
		if !w.chance(12) {
			Device(&document, name)
		}
	}
	if w.chance(3) {
		w.AddHost("witness", true)
		nodes = append(nodes, "witness")
	}
	document.Domains["ordered"] = domain.Domain{Name: "ordered", Ordered: true, NoFailback: w.chance(2),
		Members: []domain.Member{{Node: "node1", Priority: 1}, {Node: "node2", Priority: 2}, {Node: "node3"}}}
	document.Domains["restricted"] = domain.Domain{Name: "restricted", Restricted: true, Ordered: w.chance(2), Members: []domain.Member{{Node: "node2", Priority: 1}, {Node: "node3", Priority: 2}}}
	recoveries := []resources.Recovery{resources.Restart, resources.Relocate, resources.Restart, resources.RestartDisable}
	for i := range 2 + w.random.IntN(5) {
		spec := resources.Spec{Name: fmt.Sprintf("vm:%c", 'a'+i), Autostart: !w.chance(6), MaxRestarts: w.random.IntN(3), Recovery: recoveries[w.random.IntN(len(recoveries))]}
		spec.Domain = []string{"", "ordered", "restricted"}[w.random.IntN(3)]
		Service(&document, spec)
	}
	w.Found(document, nodes...)
	return nodes
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// fault breaks one thing, and mends it again later.
func (w *World) fault(nodes []string) {
	h := w.Hosts[pick(w.random, nodes)]
	while := w.between(300*time.Millisecond, 9*time.Second)
	later := func(do func()) { w.After(while, do) }
	switch w.random.IntN(17) {
	case 0, 1:
		h.PowerOff()
		later(h.Boot)
	case 2, 3:
		h.KillDaemon()
		later(h.StartDaemon)
	case 4:
		other := pick(w.random, nodes)
		if other != h.Name {
			w.Cut(h.Name, other)
			later(func() { w.Heal(h.Name, other) })
		}
	case 5:
		w.Isolate(h.Name)
		later(func() { w.Rejoin(h.Name) })
	case 6:
		h.SetLibvirt(false)
		later(func() { h.SetLibvirt(true) })
	case 7:
		h.BMC = pick(w.random, []BMCMode{BMCDead, BMCDeaf, BMCMute})
		later(func() { h.BMC = BMCWorks })
	case 8:
		h.StartsFail = true
		later(func() { h.StartsFail = false })
	case 9:
		h.Slow = w.between(0, time.Second)
		later(func() { h.Slow = 0 })
	case 10:
		if name := w.Leader(); name != "" && w.hasQuorum(h) {
			w.Lead(h.Name)
		}
	default:
		w.disturb(h, nodes)
	}
}

// strikeBusy strikes where it hurts most, now and then: a host, or its daemon,
// in the middle of an act.
func (w *World) strikeBusy() {
	w.every(20*time.Millisecond, func() {
		if w.Now > faultsFor || !w.chance(150) {
			return
		}
		s := w.State()
		for _, name := range s.Services.Keys() {
			service, _ := s.Services.Get(name)
			if service.Intent == nil || w.chance(2) {
				continue
			}
			h := w.Hosts[service.Intent.Node]
			if target := w.Hosts[service.Intent.Target]; target != nil && w.chance(2) {
				h = target
			}
			if w.chance(3) {
				h.BMC = BMCMute // the machine may boot before anybody knows
				h.PowerOff()
			} else {
				h.KillDaemon()
			}
			w.After(w.between(100*time.Millisecond, 6*time.Second), func() { h.Boot(); h.StartDaemon(); h.BMC = BMCWorks })
			return
		}
	})
}

// disturb is what happens to services: by themselves, or by people.
func (w *World) disturb(h *Host, nodes []string) {
	var services []string
	for _, name := range w.State().Services.Keys() {
		services = append(services, name)
	}
	service := pick(w.random, services)
	ops := []cluster.Operation{cluster.OpEnable, cluster.OpDisable, cluster.OpStop, cluster.OpRestart, cluster.OpRelocate, cluster.OpMigrate, cluster.OpMigrate, cluster.OpFreeze, cluster.OpUnfreeze}
	switch w.random.IntN(10) {
	case 0:
		h.CrashVM(service)
	case 1:
		h.EndVM(service, w.chance(2))
	case 2:
		w.Propose(h.Name, cluster.Leave{Node: pick(w.random, nodes), By: "root"}, nil)
	case 3:
		w.reconfigure(h.Name)
	default:
		op, node := pick(w.random, ops), ""
		if op == cluster.OpMigrate || w.chance(2) {
			node = pick(w.random, nodes)
		}
		w.Ask(h.Name, op, service, node)
	}
}

// reconfigure adds a service, or removes one that may be removed.
func (w *World) reconfigure(through string) {
	next := w.State().Document
	next.Services = maps.Clone(next.Services)
	if w.chance(2) && len(next.Services) < 8 {
		Service(&next, resources.Spec{Name: fmt.Sprintf("vm:new%d", w.random.IntN(3)), Autostart: true})
	} else {
		for _, name := range w.State().Services.Keys() {
			if s, _ := w.State().Services.Get(name); !s.Enabled && len(next.Services) > 1 {
				delete(next.Services, name)
				break
			}
		}
	}
	w.Configure(through, next, nil)
}

// Isolate cuts a host off from all others, Rejoin mends that.
func (w *World) Isolate(host string) {
	for _, name := range w.names() {
		if name != host {
			w.Cut(host, name)
		}
	}
}

// Rejoin mends all links of a host.
func (w *World) Rejoin(host string) {
	for _, name := range w.names() {
		if name != host {
			w.Heal(host, name)
		}
	}
}

// calm mends everything and asks for nothing more.
func (w *World) calm() {
	w.tell("from here on all is calm")
	for _, name := range w.names() {
		w.Rejoin(name)
	}
	w.every(500*time.Millisecond, func() {
		w.unfreeze()
		for _, name := range w.names() {
			h := w.Hosts[name]
			h.BMC, h.StartsFail, h.Slow = BMCWorks, false, 0
			switch me, _ := h.state.Nodes.Get(name); {
			case !h.Powered:
				h.Boot()
			case h.daemon == nil:
				h.StartDaemon()
			case !h.Libvirt:
				h.SetLibvirt(true)
			case me.State == cluster.NodeLeft:
				h.KillDaemon()
			}
		}
	})
}

// unfreeze ends what a person would have to end.
func (w *World) unfreeze() {
	s, leader := w.State(), w.Leader()
	if leader == "" {
		return
	}
	for _, name := range s.Services.Keys() {
		if service, _ := s.Services.Get(name); service.Flags&resources.Frozen != 0 {
			w.Ask(leader, cluster.OpUnfreeze, name, "")
		}
	}
}

// NotSettled says what is not as it should be in a calm world; "" if nothing.
func (w *World) NotSettled() string {
	if w.Leader() == "" {
		return "nobody leads"
	}
	s := w.State()
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); n.State != cluster.NodeOnline {
			return fmt.Sprintf("%s is %s", name, n.State)
		}
	}
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		if why := w.serviceNotSettled(service); why != "" {
			return name + " " + why
		}
	}
	for _, id := range s.Requests.Keys() {
		if r, _ := s.Requests.Get(id); !r.Done {
			return fmt.Sprintf("request %s (%s %s) is not answered", id, r.Op, r.Service)
		}
	}
	if s.Tombstones.Len() > 0 {
		return "a removed service may still run: " + s.Tombstones.Keys()[0]
	}
	return ""
}

func (w *World) serviceNotSettled(service cluster.Service) string {
	name := service.Spec.Name
	var running []string
	for _, host := range w.names() {
		if v := w.Hosts[host].vms[name]; v != nil && v.condition == resources.Running {
			running = append(running, host)
		}
	}
	frozen := service.Flags&resources.Frozen != 0
	switch {
	case service.Intent != nil || service.Wish != nil:
		return fmt.Sprintf("is being worked on: %+v %+v", service.Intent, service.Wish)
	case service.State == resources.Started && (len(running) != 1 || running[0] != service.Owner || len(service.Holders) != 1):
		return fmt.Sprintf("is started on %s by the State and runs on %v, holders %v", service.Owner, running, service.Holders)
	case service.State != resources.Started && len(running) > 0:
		return fmt.Sprintf("is %s by the State and runs on %v", service.State, running)
	case frozen:
		return "is frozen"
	case service.State == resources.Started || service.Held:
		return ""
	case service.Enabled:
		return fmt.Sprintf("is %s: %s", service.State, service.Reason)
	case len(service.Holders) > 0:
		return fmt.Sprintf("is disabled and may still run: %v", service.Holders)
	}
	return ""
}
