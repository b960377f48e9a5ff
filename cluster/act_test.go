package cluster

import "testing"

// Two acts with one name would share a socket of the tunnel, and so mix the
// memory of two guests: a node that leaves has all its VMs moved by one entry.
func TestActsOfOneEntryHaveNamesOfTheirOwn(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.running("vm:a", "node1")
	b.running("vm:b", "node1")
	b.must(Begin{Service: "vm:a", Intent: IntentMigrate, Node: "node1", Target: "node2"},
		Begin{Service: "vm:b", Intent: IntentMigrate, Node: "node1", Target: "node2"})
	names := map[string]string{}
	for _, duty := range Work(b.s, "node1") {
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
				names[Intent{Generation: 1, Index: index, Place: place, Asked: asked}.Act()] = true
				acts++
			}
		}
	}
	if len(names) != acts {
		t.Errorf("%d acts have %d names: %v", acts, len(names), names)
	}
}
