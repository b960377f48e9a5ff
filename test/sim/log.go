package sim

import (
	"encoding/json"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/mind"
)

// How the modelled log behaves.
const (
	electionPause   = 500 * time.Millisecond
	electionPeriod  = 100 * time.Millisecond
	proposalTimeout = time.Second
)

// raft models a replicated log by what it promises: one list of committed
// entries, a leader that has a quorum, entries in limbo that a leader without a
// quorum took and that the next one may or may not have, followers that apply
// late, snapshots, and a restart that begins with what lies on disk.
type raft struct {
	log      []record
	term     uint64 // of whoever leads
	leader   string
	leadLost time.Duration
	electing bool
	limbo    []limbo
	// compactAfter is how far a follower may be behind before it is given a
	// snapshot instead of entries, and how often one is written to disk.
	compactAfter int
}

type record struct {
	at   time.Time
	when time.Duration // in the world's own time
	data []byte
	// limbo: it was decided by a leader before this one, maybe long ago.
	limbo    bool
	commands []cluster.Command
	term     uint64
	arrives  [maxHosts]time.Duration // at each host that listened when it was committed
	known    bool                    // whether anybody has applied it; applied is then what it did
	applied  apply.Applied
	digest   string
}

type limbo struct {
	data    []byte
	reached map[*Host]bool
}

func (w *World) hasQuorum(h *Host) bool {
	if h == nil || h.daemon == nil || !h.member || h.shut() || h.Stuck {
		return false
	}
	votes, members := 0, 0
	for _, other := range w.order {
		if other.member {
			members++
			if w.talks(h, other) && w.carries(h, other) && !other.shut() && h.counts(other) {
				votes++
			}
		}
	}
	return 2*votes > members
}

// watchElection lets the log look for its leader at the next occasion.
func (w *World) watchElection() {
	if w.raft.electing {
		return
	}
	w.raft.electing = true
	w.After(nextOn(w.Now, 0, electionPeriod), func() {
		w.raft.electing = false
		if w.elect() {
			w.watchElection()
		}
	})
}

// elect keeps a leader that has a quorum, and finds another one a while after
// it has lost it. An old leader believes in itself until then; one that was
// paused, until it hears of the new one. It reports whether it has to go on.
func (w *World) elect() bool {
	r := &w.raft
	stale := false
	for _, h := range w.order {
		if d := h.daemon; d != nil && d.leading && h.Name != r.leader {
			d.leading = d.paused
			stale = true
		}
	}
	if w.Leader() != "" {
		r.leadLost = 0
		w.settleLimbo(w.Hosts[r.leader])
		return stale
	}
	if r.leadLost == 0 {
		r.leadLost = w.Now + w.between(electionPause, 2*electionPause)
	}
	if w.Now < r.leadLost {
		return true
	}
	var able []string
	for _, h := range w.order {
		if w.hasQuorum(h) && w.wins(h) {
			able = append(able, h.Name)
		}
	}
	if len(able) > 0 {
		w.Lead(able[int(w.between(0, time.Duration(len(able))))])
	}
	return true
}

// settleLimbo lets a leader commit what a leader before it had handed to it,
// and forget the rest.
func (w *World) settleLimbo(h *Host) {
	list := w.raft.limbo
	w.raft.limbo = nil
	for _, l := range list {
		if l.reached[h] {
			w.tell("an entry that was in limbo is committed by %s", h.Name)
			index := w.commit(l.data)
			w.raft.log[index-1].limbo = true
		}
	}
	h.catchUp()
}

// Lead makes a host the leader.
func (w *World) Lead(name string) {
	for _, h := range w.order {
		if d := h.daemon; d != nil && !d.paused {
			d.leading = false
		}
	}
	w.raft.leader, w.raft.leadLost = name, 0
	h := w.Hosts[name]
	if h.daemon == nil {
		return
	}
	w.raft.term++
	w.ledSince = w.Now
	w.tell("%s leads", name)
	w.forgets(h)
	w.settleLimbo(h)
	h.catchUp()
	if h.daemon == nil {
		return // what it found in limbo removed it
	}
	if w.beginGeneration(h); h.daemon == nil {
		return
	}
	h.daemon.leading = true
	h.daemon.poke()
	w.changed()
}

