package metrics

import (
	"context"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// Tally counts what happens. Each event and each fence is counted once on each node, when the node
// has applied it; what came before this start of the daemon is not counted.
type Tally struct {
	series map[*family]prometheus.Collector

	mu sync.Mutex
	// began is the index behind which things are counted; index and ordinal are those of the newest
	// event that was.
	began, index uint64
	ordinal      int
	// fence is the newest record that was counted.
	fence  cluster.FenceRecord
	leader string
}

// counted are the families of a Tally.
var counted = map[*family]bool{}

func init() {
	for _, f := range []*family{leaderChanges, proposals, proposalsLost, nodeTurns, serviceTurns, fences, fenceTook,
		failoverTook, failoverPhase, migrations, migrationTook, downtime} {
		counted[f] = true
	}
}

func newTally() *Tally {
	t := &Tally{series: map[*family]prometheus.Collector{}}
	for f := range counted {
		if f.kind == counter {
			t.series[f] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.name, Help: f.help}, f.labels)
		} else {
			t.series[f] = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.name, Help: f.help,
				Buckets: buckets[f]}, f.labels)
		}
	}
	t.zero()
	return t
}

// zero has what may happen there from the start, so that its first time is seen as a rise.
func (t *Tally) zero() {
	for _, f := range []*family{leaderChanges, proposalsLost} {
		t.add(f, 0)
	}
	for _, state := range nodeStates {
		t.add(nodeTurns, 0, string(state))
	}
	for state := resources.Stopped; state <= resources.Migrating; state++ {
		t.add(serviceTurns, 0, state.String())
	}
	for _, ending := range []cluster.Ending{cluster.EndedConfirmed, cluster.EndedByWord, cluster.EndedByBoot,
		cluster.EndedCut} {
		t.add(fences, 0, string(ending), "false")
	}
	for _, ending := range []cluster.Ending{cluster.EndedConfirmed, cluster.EndedUnproven} {
		t.add(fences, 0, string(ending), "true")
	}
	for _, result := range []string{"arrived", "undone", "other"} {
		t.add(migrations, 0, result)
	}
	for _, f := range []*family{proposals, fenceTook, failoverTook, migrationTook, downtime} {
		t.series[f].(*prometheus.HistogramVec).WithLabelValues()
	}
}

// Describe implements prometheus.Collector.
func (t *Tally) Describe(descs chan<- *prometheus.Desc) {
	for _, f := range families {
		if counted[f] {
			descs <- f.desc
		}
	}
}

// Collect implements prometheus.Collector.
func (t *Tally) Collect(metrics chan<- prometheus.Metric) {
	for _, series := range t.series {
		series.Collect(metrics)
	}
}

func (t *Tally) add(f *family, by float64, labels ...string) {
	t.series[f].(*prometheus.CounterVec).WithLabelValues(labels...).Add(by)
}

func (t *Tally) took(f *family, span time.Duration, labels ...string) {
	if span >= 0 { // two hosts' clocks may disagree; a negative time would tell of that alone
		t.series[f].(*prometheus.HistogramVec).WithLabelValues(labels...).Observe(span.Seconds())
	}
}

// Proposed counts a proposal of this node.
func (t *Tally) Proposed(took time.Duration, err error) {
	if err != nil {
		t.add(proposalsLost, 1)
		return
	}
	t.took(proposals, took)
}

// Led is told who leads, as often as one likes; empty is nobody.
func (t *Tally) Led(leader string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if leader != "" && leader != t.leader {
		t.leader = leader
		t.add(leaderChanges, 1)
	}
}

// Follow counts what is applied, until the context ends. What came before the incarnation of this
// node began, which is 0 until it has one, is history.
func (t *Tally) Follow(ctx context.Context, root func() *cluster.State, changed func() <-chan struct{},
	incarnation func() uint64) {
	for {
		next := changed()
		if began := incarnation(); began != 0 {
			t.look(root(), began)
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}

// look counts what is new in a State, and behind the index at which this node began.
func (t *Tally) look(root *cluster.State, began uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began == 0 {
		t.began, t.index, t.ordinal = began, began, math.MaxInt
	}
	first := len(root.Timeline)
	for first > 0 && t.isNew(root.Timeline[first-1]) {
		first--
	}
	for _, e := range root.Timeline[first:] {
		t.event(root, e)
		t.index, t.ordinal = e.Index, e.Ordinal
	}
	t.fenced(root.FenceHistory)
}

func (t *Tally) isNew(e cluster.Event) bool {
	return e.Index > t.index || (e.Index == t.index && e.Ordinal > t.ordinal)
}

func (t *Tally) event(root *cluster.State, e cluster.Event) {
	kind := root.KindOf(e)
	switch {
	case e.From == e.To || e.To == "":
	case kind == cluster.KindOfService && serviceStates[e.To]:
		t.add(serviceTurns, 1, e.To)
		if e.From == resources.Migrating.String() {
			t.moved(root, e)
		}
		if e.To == resources.Started.String() {
			t.failedOver(e.Phases)
		}
	case kind == cluster.KindOfNode && slices.Contains(nodeStates, cluster.NodeState(e.To)):
		t.add(nodeTurns, 1, e.To)
	}
}

// serviceStates are the words for states of services. What else an event may call a state is not
// taken for a label: labels are bounded.
var serviceStates = map[string]bool{}

func init() {
	for state := resources.Stopped; state <= resources.Migrating; state++ {
		serviceStates[state.String()] = true
	}
}

// moved counts a live migration that this event ends.
func (t *Tally) moved(root *cluster.State, e cluster.Event) {
	kept, _ := root.Moves.Get(e.Subject)
	at := slices.IndexFunc(kept.List, func(m cluster.Move) bool { return m.Index == e.Cause })
	switch {
	case at < 0:
		t.add(migrations, 1, "other") // somebody brought it elsewhere by hand
	case !kept.List[at].Arrived:
		t.add(migrations, 1, "undone")
	default:
		t.add(migrations, 1, "arrived")
		if move := kept.List[at]; move.Total > 0 {
			t.took(migrationTook, move.Total)
			t.took(downtime, move.Downtime)
		}
	}
}

// failedOver takes the moments of a start apart that followed the loss of a node.
func (t *Tally) failedOver(moments []cluster.Phase) {
	at := func(what ...string) int {
		return slices.IndexFunc(moments, func(p cluster.Phase) bool { return slices.Contains(what, p.What) })
	}
	decided, issued, last := at("fence sent", "decided"), at("start issued"), len(moments)-1
	if last < 0 || moments[0].What != "last heard" || moments[0].At.IsZero() || decided < 0 || issued <= decided ||
		issued == last {
		return
	}
	between := func(from, to int) time.Duration { return moments[to].At.Sub(moments[from].At) }
	t.took(failoverTook, between(0, last))
	t.took(failoverPhase, between(0, decided), "detection")
	t.took(failoverPhase, between(decided, issued-1), "fencing")
	t.took(failoverPhase, between(issued-1, issued), "waiting")
	t.took(failoverPhase, between(issued, last), "start")
}

// fenced counts the records behind the last one that was counted.
func (t *Tally) fenced(records []cluster.FenceRecord) {
	first := len(records)
	for first > 0 && !sameFence(records[first-1], t.fence) {
		first--
	}
	for _, r := range records[first:] {
		if r.Index > t.began {
			t.add(fences, 1, string(r.Ending), strconv.FormatBool(r.Drill))
			if !r.Drill {
				t.took(fenceTook, r.Took())
			}
		}
		t.fence = r
	}
}

func sameFence(a, b cluster.FenceRecord) bool { return a.Node == b.Node && a.Index == b.Index }
