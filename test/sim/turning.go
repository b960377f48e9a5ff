package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// turningSalt draws when people ask for new keys of nodes, and turnPaceSalt how long each step
// takes; the faults of a seed are otherwise what they were.
const turningSalt, turnPaceSalt = 61, 67

// turnNoted is how long a node that has no trouble may be on its way to a new key without a word.
const turnNoted = 30 * time.Second

// turns is what the world knows of keys that were turned.
type turns struct {
	random *rand.Rand
	// told: some node has told a new key. Before that nobody's key is looked at.
	told bool
	// barred are old keys of turns that are over.
	barred map[string]bool
	// excused are hosts that need not know keys in use: they were left out, or taken back to an old
	// folder, and have not caught up since.
	excused map[string]bool
	// changes counts the entries that changed a node's key.
	changes int
}

// keyTime draws a duration, apart from what else is drawn.
func (w *World) keyTime(shortest, longest time.Duration) time.Duration {
	if w.turns.random == nil {
		return shortest
	}
	return shortest + time.Duration(w.turns.random.Int64N(int64(longest-shortest)))
}

// keyPause is what a step of a turn takes: now and then long enough for the world to change
// meanwhile.
func (w *World) keyPause() time.Duration {
	if w.turns.random != nil && w.turns.random.IntN(4) == 0 {
		return w.keyTime(50*time.Millisecond, 3*time.Second)
	}
	return w.keyTime(2*time.Millisecond, 100*time.Millisecond)
}

// turnKeys lets people ask for new keys in some worlds, and something else go wrong beside it.
func (s *Script) turnKeys(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), turningSalt))
	if r.IntN(4) > 0 {
		return
	}
	beside := []string{"old folder", "old folder", "log lost", "node replaced", "isolated", "power loss", "slow follower",
		"another leads", "daemon dies", "deaf"}
	if s.Document.TwoNode != nil {
		beside = []string{"old folder", "log lost", "log cut", "power loss", "blackout", "parted", "daemon dies"}
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range 1 + r.IntN(3) {
			f := Fault{At: begin + time.Duration(r.Int64N(int64(20*time.Second))),
				While: time.Second + time.Duration(r.Int64N(int64(12*time.Second))), Kind: "key rotated",
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Choice: r.Uint64()}
			s.Faults = append(s.Faults, f)
			if r.IntN(3) == 0 {
				continue
			}
			f.At += time.Duration(r.Int64N(int64(3 * time.Second)))
			if f.Kind, f.Choice = pick(r, beside), r.Uint64(); r.IntN(2) == 0 {
				f.Host = pick(r, s.Nodes)
			}
			s.Faults = append(s.Faults, f)
		}
	}
	sortFaults(s.Faults)
}

// turnFaults are drawn by turnKeys alone.
func turnFaults() []faultKind {
	return []faultKind{{"key rotated", 0, (*World).rotateKey}}
}

// rotateKey lets a person ask for another key of a node, and at times take that back, or no longer
// wait for who is away.
func (w *World) rotateKey(f Fault, h *Host) {
	order := cluster.RotateKey{Node: h.Name, By: "root", Anyway: f.Choice%3 == 0}
	w.Propose(f.Other, order, nil)
	if f.Choice%5 == 0 {
		w.sayLater(f.While/16, func() { w.Propose(f.Other, cluster.AbortKey{Node: h.Name, By: "root"}, nil) })
	}
	if f.Choice%7 < 3 {
		w.sayLater(f.While/2, func() {
			if n, _ := w.State().Nodes.Get(h.Name); n.KeyTurn != nil && !w.calmly {
				w.Propose(w.anyone(f.Other), cluster.RotateKey{Node: h.Name, By: "root", Anyway: true}, nil)
			}
		})
	}
	if f.Choice%2 == 0 {
		w.strikeTurn(f, h)
	}
}

