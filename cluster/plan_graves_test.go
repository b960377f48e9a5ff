package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// TestTheStartThatIsTriedAgainIsOneThatMayBe: failed starts on nodes that may not
// run the service must not keep the others from being tried again.
func TestTheStartThatIsTriedAgainIsOneThatMayBe(t *testing.T) {
	b := clustertest.NewBook(t, 4, "vm:a")
	d := clustertest.Document("vm:a")
	spec := d.Services["vm:a"]
	spec.Domain = "pair"
	d.Services["vm:a"] = spec
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	for _, node := range b.S.Nodes.Keys() {
		if h, held := b.Service("vm:a").Holder(node); held && h.Ask {
			b.Must(b.Looked("vm:a", node, resources.Absent))
		}
	}
	service := b.Service("vm:a")
	for _, node := range []string{"node3", "node4", "node2", "node1"} {
		service = service.WithFailedStart(cluster.FailedStart{Node: node, Why: message.Words("tested")})
	}
	b.S.Services.Set("vm:a", service)
	starts := func(waited time.Duration) string {
		for _, c := range plan.Plan(b.S,
			cluster.View{Self: "node1", Leading: true, Stuck: map[string]time.Duration{"vm:a": waited}}).Commands {
			if begin, is := c.(cluster.Begin); is {
				return begin.Node
			}
		}
		return ""
	}
	if node := starts(plan.PauseStartRounds - 1); node != "" {
		t.Errorf("it is tried again at once, on %s", node)
	}
	if node := starts(plan.PauseStartRounds); node != "node2" {
		t.Errorf("it is tried again on %q, want node2, which failed longest ago of those that may run it", node)
	}
}

func TestANodeThatIsRemovedTakesItsFailedStartsAlong(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.S.Services.Set("vm:a", b.Service("vm:a").WithoutHolder(func(cluster.Holder) bool { return true }).WithFailedStart(
		cluster.FailedStart{Node: "node2"}).WithFailedStart(cluster.FailedStart{Node: "node3"}))
	b.Must(cluster.RemoveNode{Node: "node3"})
	if failed := b.Service("vm:a").FailedOn; len(failed) != 1 || failed[0].Node != "node2" {
		t.Errorf("failed starts after node3 was removed: %v", failed)
	}
}

// TestARemovedServiceThatStillRunsIsTold: nobody stops what nobody declares.
func TestARemovedServiceThatStillRunsIsTold(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node2")
	service := b.Service("vm:a")
	service.Enabled, service.State, service.Owner = false, resources.Disabled, "" // as after a hand moved it
	b.S.Services.Set("vm:a", service)
	b.Must(clustertest.Configure(clustertest.Document(), b.S.Config.Version))
	notes := plan.Plan(b.S, cluster.View{Self: "node1", Leading: true}).Notes
	if len(notes) != 1 || notes[0].Subject != "vm:a" ||
		!strings.Contains(notes[0].Why.String(), "not proven gone from node2") ||
		!strings.Contains(notes[0].Next.String(), "virsh destroy") {
		t.Errorf("told: %+v", notes)
	}
}
