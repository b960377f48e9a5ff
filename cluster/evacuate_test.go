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

// TestTheEndOfAnOrderPromisesNothingThatTheStateForbids: the event says that a node takes services
// again only where it does.
func TestTheEndOfAnOrderPromisesNothingThatTheStateForbids(t *testing.T) {
	for _, c := range []struct {
		what   string
		before func(b *clustertest.Book)
		want   message.Text
	}{
		{"nothing", func(*clustertest.Book) {}, message.OrderOver.With(cluster.OrderStandby, "")},
		{"a loss", func(b *clustertest.Book) { b.Lose("node2") }, message.OrderOverAway.With(cluster.OrderStandby, "")},
		{"a lock", func(b *clustertest.Book) { b.Must(cluster.LockCluster{By: "root"}) },
			message.OrderOverLocked.With(cluster.OrderStandby, "")},
		{"a stop", func(b *clustertest.Book) { b.Must(cluster.LockCluster{By: "root", Stop: true}) },
			message.OrderOverLocked.With(cluster.OrderStandby, "")},
		{"a hang", func(b *clustertest.Book) {
			b.Must(cluster.NodeHypervisor{Node: "node2", Incarnation: b.Node("node2").Incarnation, Why: message.Words("w")})
		}, message.OrderOverHung.With(cluster.OrderStandby, "")},
	} {
		b := clustertest.NewBook(t, 3, "vm:a")
		b.Must(cluster.OrderNode{Node: "node2", Order: cluster.OrderStandby, By: "root"})
		c.before(b)
		events := b.Must(cluster.OrderNode{Node: "node2", By: "root"}).Events
		if len(events) != 1 || events[0].Why != c.want {
			t.Errorf("after %s: %v, not %s", c.what, events, c.want)
		}
	}
}
