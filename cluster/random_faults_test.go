package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/resources"
)

// Each test here tells one fault that random histories found; docs/bugs.md says
// how they did.

// A machine that has just booted finds intents in its log that were meant for
// the boot before, which is what holds the VM.
func TestTheDoorIsShutForIntentsOfAnOlderBoot(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	before := b.Node("node2").Incarnation
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	if _, may, why := cluster.PassableFor(b.S, "node2", before, "uuid-vm:a"); !may {
		t.Errorf("the target of a migration is shut: %s", why)
	}
	if _, may, _ := cluster.PassableFor(b.S, "node2", 0, "uuid-vm:a"); may {
		t.Error("a daemon that is not admitted lets a managed VM in")
	}
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", Address: "node2",
		MaxLevel: cluster.CurrentLevel})
	if _, may, _ := cluster.PassableFor(b.S, "node2", b.Node("node2").Incarnation, "uuid-vm:a"); may {
		t.Error("an intent for the old incarnation opens the door of the new one")
	}
	if _, may, _ := cluster.PassableFor(b.S, "node2", 0, "uuid-of-nobody"); !may {
		t.Error("a VM that nobody manages is none of our business")
	}
}

// A NodeUp whose daemon is dead may be committed after its successor's.
func TestALateNodeUpDoesNotEndTheDaemonThatLives(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	previous := b.Node("node2").Incarnation
	up := cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-1", Address: "node2",
		MaxLevel: cluster.CurrentLevel, Previous: &previous}
	alive := up
	alive.Session = "alive"
	b.Must(alive)
	dead := up
	dead.Session = "dead"
	b.Refused(dead, "has begun since this one was announced")
	b.Must(alive) // told twice, because its outcome was not known
}

// An operator may fence a node while it looks on a new boot that the State does
// not know yet.
func TestAnInventoryWaitsForAFenceIntentToo(t *testing.T) {
	b := clustertest.NewBook(t, 5)
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", Address: "node2",
		MaxLevel: cluster.CurrentLevel})
	intent := b.Shoot("node2", "node1")
	intent.Override, intent.By = true, "root"
	b.Must(intent)
	inventory := cluster.Inventory{Node: "node2", Incarnation: b.Node("node2").Incarnation, Boot: "node2-boot-2"}
	b.Refused(inventory, "is being fenced")
	b.Must(b.Shot("node2", "unknown"))
	b.Must(inventory)
	if b.S.Fences.Len() > 0 {
		t.Error("the intent for a boot that is over stays open")
	}
}

// A machine is not replaced while a shot at the old one is on its way: it would
// hit the new one.
func TestAMachineIsNotReplacedWhileItIsFenced(t *testing.T) {
	b := clustertest.NewBook(t, 5)
	intent := b.Shoot("node2", "node1")
	intent.Override, intent.By = true, "root"
	b.Must(intent)
	b.Must(cluster.AddToken{ID: "token", Token: cluster.Token{Expires: clustertest.Founded.Add(time.Hour),
		Replace: "node2"}})
	b.Refused(cluster.Join{Token: "token", Node: "node2", Fingerprint: "key-new", HardwareUUID: "hardware-new",
		Address: "node2"}, "is being fenced")
}

// The daemon restarts while it removes what a crash left: that is still there.
func TestWhatACrashLeftIsRemovedAfterADaemonsRestartToo(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	crashed := resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Crashed}
	b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: crashed})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForCleanup,
		Kill: true})
	b.Up("node1", "node1-boot-1", cluster.Found{Service: "vm:a", Observation: crashed})
	b.Is("vm:a", resources.Recoverable, "node1", "node1")
	if !plans(b, cluster.ForCleanup) {
		t.Error("nothing is planned to remove what the crash left")
	}
}

// plans reports whether the leader would stop something for this purpose.
func plans(b *clustertest.Book, purpose cluster.Purpose) bool {
	for _, c := range plan.Plan(b.S, cluster.View{Self: "node1"}).Commands {
		if begin, stops := c.(cluster.Begin); stops && begin.Purpose == purpose {
			return true
		}
	}
	return false
}

// A start came about after its service was disabled, and was never resumed.
func TestWhatAStartLeftOfADisabledServiceIsRemoved(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpDisable, Service: "vm:a"})
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Paused, Why: "nobody wants it any more"}))
	service := b.Service("vm:a")
	service.Wish = nil
	b.S.Services.Set("vm:a", service)
	if !plans(b, cluster.ForCleanup) {
		t.Errorf("a paused copy of a disabled service stays for ever: %+v", plan.Plan(b.S, cluster.View{Self: "node1"}))
	}
}

// Somebody moved a VM by hand while it was being stopped to be restarted.
func TestAStopThatFindsTheVMElsewhereAdoptsIt(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpRestart, Service: "vm:a"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForRestart})
	seen := resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Running}
	b.Must(cluster.Observed{Service: "vm:a", Node: "node2", Incarnation: b.Node("node2").Incarnation, AsOf: b.S.Index,
		Observation: seen})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Is("vm:a", resources.Started, "node2", "node2")
	b.Answer("r", cluster.CodeSuccess)
}

// A node that has left may still be on, and a person may bring a VM to it past
// the doorkeeper: it tells, and is watched and emptied again.
func TestAVMThatIsBroughtToANodeThatLeftIsToldOf(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Leave{Node: "node2"})
	b.Must(cluster.NodeGone{Node: "node2", Incarnation: b.Node("node2").Incarnation})
	seen := cluster.Observed{Service: "vm:a", Node: "node2", Incarnation: b.Node("node2").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Unknown}}
	b.Must(seen)
	if n := b.Node("node2"); n.State != cluster.NodeLeft {
		t.Errorf("what proves nothing makes node2 %s", n.State)
	}
	node := mind.NewNode("node2")
	in := mind.Input{State: b.S, Incarnation: b.Node("node2").Incarnation, Changes: []mind.Change{{Service: "vm:a"}}}
	if out := node.Step(time.Second, in); len(out.Do) != 1 || out.Do[0].Kind != cluster.DutyLook {
		t.Errorf("a node that left does not look at what its hypervisor tells: %+v", out.Do)
	}
	seen.Observation.Condition = resources.Running
	b.Must(seen)
	if n := b.Node("node2"); n.State != cluster.NodeLeaving {
		t.Errorf("node2 is %s and may be running vm:a", n.State)
	}
}