// Leader is the host that leads, or "".
func (w *World) Leader() string {
	if h := w.Hosts[w.raft.leader]; w.hasQuorum(h) && h.daemon.leading {
		return w.raft.leader
	}
	return ""
}

// resign ends the lead of a host whose log ends earlier than it did. It may start again before the
// others elect another leader, and nobody has entries from itself that its folder lacks.
func (w *World) resign(h *Host) {
	if w.raft.leader == h.Name {
		w.raft.leader = ""
	}
}

// propose takes commands to the leader's log. done hears the end on the
// proposer after its local apply; failed means that nobody knows.
func (w *World) propose(d *daemon, commands []cluster.Command, done func(failed bool, applied apply.Applied)) {
	data, err := clustertest.Next.Encode(commands)
	if err != nil {
		w.violate("encoding: %v", err)
		return
	}
	finished := false
	finish := func(failed bool, applied apply.Applied) {
		if !finished && d.alive() {
			finished = true
			done(failed, applied)
		}
	}
	w.After(w.between(proposalTimeout, 2*proposalTimeout), func() { d.thawed(func() { finish(true, apply.Applied{}) }) })
	onItsWay := w.between(2*time.Millisecond, 9*time.Millisecond)
	if w.strikes("late entry", 100) {
		onItsWay = w.between(onItsWay, 3*time.Second) // it comes when nobody expects it
	}
	w.late++
	w.After(onItsWay, func() {
		w.late--
		leader := w.Hosts[w.raft.leader]
		switch {
		case leader == nil || leader.daemon == nil || leader.daemon.paused || !leader.daemon.leading:
			return
		case !d.alive() && (d.host == leader || !w.strikes("late entry", 2)):
			return
		case d.alive() && !w.talks(d.host, leader), d.host.pair.out:
			return
		case !clustertest.ReleaseOf(leader.daemon.knows).Premature(leader.state, commands).IsZero():
			// The real leader asks as well (cluster.Fit): whoever has just begun a new log knows no level
			// yet.
			return
		case !w.hasQuorum(leader):
			w.keepInLimbo(leader, data)
			return
		}
		index := w.commit(data)
		if !w.strikes("lost answer", 200) { // else the answer is lost on the way back
			d.waiting[index] = finish
		}
		leader.catchUp()
	})
}

// keepInLimbo lets a leader without a quorum take an entry: those who hear it
// have it, and one of them may lead next.
func (w *World) keepInLimbo(leader *Host, data []byte) {
	if leader.shut() || w.random == nil || len(w.raft.limbo) >= 64 || w.without["limbo"] {
		return
	}
	l := limbo{data: data, reached: map[*Host]bool{}}
	for _, h := range w.order {
		l.reached[h] = h == leader || (w.talks(leader, h) && w.carries(leader, h) && !h.shut() && !h.pair.out)
	}
	w.raft.limbo = append(w.raft.limbo, l)
}

// commit appends to the log and pushes it to every host in its own time.
func (w *World) commit(data []byte) uint64 {
	commands, err := clustertest.Next.Decode(data)
	if err != nil {
		w.violate("an entry cannot be read: %v", err)
	}
	at := epoch.Add(w.Now)
	if h := w.Hosts[w.raft.leader]; h != nil {
		at = at.Add(h.Wall)
	}
	r := record{at: at, when: w.Now, data: data, commands: commands, term: w.raft.term}
	for _, h := range w.order {
		if h.Name != w.raft.leader && h.daemon != nil {
			takes := w.between(2*time.Millisecond, 15*time.Millisecond) + h.Slow
			w.After(takes, h.catchUp)
			if w.random != nil {
				r.arrives[h.place] = w.Now + takes
			}
		}
	}
	w.raft.log = append(w.raft.log, r)
	w.acknowledge(&r)
	w.Figures.Entries++
	return uint64(len(w.raft.log))
}

