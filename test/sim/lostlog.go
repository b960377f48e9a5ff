package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// lostLogSalt draws when disks lose a log; the faults of a seed are otherwise what they were.
const lostLogSalt = 41

const (
	// markEvery is how often a daemon writes down how far its log and others' go.
	markEvery = time.Second
	// askEvery is how often a daemon without its log asks to be let in, and one without a vote for it.
	askEvery = 500 * time.Millisecond
)

// mark is what lies beside a host's key: how far its log went, and what was heard of the others'.
type mark struct {
	mine   cluster.LogHeld
	others [maxHosts]cluster.LogHeld
}

// logDisk is what a host keeps of its log, apart from the State.
type logDisk struct {
	held cluster.LogHeld
	// known is what the daemon remembers, written what of it lies on disk.
	known, written mark
	writing        bool
	// lost says why the daemon holds no log: it takes no part until it is let in with a new one.
	lost string
	// acked is how far it ever acknowledged entries, in truth.
	acked uint64
}

// image is a copy of a host's data folder, as a snapshot of the machine holds one.
type image struct {
	log   logDisk
	state *cluster.State
	pair  pair
	key   int
	ring  keyring
	turns int // how many changes of keys there had been
}

// lostLogFaults are what becomes of the disk that a log lies on, under a key that lives.
func lostLogFaults() []faultKind {
	return []faultKind{
		{"log lost", 0, func(w *World, f Fault, h *Host) { w.atABadMoment(f, h, (*Host).LoseLog) }},
		{"log cut", 0, func(w *World, f Fault, h *Host) {
			w.atABadMoment(f, h, func(h *Host) { h.CutLog(1 + f.Choice%40) })
		}},
		{"old folder", 0, func(w *World, f Fault, h *Host) {
			copied := h.copyFolder()
			w.After(f.While, func() { w.atABadMoment(f, h, func(h *Host) { h.putFolder(copied) }) })
		}},
	}
}

// loseLogs lets disks lose a log, or what was put into it last, while the daemon is away.
func (s *Script) loseLogs(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), lostLogSalt))
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(3) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(25*time.Second))),
				While: 500*time.Millisecond + time.Duration(r.Int64N(int64(6*time.Second))),
				Kind:  pick(r, []string{"log lost", "log lost", "log cut", "old folder"}), Host: pick(r, s.Nodes),
				Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// atABadMoment waits until some voter lags behind what a majority acknowledged, and ends the leader
// together with the log of one that was part of that majority.
func (w *World) atABadMoment(f Fault, h *Host, lose func(h *Host)) {
	until := w.Now + 3*time.Second
	var look func()
	look = func() {
		switch {
		case w.Now >= until || w.calmly:
			return
		case !w.mayLose(h) || !(w.paired() || w.oneLagsBehind(h)):
			w.After(5*time.Millisecond, look)
			return
		}
		if leader := w.Hosts[w.Leader()]; leader != nil && leader != h && f.Choice%4 != 0 && !w.paired() {
			leader.PowerOff()
			w.After(5*f.While, leader.bootUnlessAway)
		}
		lose(h)
		w.After(200*time.Millisecond, func() {
			h.bootUnlessAway()
			h.StartDaemon()
		})
	}
	look()
}

func (w *World) oneLagsBehind(h *Host) bool {
	for _, other := range w.order {
		if other != h && other.member && other.log.held.LastIndex < h.log.held.LastIndex {
			return true
		}
	}
	return false
}

// mayLose holds the assumption: of the voters one loses its log at a time, and it may be lost only
// while it votes. What several lose at once, nobody can know.
func (w *World) mayLose(h *Host) bool {
	if !h.member || h.away || h.pair.out || h.shut() || h.pair.recovery != nil || h.pair.aside || h.byHand != nil {
		return false
	}
	members := 0
	if w.paired() && (h.other().pair.warrant == nil || h.other().pair.parting != nil) {
		return false
	}
	for _, other := range w.order {
		known, in := w.State().Nodes.Get(other.Name)
		if other.log.lost != "" || other.log.held.LastIndex < other.log.acked || known.LogLost != 0 ||
			in != other.member || known.Log == "" {
			return false
		}
		if other.member {
			members++
		}
	}
	return members > 2 || w.paired()
}

// LoseLog empties the folder of the log. The key and what lies beside it stay.
func (h *Host) LoseLog() {
	h.KillDaemon()
	h.world.tell("%s loses its log", h.Name)
	h.losesKeys()
	h.state, h.disk, h.log.held = &cluster.State{}, &cluster.State{}, cluster.LogHeld{}
	h.dropLimbo()
}

