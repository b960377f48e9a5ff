package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// twinsSalt draws when two machines turn out to be of one identity; the faults of a seed
// are otherwise what they were.
const twinsSalt = 53

// twins lets two boards tell one hardware UUID, wired the wrong way round: boards that
// leave the factory with one UUID for all, an address that was typed twice. The machine
// that such a board switches is not the one that it is declared for.
func (s *Script) twins() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), twinsSalt))
	for round := range rounds {
		if r.IntN(3) > 0 {
			continue
		}
		begin := time.Duration(round)*roundEvery + roundBegins
		s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(8*time.Second))),
			While: 5*time.Second + time.Duration(r.Int64N(int64(15*time.Second))),
			Kind:  "twin identities", Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Choice: r.Uint64()})
	}
	sortFaults(s.Faults)
}

// twinFaults are drawn by twins alone.
func twinFaults() []faultKind {
	return []faultKind{{"twin identities", 0, (*World).twin}}
}

// twin makes the boards of two hosts tell one UUID, and switches the first one over once
// the cluster has been told: what a board becomes between two questions nobody can know.
func (w *World) twin(f Fault, h *Host) {
	other := w.Hosts[f.Other]
	// A board that no level names is asked by nobody, so nobody knows what it tells.
	first, second := w.namesBoard(h), w.namesBoard(other)
	if h == other || !first || !second || h.mistaken || other.mistaken || h.BMC != BMCWorks || other.BMC != BMCWorks {
		return
	}
	w.Twins(h, other)
	w.After(f.While, func() {
		if h.BMC == BMCTwin {
			h.BMC = BMCWorks
		}
		w.After(2*time.Second, func() {
			w.mendTwin(h)
			w.mendTwin(other)
		})
	})
}

// namesBoard reports whether a level of a host's node names its board.
func (w *World) namesBoard(h *Host) bool {
	return slices.ContainsFunc(w.State().Document.Nodes[h.Name].Fence, func(level fence.Level) bool {
		return slices.Contains(level.Devices, "bmc-"+h.Name)
	})
}

// boardTold is what a host's board tells of its host, as whoever asked it puts it into the log.
func boardTold(of *Host, uuid string) cluster.Command {
	return cluster.CheckFrom{Device: "bmc-" + of.Name, By: of.Name, Check: fence.Check{Power: fence.PowerOn,
		Identity: uuid}}
}

// Twins makes two boards tell the first host's UUID; once the cluster knows, the first
// board switches the other host.
func (w *World) Twins(h, other *Host) {
	shared, told := h.hardware(), boardTold
	w.Propose(w.anyone(h.Name), told(h, shared), nil)
	w.Propose(w.anyone(h.Name), told(other, shared), func(string) {
		one, _ := w.State().Checks.Get("bmc-" + h.Name)
		two, _ := w.State().Checks.Get("bmc-" + other.Name)
		// What a drill has proven stays wired as it was (safety.md, A2).
		proven := w.State().ProvenFor("bmc-"+h.Name, h.Name)
		if one.Identity == shared && two.Identity == shared && !w.calmly && h.BMC == BMCWorks && !proven {
			h.BMC, h.Twin = BMCTwin, other
			// What it told stays true when it falls silent.
			w.Propose(w.anyone(h.Name), cluster.CheckFrom{Device: "bmc-" + other.Name, By: h.Name,
				Check: fence.Check{Power: fence.PowerUnknown, Problem: "it does not answer"}}, nil)
		}
	})
}

// mendTwin lets the cluster know that a host's board tells its own UUID again. It is told until the
// State says so, as daemons ask their devices again and again: whoever tells it may die meanwhile.
func (w *World) mendTwin(h *Host) {
	own := h.hardware()
	check, asked := w.State().Checks.Get("bmc-" + h.Name)
	if h.mistaken = asked && check.Identity != own; !h.mistaken {
		return
	}
	if leader := w.Leader(); leader != "" {
		w.Propose(leader, boardTold(h, own), nil)
	}
	w.After(time.Second, func() { w.mendTwin(h) })
}

// mistakable is what a driver finds before it sends anything: a board that tells a UUID
// which others claim too.
func (d *daemon) mistakable(duty cluster.Duty) string {
	if duty.Victim.Claimed == "" || duty.Drill || len(duty.Devices) == 0 ||
		slices.Contains(duty.Proven, duty.Devices[0].Name) {
		return ""
	}
	return "the UUID that the BMC tells identifies nobody: " + duty.Victim.Claimed
}

// shootTwin cuts the power of the machine that the board is really wired to. The board
// says off, and tells the truth of the wrong machine.
func (d *daemon) shootTwin(victim *Host, off time.Duration, report func(fence.Outcome, string)) {
	wrong := victim.Twin
	d.host.world.shotAfter(off/2, func() {
		wrong.shotDown()
		d.after(off/2, func() { report(fence.Confirmed, "off command accepted, off read twice") })
	})
}
