package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
)

func TestTheBrake(t *testing.T) {
	b := clustertest.NewBook(t, 5)
	for _, name := range []string{"node1", "node2", "node3"} {
		b.Lose(name)
	}
	b.Must(b.Shoot("node1", "node5"))
	b.Refused(b.Shoot("node2", "node5"), "one node at a time")
	b.Must(b.Shot("node1", fence.Confirmed))
	b.Must(b.Shoot("node2", "node5"))
	b.Must(b.Shot("node2", fence.Confirmed))
	b.Refused(b.Shoot("node3", "node5"), "half of them or more")
	override := b.Shoot("node3", "node5")
	override.Override, override.By = true, "root"
	b.Must(override)
}

func TestTheBrakeCountsShots(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	for shot := range cluster.BrakeShots {
		b.Lose("node1")
		b.Must(b.Shoot("node1", "node2"))
		b.Must(b.Shot("node1", fence.Confirmed))
		b.Up("node1", fmt.Sprintf("node1-boot-%d", shot+2))
	}
	b.Lose("node1")
	b.Refused(b.Shoot("node1", "node2"), "the limit without an operator")
	b.At = b.At.Add(cluster.BrakeWindow)
	b.Must(b.Shoot("node1", "node2"))
}

// braked is a cluster of five whose document sets the brake, with lost nodes.
func braked(t *testing.T, limits cluster.Fencing, nodes int, lost ...string) *clustertest.Book {
	b := clustertest.NewBook(t, nodes)
	d := clustertest.Document()
	d.Fencing = limits
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	for _, name := range lost {
		b.Lose(name)
	}
	return b
}

func TestTheBrakeIsInTheDocument(t *testing.T) {
	b := braked(t, cluster.Fencing{AtOnce: 2}, 9, "node1", "node2", "node3")
	b.Must(b.Shoot("node1", "node5"), b.Shoot("node2", "node5"))
	b.Refused(b.Shoot("node3", "node5"), "node1 and node2 are being fenced, 2 nodes at a time")
	b.Must(b.Shot("node1", fence.Confirmed))
	b.Must(b.Shoot("node3", "node5"))

	b = braked(t, cluster.Fencing{Shots: 1, Window: time.Hour}, 5, "node1", "node2")
	b.Must(b.Shoot("node1", "node5"))
	b.Must(b.Shot("node1", fence.Confirmed))
	b.At = b.At.Add(cluster.BrakeWindow)
	b.Refused(b.Shoot("node2", "node5"), "1 shot in the last 1h0m")
	b.At = b.At.Add(time.Hour)
	b.Must(b.Shoot("node2", "node5"))
}

// Half of the nodes stay half of the nodes, whatever the document allows, and
// those that are being fenced count like those that are fenced.
func TestNoDocumentLetsHalfOfTheNodesBeShot(t *testing.T) {
	b := braked(t, cluster.Fencing{AtOnce: 16, Shots: 64}, 5, "node1", "node2", "node3")
	b.Must(b.Shoot("node1", "node5"), b.Shoot("node2", "node5"))
	b.Refused(b.Shoot("node3", "node5"), "one more shot would take 3 of 5 nodes down")
}

// A dead BMC holds up its own node, and no other one.
func TestAShotThatIsStuckHoldsUpNobody(t *testing.T) {
	b := braked(t, cluster.Fencing{}, 5, "node1", "node2", "node3")
	b.Must(b.Shoot("node1", "node5"))
	b.Refused(b.Shoot("node2", "node5"), "one node at a time")
	b.Must(b.Shot("node1", fence.Unknown))
	b.Must(b.Shoot("node2", "node5"))
	b.Refused(b.Shoot("node3", "node5"), "node2 is being fenced, one node at a time")
	b.Must(b.Shot("node2", fence.Unknown))
	b.Refused(b.Shoot("node3", "node5"), "half of them or more")
}
