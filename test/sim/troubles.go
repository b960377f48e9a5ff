package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
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

// restlessSalt draws whose daemon does not stay up; the faults of a seed are otherwise what they
// were.
const restlessSalt = 73

const (
	// The pauses of a daemon that ends again and again, as clusterd makes them.
	shortestRest, longestRest = 200 * time.Millisecond, 3 * time.Second
	// restlessKnown is how long a daemon may end again and again before what it leaves unattended
	// is taken from it: four starts with their pauses, the grace, and one more start.
	restlessKnown = 60 * time.Second
)

// restless is what the world knows of a daemon that ends again and again.
type restless struct {
	// until it ends a moment after each start, and then pauses, longer each time.
	until, pause time.Duration
	// since when no start has lasted as long as a daemon may be silent.
	since time.Duration
	// ignored is since when nothing has spoken against fencing it for that.
	ignored time.Duration
	// known is when the log took in its newest start.
	known time.Duration
}

// restless draws them in some worlds.
func (s *Script) restless(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), restlessSalt))
	if r.IntN(3) > 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		if r.IntN(2) == 0 {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(10*time.Second))),
				While: 10*time.Second + time.Duration(r.Int64N(int64(80*time.Second))), Kind: "daemon does not stay up",
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// restlessFaults are drawn by restless alone.
func restlessFaults() []faultKind {
	return []faultKind{{"daemon does not stay up", 0, func(w *World, f Fault, h *Host) { w.Restless(h, f.While) }}}
}

// Restless lets a daemon end a moment after each start, for a while.
func (w *World) Restless(h *Host, while time.Duration) {
	h.restless.until, h.restless.pause, h.restless.ignored = w.Now+while, shortestRest, w.Now
	w.endSoon(h, h.daemon)
}

// endSoon ends a daemon, if it is that one still, and starts another after a pause.
func (w *World) endSoon(h *Host, d *daemon) {
	if d == nil || w.Now >= h.restless.until || w.calmly {
		return
	}
	w.After(500*time.Millisecond+time.Duration(w.sessions%5)*500*time.Millisecond, func() {
		if h.daemon != d || w.Now >= h.restless.until || w.calmly {
			return
		}
		h.KillDaemon()
		w.After(h.restless.pause, h.StartDaemon)
		h.restless.pause = min(2*h.restless.pause, longestRest)
	})
}

// startsAgain notes a start of a daemon.
func (h *Host) startsAgain() {
	w, grace := h.world, cluster.TimingFor("").SilentGrace
	if h.daemonSince == 0 || h.spoke-h.daemonSince >= grace || w.Now-h.spoke >= grace {
		h.restless.since = w.Now
	}
	h.daemonSince = w.Now
	w.endSoon(h, h.daemon)
}

// restlessFor is for how long no start of a host's daemon has lasted.
func (h *Host) restlessFor() time.Duration {
	end := h.world.Now
	if h.daemon == nil {
		end = h.spoke
	}
	if end-h.daemonSince >= cluster.TimingFor("").SilentGrace {
		return 0
	}
	return h.world.Now - h.restless.since
}

// watchRestless holds that what runs on a host is not left for good to a daemon that ends again and
// again.
func (w *World) watchRestless() {
	for _, h := range w.order {
		r := &h.restless
		if w.Now >= r.until || w.spared(h) {
			r.ignored = w.Now
		}
		if ignored := w.Now - max(r.ignored, w.ledSince); ignored > restlessKnown {
			w.violate("restless: the daemon of %s ends again and again for %s, and what runs there is left to it", h.Name,
				ignored)
		}
	}
}

// noteKnown notes that the log has taken in a start of a host's daemon.
func (w *World) noteKnown(node string) {
	if h := w.Hosts[node]; h != nil {
		h.restless.known = w.Now
	}
}

// watchCalledRestless holds that no host is called lost because its daemon ends again and again
// when that daemon has run for so long that no row of starts goes on, or has just come up anew.
func (w *World) watchCalledRestless(c cluster.Contact) {
	h := w.Hosts[c.Node]
	if c.State != cluster.NodeLost || !c.Why.Is(message.NodeRestlessTooLong) || h == nil || w.watched.limbo {
		return
	}
	if ran := w.Now - h.restless.known; ran >= cluster.RestartsApart+noTroubleFor {
		w.violate("needless: %s is called lost because its daemon ends again and again, and none of its starts was "+
			"reported for %s", c.Node, ran)
	}
}

// spared reports whether something speaks against fencing a host whose daemon does not stay up.
func (w *World) spared(h *Host) bool {
	leader := w.Hosts[w.Leader()]
	if leader == nil || leader == h || w.calmly || w.watched.limbo {
		return true
	}
	s := leader.state
	n, known := s.Nodes.Get(h.Name)
	at := epoch.Add(w.Now)
	world := rules.Of(s)
	return !known || !n.Restarts.Loop() || n.Incarnation == 0 || n.Ended() || n.Stopped || n.State == cluster.NodeLost ||
		s.Fences.Has(h.Name) || len(world.HeldBy(n)) == 0 || world.Maintained(n) ||
		len(s.Document.Nodes[h.Name].Fence) == 0 || !world.DisarmedWhy(at).IsZero() || !world.Brake(at).IsZero()
}