// CutLog takes the last entries off a log, as far as they lie in no snapshot, and only so many that
// it was written down that they had been there.
func (h *Host) CutLog(entries uint64) {
	held := h.log.held
	end := held.LastIndex - min(entries, held.LastIndex)
	cut := cluster.LogHeld{Life: held.Life, LastIndex: max(end, h.disk.Index)}
	if cut.LastIndex > 0 {
		cut.LastTerm = h.world.raft.log[cut.LastIndex-1].term
	}
	if cut.Term = cut.LastTerm; cut.Lacks(h.log.written.mine).IsZero() {
		return
	}
	h.KillDaemon()
	h.world.tell("the log of %s is cut behind entry %d, it held %d", h.Name, cut.LastIndex, held.LastIndex)
	h.losesKeys()
	h.state, h.log.held = h.disk.Fork(), cut
	h.dropLimbo()
}

func (h *Host) dropLimbo() {
	for _, l := range h.world.raft.limbo {
		delete(l.reached, h)
	}
}

func (h *Host) copyFolder() image {
	return image{log: h.log, state: h.disk.Fork(), pair: h.pair, key: h.key, ring: h.ring, turns: h.world.turns.changes}
}

// KeepFolder makes a copy of it, and returns what goes back to that.
func (h *Host) KeepFolder() func() {
	copied := h.copyFolder()
	return func() { h.putFolder(copied) }
}

// putFolder puts an older copy of the whole data folder back, as a machine is that was taken
// back to a snapshot. It is done only where every other voter has it written down that there was
// more.
func (h *Host) putFolder(copied image) {
	w := h.world
	if copied.key != h.key || copied.log.lost != "" || copied.log.held.Life != h.log.held.Life ||
		copied.pair.parting != nil || copied.pair.recovery != nil || w.estranges(copied) {
		return
	}
	// On that disk are the snapshot and the entries behind it.
	back := copied.log.held
	for _, other := range w.order {
		if other != h && other.member && back.Lacks(other.log.written.others[h.place]).IsZero() {
			return
		}
	}
	h.PowerOff()
	w.tell("%s is taken back to a copy of its folder that ends at entry %d, it held %d", h.Name, back.LastIndex,
		h.log.held.LastIndex)
	acked, writing := h.log.acked, h.log.writing
	h.log, h.state, h.disk, h.pair.warrant = copied.log, copied.state.Fork(), copied.state.Fork(), copied.pair.warrant
	h.log.acked, h.log.writing, h.log.known = acked, writing, copied.log.written
	w.resign(h)
	h.putKeys(copied.ring)
	h.dropLimbo()
}

// holds is told how far a host's log goes now. Whoever hears its beats remembers it.
func (h *Host) holds(index uint64) {
	w := h.world
	if index <= h.log.held.LastIndex {
		return
	}
	if h.log.held.Life == "" {
		w.lives++
		h.log.held.Life = fmt.Sprintf("%s-log-%d", h.Name, w.lives)
	}
	h.log.held.LastIndex, h.log.held.LastTerm = index, w.raft.log[index-1].term
	h.log.held.Term = max(h.log.held.Term, h.log.held.LastTerm)
	h.log.acked = max(h.log.acked, index)
	h.log.known.mine = h.log.held
	if h.log.written.mine.Empty() {
		h.log.written.mine = h.log.held // before a log acknowledges anything it is said that it began
	}
	h.writeMark()
	for _, other := range w.order {
		if other != h && h.daemon != nil && other.daemon != nil && w.hears(other, h) {
			other.remembers(h)
		}
	}
}

// writeMark lets a daemon write down what it knows, at most every second.
func (h *Host) writeMark() {
	if h.log.writing {
		return
	}
	h.log.writing = true
	h.world.After(markEvery, func() {
		h.log.writing = false
		if h.daemon != nil && !h.logless() {
			h.log.written = h.log.known
		}
	})
}

// findLog is what a daemon does before it opens its log: it compares what it finds with what it had
// written down.
func (h *Host) findLog() {
	l := &h.log
	l.known = l.written
	switch why := l.held.Lacks(l.written.mine); {
	case l.lost != "":
	case !why.IsZero():
		h.setLogAside(why)
	}
}

// setLogAside begins to wait for a new one.
func (h *Host) setLogAside(why message.Text) {
	h.world.tell("%s takes no part: %s", h.Name, why)
	h.log.lost = why.String()
	h.state, h.disk, h.log.held = &cluster.State{}, &cluster.State{}, cluster.LogHeld{}
	h.dropLimbo()
}

// beginLog makes a host's log the one that it was let in with.
func (h *Host) beginLog(life string) {
	h.log.lost = ""
	h.log.held = cluster.LogHeld{Life: life}
	h.log.known.mine, h.log.written.mine = h.log.held, h.log.held
}

