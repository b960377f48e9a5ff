package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// epoch is the wall clock at the world's beginning.
var epoch = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// How the modelled log and the links behave.
const (
	electionPause   = 500 * time.Millisecond
	proposalTimeout = time.Second
	maxEvents       = 5_000_000
)

// World is everything outside the minds.
type World struct {
	Now   time.Duration
	Hosts map[string]*Host
	// Violations are what the watchers found, in sentences.
	Violations []string
	// Trace, if set, hears what happens in the world.
	Trace func(line string)
	// Document is the one last applied by Configure.
	Document cluster.Document

	random   *rand.Rand
	queue    eventQueue
	sequence int
	log      []record
	leader   string
	leadLost time.Duration
	cuts     map[string]bool
	// memory is the newest memory generation of each service that ever executed.
	memory   map[string]int
	byHand   map[string]bool
	digests  map[uint64]string
	requests int
	sessions int
	// failMigration is how the next migrations end, besides by chance.
	failMigration MigrationEnd
}

type record struct {
	at   time.Time
	data []byte
}

// New makes an empty world. Seed 0 makes a steady one, in which everything
// takes its shortest time, for stories.
func New(seed int64) *World {
	w := &World{Hosts: map[string]*Host{}, cuts: map[string]bool{}, memory: map[string]int{}, byHand: map[string]bool{}, digests: map[uint64]string{}}
	if seed != 0 {
		w.random = rand.New(rand.NewPCG(uint64(seed), 0x9e3779b97f4a7c15))
	}
	w.every(100*time.Millisecond, w.elect)
	return w
}

// between draws a duration; a steady world takes the shortest.
func (w *World) between(shortest, longest time.Duration) time.Duration {
	if w.random == nil || longest <= shortest {
		return shortest
	}
	return shortest + time.Duration(w.random.Int64N(int64(longest-shortest)))
}

// chance draws true in one of n cases; never in a steady world.
func (w *World) chance(n int) bool { return w.random != nil && w.random.IntN(n) == 0 }

func (w *World) tell(format string, args ...any) {
	if w.Trace != nil {
		w.Trace(fmt.Sprintf("%9.3f ", w.Now.Seconds()) + fmt.Sprintf(format, args...))
	}
}

func (w *World) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tell("VIOLATION %s", text)
	if len(w.Violations) < 20 {
		w.Violations = append(w.Violations, fmt.Sprintf("at %.3fs: %s", w.Now.Seconds(), text))
	}
}

