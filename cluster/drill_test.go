package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// drillOf is an operator's drill of a node's first level.
func drillOf(b *clustertest.Book, node string) cluster.BeginFence {
	return cluster.BeginFence{Node: node, Boot: b.Node(node).Boot, Fencer: "node1", By: "root",
		Why: message.Words("drill"), Override: true, Drill: true}
}

// A drill needs an operator and an empty node in touch; what it proves holds for
// that machine and that declaration of the device, and for nothing else.
func TestADrillProvesADeviceUntilItChanges(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:web")
	b.Running("vm:web", "node3")
	b.Refused(drillOf(b, "node3"), "may be running vm:web")
	byItself := drillOf(b, "node2")
	byItself.Override = false
	b.Refused(byItself, "is online")
	level := drillOf(b, "node2")
	level.Level = 3
	b.Refused(level, "no fence level 4")

	b.Must(drillOf(b, "node2"))
	if duties := cluster.Work(b.S, "node1"); len(duties) != 1 || !duties[0].Drill || len(duties[0].Proven) != 0 {
		t.Fatalf("node1 is handed %+v", duties)
	}
	b.Must(b.Shot("node2", fence.Confirmed))
	if !b.S.ProvenFor("bmc-node2", "node2") || b.S.ProvenFor("bmc-node2", "node3") {
		t.Fatal("the drill proved something else")
	}
	b.Up("node2", "node2-boot-2")
	b.Lose("node2")
	b.Must(cluster.BeginFence{Node: "node2", Boot: "node2-boot-2", Fencer: "node1", By: "root",
		Why:      message.Words("by hand"),
		Override: true})
	if duties := cluster.Work(b.S, "node1"); len(duties) != 1 || len(duties[0].Proven) != 1 || duties[0].Drill {
		t.Fatalf("the proof does not reach the executor: %+v", duties)
	}
	b.Must(b.Shot("node2", fence.Confirmed))

	d := clustertest.Document("vm:web")
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	if !b.S.ProvenFor("bmc-node2", "node2") {
		t.Fatal("a document that leaves the device alone took its proof")
	}
	moved := d.Devices["bmc-node2"]
	moved.Address = "elsewhere"
	d.Devices["bmc-node2"] = moved
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	if b.S.ProvenFor("bmc-node2", "node2") {
		t.Fatal("the proof outlived the device's address")
	}
}

// A drill that proves nothing is over at once: the node was in touch and empty,
// so there is nothing to release and nobody to shoot.
func TestADrillThatFailsIsNotRepeated(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.Must(drillOf(b, "node2"))
	b.Must(b.Shot("node2", fence.Unknown))
	if b.S.Fences.Has("node2") || b.S.ProvenFor("bmc-node2", "node2") || b.Node("node2").State != cluster.NodeOnline {
		t.Fatalf("after a failed drill: fencing %t, node2 %s", b.S.Fences.Has("node2"), b.Node("node2").State)
	}
}

// A document that changes while the power goes is not what was tried: neither
// may its devices count as proven, nor may a level that is gone end the daemons.
func TestADrillProvesNothingAboutADocumentThatChangedMeanwhile(t *testing.T) {
	for _, outcome := range []fence.Outcome{fence.Confirmed, fence.Unknown} {
		for what, change := range map[string]func(*cluster.Document){
			"moved": func(d *cluster.Document) {
				d.Devices["bmc-node2"] = fence.Device{Name: "bmc-node2", Driver: "ipmi", Address: "elsewhere"}
			},
			"removed": func(d *cluster.Document) { d.Nodes["node2"] = cluster.NodeSpec{} },
		} {
			b := clustertest.NewBook(t, 3)
			b.Must(drillOf(b, "node2"))
			d := clustertest.Document()
			change(&d)
			b.Must(clustertest.Configure(d, b.S.Config.Version))
			b.Must(b.Shot("node2", outcome))
			if b.S.ProvenFor("bmc-node2", "node2") || b.S.Fences.Has("node2") {
				t.Errorf("device %s, %s: proven %t, still fencing %t", what, outcome, b.S.ProvenFor("bmc-node2", "node2"),
					b.S.Fences.Has("node2"))
			}
		}
	}
}
