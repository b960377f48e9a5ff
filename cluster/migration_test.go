package cluster

import (
	"testing"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// moving brings vm:a to the middle of a migration from node1 to node2.
func moving(t *testing.T) *book {
	t.Helper()
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "m", Op: OpMigrate, Service: "vm:a", Node: "node2"})
	b.must(Begin{Service: "vm:a", Intent: IntentMigrate, Node: "node1", Target: "node2"})
	b.is("vm:a", resources.Migrating, "node1", "node1", "node2")
	return b
}

func duties(b *book, node string) []DutyKind {
	var kinds []DutyKind
	for _, d := range Work(b.s, node) {
		kinds = append(kinds, d.Kind)
	}
	return kinds
}

func (b *book) does(node string, kind DutyKind) {
	b.t.Helper()
	if kinds := duties(b, node); len(kinds) != 1 || kinds[0] != kind {
		b.t.Errorf("%s has to do %v, want %s", node, kinds, kind)
	}
}

func TestMigrationEndsClean(t *testing.T) {
	b := moving(t)
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.is("vm:a", resources.Started, "node2", "node2")
	b.answer("m", codeSuccess)
}

// The inventory of the target says "not here" while the source is still
// sending: the copy comes later, so the target stays a holder (law L5).
func TestATargetThatRestartsStaysAHolder(t *testing.T) {
	b := moving(t)
	b.up("node2", "node2-boot-1", Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.is("vm:a", resources.Migrating, "node1", "node1", "node2")
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.is("vm:a", resources.Started, "node2", "node2")
}

// The source is asked before the target, and an old look at the target proves
// nothing about what arrived after it.
func TestAnInventoryFromBeforeTheSourceEndedProvesNothing(t *testing.T) {
	b := moving(t)
	b.must(NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-1", MaxLevel: CurrentLevel})
	b.must(b.done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "the reply was lost"}))
	b.must(Inventory{Node: "node2", Incarnation: b.node("node2").Incarnation, Boot: "node2-boot-1",
		Found: []Found{{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}}}})
	b.is("vm:a", resources.Migrating, "", "node2")
	b.must(b.looked("vm:a", "node2", resources.Paused))
	b.does("node2", DutyResume)
	b.must(b.done("vm:a", "node2", resources.Result{OK: true, Source: resources.Running}))
	b.is("vm:a", resources.Started, "node2", "node2")
	b.answer("m", codeSuccess)
}

func TestASourceThatStillSendsHasNotAnswered(t *testing.T) {
	b := moving(t)
	b.up("node1", "node1-boot-1", Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Running, Reason: resources.MigratingOut}})
	b.is("vm:a", resources.Migrating, "node1", "node1", "node2")
	if kinds := duties(b, "node2"); len(kinds) > 0 {
		t.Errorf("the target is touched (%v) before the source has ended", kinds)
	}
	b.does("node1", DutyLook)
	if d := Work(b.s, "node1")[0]; !d.Final {
		t.Error("the look does not wait for a final answer")
	}
}

// What was known of the source when the target died is from before.
func TestATargetThatDiesLeavesTheSourceToBeAsked(t *testing.T) {
	b := moving(t)
	b.lose("node2")
	b.must(b.shoot("node2", "node3"))
	b.must(b.shot("node2", fence.Confirmed))
	b.is("vm:a", resources.Migrating, "node1", "node1")
	b.must(b.looked("vm:a", "node1", resources.Running))
	b.is("vm:a", resources.Started, "node1", "node1")
	b.answer("m", codeRunsAtHome)
}

func TestASourceThatDiesLeavesTheTargetToBeAsked(t *testing.T) {
	for found, want := range map[resources.Condition]DutyKind{resources.Paused: DutyResume, resources.Incoming: DutyStop} {
		b := moving(t)
		b.lose("node1")
		b.must(b.shoot("node1", "node3"))
		b.must(b.shot("node1", fence.Confirmed))
		b.is("vm:a", resources.Migrating, "", "node2")
		b.must(b.looked("vm:a", "node2", found))
		b.does("node2", want)
	}
}

