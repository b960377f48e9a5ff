package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
)

// Two acts with one name would share a socket of the tunnel, and so mix the
// memory of two guests: a node that leaves has all its VMs moved by one entry.
func TestActsOfOneEntryHaveNamesOfTheirOwn(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node1")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"},
		cluster.Begin{Service: "vm:b", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	b.Ready("vm:b")
	names := map[string]string{}
	for _, duty := range cluster.Work(b.S, "node1") {
		if other, taken := names[duty.Act]; taken {
			t.Errorf("%s of %s has the name %s, which %s has", duty.Kind, duty.Service, duty.Act, other)
		}
		names[duty.Act] = duty.Service
	}
	if len(names) != 2 {
		t.Errorf("node1 has %d acts to carry out, want 2", len(names))
	}
}

func TestEachRoundOfAnActHasItsOwnName(t *testing.T) {
	names := map[string]bool{}
	acts := 0
	for place := range 3 {
		for asked := range 3 {
			for _, index := range []uint64{4, 40} {
				names[cluster.Intent{Generation: 1, Index: index, Place: place, Asked: asked}.Act()] = true
				acts++
			}
		}
	}
	if len(names) != acts {
		t.Errorf("%d acts have %d names: %v", acts, len(names), names)
	}
}
