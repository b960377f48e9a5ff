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

// barSalt draws when boards may not do what they are asked for; the faults of a seed are otherwise
// what they were.
const barSalt = 101

// boardAsked is how often each daemon asks a board in the worlds in which one lies; offersNoOff is
// what it answers.
const (
	boardAsked  = 5 * time.Second
	offersNoOff = "it offers no command to switch it off, or not to this account"
)

// barBoards lets boards answer well that could not switch anything off, in some worlds.
func (s *Script) barBoards(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), barSalt))
	if r.IntN(6) > 0 {
		return
	}
	for round := range rounds {
		if r.IntN(3) == 0 {
			continue
		}
		begin := time.Duration(round)*roundEvery + roundBegins
		s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(15*time.Second))),
			While: 10*time.Second + time.Duration(r.Int64N(int64(50*time.Second))), Kind: "board may not",
			Host: pick(r, s.Nodes), Service: pick(r, s.serviceNames()), Choice: r.Uint64()})
	}
	sortFaults(s.Faults)
}

// boardChecks are drawn by barBoards alone. Half of the time something does not stop there that is
// asked to.
func boardChecks() []faultKind {
	return []faultKind{{"board may not", 0, func(w *World, f Fault, h *Host) {
		if h.BMC != BMCWorks || h.mistaken || !w.namesBoard(h) {
			return
		}
		w.BarBoard(h, true)
		if f.Choice%2 == 0 {
			w.After(f.While/3, func() {
				if w.calmly {
					return
				}
				h.StopsFail = true
				for _, v := range h.machines() {
					w.Ask(w.anyone(h.Name), cluster.OpRestart, v.service, "")
				}
			})
		}
		w.After(f.While, func() {
			h.StopsFail = false
			w.BarBoard(h, false)
		})
	}}}
}

// BarBoard takes the right to switch a host off from its board's account, or gives it back. All
// daemons ask the board from then on, until the cluster knows that all is well.
func (w *World) BarBoard(h *Host, barred bool) {
	if !barred {
		if h.BMC == BMCBarred {
			h.BMC = BMCWorks
		}
		return
	}
	h.BMC, h.barred = BMCBarred, w.Now
	w.tell("the board of %s may not switch it off", h.Name)
	w.askBoard(h)
}

// askBoard lets every daemon that has a way to a board ask it, again and again.
func (w *World) askBoard(h *Host) {
	device := "bmc-" + h.Name
	if h.barred == 0 || (w.boardsNotSettled(w.State()) == "" && h.BMC != BMCBarred) || !w.namesBoard(h) {
		h.barred = 0
		return
	}
	check := fence.Check{Power: fence.PowerOff, Identity: w.toldBy(h)}
	if h.Powered {
		check.Power = fence.PowerOn
	}
	if h.BMC == BMCBarred {
		check.Problem = offersNoOff
	}
	// A host asks its own board where it was said to have done so before (boardTold): that counts on.
	_, asksItself := w.State().ReachOfNode(device, h.Name)
	for _, by := range w.order {
		if d := by.daemon; d != nil && (by != h || asksItself) && !d.paused && w.asksBoard(by, h) {
			d.in.Checks = append(d.in.Checks, cluster.CheckFrom{Device: device, By: by.Name, Check: check})
			d.poke()
		}
	}
	w.After(boardAsked, func() { w.askBoard(h) })
}

// toldBy is the UUID that a host's board tells: that of the other machine, as long as that one's
// board switches this host.
func (w *World) toldBy(h *Host) string {
	for _, other := range w.order {
		if other.BMC == BMCTwin && other.Twin == h {
			return other.hardware()
		}
	}
	return h.hardware()
}

// asksBoard reports whether a host gets a true answer from a board.
func (w *World) asksBoard(by, of *Host) bool {
	return !w.network.cut[Board][by.place][of.place] && !(of.BMCSharesPower && !of.Powered) &&
		(of.BMC == BMCWorks || of.BMC == BMCBarred)
}

// watchBoards holds of what the leader decides from that a board which has said for a while that it
// may not switch its host off counts for nothing.
func (w *World) watchBoards(s *cluster.State) {
	leader := w.Hosts[w.Leader()]
	for _, h := range w.order {
		since := max(h.barred, w.ledSince)
		if h.BMC != BMCBarred || h.barred == 0 || w.Now-since <= toldWithin || leader == nil || !w.namesBoard(h) {
			continue
		}
		if check, asked := s.Checks.Get("bmc-" + h.Name); asked && check.Problem == "" && w.allAsk(s, h) {
			w.violate("readiness: the board of %s has said for %s that it may not switch it off, and nobody knows it",
				h.Name, w.Now-since)
		}
	}
}

// allAsk reports whether every node in touch has had the time to ask a board and to tell of it.
func (w *World) allAsk(s *cluster.State, of *Host) bool {
	for _, h := range w.order {
		if n, _ := s.Nodes.Get(h.Name); n.Reachable() && h != of && (w.inTrouble(h, toldWithin) || !w.asksBoard(h, of)) {
			return false
		}
	}
	return true
}

// watchGivenUp holds that no node is given up for a stop that failed where all that could end it
// has said that it cannot: it would be out of work, and what it holds waits for a person's word.
func (w *World) watchGivenUp(before *cluster.State, c cluster.BeginFence) {
	h := w.Hosts[c.Node]
	check, _ := before.Checks.Get("bmc-" + c.Node)
	if h == nil || c.Service == "" || check.Problem != offersNoOff || w.watched.limbo {
		return
	}
	for _, level := range before.Document.Nodes[c.Node].Fence {
		if !slices.Equal(level.Devices, []string{"bmc-" + c.Node}) {
			return
		}
	}
	w.violate("readiness: %s is to be fenced because %s does not stop, and its board has said that it may not", c.Node,
		c.Service)
}

// boardsNotSettled names a host whose board works again, and nobody knows it.
func (w *World) boardsNotSettled(s *cluster.State) string {
	for _, h := range w.order {
		if check, _ := s.Checks.Get("bmc-" + h.Name); check.Problem == offersNoOff && h.BMC != BMCBarred {
			return "the board of " + h.Name + " is not known to be well again"
		}
	}
	return ""
}

// mendBoards lets the boards be asked again of which the State says what is over: what was told of
// them may have come late.
func (w *World) mendBoards() {
	for _, h := range w.order {
		check, _ := w.State().Checks.Get("bmc-" + h.Name)
		if w.BarBoard(h, false); h.barred == 0 && check.Problem == offersNoOff {
			h.barred = w.Now
			w.askBoard(h)
		}
	}
}
