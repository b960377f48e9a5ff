package cluster

import (
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// A node may come, or its standby may end, between the plan of an orderly leave and its
// entry: the guest is not shut down for what was.
func TestALeaveStopsNothingThatANodeTakesLive(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.s.Level = levelTwo
	b.running("vm:a", "node1")
	standby := func(node string, order OrderKind) { b.must(OrderNode{Node: node, Order: order, By: "root"}) }
	standby("node2", OrderStandby)
	standby("node3", OrderStandby)
	b.must(Leave{Node: "node1", By: "root"})
	stop := Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForRecovery, By: "leave", Why: "planned"}
	standby("node2", "")
	b.refused(stop, "node2 can take vm:a live")
	standby("node2", OrderStandby)
	b.must(stop)
	b.is("vm:a", resources.Recoverable, "node1", "node1")
}
