package cluster

import (
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// TestAVMThatIsTakenInIsOnTheDisksItIsSeenOn: it was moved by hand while it wrote to an overlay. Where it belonged to
// another node that was no news, so it has to be when it is taken in: else its next start would pass the overlay over.
func TestAVMThatIsTakenInIsOnTheDisksItIsSeenOn(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	overlay := []resources.Disk{{Identity: "overlay"}, {Identity: "disk-vm:a", Behind: "overlay"}}
	seen := func(node string, o resources.Observation) Observed {
		o.Service, o.UUID = "vm:a", b.service("vm:a").Spec.UUID
		return Observed{Service: "vm:a", Node: node, Incarnation: b.node(node).Incarnation, Observation: o, AsOf: b.s.Index}
	}
	b.must(seen("node2", resources.Observation{Condition: resources.Running, Disks: overlay}))
	b.up("node1", "another boot") // it runs there no more
	b.is("vm:a", resources.Started, "node2", "node2")
	if a := b.service("vm:a").Astray; a == nil || a.Drift.None() {
		t.Fatalf("what it runs on is not told: %+v", a)
	}
	if why := b.service("vm:a").throwsAway(); why == "" {
		t.Error("it may be stopped without a word")
	}
}
