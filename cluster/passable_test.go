package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// The doorkeeper lets a managed VM come up only where an open intent wants it:
// not on another node, not on the one that runs it already, not where a shot is
// on its way, not after the service was removed (law L1).
func TestTheDoorOpensForAnOpenIntentAlone(t *testing.T) {
	b := clustertest.NewBook(t, 5, "vm:a")
	door := func(node, uuid string, want bool) {
		t.Helper()
		if _, may, why := cluster.Passable(b.S, node, uuid); may != want || (!may && why.IsZero()) {
			t.Errorf("at index %d %s may bring up %s: %v, want %v (%q)", b.S.Index, node, uuid, may, want, why)
		}
	}
	door("node1", "uuid-of-nobody", true) // a VM that is not managed is none of our business
	door("node1", "uuid-vm:a", false)
	door("node9", "uuid-vm:a", false)
	b.Must(b.StartOf("vm:a", "node1"))
	door("node1", "uuid-vm:a", true)
	door("node2", "uuid-vm:a", false)
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running}))
	door("node1", "uuid-vm:a", false)
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	door("node2", "uuid-vm:a", false) // it has not said yet that it can take it
	b.Ready("vm:a")
	door("node2", "uuid-vm:a", true)
	door("node3", "uuid-vm:a", false)
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Unknown, Why: "the reply was lost"}))
	door("node2", "uuid-vm:a", false) // what arrives has arrived; nothing new comes in while both ends are asked
	b.Lose("node2")
	b.Must(b.Shoot("node2", "node3"))
	door("node2", "uuid-vm:a", false)
}

func TestTheDoorStaysShutForWhatWasRemovedAndMayStillRun(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	d := clustertest.Document("vm:a", "vm:old")
	spec := d.Services["vm:old"]
	spec.Autostart = false
	d.Services["vm:old"] = spec
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	b.Must(clustertest.Configure(clustertest.Document("vm:a"), b.S.Config.Version))
	if !b.S.Tombstones.Has("uuid-vm:old") {
		t.Fatal("nothing is left of a service that nobody has looked for")
	}
	if _, may, why := cluster.Passable(b.S, "node1", "uuid-vm:old"); may || why.IsZero() {
		t.Errorf("a removed service that may still run elsewhere is let in (%q)", why)
	}
}
