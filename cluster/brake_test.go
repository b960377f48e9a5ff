package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

func TestTheBrake(t *testing.T) {
	b := newBook(t, 5)
	for _, name := range []string{"node1", "node2", "node3"} {
		b.lose(name)
	}
	b.must(b.shoot("node1", "node5"))
	b.refused(b.shoot("node2", "node5"), "one node at a time")
	b.must(b.shot("node1", fence.Confirmed))
	b.must(b.shoot("node2", "node5"))
	b.must(b.shot("node2", fence.Confirmed))
	b.refused(b.shoot("node3", "node5"), "half of them or more")
	override := b.shoot("node3", "node5")
	override.Override, override.By = true, "root"
	b.must(override)
}

func TestTheBrakeCountsShots(t *testing.T) {
	b := newBook(t, 3)
	for shot := range brakeShots {
		b.lose("node1")
		b.must(b.shoot("node1", "node2"))
		b.must(b.shot("node1", fence.Confirmed))
		b.up("node1", fmt.Sprintf("node1-boot-%d", shot+2))
	}
	b.lose("node1")
	b.refused(b.shoot("node1", "node2"), "the limit without an operator")
	b.at = b.at.Add(brakeWindow)
	b.must(b.shoot("node1", "node2"))
}

// braked is a cluster of five whose document sets the brake, with lost nodes.
func braked(t *testing.T, limits Fencing, nodes int, lost ...string) *book {
	b := newBook(t, nodes)
	d := document()
	d.Fencing = limits
	b.must(configure(d, b.s.Config.Version))
	for _, name := range lost {
		b.lose(name)
	}
	return b
}

func TestTheBrakeIsInTheDocument(t *testing.T) {
	b := braked(t, Fencing{AtOnce: 2}, 9, "node1", "node2", "node3")
	b.must(b.shoot("node1", "node5"), b.shoot("node2", "node5"))
	b.refused(b.shoot("node3", "node5"), "node1 and node2 are being fenced, 2 nodes at a time")
	b.must(b.shot("node1", fence.Confirmed))
	b.must(b.shoot("node3", "node5"))

	b = braked(t, Fencing{Shots: 1, Window: time.Hour}, 5, "node1", "node2")
	b.must(b.shoot("node1", "node5"))
	b.must(b.shot("node1", fence.Confirmed))
	b.at = b.at.Add(brakeWindow)
	b.refused(b.shoot("node2", "node5"), "1 shots in the last 1h0m0s")
	b.at = b.at.Add(time.Hour)
	b.must(b.shoot("node2", "node5"))
}

// Half of the nodes stay half of the nodes, whatever the document allows, and
// those that are being fenced count like those that are fenced.
func TestNoDocumentLetsHalfOfTheNodesBeShot(t *testing.T) {
	b := braked(t, Fencing{AtOnce: 16, Shots: 64}, 5, "node1", "node2", "node3")
	b.must(b.shoot("node1", "node5"), b.shoot("node2", "node5"))
	b.refused(b.shoot("node3", "node5"), "one more shot would make 3 of 5 nodes")
}

// A dead BMC holds up its own node, and no other one.
func TestAShotThatIsStuckHoldsUpNobody(t *testing.T) {
	b := braked(t, Fencing{}, 5, "node1", "node2", "node3")
	b.must(b.shoot("node1", "node5"))
	b.refused(b.shoot("node2", "node5"), "one node at a time")
	b.must(b.shot("node1", fence.Unknown))
	b.must(b.shoot("node2", "node5"))
	b.refused(b.shoot("node3", "node5"), "node2 is being fenced, one node at a time")
	b.must(b.shot("node2", fence.Unknown))
	b.refused(b.shoot("node3", "node5"), "half of them or more")

	// A State of older rules keeps them.
	b = newBook(t, 5)
	b.lose("node1")
	b.lose("node2")
	b.s.Level = levelOne
	b.must(b.shoot("node1", "node5"))
	b.must(b.shot("node1", fence.Unknown))
	b.refused(b.shoot("node2", "node5"), "one node at a time")
}