// strikeTurn strikes in the middle of a turn: the node itself, the leader, or another one.
func (w *World) strikeTurn(f Fault, h *Host) {
	r, until := f.random(), w.Now+f.While
	var look func()
	look = func() {
		if w.Now >= until || w.calmly {
			return
		}
		w.After(10*time.Millisecond, look)
		if n, _ := w.State().Nodes.Get(h.Name); n.KeyTurn == nil || r.IntN(25) > 0 {
			return
		}
		victim := w.Hosts[pick(r, []string{h.Name, h.Name, w.anyone(f.Other), f.Other})]
		if victim.KillDaemon(); r.IntN(3) == 0 {
			victim.PowerOff()
		}
		w.After(100*time.Millisecond+time.Duration(r.Int64N(int64(8*time.Second))), func() {
			victim.bootUnlessAway()
			victim.StartDaemon()
		})
	}
	look()
}

// watchKeyCommand holds what an entry did to keys against what was: a turned key is nobody's, and
// turns under no move.
func (w *World) watchKeyCommand(before, after *cluster.State, c cluster.Command) {
	switch c := c.(type) {
	case cluster.TellKey:
		w.turns.told = true
		w.turns.changes++
	case cluster.TurnKey:
		was, _ := before.Nodes.Get(c.Node)
		now, _ := after.Nodes.Get(c.Node)
		if w.turns.barred == nil {
			w.turns.barred = map[string]bool{}
		}
		w.turns.barred[was.Fingerprint] = true
		w.turns.changes++
		if now.HasKey(was.Fingerprint) || !after.Removed.Has(was.Fingerprint) {
			w.violate("L10: the key that %s had before its new one is not barred", c.Node)
		}
		if why := before.CarriesMove(c.Node); !why.IsZero() {
			w.violate("L5: the key of %s is turned: %s", c.Node, why)
		}
	case cluster.NodeUp:
		w.watchBarred(c.Node, c.Fingerprint)
	case cluster.Join:
		w.watchBarred(c.Node, c.Fingerprint)
	}
}

func (w *World) watchBarred(node, key string) {
	if w.turns.barred[key] {
		w.violate("L10: %s is let in with a key that was turned", node)
	}
}

// watchUse holds what is so at the instant at which a node begins to use its new key: whatever
// happens to the others from here on, what lies on their disks lets it in.
func (w *World) watchUse(h *Host, turn cluster.KeyTurn) {
	s := w.State()
	if why := s.CarriesMove(h.Name); !why.IsZero() {
		w.violate("L5: %s uses a new key: %s", h.Name, why)
	}
	for _, other := range w.order {
		n, in := s.Nodes.Get(other.Name)
		switch {
		case other == h || !in || !other.ring.isMember(n):
		case turn.Anyway && !n.Reachable():
			w.excuse(other) // also where its disk knows nobody yet, and would believe any key
		case believesKey(other.keysBy(other.disk), h, turn.Fingerprint):
		case !w.turns.excused[other.Name]:
			w.violate("L10: %s uses a new key that %s does not know", h.Name, other.Name)
		}
	}
}

func (w *World) excuse(h *Host) {
	if w.turns.excused == nil {
		w.turns.excused = map[string]bool{}
	}
	w.turns.excused[h.Name] = true
}

// watchTrust holds at each moment that nobody is cut off by a rotation: whoever lives believes each
// member by the key that this one uses, and no key that is barred.
func (w *World) watchTrust() {
	if !w.turns.told {
		return
	}
	w.askAbout()
	w.watchTurns()
	for _, h := range w.order {
		if h.daemon == nil || h.daemon.paused || h.logless() || h.pair.out || !w.hasItsKey(h) {
			continue
		}
		if h.current() {
			delete(w.turns.excused, h.Name)
		}
		for _, other := range w.order {
			if other != h && other.daemon != nil {
				w.watchTrustOf(h, other)
			}
		}
	}
}

// current reports whether a host has applied all that is committed.
func (h *Host) current() bool { return int(h.state.Index) == len(h.world.raft.log) }

func (w *World) watchTrustOf(h, other *Host) {
	member, believed := w.hasItsKey(other), h.believes(other)
	switch {
	case member && !believed && !w.turns.excused[h.Name]:
		w.violate("L10: %s does not know the key that %s uses", h.Name, other.Name)
	case w.turns.barred[other.ring.used.fingerprint] && believed && h.current():
		w.violate("L10: %s believes %s by a key that was turned", h.Name, other.Name)
	case member && h.current() && other.current() && !w.pairKey(h, other):
		w.violate("L10: %s and %s are up to date and hear no beats of each other", h.Name, other.Name)
	}
}

