package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

const (
	// hypervisorPatience is how long a hypervisor may be silent before its node says so.
	hypervisorPatience = 3 * time.Second
	// hungKnown is how long it takes until everybody knows.
	hungKnown = hypervisorPatience + 4*time.Second
)

// hungWords are what a node says of a hypervisor that does not answer.
const hungWords = "libvirtd does not answer"

// hypervisor is what a host's daemon finds out about its hypervisor.
func (h *Host) hypervisor() *string {
	var why string
	if !h.Libvirt && h.world.Now-h.libvirtSince >= hypervisorPatience {
		why = hungWords
	}
	return &why
}

// askHypervisor lets the daemon see a change of it in time.
func (h *Host) askHypervisor() {
	look := func() {
		if d := h.daemon; d != nil && !d.paused {
			d.poke()
		}
	}
	look()
	h.world.After(hypervisorPatience, look)
}

// watchHungTarget holds that no VM is sent to a node of which everybody knows that its
// hypervisor does not answer.
func (w *World) watchHungTarget(after *cluster.State, c cluster.Begin) {
	node := c.Node
	if c.Intent == cluster.IntentMigrate {
		node = c.Target
	} else if c.Intent != cluster.IntentStart {
		return
	}
	service, _ := after.Services.Get(c.Service)
	h := w.Hosts[node]
	if h == nil || h.Libvirt || w.watched.limbo || service.Spec.Kind() != resources.KindVM ||
		w.inTrouble(h, hungKnown) || h.Slow > 0 {
		return
	}
	// What it finds goes to the leader; over a broken link it does not get there.
	if since := max(h.libvirtSince, w.ledSince, h.leaderSince); w.Now-since > hungKnown {
		w.violate("hung: %s is sent to %s, whose hypervisor has not answered for %s", c.Service, node, w.Now-h.libvirtSince)
	}
}

// hypervisorSalt draws when hypervisors hang for long; the faults of a seed are otherwise
// what they were.
const hypervisorSalt = 47

// hypervisors lets some hang, in some worlds, for longer than a restart takes.
func (s *Script) hypervisors(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), hypervisorSalt))
	if r.IntN(3) == 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(3) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(12*time.Second))),
				While: 15*time.Second + time.Duration(r.Int64N(int64(25*time.Second))), Kind: "hypervisor hangs",
				Host: pick(r, s.Nodes), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// hangFaults are drawn by hypervisors alone.
func hangFaults() []faultKind {
	return []faultKind{{"hypervisor hangs", 0, func(w *World, f Fault, h *Host) {
		h.SetLibvirt(false)
		w.After(f.While, func() { h.SetLibvirt(true) })
	}}}
}
