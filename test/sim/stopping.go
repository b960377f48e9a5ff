package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
)

// stoppingSalt draws when daemons are stopped on purpose; the faults of a seed are
// otherwise what they were.
const stoppingSalt = 41

// announceWait is how long a daemon waits for its announcement before it ends.
const announceWait = 2 * time.Second

// stoppings let people stop daemons on purpose, in some worlds: for longer than a
// silence without a word may last, and shorter than an announced one.
func (s *Script) stoppings() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), stoppingSalt))
	if r.IntN(2) == 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(3) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(15*time.Second))),
				While: 2*time.Second + time.Duration(r.Int64N(int64(22*time.Second))), Kind: "daemon stopped",
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// stoppingFaults are drawn by stoppings alone.
func stoppingFaults() []faultKind {
	return []faultKind{{"daemon stopped", 0, func(w *World, f Fault, h *Host) {
		h.StopDaemon()
		w.After(f.While, h.StartDaemon)
	}}}
}

// StopDaemon ends clusterd as systemctl stop does: it announces that first, and waits
// for the announcement for a while.
func (h *Host) StopDaemon() {
	d := h.daemon
	if d == nil || d.paused || d.stopping {
		return
	}
	w := h.world
	d.stopping = true
	w.tell("clusterd on %s is stopped", h.Name)
	end := func() {
		if d.alive() {
			h.KillDaemon()
		}
	}
	w.After(announceWait, end)
	if d.incarnation == 0 {
		end()
		return
	}
	command := cluster.DaemonStopping{Node: h.Name, Incarnation: d.incarnation}
	w.propose(d, []cluster.Command{command}, func(bool, apply.Applied) { end() })
}
