package cluster_test

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Right before an effect an executor asks whether its act is still in force
// (law L6): not after its own daemon started anew, not after the act was taken
// back or done, and not for a shot at a machine that is off already.
func TestAnExecutorHearsThatItsActWasTakenBack(t *testing.T) {
	b := clustertest.NewBook(t, 5, "vm:a", "vm:b")
	wanted := func(node string, d cluster.Duty, want bool) {
		t.Helper()
		if err := cluster.StillWanted(b.S, node, d); (err == nil) != want {
			t.Errorf("%s %s by %s is wanted: %v, want %v (%v)", d.Kind, d.Service+d.Node, node, err == nil, want, err)
		}
	}
	b.Must(b.StartOf("vm:a", "node1"))
	start := cluster.Work(b.S, "node1")[0]
	wanted("node1", start, true)
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: cluster.CurrentLevel})
	wanted("node1", start, false)
	if err := cluster.StillWanted(b.S, "node1", start); err == nil ||
		!strings.Contains(err.Error(), "present incarnation") {
		t.Errorf("an old daemon is told %v", err)
	}

	b.Must(b.StartOf("vm:b", "node2"))
	start = cluster.Work(b.S, "node2")[0]
	b.Must(b.Done("vm:b", "node2", resources.Result{OK: true, Source: resources.Running}))
	wanted("node2", start, false)

	b.Lose("node2")
	b.Must(b.Shoot("node2", "node3"))
	shot := cluster.Work(b.S, "node3")[0]
	wanted("node3", shot, true)
	wanted("node4", shot, false)
	b.Must(b.Shot("node2", fence.Confirmed))
	wanted("node3", shot, false)
}
