package cluster_test

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/resources"
)

// sized is a book whose services take so many GiB each, and whose nodes have 9, of which they may
// give 8.
func sized(t testing.TB, nodes int, services map[string]int) *clustertest.Book {
	t.Helper()
	var names []string
	for name := range services {
		names = append(names, name)
	}
	slices.Sort(names)
	b := clustertest.NewBook(t, nodes, names...)
	sizedAnew(b, services)
	for _, name := range b.S.Nodes.Keys() {
		has(b, name, 9)
	}
	return b
}

// has lets a node tell that it has so many GiB.
func has(b *clustertest.Book, node string, gib int) {
	b.T.Helper()
	b.Must(cluster.NodeCapacity{Node: node, Incarnation: b.Node(node).Incarnation,
		Capacity: cluster.Capacity{Memory: resources.Bytes(gib) * resources.GiB, CPUs: 4}})
}

// sizedAnew declares what services take, in GiB.
func sizedAnew(b *clustertest.Book, services map[string]int) {
	b.T.Helper()
	var names []string
	for name := range services {
		names = append(names, name)
	}
	slices.Sort(names)
	d := clustertest.Document(names...)
	for name, gib := range services {
		spec := d.Services[name]
		spec.Demand = resources.Demand{Memory: resources.Bytes(gib) * resources.GiB}
		d.Services[name] = spec
	}
	b.Must(clustertest.Configure(d, b.S.Config.Version))
}

// TestTheStartsOfOnePlanCountOneAnother: three that fit alone are not put where two fit.
func TestTheStartsOfOnePlanCountOneAnother(t *testing.T) {
	b := sized(t, 1, map[string]int{"vm:a": 4, "vm:b": 4, "vm:c": 4})
	var begun []string
	for _, c := range plan.Plan(b.S, cluster.View{Self: "node1"}).Commands {
		if begin, is := c.(cluster.Begin); is {
			begun = append(begun, begin.Service)
		}
	}
	if !slices.Equal(begun, []string{"vm:a", "vm:b"}) {
		t.Errorf("begun are %v", begun)
	}
}

// TestApplyCountsToo: of two that were planned when there was room for either, the log takes the
// first.
func TestApplyCountsToo(t *testing.T) {
	b := sized(t, 3, map[string]int{"vm:a": 5, "vm:b": 5})
	b.Must(b.StartOf("vm:a", "node1"))
	b.Refused(b.StartOf("vm:b", "node1"), "3 GiB of memory free of 8 GiB for services, and vm:b needs 5 GiB")
	b.Running("vm:b", "node2")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running}))
	move := cluster.Begin{Service: "vm:b", Intent: cluster.IntentMigrate, Node: "node2", Target: "node1"}
	b.Refused(move, "vm:b needs 5 GiB")
	move.Target = "node3"
	b.Must(move)
	if taken := rules.Of(b.S).TakenOnAll(); taken["node2"] != taken["node3"] || taken["node3"].Memory != 5*resources.GiB {
		t.Errorf("while it moves, %v are taken", taken)
	}
}

// TestWhatWasStartedCounts: a VM that is declared smaller keeps what it has until it starts anew,
// one that is declared larger counts as that at once.
func TestWhatWasStartedCounts(t *testing.T) {
	b := sized(t, 2, map[string]int{"vm:a": 6, "vm:b": 4})
	b.Running("vm:a", "node1")
	sizedAnew(b, map[string]int{"vm:a": 1, "vm:b": 4})
	b.Refused(b.StartOf("vm:b", "node1"), "2 GiB of memory free")
	sizedAnew(b, map[string]int{"vm:a": 7, "vm:b": 4})
	if room, _ := rules.Of(b.S).RoomOn("node1"); room.Taken.Memory != 7*resources.GiB {
		t.Errorf("%s are taken", room.Taken.Memory)
	}
}

