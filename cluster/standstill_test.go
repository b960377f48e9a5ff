package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// TestAGuestThatFellWhileTheTargetsDaemonStartedIsAskedFor: the daemon of the target started
// during the migration and found the guest crashed, which counted for nothing while both ends
// held it.
func TestAGuestThatFellWhileTheTargetsDaemonStartedIsAskedFor(t *testing.T) {
	b := moving(t)
	b.up("node2", "node2-boot-1", Found{Service: "vm:a",
		Observation: resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Crashed}})
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	if h, held := b.service("vm:a").holder("node2"); !held || !h.Ask {
		t.Fatalf("node2 is not asked: %+v", b.service("vm:a"))
	}
	b.must(b.looked("vm:a", "node2", resources.Crashed))
	b.is("vm:a", resources.Recoverable, "node2", "node2")
}

// TestASilentNodeThatIsFencedByTheNameOfItsOlderBootComesUpOnceMore: it was silent, not lost,
// when an operator had it fenced.
func TestASilentNodeThatIsFencedByTheNameOfItsOlderBootComesUpOnceMore(t *testing.T) {
	b := newBook(t, 3)
	old := b.node("node1")
	b.must(NodeUp{Node: "node1", Fingerprint: old.Fingerprint, Boot: "node1-boot-2", Address: old.Address,
		MaxLevel: CurrentLevel, Session: "second"})
	shot := b.shoot("node1", "node2")
	shot.Override = true
	b.must(shot)
	b.must(Contact{Node: "node1", Incarnation: b.node("node1").Incarnation, State: NodeSilent, Silence: time.Second})
	if !b.s.Outlived("node1", "node1-boot-2") {
		t.Error("the daemon of the new boot is not told to come up once more, and nothing else ends the intent")
	}
}

// TestEnablingElsewhereWhatRunsSaysWhereItRuns: a disabled VM was found running, and is to be
// enabled on another node.
func TestEnablingElsewhereWhatRunsSaysWhereItRuns(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "off", Op: OpDisable, Service: "vm:a", By: "root"})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForDisable, By: "root"})
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.must(Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index,
		Observation: resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Running}})
	b.must(Ask{Request: "on", Op: OpEnable, Service: "vm:a", Node: "node2", By: "root"})
	b.says("on", codeFailure, "it is enabled and runs on node1 already, and not on node2: "+
		"move it with `clusvcadm -r vm:a -m node2`")
}

// TestAnActThatWaitsForItsTurnIsNotCalledOverdue: a node does so many acts at a time, and the
// time of one begins with its turn.
func TestAnActThatWaitsForItsTurnIsNotCalledOverdue(t *testing.T) {
	var names []string
	for i := range ActsAtOnce + 1 {
		names = append(names, fmt.Sprintf("vm:%02d", i))
	}
	notes := func(acts int) Decision {
		b := newBook(t, 3, names[:acts]...)
		opens := map[string]openwatch{}
		for _, name := range names[:acts] {
			b.must(b.startOf(name, "node1"))
			service := b.service(name)
			opens[name] = openwatch{Index: service.Intent.Index, For: time.Hour, Limit: service.allowed()}
		}
		return Plan(b.s, View{Self: "node1", Leading: true, Opens: opens})
	}
	if d := notes(ActsAtOnce); !noted(d, "longer than it has time for") {
		t.Errorf("acts that all have their turn: %+v", d.Notes)
	}
	if d := notes(ActsAtOnce + 1); noted(d, "longer than it has time for") || !noted(d, "waiting for its turn") {
		t.Errorf("one more than have a turn: %+v", d.Notes)
	}
}