// catchUp applies what the leader has committed, if it can be heard, and as far
// as this host is that far already.
func (h *Host) catchUp() {
	w := h.world
	leader := w.Hosts[w.raft.leader]
	if h.daemon == nil || leader == nil || !w.talks(h, leader) || !w.carries(leader, h) ||
		h.pair.out || h.shut() || !leader.counts(h) {
		return
	}
	h.install(leader)
	for int(h.state.Index) < len(w.raft.log) && h.daemon != nil {
		d := h.daemon
		if h != leader && w.raft.log[h.state.Index].arrives[h.place] > w.Now {
			break
		}
		commands := w.raft.log[h.state.Index].commands
		applied := w.apply(h)
		h.holds(applied.Index)
		if h.follows(commands); h.daemon == nil {
			return
		}
		h.learnKeys(commands)
		if finish := d.waiting[applied.Index]; finish != nil {
			delete(d.waiting, applied.Index)
			finish(false, applied)
		}
		d.poke()
		if int(h.state.Index)%w.raft.compactAfter == 0 {
			h.disk = h.state.Fork()
		}
	}
	if d := h.daemon; d != nil {
		d.recognise()
	}
}

// remembers is told how far another host's log goes.
func (h *Host) remembers(other *Host) {
	known := &h.log.known.others[other.place]
	*known = h.state.Remember(other.Name, other.log.held, *known, h.ahead)
	h.writeMark()
}

// ahead is what a host's State becomes once all that its log holds is applied.
func (h *Host) ahead() *cluster.State {
	s := h.state.Fork()
	for s.Index < h.log.held.LastIndex {
		r := &h.world.raft.log[s.Index]
		clustertest.NextRules.Apply(s, cluster.Entry{Index: s.Index + 1, At: r.at, Commands: r.commands})
	}
	return s
}

// install gives a follower that is far behind the leader's snapshot.
func (h *Host) install(leader *Host) {
	w := h.world
	if h == leader || int(leader.state.Index)-int(h.state.Index) <= w.raft.compactAfter {
		return
	}
	if w.without["snapshot"] {
		return
	}
	w.tell("%s gets a snapshot at %d, it was at %d", h.Name, leader.state.Index, h.state.Index)
	h.state = w.reread(h, leader.state)
	h.disk = h.state.Fork()
	h.holds(h.state.Index)
	if h.follows(nil); h.daemon != nil {
		h.learnKeys(nil)
		h.daemon.poke()
	}
}

// restoreSnapshot lets a host begin with what lies on its disk.
func (w *World) restoreSnapshot(h *Host) {
	if w.random == nil {
		h.state = w.reread(h, h.state)
		return
	}
	if w.without["old disk"] {
		return
	}
	h.state = w.reread(h, h.disk)
}

// reread is a State as it was written and read again; to save time only now and
// then, because that is most of what a restart costs.
func (w *World) reread(h *Host, s *cluster.State) *cluster.State {
	if w.random != nil && !w.strikes("snapshot", 8) {
		return s.Fork()
	}
	data, err := json.Marshal(s)
	if err != nil {
		w.violate("snapshot of %s: %v", h.Name, err)
		return s.Fork()
	}
	fresh := &cluster.State{}
	if err := json.Unmarshal(data, fresh); err != nil {
		w.violate("snapshot of %s: %v", h.Name, err)
		return s.Fork()
	}
	again, err := json.Marshal(fresh)
	if err != nil || string(again) != string(data) {
		w.violate("the snapshot of %s at %d is not read as it was written (%v)", h.Name, s.Index, err)
	}
	return fresh
}

// State is the newest that anybody has applied.
func (w *World) State() *cluster.State { return w.watched.newest }

// View is what the leader explains from, by now; a blank one where nobody leads.
func (w *World) View() cluster.View {
	if h := w.Hosts[w.Leader()]; h != nil && h.daemon != nil && h.daemon.seen != nil {
		return h.daemon.seen.On(w.State(), w.Now-h.daemon.seenAt)
	}
	return cluster.View{}
}

// Notes are the leader's: what it does not do, and why.
func (w *World) Notes() []cluster.Note {
	if h := w.Hosts[w.Leader()]; h != nil && h.daemon != nil {
		return h.daemon.notes
	}
	return nil
}

// termOf is the term that a daemon knows at a Step, in a world that has such.
func (w *World) termOf(in mind.Input) uint64 {
	if !in.Leading || !w.Terms {
		return 0
	}
	return w.raft.term
}
