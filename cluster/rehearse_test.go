package cluster_test

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"pgregory.net/rapid"
)

// anyHistory is what may have become of a State by some entries.
func anyHistory(t *rapid.T, base *cluster.State) *cluster.State {
	s := base.Fork()
	for range rapid.IntRange(0, 30).Draw(t, "entries") {
		apply.Apply(s, cluster.Entry{Index: s.Index + 1, At: clustertest.Founded, Commands: busy(t, s)})
	}
	return s
}

// TestARehearsalLeavesTheStateAlone tries every operation on States of any
// history: not a byte of the original changes.
func TestARehearsalLeavesTheStateAlone(t *testing.T) {
	base := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	base.Running("vm:b", "node2")
	rapid.Check(t, func(t *rapid.T) {
		s := anyHistory(t, base.S)
		root := s.Fork()
		before := bytesOf(t, root)
		ops := []cluster.Operation{cluster.OpEnable, cluster.OpDisable, cluster.OpStop, cluster.OpRestart,
			cluster.OpRelocate, cluster.OpMigrate, cluster.OpFreeze, cluster.OpUnfreeze, cluster.OpConvalesce}
		ask := cluster.Ask{Op: rapid.SampledFrom(ops).Draw(t, "operation"), Service: "vm:a",
			Node: rapid.SampledFrom([]string{"", "node1", "node2"}).Draw(t, "node")}
		rehearse.Rehearse(root, cluster.View{}, ask)
		if _, err := plan.Explain(root, cluster.View{}, "vm:a"); err != nil && root.Services.Has("vm:a") {
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
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node2")
	b.Must(cluster.OrderNode{Node: "node2", Order: cluster.OrderStandby, By: "root"})
	_, notes := rehearse.RehearseStop(b.S.Fork(), cluster.View{Self: "node1"}, "root")
	about := func(subject string) bool {
		return slices.ContainsFunc(notes, func(n cluster.Note) bool { return n.Subject == subject })
	}
	if !about("node2") || about(b.S.Cluster) {
		t.Errorf("the notes are %+v", notes)
	}
}
