package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
)

// A person's word releases exactly what a device's Confirmed would: the boot of
// an open intent, and only while the machine shows no life.
func TestAPersonsWordNeedsAnOpenIntentAndASilentMachine(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:web")
	b.Running("vm:web", "node2")
	d := clustertest.Document("vm:web")
	d.Nodes["node2"] = cluster.NodeSpec{} // no device could ever confirm it
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	boot := b.Node("node2").Boot
	word := cluster.ConfirmFence{Node: "node2", Boot: boot, By: "root"}
	b.Refused(word, "nothing to confirm")
	b.Refused(cluster.BeginFence{Node: "node2", Boot: boot, Fencer: "node1", Why: message.Words("lost")}, "is online")
	b.Must(cluster.BeginFence{Node: "node2", Boot: boot, Fencer: "node1", Why: message.Words("asked"),
		By: "root", Override: true})
	b.Refused(word, "shows life")
	b.Lose("node2")
	b.Refused(cluster.ConfirmFence{Node: "node2", Boot: "another", By: "root"}, "not for another")
	b.Is("vm:web", b.Service("vm:web").State, "node2", "node2")
	b.Must(word)
	if n := b.Node("node2"); n.State != cluster.NodeFenced {
		t.Fatalf("node2 is %s after a person answered for it", n.State)
	}
	if last := b.S.Timeline[len(b.S.Timeline)-2]; last.By != "root" {
		t.Fatalf("the timeline does not say who answered: %+v", last)
	}
	b.Must(b.StartOf("vm:web", "node1"))
}
