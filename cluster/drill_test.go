package cluster

import (
	"testing"

	"github.com/clusterd/clusterd/fence"
)

// drillOf is an operator's drill of a node's first level.
func drillOf(b *book, node string) BeginFence {
	return BeginFence{Node: node, Boot: b.node(node).Boot, Fencer: "node1", Why: "drill", By: "root", Override: true, Drill: true}
}

// A drill needs an operator and an empty node in touch; what it proves holds for
// that machine and that declaration of the device, and for nothing else.
func TestADrillProvesADeviceUntilItChanges(t *testing.T) {
	b := newBook(t, 3, "vm:web")
	b.running("vm:web", "node3")
	b.refused(drillOf(b, "node3"), "may be running vm:web")
	byItself := drillOf(b, "node2")
	byItself.Override = false
	b.refused(byItself, "is online")
	level := drillOf(b, "node2")
	level.Level = 3
	b.refused(level, "no fence level 4")

	b.must(drillOf(b, "node2"))
	if duties := Work(b.s, "node1"); len(duties) != 1 || !duties[0].Drill || len(duties[0].Proven) != 0 {
		t.Fatalf("node1 is handed %+v", duties)
	}
	b.must(b.shot("node2", fence.Confirmed))
	if !b.s.ProvenFor("bmc-node2", "node2") || b.s.ProvenFor("bmc-node2", "node3") {
		t.Fatal("the drill proved something else")
	}
	b.up("node2", "node2-boot-2")
	b.lose("node2")
	b.must(BeginFence{Node: "node2", Boot: "node2-boot-2", Fencer: "node1", Why: "by hand", By: "root", Override: true})
	if duties := Work(b.s, "node1"); len(duties) != 1 || len(duties[0].Proven) != 1 || duties[0].Drill {
		t.Fatalf("the proof does not reach the executor: %+v", duties)
	}
	b.must(b.shot("node2", fence.Confirmed))

	d := document("vm:web")
	b.must(configure(d, b.s.Config.Version))
	if !b.s.ProvenFor("bmc-node2", "node2") {
		t.Fatal("a document that leaves the device alone took its proof")
	}
	moved := d.Devices["bmc-node2"]
	moved.Address = "elsewhere"
	d.Devices["bmc-node2"] = moved
	b.must(configure(d, b.s.Config.Version))
	if b.s.ProvenFor("bmc-node2", "node2") {
		t.Fatal("the proof outlived the device's address")
	}
}

// A drill that proves nothing is over at once: the node was in touch and empty,
// so there is nothing to release and nobody to shoot.
func TestADrillThatFailsIsNotRepeated(t *testing.T) {
	b := newBook(t, 3)
	b.must(drillOf(b, "node2"))
	b.must(b.shot("node2", fence.Unknown))
	if b.s.Fences.Has("node2") || b.s.ProvenFor("bmc-node2", "node2") || b.node("node2").State != NodeOnline {
		t.Fatalf("after a failed drill: fencing %t, node2 %s", b.s.Fences.Has("node2"), b.node("node2").State)
	}
}

// A document that changes while the power goes is not what was tried: neither
// may its devices count as proven, nor may a level that is gone end the daemons.
func TestADrillProvesNothingAboutADocumentThatChangedMeanwhile(t *testing.T) {
	for _, outcome := range []fence.Outcome{fence.Confirmed, fence.Unknown} {
		for what, change := range map[string]func(*Document){
			"moved": func(d *Document) {
				d.Devices["bmc-node2"] = fence.Device{Name: "bmc-node2", Driver: "ipmi", Address: "elsewhere"}
			},
			"removed": func(d *Document) { d.Nodes["node2"] = NodeSpec{} },
		} {
			b := newBook(t, 3)
			b.must(drillOf(b, "node2"))
			d := document()
			change(&d)
			b.must(configure(d, b.s.Config.Version))
			b.must(b.shot("node2", outcome))
			if b.s.ProvenFor("bmc-node2", "node2") || b.s.Fences.Has("node2") {
				t.Errorf("device %s, %s: proven %t, still fencing %t", what, outcome, b.s.ProvenFor("bmc-node2", "node2"), b.s.Fences.Has("node2"))
			}
		}
	}
}
