package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// moving brings vm:a to the middle of a migration from node1 to node2.
func moving(t *testing.T) *clustertest.Book {
	t.Helper()
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "m", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	return b
}

func duties(b *clustertest.Book, node string) []cluster.DutyKind {
	var kinds []cluster.DutyKind
	for _, d := range cluster.Work(b.S, node) {
		kinds = append(kinds, d.Kind)
	}
	return kinds
}

func does(b *clustertest.Book, node string, kind cluster.DutyKind) {
	b.T.Helper()
	if kinds := duties(b, node); len(kinds) != 1 || kinds[0] != kind {
		b.T.Errorf("%s has to do %v, want %s", node, kinds, kind)
	}
}

func TestMigrationEndsClean(t *testing.T) {
	b := moving(t)
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.Is("vm:a", resources.Started, "node2", "node2")
	b.Answer("m", cluster.CodeSuccess)
}

// The inventory of the target says "not here" while the source is still
// sending: the copy comes later, so the target stays a holder (law L5).
func TestATargetThatRestartsStaysAHolder(t *testing.T) {
	b := moving(t)
	b.Up("node2", "node2-boot-1",
		cluster.Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.Is("vm:a", resources.Started, "node2", "node2")
}

// The source is asked before the target, and an old look at the target proves
// nothing about what arrived after it.
func TestAnInventoryFromBeforeTheSourceEndedProvesNothing(t *testing.T) {
	b := moving(t)
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-1", MaxLevel: cluster.CurrentLevel})
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "the reply was lost"}))
	b.Must(cluster.Inventory{Node: "node2", Incarnation: b.Node("node2").Incarnation, Boot: "node2-boot-1",
		Found: []cluster.Found{{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}}}})
	b.Is("vm:a", resources.Migrating, "", "node2")
	b.Must(b.Looked("vm:a", "node2", resources.Paused))
	does(b, "node2", cluster.DutyResume)
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Running}))
	b.Is("vm:a", resources.Started, "node2", "node2")
	b.Answer("m", cluster.CodeSuccess)
}

func TestASourceThatStillSendsHasNotAnswered(t *testing.T) {
	b := moving(t)
	b.Up("node1", "node1-boot-1",
		cluster.Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Running,
			Reason: resources.MigratingOut}})
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	if kinds := duties(b, "node2"); len(kinds) > 0 {
		t.Errorf("the target is touched (%v) before the source has ended", kinds)
	}
	does(b, "node1", cluster.DutyLook)
	if d := cluster.Work(b.S, "node1")[0]; !d.Final {
		t.Error("the look does not wait for a final answer")
	}
}

// What was known of the source when the target died is from before.
func TestATargetThatDiesLeavesTheSourceToBeAsked(t *testing.T) {
	b := moving(t)
	b.Lose("node2")
	b.Must(b.Shoot("node2", "node3"))
	b.Must(b.Shot("node2", fence.Confirmed))
	b.Is("vm:a", resources.Migrating, "node1", "node1")
	b.Must(b.Looked("vm:a", "node1", resources.Running))
	b.Is("vm:a", resources.Started, "node1", "node1")
	b.Answer("m", cluster.CodeRunsAtHome)
}

func TestASourceThatDiesLeavesTheTargetToBeAsked(t *testing.T) {
	for found, want := range map[resources.Condition]cluster.DutyKind{resources.Paused: cluster.DutyResume,
		resources.Incoming: cluster.DutyStop} {
		b := moving(t)
		b.Lose("node1")
		b.Must(b.Shoot("node1", "node3"))
		b.Must(b.Shot("node1", fence.Confirmed))
		b.Is("vm:a", resources.Migrating, "", "node2")
		b.Must(b.Looked("vm:a", "node2", found))
		does(b, "node2", want)
	}
}

// Both ends die, one after the other: nothing is left that could run it.
func TestBothEndsDie(t *testing.T) {
	b := clustertest.NewBook(t, 5, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	for _, node := range []string{"node1", "node2"} {
		b.Lose(node)
		b.Must(b.Shoot(node, "node3"))
		b.Must(b.Shot(node, fence.Confirmed))
	}
	b.Is("vm:a", resources.Recovering, "", "node3", "node4", "node5")
}

// The target boots anew and the guest arrives on its new boot, where nobody
// held it: it must be found before it is started again.
func TestAGuestThatArrivesOnANewBootOfTheTarget(t *testing.T) {
	b := moving(t)
	b.Up("node2", "node2-boot-2")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.Is("vm:a", resources.Recovering, "", "node1", "node2", "node3")
	b.Refused(b.StartOf("vm:a", "node1"), "")
	b.Must(b.Looked("vm:a", "node2", resources.Running))
	b.Must(b.Looked("vm:a", "node1", resources.Absent))
	b.Must(b.Looked("vm:a", "node3", resources.Absent))
	b.Is("vm:a", resources.Started, "node2", "node2")
}

// Every settled end of the source with a copy that does not run at the target
// drops the copy: resumed later it would bring old memory to a newer disk.
func TestACopyIsDroppedWhileAnythingIsLeftAtTheSource(t *testing.T) {
	for _, source := range []resources.Condition{resources.Running, resources.Paused, resources.ShuttingDown,
		resources.Crashed} {
		for _, target := range []resources.Condition{resources.Paused, resources.Incoming} {
			if act := cluster.Settlement(string(source), string(target), false); act != cluster.SettleDropTarget {
				t.Errorf("source %s, target %s: act %d", source, target, act)
			}
		}
	}
}

func TestRunningTwiceIsPausedAndThenLeftToAPerson(t *testing.T) {
	b := moving(t)
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Running, Why: "the connection broke"}))
	b.Must(b.Looked("vm:a", "node2", resources.Running))
	does(b, "node2", cluster.DutyPause)
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Paused}))
	if kinds := append(duties(b, "node1"), duties(b, "node2")...); len(kinds) > 0 {
		t.Errorf("after the pause there is still %v to do", kinds)
	}
	b.Must(cluster.Observed{Service: "vm:a", Node: "node2", Incarnation: b.Node("node2").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Absent, Explained: true}})
	b.Is("vm:a", resources.Started, "node1", "node1")
}

