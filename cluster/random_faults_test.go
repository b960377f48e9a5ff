package cluster

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// Each test here tells one fault that random histories found; docs/bugs.md says
// how they did.

// A machine that has just booted finds intents in its log that were meant for
// the boot before, which is what holds the VM.
func TestTheDoorIsShutForIntentsOfAnOlderBoot(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	before := b.node("node2").Incarnation
	b.must(Begin{Service: "vm:a", Intent: IntentMigrate, Node: "node1", Target: "node2"})
	if _, may, why := PassableFor(b.s, "node2", before, "uuid-vm:a"); !may {
		t.Errorf("the target of a migration is shut: %s", why)
	}
	if _, may, _ := PassableFor(b.s, "node2", 0, "uuid-vm:a"); may {
		t.Error("a daemon that is not admitted lets a managed VM in")
	}
	b.must(NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", Address: "node2", MaxLevel: CurrentLevel})
	if _, may, _ := PassableFor(b.s, "node2", b.node("node2").Incarnation, "uuid-vm:a"); may {
		t.Error("an intent for the old incarnation opens the door of the new one")
	}
	if _, may, _ := PassableFor(b.s, "node2", 0, "uuid-of-nobody"); !may {
		t.Error("a VM that nobody manages is none of our business")
	}
}

// A NodeUp whose daemon is dead may be committed after its successor's.
func TestALateNodeUpDoesNotEndTheDaemonThatLives(t *testing.T) {
	b := newBook(t, 3)
	previous := b.node("node2").Incarnation
	up := NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-1", Address: "node2", MaxLevel: CurrentLevel, Previous: &previous}
	alive := up
	alive.Session = "alive"
	b.must(alive)
	dead := up
	dead.Session = "dead"
	b.refused(dead, "has begun since this one was told")
	b.must(alive) // told twice, because its outcome was not known
}

// An operator may fence a node while it looks on a new boot that the State does
// not know yet.
func TestAnInventoryWaitsForAFenceIntentToo(t *testing.T) {
	b := newBook(t, 5)
	b.must(NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", Address: "node2", MaxLevel: CurrentLevel})
	intent := b.shoot("node2", "node1")
	intent.Override, intent.By = true, "root"
	b.must(intent)
	inventory := Inventory{Node: "node2", Incarnation: b.node("node2").Incarnation, Boot: "node2-boot-2"}
	b.refused(inventory, "is being fenced")
	b.must(b.shot("node2", "unknown"))
	b.must(inventory)
	if b.s.Fences.Len() > 0 {
		t.Error("the intent for a boot that is over stays open")
	}
}

// A machine is not replaced while a shot at the old one is on its way: it would
// hit the new one.
func TestAMachineIsNotReplacedWhileItIsFenced(t *testing.T) {
	b := newBook(t, 5)
	intent := b.shoot("node2", "node1")
	intent.Override, intent.By = true, "root"
	b.must(intent)
	b.must(AddToken{ID: "token", Token: Token{Expires: founded.Add(time.Hour), Replace: "node2"}})
	b.refused(Join{Token: "token", Node: "node2", Fingerprint: "key-new", HardwareUUID: "hardware-new", Address: "node2"}, "is being fenced")
}

// The daemon restarts while it removes what a crash left: that is still there.
func TestWhatACrashLeftIsRemovedAfterADaemonsRestartToo(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	crashed := resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Crashed}
	b.must(Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index, Observation: crashed})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForCleanup, Kill: true})
	b.up("node1", "node1-boot-1", Found{Service: "vm:a", Observation: crashed})
	b.is("vm:a", resources.Recoverable, "node1", "node1")
	if !b.plans(ForCleanup) {
		t.Error("nothing is planned to remove what the crash left")
	}
}

// plans tells whether the leader would stop something for this purpose.
func (b *book) plans(purpose Purpose) bool {
	for _, c := range Plan(b.s, View{Self: "node1"}).Commands {
		if begin, stops := c.(Begin); stops && begin.Purpose == purpose {
			return true
		}
	}
	return false
}

// A start came about after its service was disabled, and was never resumed.
func TestWhatAStartLeftOfADisabledServiceIsRemoved(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	b.must(Ask{Request: "r", Op: OpDisable, Service: "vm:a"})
	b.must(b.done("vm:a", "node1", resources.Result{Source: resources.Paused, Why: "nobody wants it any more"}))
	service := b.service("vm:a")
	service.Wish = nil
	b.s.Services.Set("vm:a", service)
	if !b.plans(ForCleanup) {
		t.Errorf("a paused copy of a disabled service stays for ever: %+v", Plan(b.s, View{Self: "node1"}))
	}
}

// Somebody moved a VM by hand while it was being stopped to be restarted.
func TestAStopThatFindsTheVMElsewhereAdoptsIt(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "r", Op: OpRestart, Service: "vm:a"})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForRestart})
	seen := resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Running}
	b.must(Observed{Service: "vm:a", Node: "node2", Incarnation: b.node("node2").Incarnation, AsOf: b.s.Index, Observation: seen})
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.is("vm:a", resources.Started, "node2", "node2")
	b.answer("r", codeSuccess)
}

// A node that has left may still be on, and a person may bring a VM to it past
// the doorkeeper: it tells, and is watched and emptied again.
func TestAVMThatIsBroughtToANodeThatLeftIsToldOf(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Leave{Node: "node2"})
	b.must(NodeGone{Node: "node2", Incarnation: b.node("node2").Incarnation})
	seen := Observed{Service: "vm:a", Node: "node2", Incarnation: b.node("node2").Incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Unknown}}
	b.must(seen)
	if n := b.node("node2"); n.State != NodeLeft {
		t.Errorf("what proves nothing makes node2 %s", n.State)
	}
	node := NewNode("node2")
	in := Input{State: b.s, Incarnation: b.node("node2").Incarnation, Changes: []Change{{Service: "vm:a"}}}
	if out := node.Step(time.Second, in); len(out.Do) != 1 || out.Do[0].Kind != DutyLook {
		t.Errorf("a node that left does not look at what its hypervisor tells: %+v", out.Do)
	}
	seen.Observation.Condition = resources.Running
	b.must(seen)
	if n := b.node("node2"); n.State != NodeLeaving {
		t.Errorf("node2 is %s and may be running vm:a", n.State)
	}
}