// event is something that is to happen; equal times keep their order.
type event struct {
	at       time.Duration
	sequence int
	do       func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || (q[i].at == q[j].at && q[i].sequence < q[j].sequence)
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop serve container/heap.
func (q *eventQueue) Push(x any) { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = event{}
	*q = (*q)[:len(*q)-1]
	return last
}

// After lets something happen later.
func (w *World) After(pause time.Duration, do func()) {
	w.sequence++
	heap.Push(&w.queue, event{at: w.Now + pause, sequence: w.sequence, do: do})
}

func (w *World) every(period time.Duration, do func()) {
	w.After(period, func() { do(); w.every(period, do) })
}

// Run lets time pass until the instant, or until stop says so.
func (w *World) Run(until time.Duration, stop func() bool) {
	for count := 0; len(w.queue) > 0 && w.queue[0].at <= until; count++ {
		next := heap.Pop(&w.queue).(event)
		w.Now = next.at
		next.do()
		if len(w.Violations) > 0 || (stop != nil && stop()) {
			return
		}
		if count > maxEvents {
			w.violate("%d events in one run: something runs hot", count)
			return
		}
	}
	w.Now = max(w.Now, until)
}

// names lists the hosts in order.
func (w *World) names() []string {
	names := make([]string, 0, len(w.Hosts))
	for name := range w.Hosts {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func pair(a, b string) string { return min(a, b) + "/" + max(a, b) }

// Cut breaks the link between two hosts, Heal mends it.
func (w *World) Cut(a, b string) { w.cuts[pair(a, b)] = true; w.tell("link %s cut", pair(a, b)) }

// Heal mends the link between two hosts.
func (w *World) Heal(a, b string) { delete(w.cuts, pair(a, b)); w.tell("link %s mended", pair(a, b)) }

// linked tells whether a packet passes between two powered hosts.
func (w *World) linked(a, b *Host) bool {
	return a.Powered && b.Powered && (a == b || !w.cuts[pair(a.Name, b.Name)])
}

// talks tells whether two daemons can talk.
func (w *World) talks(a, b *Host) bool {
	return a.daemon != nil && b.daemon != nil && w.linked(a, b)
}

func (w *World) hasQuorum(h *Host) bool {
	if h == nil || h.daemon == nil {
		return false
	}
	votes := 0
	for _, name := range w.names() {
		if w.talks(h, w.Hosts[name]) {
			votes++
		}
	}
	return 2*votes > len(w.Hosts)
}

// elect keeps a leader that has a quorum, and finds another one a while after
// it has lost it. An old leader believes in itself until then.
func (w *World) elect() {
	if w.Leader() != "" {
		w.leadLost = 0
		return
	}
	if w.leadLost == 0 {
		w.leadLost = w.Now + w.between(electionPause, 2*electionPause)
	}
	if w.Now < w.leadLost {
		return
	}
	var able []string
	for _, name := range w.names() {
		if w.hasQuorum(w.Hosts[name]) {
			able = append(able, name)
		}
	}
	if len(able) > 0 {
		w.Lead(able[int(w.between(0, time.Duration(len(able))))])
	}
}

// Lead makes a host the leader.
func (w *World) Lead(name string) {
	for _, other := range w.names() {
		if d := w.Hosts[other].daemon; d != nil {
			d.leading = false
		}
	}
	w.leader, w.leadLost = name, 0
	h := w.Hosts[name]
	if h.daemon == nil {
		return
	}
	w.tell("%s leads", name)
	h.catchUp()
	h.daemon.leading = true
	h.daemon.poke()
}

// Leader is the host that leads, or "".
func (w *World) Leader() string {
	if h := w.Hosts[w.leader]; w.hasQuorum(h) && h.daemon.leading {
		return w.leader
	}
	return ""
}

// propose takes commands to the leader's log. done hears the end on the
// proposer after its local apply; failed means that nobody knows.
func (w *World) propose(d *daemon, commands []cluster.Command, done func(failed bool, applied cluster.Applied)) {
	data, err := cluster.Encode(commands)
	if err != nil {
		w.violate("encoding: %v", err)
		return
	}
	finished := false
	finish := func(failed bool, applied cluster.Applied) {
		if !finished && d.alive() {
			finished = true
			done(failed, applied)
		}
	}
	w.After(w.between(proposalTimeout, 2*proposalTimeout), func() { finish(true, cluster.Applied{}) })
	w.After(w.between(2*time.Millisecond, 9*time.Millisecond), func() {
		leader := w.Hosts[w.leader]
		if !d.alive() || w.Leader() == "" || !w.talks(d.host, leader) {
			return
		}
		index := w.commit(data)
		if !w.chance(200) { // else the answer is lost on the way back
			d.waiting[index] = finish
		}
		leader.catchUp()
	})
}

// commit appends to the log and pushes it to every host in its own time.
func (w *World) commit(data []byte) uint64 {
	w.log = append(w.log, record{at: epoch.Add(w.Now), data: data})
	for _, name := range w.names() {
		if h := w.Hosts[name]; name != w.leader && h.daemon != nil {
			w.After(w.between(2*time.Millisecond, 15*time.Millisecond)+h.Slow, h.catchUp)
		}
	}
	return uint64(len(w.log))
}

// State is what the leader has applied, or else the host that is farthest.
func (w *World) State() *cluster.State {
	var best *Host
	for _, name := range w.names() {
		if h := w.Hosts[name]; best == nil || h.state.Index > best.state.Index {
			best = h
		}
	}
	return best.state
}

// Notes are the leader's: what it does not do, and why.
func (w *World) Notes() []cluster.Note {
	if h := w.Hosts[w.Leader()]; h != nil && h.daemon != nil {
		return h.daemon.notes
	}
	return nil
}
