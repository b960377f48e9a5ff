package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// TestTheFirstReasonIsTheOneThatIsShown: what keeps everything off a node is said before what keeps
// one service off it, and a node without a reason may run it.
func TestTheFirstReasonIsTheOneThatIsShown(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	service := b.Service("vm:a")
	service.Spec.Apart = []string{"vm:b"}
	for _, node := range []string{"node1", "node2"} {
		service = service.WithFailedStart(cluster.FailedStart{Node: node, Why: message.Sentence("no memory"), At: b.At,
			Incarnation: b.Node(node).Incarnation})
	}
	b.S.Services.Set("vm:a", service)
	b.Running("vm:b", "node3")
	b.Must(cluster.Contact{Node: "node2", Incarnation: b.Node("node2").Incarnation, State: cluster.NodeSilent,
		Silence: time.Second})
	want := map[string]string{
		"node1": "a start failed here: no memory",
		"node2": "silent",
		"node3": "it is kept apart from vm:b, which is here",
	}
	for _, c := range rules.Of(b.S).Candidates(service) {
		if c.Barred.String() != want[c.Node] {
			t.Errorf("%s is barred by %q, not by %q", c.Node, c.Barred, want[c.Node])
		}
	}
}