// logless reports whether a daemon holds no log, and so tells nobody anything but that.
func (h *Host) logless() bool { return h.log.lost != "" }

// counts reports whether a host counts what another one answers: its vote, or that it has an entry.
func (h *Host) counts(other *Host) bool {
	return h == other || (h.log.held.MayBeHeard(other.log.known.others[h.place]).IsZero() &&
		h.state.MayCount(other.Name, other.log.held, h.log.known.others[other.place], h.ahead).IsZero())
}

// grants reports whether a host gives another one its vote: whose log goes at least as far.
func (h *Host) grants(to *Host) bool {
	mine, theirs := h.log.held, to.log.held
	mine.Term, theirs.Term, mine.Life = 0, 0, theirs.Life
	return theirs.Life != "" && theirs.Lacks(mine).IsZero()
}

// acknowledge puts the newest entry onto the disks of the leader and of as many others as make a
// majority, those that it reaches first. The rest get it when it arrives.
func (w *World) acknowledge(r *record) {
	index, leader := uint64(len(w.raft.log)), w.Hosts[w.raft.leader]
	if leader == nil {
		return
	}
	leader.holds(index)
	var others []*Host
	members := 0
	for _, h := range w.order {
		if h.member {
			members++
		}
		if h.member && h != leader && w.talks(leader, h) && w.carries(leader, h) && !h.shut() && leader.counts(h) {
			others = append(others, h)
		}
	}
	slices.SortStableFunc(others, func(a, b *Host) int { return cmp.Compare(r.arrives[a.place], r.arrives[b.place]) })
	for _, h := range others[:min(len(others), members/2)] {
		h.holds(index)
	}
}

// wins reports whether a host can be elected: a majority gives it its vote.
func (w *World) wins(h *Host) bool {
	votes, members := 0, 0
	for _, other := range w.order {
		if !other.member {
			continue
		}
		members++
		if other == h || (w.talks(h, other) && w.carries(h, other) && !other.shut() && h.counts(other) && other.grants(h)) {
			votes++
		}
	}
	return 2*votes > members
}

// forgets is the watcher of what was acknowledged: whoever leads holds all of it (L7).
func (w *World) forgets(h *Host) {
	if end := int(h.log.held.LastIndex); end < len(w.raft.log) {
		w.violate("L7: %d entries that were acknowledged are forgotten: %s leads with a log that ends at %d",
			len(w.raft.log)-end, h.Name, end)
	}
}

// askForLog is what a daemon without its log does: it asks whoever leads to be let in with a new
// one. The leader takes its vote first.
func (d *daemon) askForLog() {
	h := d.host
	w := h.world
	if h.member && !h.logless() {
		return
	}
	d.after(askEvery, d.askForLog)
	leader := w.Hosts[w.Leader()]
	if h.pair.out || leader == nil || leader.byHand != nil || !w.linked(h, leader) || leader.disowns(h) {
		return
	}
	if h.logless() {
		d.askForNewLog(leader)
	} else {
		d.askForVote(leader)
	}
}

// askForNewLog lets the leader take the vote, and then begins the log that it is let in with.
func (d *daemon) askForNewLog(leader *Host) {
	h := d.host
	w := h.world
	if d.nextLife == "" {
		w.lives++
		d.nextLife = fmt.Sprintf("%s-log-%d", h.Name, w.lives)
	}
	before, _ := leader.state.Nodes.Get(h.Name)
	c := cluster.LoseLog{Node: h.Name, Log: d.nextLife, Before: before.Log, Why: message.Words(h.log.lost)}
	w.Propose(leader.Name, c, func(refused string) {
		if me, _ := leader.state.Nodes.Get(h.Name); refused != "" || me.Log != d.nextLife || w.Leader() != leader.Name ||
			!d.alive() || !h.logless() {
			return
		}
		w.enroll(h.Name, false)
		w.tell("%s has no vote any more and begins a new log", h.Name)
		h.beginLog(d.nextLife)
		d.startAgain()
	})
}

// askForVote asks for the vote back, once the new log holds what the leader's does.
func (d *daemon) askForVote(leader *Host) {
	h := d.host
	w := h.world
	known, in := leader.state.Nodes.Get(h.Name)
	if h.member || !in || w.paired() || known.Expelled != 0 || !leader.state.MayVote(h.Name).IsZero() || !w.talks(h,
		leader) || h.state.Index != leader.state.Index {
		return
	}
	if last := h.log.held.LastIndex; last < h.log.acked {
		w.violate("L7: %s gets a vote with a log that ends at %d, it has acknowledged %d", h.Name, last, h.log.acked)
	}
	w.tell("%s votes again", h.Name)
	w.enroll(h.Name, true)
}