// crashed takes a running VM down; its policy is to restart it where it ran.
func crashed(b *clustertest.Book, name, node string) {
	b.T.Helper()
	b.Must(cluster.Observed{Service: name, Node: node, Incarnation: b.Node(node).Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Absent, Explained: true}})
}

// TestWhatRanMayComeBack: a node that is fuller than it may be keeps the place of what falls, and
// lets it have no more than it had.
func TestWhatRanMayComeBack(t *testing.T) {
	b := sized(t, 2, map[string]int{"vm:a": 4, "vm:b": 4, "vm:c": 1})
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node1")
	has(b, "node1", 6)
	crashed(b, "vm:a", "node1")
	b.Refused(b.StartOf("vm:c", "node1"), "0 MiB of memory free of ")
	b.Running("vm:a", "node1")
	crashed(b, "vm:a", "node1")
	sizedAnew(b, map[string]int{"vm:a": 5, "vm:b": 4, "vm:c": 1})
	b.Refused(b.StartOf("vm:a", "node1"), "vm:a needs 5 GiB")
	b.Running("vm:a", "node2")
	if kept := b.Service("vm:a").Kept; kept.Node != "" {
		t.Errorf("room is still kept: %+v", kept)
	}
}

// TestRoomIsKeptForAMoveAndNoLonger: what is stopped to be started elsewhere finds its place there;
// a move that comes to nothing promises nothing for later.
func TestRoomIsKeptForAMoveAndNoLonger(t *testing.T) {
	b := sized(t, 3, map[string]int{"service:a": 6, "vm:b": 6})
	b.Running("service:a", "node1")
	away := cluster.Begin{Service: "service:a", Intent: cluster.IntentStop, Purpose: cluster.ForMove, Node: "node1",
		Target: "node2", By: "failback"}
	b.Must(away)
	b.Refused(b.StartOf("vm:b", "node2"), "vm:b needs 6 GiB")
	b.Must(b.Done("service:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Refused(b.StartOf("vm:b", "node2"), "vm:b needs 6 GiB")
	b.Running("service:a", "node2")
	away.Node, away.Target = "node2", "node3"
	b.Must(away)
	b.Up("node2", "node2-boot-1", cluster.Found{Service: "service:a",
		Observation: resources.Observation{Condition: resources.Running}})
	b.Is("service:a", resources.Started, "node2", "node2")
	b.Running("vm:b", "node3")
	b.Refused(away, "service:a needs 6 GiB")
	if kept := b.Service("service:a").Kept; kept.Node != "" {
		t.Errorf("room is still kept on %s", kept.Node)
	}
}

// TestNothingIsHeldAgainstANodeThatHasNotToldNorWhatNeedsNothing lets an upgrade go on.
func TestNothingIsHeldAgainstANodeThatHasNotToldNorWhatNeedsNothing(t *testing.T) {
	b := clustertest.NewBook(t, 2, "vm:a", "vm:b", "vm:c")
	sizedAnew(b, map[string]int{"vm:a": 100, "vm:b": 8, "vm:c": 0})
	b.Running("vm:a", "node2")
	has(b, "node1", 2)
	b.Running("vm:c", "node1")
	b.Refused(b.StartOf("vm:b", "node1"), "vm:b needs 8 GiB")
	b.Running("vm:b", "node2")
}

// TestAnOutdatedMeasureCountsForNothing: that of an older start of the daemon, which may be another
// boot.
func TestAnOutdatedMeasureCountsForNothing(t *testing.T) {
	b := sized(t, 1, map[string]int{"vm:a": 4})
	b.Refused(cluster.NodeCapacity{Node: "node1", Incarnation: b.Node("node1").Incarnation - 1,
		Capacity: cluster.Capacity{Memory: resources.MiB}}, "older incarnation")
	b.Up("node1", "node1-boot-1")
	if b.Node("node1").Capacity.Memory != 9*resources.GiB {
		t.Errorf("a start without a measure left %s", b.Node("node1").Capacity)
	}
}
