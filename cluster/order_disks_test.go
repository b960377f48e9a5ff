package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
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
