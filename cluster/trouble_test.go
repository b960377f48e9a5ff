package cluster

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// TestATroubleThatIsOverIsRememberedAnew: a move by stop and start that ends elsewhere is remembered,
// also where that happened before and the old memory counts no more. Else the service would be
// stopped for the same move again and again.
func TestATroubleThatIsOverIsRememberedAnew(t *testing.T) {
	b := newBook(t, 2, "service:a")
	b.running("service:a", "node1")
	moveThatFails := func() Trouble {
		b.must(Begin{Service: "service:a", Intent: IntentStop, Node: "node1", Target: "node2", Purpose: ForMove,
			By: "failback"})
		b.must(b.done("service:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
		b.running("service:a", "node1")
		list := b.service("service:a").Troubles
		if len(list) != 1 || list[0].Node != "node2" || list[0].Kind != TroubleMove {
			t.Fatal(list)
		}
		return list[0]
	}
	first := moveThatFails()
	b.at = b.at.Add(troubleLasts / 2)
	if again := moveThatFails(); again != first {
		t.Errorf("what counts already is remembered twice: %v, %v", first, again)
	}
	b.at = b.at.Add(troubleLasts)
	if again := moveThatFails(); !again.At.After(first.At.Add(troubleLasts)) {
		t.Errorf("what was over is not remembered anew: %v, at %v", again, b.at.Format(time.TimeOnly))
	}
}