// hasItsKey reports whether the key that a host uses is that of a member.
func (w *World) hasItsKey(h *Host) bool {
	n, in := w.State().Nodes.Get(h.Name)
	return in && n.HasKey(h.ring.used.fingerprint)
}

// watchTurns holds that each order for a new key comes to its end, or says what it waits for.
func (w *World) watchTurns() {
	s := w.State()
	for _, n := range s.Nodes.Rows() {
		h := w.Hosts[n.Name]
		if n.KeyTurn == nil || h == nil || h.daemon == nil || w.inTrouble(h, turnNoted) ||
			w.Now-max(h.daemonSince, w.ledSince) < turnNoted {
			continue
		}
		ordered := w.raft.log[n.KeyTurn.Since-1].when
		if open := w.Now - max(ordered, h.daemon.keyHeld); open > turnNoted {
			w.violate("silence: the order for a new key of %s is open for %s, and nothing tells what it waits for", n.Name,
				open)
		}
	}
}

// turnsNotSettled says whose way to a new key is not at its end.
func (w *World) turnsNotSettled() string {
	for _, h := range w.order {
		n, in := w.State().Nodes.Get(h.Name)
		switch {
		case !w.turns.told && n.KeyTurn == nil:
		case n.KeyTurn != nil:
			return h.Name + " is on its way to a new key"
		case in && !w.hasItsKey(h):
			return h.Name + " has a key that is nobody's"
		case h.ring.left():
			return h.Name + " keeps a key beside its own"
		}
	}
	return ""
}

// mendKey is what a person does with a machine whose key is nobody's any longer, or who knows
// nobody's: its place is given to another one, as soon as it is known to hold nothing. It reports
// whether there is something to do.
func (w *World) mendKey(h *Host) bool {
	me, in := w.State().Nodes.Get(h.Name)
	if !w.turns.told || !in || !h.ring.isMember(me) {
		return false
	}
	leader := w.Hosts[w.Leader()]
	switch {
	case leader == nil:
		// It was the leader until it was taken away, and stays off until the others have elected another.
		return !h.Powered && w.Now < h.joinAgain && h.lacksToldKey(me)
	case !w.needsNewKey(h, leader, me):
		return false
	case leader == h:
		h.joinAgain = w.Now + joinPatience
	}
	h.PowerOff()
	if w.Now < h.joinAgain {
		return true
	}
	h.joinAgain = w.Now + joinPatience
	open, fencing := w.State().Fences.Get(h.Name)
	switch {
	case fencing:
		w.Propose(leader.Name, cluster.ConfirmFence{Node: h.Name, Boot: open.Boot, By: "root", Why: "it is off"}, nil)
	case me.State == cluster.NodeLost, // the brake may hold the shot back until a person asks for it
		me.State == cluster.NodeLeft && !rules.MayReplace(w.State(), h.Name).IsZero():
		w.Propose(leader.Name, cluster.BeginFence{Node: h.Name, Boot: me.Boot, Fencer: leader.Name, By: "root",
			Why: message.Words("it is replaced"), Override: true}, nil)
	}
	w.rejoinAsNew(h)
	return true
}

func (w *World) needsNewKey(h, leader *Host, me cluster.Member) bool {
	alone := h.daemon != nil && !h.logless() && w.linked(h, leader) && !h.letsIn(leader) && w.voucher(h, leader) == nil
	return h.lacksToldKey(me) || alone || !me.HasKey(h.ring.used.fingerprint)
}

// lacksToldKey reports whether a host has told a new key that is no longer on its disk, so that its
// way to it has no end (keyGone).
func (h *Host) lacksToldKey(me cluster.Member) bool {
	turn := me.KeyTurn
	return turn != nil && turn.Fingerprint != "" && turn.Fingerprint != h.ring.next.fingerprint &&
		turn.Fingerprint != h.ring.used.fingerprint
}