func TestANewGenerationAsksBothEnds(t *testing.T) {
	b := moving(t)
	b.Must(cluster.Recover{Generation: 2, Dead: []string{"node3"}, Through: b.S.Index, By: "root"})
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	b.Must(b.Looked("vm:a", "node1", resources.Absent))
	b.Must(b.Looked("vm:a", "node2", resources.Running))
	b.Is("vm:a", resources.Started, "node2", "node2")
}

// A kill that did not prove the guest gone leaves its node a holder, however it ended (law L1).
func TestOnlyAProvenEndOfAnEndedMigrationIsOne(t *testing.T) {
	b := moving(t)
	b.Must(cluster.Ask{Request: "d", Op: cluster.OpDisable, Service: "vm:a"})
	b.Must(cluster.EndMove{Service: "vm:a", Act: b.Service("vm:a").Intent.Index, By: "root"})
	for _, unproven := range []resources.Condition{resources.Running, resources.Paused, resources.Unknown, ""} {
		for _, node := range []string{"node1", "node2"} {
			b.Must(b.Done("vm:a", node, resources.Result{Source: unproven, Why: "the process does not end"}))
		}
		b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	}
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Is("vm:a", resources.Migrating, "", "node2")
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
	b.Is("vm:a", resources.Disabled, "", "node1", "node2", "node3") // all of them are asked once more
}

// TestAMoveIsNotEndedBesideAnOverlay: what is destroyed at both ends comes back on its declared
// disks. So the overlay that it writes to holds up a disable that was asked for while it moves, and
// one that was taken over before anybody knew of the overlay.
func TestAMoveIsNotEndedBesideAnOverlay(t *testing.T) {
	overlay := []resources.Disk{{Identity: "overlay"}, {Identity: "disk-vm:a", Behind: "overlay"}}
	unsettled := func() *clustertest.Book {
		b := moving(t)
		b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Unknown, Why: "out of time"}))
		return b
	}
	astray := func(b *clustertest.Book) {
		look := b.Looked("vm:a", "node1", resources.Running)
		look.Observation.Disks = overlay
		b.Must(look)
	}
	plain := cluster.Ask{Request: "plain", Op: cluster.OpDisable, Service: "vm:a"}
	word := cluster.Ask{Request: "word", Op: cluster.OpDisable, Service: "vm:a", DeclaredDisks: true}
	end := func(b *clustertest.Book) cluster.EndMove {
		return cluster.EndMove{Service: "vm:a", Act: b.Service("vm:a").Intent.Index, By: "root"}
	}
	b := unsettled()
	astray(b)
	b.Must(plain)
	if r, _ := b.S.Requests.Get("plain"); !r.Done || r.Code != cluster.CodeInvalid {
		t.Errorf("asked while it moves, the answer is %+v", r)
	}
	b = unsettled()
	b.Must(plain)
	astray(b)
	b.Refused(end(b), "not destroyed unasked")
	b.Must(word)
	b.Must(end(b))
}

// TestWhatMovesOnAnOverlayIsNotAskedForAWord: what is refused because it moves is refused for that.
// A word would not help, and the answer must not ask for one.
func TestWhatMovesOnAnOverlayIsNotAskedForAWord(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Unknown, Why: "out of time"}))
	look := b.Looked("vm:a", "node1", resources.Running)
	look.Observation.Disks = []resources.Disk{{Identity: "overlay"}, {Identity: "disk-vm:a", Behind: "overlay"}}
	b.Must(look)
	for _, op := range []cluster.Operation{cluster.OpRelocate, cluster.OpStop, cluster.OpRestart} {
		answer := func(c cluster.Ask) cluster.Request {
			b.Must(c)
			r, _ := b.S.Requests.Get(c.Request)
			return r
		}
		plain := answer(cluster.Ask{Request: string(op), Op: op, Service: "vm:a"})
		word := answer(cluster.Ask{Request: string(op) + " with a word", Op: op, Service: "vm:a", DeclaredDisks: true})
		if !plain.Done || plain.Code != word.Code || plain.Why.String() != word.Why.String() {
			t.Errorf("%s without a word is answered %d (%s), with one %d (%s)", op, plain.Code, plain.Why, word.Code, word.Why)
		}
		if temporary := plain.Code == cluster.CodeTemporary; temporary != (op == cluster.OpRelocate) {
			t.Errorf("%s is answered %d (%s)", op, plain.Code, plain.Why)
		}
	}
}
