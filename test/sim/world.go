package sim

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// epoch is the wall clock at the world's beginning.
var epoch = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

const (
	maxEvents = 5_000_000
	// auditEvery is in how many seeds one is run by audited minds.
	auditEvery = 16
	// termsEvery is in how many seeds those of one know the terms of their log.
	termsEvery = 8
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
	// Figures counts what happened.
	Figures Figures
	// Level is that of the founder's rules.
	Level int
	// Dull makes a world of minds without shortcuts and daemons that never sleep.
	Dull bool
	// Mute are the services whose guests answer no probe.
	Mute map[string]bool

	random   *rand.Rand
	queue    eventQueue
	sequence int
	order    []*Host // by name
	network  network
	raft     raft
	healed   time.Duration // when a link was mended last
	led      bool
	ledSince time.Duration // when whoever leads began to, or could commit again
	// memory is the newest memory generation of each service that ever executed.
	memory map[string]int
	// took is the memory with which each service was last started on each node, by both names.
	took map[[2]string]resources.Bytes
	// byHand are services that a person has started past the cluster: that they
	// may run twice is that person's doing.
	byHand map[string]bool
	// prepared are the migrations, by their act, whose target has said that it can take the VM.
	prepared map[uint64]bool
	// calledOnce are the UUIDs of VMs by the names they came up with.
	calledOnce map[string]string
	// overlays are the snapshots that were left, by UUID.
	overlays map[string]*overlay
	// looping are the guests that die soon after each start, by UUID, and until when.
	looping  map[string]time.Duration
	watched  watched
	requests int
	shots    int // off commands on their way
	late     int // hints and entries on their way
	sessions int
	lives    int // logs that began
	// array are the shared disks, pills the hosts for which a message is on a disk.
	array map[string]*lun
	pills map[string]bool
	// guarded: some level of the document proves otherwise than by power.
	guarded bool
	// without are kinds of faults that do not happen.
	without map[string]bool
	// failMigration is how the next migrations end, besides by chance.
	failMigration MigrationEnd
	// calmly: the faults of this round are over; asleep: nothing is mended
	// either.
	calmly, asleep bool
	// calmSince is when the faults of the newest round were over: no clock jumps from then on.
	calmSince time.Duration
	// audited: each shortcut of the minds is compared with the long way.
	audited bool
	// Terms: leaders know the term in which they lead, and tell who leads.
	Terms bool
	turns turns
	// addresses counts the new ones; renumbered: a person has written down where everybody is.
	addresses  int
	renumbered bool
}

// Figures are what a run of histories is measured by.
type Figures struct {
	Events, Entries, Fences, Migrations, Resets int
}

// New makes an empty world. Seed 0 makes a steady one, in which everything
// takes its shortest time, for stories.
func New(seed int64) *World {
	w := &World{Level: cluster.CurrentLevel, Hosts: map[string]*Host{}, memory: map[string]int{},
		without: map[string]bool{}, byHand: map[string]bool{}, prepared: map[uint64]bool{}, calledOnce: map[string]string{},
		overlays: map[string]*overlay{}, looping: map[string]time.Duration{},
		Mute: map[string]bool{}, watched: newWatched()}
	w.raft.compactAfter = 1 << 30
	if seed != 0 {
		w.random = rand.New(rand.NewPCG(uint64(seed), 0x9e3779b97f4a7c15))
		w.raft.compactAfter = 20 + w.random.IntN(200)
		w.audited = seed%auditEvery == 0
		w.Terms = seed%termsEvery == 2
		w.turns.random = rand.New(rand.NewPCG(uint64(seed), turnPaceSalt))
	}
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

// strikes is chance for a kind of fault that comes by itself and not from the
// script's list.
func (w *World) strikes(kind string, n int) bool { return w.chance(n) && !w.without[kind] }

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

func (e event) before(other event) bool {
	return e.at < other.at || (e.at == other.at && e.sequence < other.sequence)
}

// eventQueue is a heap. It is written out, because container/heap puts each
// event into an interface, and events are what a history consists of.
type eventQueue []event

func (q *eventQueue) push(e event) {
	*q = append(*q, e)
	list, i := *q, len(*q)-1
	for i > 0 {
		parent := (i - 1) / 2
		if !list[i].before(list[parent]) {
			return
		}
		list[i], list[parent] = list[parent], list[i]
		i = parent
	}
}

func (q *eventQueue) pop() event {
	list := *q
	first, last := list[0], len(list)-1
	list[0] = list[last]
	list[last] = event{}
	list = list[:last]
	*q = list
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && list[child+1].before(list[child]) {
			child++
		}
		if !list[child].before(list[i]) {
			return first
		}
		list[i], list[child] = list[child], list[i]
		i = child
	}
}

// After lets something happen later.
func (w *World) After(pause time.Duration, do func()) {
	w.sequence++
	w.queue.push(event{at: w.Now + pause, sequence: w.sequence, do: do})
}

// sayLater is After for what is said to the cluster: the world is not at rest before
// that has come.
func (w *World) sayLater(pause time.Duration, do func()) {
	w.late++
	w.After(pause, func() {
		w.late--
		do()
	})
}

// Run lets time pass until the instant, or until stop says so.
func (w *World) Run(until time.Duration, stop func() bool) {
	for count := 0; len(w.queue) > 0 && w.queue[0].at <= until; count++ {
		next := w.queue.pop()
		w.Now = next.at
		next.do()
		w.Figures.Events++
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
	names := make([]string, 0, len(w.order))
	for _, h := range w.order {
		names = append(names, h.Name)
	}
	return names
}

func (w *World) enter(h *Host) {
	h.place = len(w.order)
	w.Hosts[h.Name] = h
	w.order = append(w.order, h)
	sort.Slice(w.order, func(i, j int) bool { return w.order[i].Name < w.order[j].Name })
}

// nextOn is how long it is until the next multiple of a period after a start.
func nextOn(now, start, period time.Duration) time.Duration {
	return period - (now-start)%period
}
