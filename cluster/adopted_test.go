package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// TestAVMThatIsTakenInIsOnTheDisksItIsSeenOn: it was moved by hand while it wrote to an overlay.
// Where it belonged to another node that was no news, so it has to be when it is taken in: else
// its next start would pass the overlay over.
func TestAVMThatIsTakenInIsOnTheDisksItIsSeenOn(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	overlay := []resources.Disk{{Identity: "overlay"}, {Identity: "disk-vm:a", Behind: "overlay"}}
	seen := func(node string, o resources.Observation) cluster.Observed {
		o.Service, o.UUID = "vm:a", b.Service("vm:a").Spec.UUID
		return cluster.Observed{Service: "vm:a", Node: node, Incarnation: b.Node(node).Incarnation, Observation: o,
			AsOf: b.S.Index}
	}
	b.Must(seen("node2", resources.Observation{Condition: resources.Running, Disks: overlay}))
	b.Up("node1", "another boot") // it runs there no more
	b.Is("vm:a", resources.Started, "node2", "node2")
	if a := b.Service("vm:a").Astray; a == nil || a.Drift.None() {
		t.Fatalf("what it runs on is not told: %+v", a)
	}
	if why := b.Service("vm:a").ThrowsAway(); why == "" {
		t.Error("it may be stopped without a word")
	}
}
