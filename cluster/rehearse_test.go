package cluster

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// anyHistory is what may have become of a State by some entries.
func anyHistory(t *rapid.T, base *State) *State {
	s := base.Fork()
	for range rapid.IntRange(0, 30).Draw(t, "entries") {
		Apply(s, Entry{Index: s.Index + 1, At: founded, Commands: busy(t, s)})
	}
	return s
}

// TestARehearsalLeavesTheStateAlone tries every operation on States of any
// history: not a byte of the original changes.
func TestARehearsalLeavesTheStateAlone(t *testing.T) {
	base := newBook(t, 3, "vm:a", "vm:b")
	base.running("vm:b", "node2")
	rapid.Check(t, func(t *rapid.T) {
		s := anyHistory(t, base.s)
		root := s.Fork()
		before := bytesOf(t, root)
		ops := []Operation{OpEnable, OpDisable, OpStop, OpRestart, OpRelocate, OpMigrate, OpFreeze, OpUnfreeze, OpConvalesce}
		ask := Ask{Op: rapid.SampledFrom(ops).Draw(t, "operation"), Service: "vm:a", Node: rapid.SampledFrom([]string{"", "node1", "node2"}).Draw(t, "node")}
		Rehearse(root, View{}, ask)
		if _, err := Explain(root, View{}, "vm:a"); err != nil && root.Services.Has("vm:a") {
			t.Fatal(err)
		}
		if bytesOf(t, root) != before {
			t.Fatal("the State was changed")
		}
	})
}

// TestStoppingEverythingSaysWhatComesOfNodes: of all notes only the lock's own is left out, which
// would tell as done what is only planned.
func TestStoppingEverythingSaysWhatComesOfNodes(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.running("vm:a", "node1")
	b.running("vm:b", "node2")
	b.must(OrderNode{Node: "node2", Order: OrderStandby, By: "root"})
	_, notes := RehearseStop(b.s.Fork(), View{Self: "node1"}, "root")
	about := func(subject string) bool {
		return slices.ContainsFunc(notes, func(n Note) bool { return n.Subject == subject })
	}
	if !about("node2") || about(b.s.Cluster) {
		t.Errorf("the notes are %+v", notes)
	}
}