// Both ends die, one after the other: nothing is left that could run it.
func TestBothEndsDie(t *testing.T) {
	b := newBook(t, 5, "vm:a")
	b.running("vm:a", "node1")
	b.must(Begin{Service: "vm:a", Intent: IntentMigrate, Node: "node1", Target: "node2"})
	for _, node := range []string{"node1", "node2"} {
		b.lose(node)
		b.must(b.shoot(node, "node3"))
		b.must(b.shot(node, fence.Confirmed))
	}
	b.is("vm:a", resources.Recovering, "", "node3", "node4", "node5")
}

// The target boots anew and the guest arrives on its new boot, where nobody
// held it: it must be found before it is started again.
func TestAGuestThatArrivesOnANewBootOfTheTarget(t *testing.T) {
	b := moving(t)
	b.up("node2", "node2-boot-2")
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.is("vm:a", resources.Recovering, "", "node1", "node2", "node3")
	b.refused(b.startOf("vm:a", "node1"), "")
	b.must(b.looked("vm:a", "node2", resources.Running))
	b.must(b.looked("vm:a", "node1", resources.Absent))
	b.must(b.looked("vm:a", "node3", resources.Absent))
	b.is("vm:a", resources.Started, "node2", "node2")
}

// Every settled end of the source with a copy that does not run at the target
// drops the copy: resumed later it would bring old memory to a newer disk.
func TestACopyIsDroppedWhileAnythingIsLeftAtTheSource(t *testing.T) {
	for _, source := range []resources.Condition{resources.Running, resources.Paused, resources.ShuttingDown, resources.Crashed} {
		for _, target := range []resources.Condition{resources.Paused, resources.Incoming} {
			if act := settlement(string(source), string(target), false); act != settleDropTarget {
				t.Errorf("source %s, target %s: act %d", source, target, act)
			}
		}
	}
}

func TestRunningTwiceIsPausedAndThenLeftToAPerson(t *testing.T) {
	b := moving(t)
	b.must(b.done("vm:a", "node1", resources.Result{Source: resources.Running, Why: "the connection broke"}))
	b.must(b.looked("vm:a", "node2", resources.Running))
	b.does("node2", DutyPause)
	b.must(b.done("vm:a", "node2", resources.Result{OK: true, Source: resources.Paused}))
	if kinds := append(duties(b, "node1"), duties(b, "node2")...); len(kinds) > 0 {
		t.Errorf("after the pause there is still %v to do", kinds)
	}
	b.must(Observed{Service: "vm:a", Node: "node2", Incarnation: b.node("node2").Incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Absent, Explained: true}})
	b.is("vm:a", resources.Started, "node1", "node1")
}

func TestANewGenerationAsksBothEnds(t *testing.T) {
	b := moving(t)
	b.must(Recover{Generation: 2, Dead: []string{"node3"}, Through: b.s.Index, By: "root"})
	b.is("vm:a", resources.Migrating, "node1", "node1", "node2")
	b.must(b.looked("vm:a", "node1", resources.Absent))
	b.must(b.looked("vm:a", "node2", resources.Running))
	b.is("vm:a", resources.Started, "node2", "node2")
}

// A kill that did not prove the guest gone leaves its node a holder, however it ended (law L1).
func TestOnlyAProvenEndOfAnEndedMigrationIsOne(t *testing.T) {
	b := moving(t)
	b.must(Ask{Request: "d", Op: OpDisable, Service: "vm:a"})
	b.must(EndMove{Service: "vm:a", Act: b.service("vm:a").Intent.Index, By: "root"})
	for _, unproven := range []resources.Condition{resources.Running, resources.Paused, resources.Unknown, ""} {
		for _, node := range []string{"node1", "node2"} {
			b.must(b.done("vm:a", node, resources.Result{Source: unproven, Why: "the process does not end"}))
		}
		b.is("vm:a", resources.Migrating, "node1", "node1", "node2")
	}
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.is("vm:a", resources.Migrating, "", "node2")
	b.must(b.done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
	b.is("vm:a", resources.Disabled, "", "node1", "node2", "node3") // all of them are asked once more
}
