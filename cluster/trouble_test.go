package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// TestATroubleThatIsOverIsRememberedAnew: a move by stop and start that ends elsewhere is
// remembered, also where that happened before and the old memory counts no more. Else the
// service would be stopped for the same move again and again.
func TestATroubleThatIsOverIsRememberedAnew(t *testing.T) {
	b := clustertest.NewBook(t, 2, "service:a")
	b.Running("service:a", "node1")
	moveThatFails := func() cluster.Trouble {
		b.Must(cluster.Begin{Service: "service:a", Intent: cluster.IntentStop, Node: "node1", Target: "node2",
			Purpose: cluster.ForMove,
			By:      "failback"})
		b.Must(b.Done("service:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
		b.Running("service:a", "node1")
		list := b.Service("service:a").Troubles
		if len(list) != 1 || list[0].Node != "node2" || list[0].Kind != cluster.TroubleMove {
			t.Fatal(list)
		}
		return list[0]
	}
	first := moveThatFails()
	b.At = b.At.Add(cluster.TroubleLasts / 2)
	if again := moveThatFails(); again != first {
		t.Errorf("what counts already is remembered twice: %v, %v", first, again)
	}
	b.At = b.At.Add(cluster.TroubleLasts)
	if again := moveThatFails(); !again.At.After(first.At.Add(cluster.TroubleLasts)) {
		t.Errorf("what was over is not remembered anew: %v, at %v", again, b.At.Format(time.TimeOnly))
	}
}
