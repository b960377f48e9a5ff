package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// TestTheStartThatIsTriedAgainIsOneThatMayBe: failed starts on nodes that may not
// run the service any more must not keep the others from being tried again.
func TestTheStartThatIsTriedAgainIsOneThatMayBe(t *testing.T) {
	b := newBook(t, 4, "vm:a")
	d := document("vm:a")
	spec := d.Services["vm:a"]
	spec.Domain = "pair"
	d.Services["vm:a"] = spec
	b.must(configure(d, b.s.Config.Version))
	for _, node := range b.s.Nodes.Keys() {
		if h, held := b.service("vm:a").holder(node); held && h.Ask {
			b.must(b.looked("vm:a", node, resources.Absent))
		}
	}
	service := b.service("vm:a")
	for _, node := range []string{"node3", "node4", "node2", "node1"} {
		service = service.failedOn(FailedStart{Node: node, Why: "tested"})
	}
	b.s.Services.Set("vm:a", service)
	starts := func(waited time.Duration) string {
		for _, c := range Plan(b.s, View{Self: "node1", Leading: true, Stuck: map[string]time.Duration{"vm:a": waited}}).Commands {
			if begin, is := c.(Begin); is {
				return begin.Node
			}
		}
		return ""
	}
	if node := starts(pauseStartRounds - 1); node != "" {
		t.Errorf("it is tried again at once, on %s", node)
	}
	if node := starts(pauseStartRounds); node != "node2" {
		t.Errorf("it is tried again on %q, want node2, which failed longest ago of those that may run it", node)
	}
}

func TestANodeThatIsRemovedTakesItsFailedStartsAlong(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.s.Services.Set("vm:a", b.service("vm:a").withoutHolder(func(Holder) bool { return true }).failedOn(FailedStart{Node: "node2"}).failedOn(FailedStart{Node: "node3"}))
	older := b.s.Fork()
	older.Level = levelOne
	Apply(older, Entry{Index: older.Index + 1, At: founded, Commands: []Command{RemoveNode{Node: "node3"}}})
	if service, _ := older.Services.Get("vm:a"); len(service.FailedOn) != 2 {
		t.Errorf("by the rules of level one, which older binaries follow too, they stay: %v", service.FailedOn)
	}
	b.must(RemoveNode{Node: "node3"})
	if failed := b.service("vm:a").FailedOn; len(failed) != 1 || failed[0].Node != "node2" {
		t.Errorf("failed starts after node3 was removed: %v", failed)
	}
}

// TestARemovedServiceThatStillRunsIsTold: nobody stops what nobody declares.
func TestARemovedServiceThatStillRunsIsTold(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node2")
	service := b.service("vm:a")
	service.Enabled, service.State, service.Owner = false, resources.Disabled, "" // as after a hand moved it
	b.s.Services.Set("vm:a", service)
	b.must(configure(document(), b.s.Config.Version))
	notes := Plan(b.s, View{Self: "node1", Leading: true}).Notes
	if len(notes) != 1 || notes[0].Subject != "vm:a" || !strings.Contains(notes[0].Why, "not proven gone from node2") || !strings.Contains(notes[0].Next, "virsh destroy") {
		t.Errorf("told: %+v", notes)
	}
}
