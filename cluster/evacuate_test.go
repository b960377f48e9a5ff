package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// A node may come, or its standby may end, between the plan of an orderly leave and its
// entry: the guest is not shut down for what was.
func TestALeaveStopsNothingThatANodeTakesLive(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	standby := func(node string, order cluster.OrderKind) {
		b.Must(cluster.OrderNode{Node: node, Order: order, By: "root"})
	}
	standby("node2", cluster.OrderStandby)
	standby("node3", cluster.OrderStandby)
	b.Must(cluster.Leave{Node: "node1", By: "root"})
	stop := cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForRecovery,
		By: "leave", Why: message.Words("planned")}
	standby("node2", "")
	b.Refused(stop, "node2 can take vm:a live")
	standby("node2", cluster.OrderStandby)
	b.Must(stop)
	b.Is("vm:a", resources.Recoverable, "node1", "node1")
}
