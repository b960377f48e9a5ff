package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// troublesSalt draws what goes wrong with guests that run; the faults of a seed are
// otherwise what they were.
const troublesSalt = 41

// How a guest in a crash loop dies, and how often it may be started again. The limit
// is far above what growing pauses leave, and far below what none leave.
const (
	loopDies   = 300 * time.Millisecond
	loopWindow = 40 * time.Second
	loopStarts = 12
)

// troubles are of one kind each time.
func (s *Script) troubles() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), troublesSalt))
	if r.IntN(3) == 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(3) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(25*time.Second))),
				While: 5*time.Second + time.Duration(r.Int64N(int64(40*time.Second))), Kind: pick(r, troubleKinds()),
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

func troubleKinds() []string {
	var names []string
	for _, k := range troubleFaults() {
		names = append(names, k.name)
	}
	return names
}

// troubleFaults are drawn by troubles alone.
func troubleFaults() []faultKind {
	return append(plugFaults(), []faultKind{
		{"guest hangs", 0, func(w *World, f Fault, _ *Host) { w.HangVM(f) }},
		{"guest dies at each start", 0, func(w *World, f Fault, _ *Host) { w.LoopVM(f.Service, f.While) }},
	}...)
}

// LoopVM lets a guest die soon after each start, for a while.
func (w *World) LoopVM(service string, while time.Duration) {
	uuid := w.uuid(service)
	w.looping[uuid] = w.Now + while
	for _, h := range w.order {
		if v := h.vms[uuid]; v != nil && v.condition == resources.Running {
			v.dieSoon()
		}
	}
}

// dieSoon ends a guest that is in a loop.
func (v *vm) dieSoon() {
	w := v.host.world
	if w.Now >= w.looping[v.uuid] || w.calmly {
		return
	}
	w.After(loopDies, func() {
		if !v.gone() && !v.moving && v.condition == resources.Running {
			v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "shut down by its guest"})
		}
	})
}

// watchLoop holds that a guest that dies at once is not started as fast as it dies. A
// person's word, and the fencing of a host, begin anew.
func (w *World) watchLoop(before *cluster.State, c cluster.Begin) {
	service, _ := before.Services.Get(c.Service)
	uuid := service.Spec.UUID
	if _, loops := w.looping[uuid]; !loops || c.Intent != cluster.IntentStart || c.By != "recovery" {
		return
	}
	var recent []time.Duration
	for _, at := range w.watched.starts[uuid] {
		if w.Now-at < loopWindow {
			recent = append(recent, at)
		}
	}
	w.watched.starts[uuid] = append(recent, w.Now)
	if len(recent) >= loopStarts {
		w.violate("loop: %s is started %d times in %s, as fast as it dies", c.Service, len(recent)+1, loopWindow)
	}
}
