package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/resources"
)

// TestAServiceWithoutItsDiskHoldsNoTierUp: a tier is an order, not a dependency.
func TestAServiceWithoutItsDiskHoldsNoTierUp(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b", "vm:c")
	d := clustertest.Document("vm:a", "vm:b", "vm:c")
	first, later := d.Services["vm:a"], d.Services["vm:c"]
	first.Disks, later.Tier = d.Services["vm:b"].Disks, 1
	d.Services["vm:a"], d.Services["vm:c"] = first, later
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	b.Running("vm:b", "node1")
	starts := map[string]bool{}
	for _, c := range plan.Plan(b.S, cluster.View{Self: "node1", Leading: true}).Commands {
		if begin, is := c.(cluster.Begin); is && begin.Intent == cluster.IntentStart {
			starts[begin.Service] = true
		}
	}
	if starts["vm:a"] || !starts["vm:c"] {
		t.Errorf("started are %v; vm:a has not its disk, and vm:c only comes after it", starts)
	}
}

// TestADiskWithoutANameFreesNoOther: somebody put a guest on an overlay that nobody can name. The
// disk that it was started with lies behind that one, and is nobody else's until a look says more.
func TestADiskWithoutANameFreesNoOther(t *testing.T) {
	const unnamed = resources.Unnamed + "u/vda"
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	own := b.Service("vm:a").Spec.Disks
	d := clustertest.Document("vm:a", "vm:b")
	moved, other := d.Services["vm:a"], d.Services["vm:b"]
	moved.Disks, other.Disks = other.Disks, own
	d.Services["vm:a"], d.Services["vm:b"] = moved, other
	look := cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation,
		Observation: resources.Observation{Condition: resources.Running}}
	for _, live := range [][]resources.Disk{{{Identity: unnamed}},
		{{Identity: unnamed}, {Identity: own[0].Identity, Behind: unnamed}}} {
		look.Observation.Disks, look.AsOf = live, b.S.Index
		b.Must(look)
		b.Refused(clustertest.Configure(d, b.S.Config.Version), own[0].Identity)
		if s := b.Service("vm:a"); s.ThrowsAway().IsZero() {
			t.Errorf("on %v it could be stopped without a word", live)
		}
	}
	look.Observation.Disks, look.AsOf = d.Services["vm:a"].Disks, b.S.Index
	b.Must(look)
	b.Must(clustertest.Configure(d, b.S.Config.Version))
}
