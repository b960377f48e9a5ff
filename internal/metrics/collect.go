package metrics

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/report"
	"github.com/clusterd/clusterd/resources"
)

// Bounds of what is told one by one.
const (
	mostFailed = 32
	mostCodes  = 40
)

// Facts are what a daemon knows at one moment.
type Facts struct {
	Now time.Time
	// Root is the newest State of this node, and Current reports whether it is the newest of all.
	Root    *cluster.State
	Current bool
	// Cluster, Node and Version say who tells this.
	Cluster, Node, Version string
	// Leader is the node that leads; empty where none is known. Leading: this one plans.
	Leader  string
	Leading bool
	// Term, Applied and Last are those of the log.
	Term, Applied, Last uint64
	Writable            bool
	// Heard is when each other node was last heard.
	Heard map[string]time.Time
	// Asked are the fence devices that this node has asked.
	Asked map[string]Asked
	// Notes are those of the leader.
	Notes    []cluster.Note
	Warnings int
}

// Asked is when a device was last asked, and whether it had a problem.
type Asked struct {
	At     time.Time
	Faulty bool
}

// collector works out at each scrape what can be read off.
type collector struct {
	ask func(context.Context) Facts
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, f := range families {
		if !counted[f] {
			descs <- f.desc
		}
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	facts := c.ask(ctx)
	tell := teller(metrics)
	tell.own(facts)
	if facts.Current && facts.Leader != "" {
		tell.cluster(facts)
		tell.nodes(facts.Root)
		tell.services(facts.Root)
		tell.alerts(facts.Root)
	}
	if facts.Leading {
		tell.notes(facts.Notes)
	}
}

// teller hands values over.
type teller chan<- prometheus.Metric

func (t teller) tell(f *family, value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if f.kind == counter {
		kind = prometheus.CounterValue
	}
	t <- prometheus.MustNewConstMetric(f.desc, kind, value, labels...)
}

// each tells one value for each key, in the order of the keys.
func (t teller) each(f *family, values map[string]float64) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		t.tell(f, values[key], key)
	}
}

func (t teller) own(f Facts) {
	t.tell(buildInfo, 1, f.Version, f.Node, f.Cluster)
	t.tell(hasQuorum, truth(f.Leader != ""))
	t.tell(stateCurrent, truth(f.Current && f.Leader != ""))
	t.tell(leading, truth(f.Leading))
	t.tell(logTerm, float64(f.Term))
	t.tell(logApplied, float64(f.Applied))
	t.tell(logLast, float64(f.Last))
	t.tell(logWritable, truth(f.Writable))
	t.tell(warnings, float64(f.Warnings))
	for _, node := range slices.Sorted(maps.Keys(f.Heard)) {
		t.tell(nodeHeard, age(f.Now, f.Heard[node]), node)
	}
	for _, device := range slices.Sorted(maps.Keys(f.Asked)) {
		t.tell(deviceAge, age(f.Now, f.Asked[device].At), device)
		t.tell(deviceFaulty, truth(f.Asked[device].Faulty), device)
	}
}

func (t teller) cluster(f Facts) {
	root := f.Root
	t.tell(generation, float64(root.Generation))
	t.tell(clusterVersion, float64(root.Level))
	t.tell(documentVersion, float64(root.Config.Version))
	t.tell(fencesOpen, float64(root.Fences.Len()))
	t.tell(disarmed, truth(root.Disarmed != nil))
	t.tell(locked, truth(root.Lock != nil))
	t.tell(tombstones, float64(root.Tombstones.Len()))
}

// nodeStates are the states that a node can be in.
var nodeStates = []cluster.NodeState{cluster.NodeJoining, cluster.NodeLooking, cluster.NodeOnline, cluster.NodeSilent,
	cluster.NodeDeaf, cluster.NodeLost, cluster.NodeFenced, cluster.NodeCut, cluster.NodeLeaving, cluster.NodeLeft}

func (t teller) nodes(root *cluster.State) {
	byState, byVersion := map[string]float64{}, map[string]float64{}
	byOrder := map[string]float64{string(cluster.OrderStandby): 0, string(cluster.OrderDrain): 0,
		string(cluster.OrderMaintenance): 0}
	for _, state := range nodeStates {
		byState[string(state)] = 0
	}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		byState[string(n.State)]++
		byVersion[cmp.Or(n.Version, "unknown")]++
		if n.Order != nil {
			byOrder[string(n.Order.Kind)]++
		}
		if n.Reachable() || !awayOnPurpose(n) {
			t.tell(nodeOnline, truth(n.Reachable()), name)
		}
		if !n.Witness && n.State != cluster.NodeLeft {
			t.tell(nodeProtected, truth(report.Unprotected(root, name) == ""), name)
		}
	}
	t.each(nodes, byState)
	t.each(versions, byVersion)
	t.each(nodeOrders, byOrder)
}

// awayOnPurpose reports whether nobody needs to be woken because a node is not there.
func awayOnPurpose(n cluster.Member) bool {
	return n.State == cluster.NodeLeft || n.Order != nil && n.Order.Kind == cluster.OrderMaintenance
}

func (t teller) services(root *cluster.State) {
	byState, byNode := map[string]float64{}, map[string]float64{}
	for state := resources.Stopped; state <= resources.Migrating; state++ {
		byState[state.String()] = 0
	}
	bare := map[string]bool{}
	for _, name := range root.Nodes.Keys() {
		byNode[name] = 0
		bare[name] = report.Unprotected(root, name) != ""
	}
	var icy, unsafe, failed float64
	for _, name := range root.Services.Keys() {
		s, _ := root.Services.Get(name)
		byState[s.State.String()]++
		if s.Owner != "" {
			byNode[s.Owner]++
			unsafe += truth(bare[s.Owner] || !rules.LeftBehind(root, s).IsZero())
		}
		icy += truth(s.Freeze != nil)
		if s.State == resources.Failed {
			if failed++; failed <= mostFailed {
				t.tell(serviceFailed, 1, name)
			}
		}
	}
	t.each(services, byState)
	t.each(nodeServices, byNode)
	t.tell(unprotected, unsafe)
	t.tell(frozen, icy)
}

func (t teller) alerts(root *cluster.State) {
	for _, name := range root.Alerts.Keys() {
		told, _ := root.Alerts.Get(name)
		t.tell(alertTold, float64(told.Sent), name, "sent")
		t.tell(alertTold, float64(told.Failed), name, "failed")
		t.tell(alertTold, float64(told.Dropped), name, "dropped")
		t.tell(alertFailing, truth(told.Problem != ""), name)
	}
}

// notes counts them by code. Of too many codes the rarest are told of together.
func (t teller) notes(list []cluster.Note) {
	byCode := map[string]float64{}
	for _, n := range list {
		byCode[cmp.Or(n.Why.Code(), "other")]++
	}
	codes := slices.SortedFunc(maps.Keys(byCode), func(a, b string) int {
		return cmp.Or(cmp.Compare(byCode[b], byCode[a]), cmp.Compare(a, b))
	})
	for _, code := range codes[min(len(codes), mostCodes):] {
		byCode["other"] += byCode[code]
		if code != "other" {
			delete(byCode, code)
		}
	}
	t.each(notes, byCode)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// age is in seconds; what comes from the future by this host's clock is new.
func age(now, then time.Time) float64 { return max(0, now.Sub(then).Seconds()) }
