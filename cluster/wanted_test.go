package cluster

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Right before an effect an executor asks whether its act is still in force
// (law L6): not after its own daemon started anew, not after the act was taken
// back or done, and not for a shot at a machine that is off already.
func TestAnExecutorHearsThatItsActWasTakenBack(t *testing.T) {
	b := newBook(t, 5, "vm:a", "vm:b")
	wanted := func(node string, d Duty, want bool) {
		t.Helper()
		if err := StillWanted(b.s, node, d); (err == nil) != want {
			t.Errorf("%s %s by %s is wanted: %v, want %v (%v)", d.Kind, d.Service+d.Node, node, err == nil, want, err)
		}
	}
	b.must(b.startOf("vm:a", "node1"))
	start := Work(b.s, "node1")[0]
	wanted("node1", start, true)
	b.must(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel})
	wanted("node1", start, false)
	if err := StillWanted(b.s, "node1", start); err == nil || !strings.Contains(err.Error(), "present incarnation") {
		t.Errorf("an old daemon is told %v", err)
	}

	b.must(b.startOf("vm:b", "node2"))
	start = Work(b.s, "node2")[0]
	b.must(b.done("vm:b", "node2", resources.Result{OK: true, Source: resources.Running}))
	wanted("node2", start, false)

	b.lose("node2")
	b.must(b.shoot("node2", "node3"))
	shot := Work(b.s, "node3")[0]
	wanted("node3", shot, true)
	wanted("node4", shot, false)
	b.must(b.shot("node2", fence.Confirmed))
	wanted("node3", shot, false)
}
