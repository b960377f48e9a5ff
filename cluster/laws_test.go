package cluster

import (
	"testing"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

func TestStartNeedsThatNobodyElseMayRunIt(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.refused(b.startOf("vm:a", "node2"), "runs on node1")
	b.lose("node1")
	b.must(Observed{Service: "vm:a", Node: "node2", Incarnation: b.node("node2").Incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Absent}})
	b.refused(b.startOf("vm:a", "node2"), "node1")
	b.is("vm:a", resources.Started, "node1", "node1")
}

func TestANewServiceMayRunAnywhereUntilEachNodeHasLooked(t *testing.T) {
	b := newBook(t, 3)
	b.must(configure(document("vm:a"), 1))
	b.is("vm:a", resources.Uninitialized, "", "node1", "node2", "node3")
	b.must(b.looked("vm:a", "node1", resources.Absent))
	b.refused(b.startOf("vm:a", "node1"), "may be running on node2")
	b.must(b.looked("vm:a", "node2", resources.Absent))
	late := b.looked("vm:a", "node3", resources.Absent)
	b.must(late)
	b.is("vm:a", resources.Stopped, "")
	b.refused(late, "was not asked")
	b.must(b.startOf("vm:a", "node1"))
}

func TestAFailedStartIsNotAStop(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	b.must(b.done("vm:a", "node1", resources.Result{Source: resources.Unknown, Why: "out of time"}))
	b.is("vm:a", resources.Recovering, "", "node1")
	b.refused(b.startOf("vm:a", "node2"), "may be running on node1")
	if h, _ := b.service("vm:a").holder("node1"); !h.Ask {
		t.Error("a node whose start proved nothing is not asked what is there")
	}
	b.must(b.looked("vm:a", "node1", resources.Absent))
	b.must(b.startOf("vm:a", "node2"))
}

func TestAStartThatWasNeverSentDidNotHappen(t *testing.T) {
	unsent := resources.Result{Source: resources.Unknown, Unsent: true, Why: "no connection to the hypervisor"}
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	b.must(b.done("vm:a", "node1", unsent))
	b.is("vm:a", resources.Recovering, "")
	b.must(b.startOf("vm:a", "node2"))

	b.must(b.done("vm:a", "node2", resources.Result{Source: resources.Paused, Why: "not resumed"}))
	b.must(b.startOf("vm:a", "node2"))
	b.must(b.done("vm:a", "node2", unsent))
	b.is("vm:a", resources.Recovering, "", "node2")
	b.refused(b.startOf("vm:a", "node3"), "may be running on node2")
}

func TestAStopThatProvedNothingReleasesNothing(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "r", Op: OpRelocate, Service: "vm:a"})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForRelocate})
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Unknown}))
	b.is("vm:a", resources.Failed, "node1", "node1")
	b.refused(b.startOf("vm:a", "node2"), "may be running on node1")
	b.answer("r", codeAborted)
}

func TestResultsOfOldIncarnationsAreRefused(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	stale := b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running})
	b.must(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel})
	b.refused(stale, "no longer open")
	b.must(Inventory{Node: "node1", Incarnation: b.node("node1").Incarnation, Boot: "node1-boot-1",
		Found: []Found{{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}}}})
	b.must(b.startOf("vm:a", "node1"))
	stale.Act = b.service("vm:a").Intent.Index
	b.refused(stale, "older incarnation")
}

func TestAResultCountsOnce(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	result := b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running})
	b.must(result)
	b.refused(result, "no longer open")
}

func TestAdmissionNeedsAnInventoryAndNoOpenFence(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.refused(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel}, "being fenced")
	b.refused(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2", MaxLevel: CurrentLevel}, "being fenced")
	b.refused(Contact{Node: "node1", Incarnation: b.node("node1").Incarnation, State: NodeOnline}, "not spared")
	b.must(b.shot("node1", fence.Confirmed))
	b.refused(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel}, "confirmed off")
	b.must(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2", MaxLevel: CurrentLevel})
	b.refused(b.startOf("vm:a", "node1"), "looking")
	if duties := Work(b.s, "node1"); len(duties) > 0 {
		t.Errorf("a node that has not looked is given %v", duties)
	}
}

func TestANodeLostBeforeItsInventoryLooksStillWhenHeardAgain(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel})
	incarnation := b.node("node1").Incarnation
	b.lose("node1")
	b.refused(Observed{Service: "vm:a", Node: "node1", Incarnation: incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Running}}, "older incarnation")
	b.must(Contact{Node: "node1", Incarnation: incarnation, State: NodeOnline, Why: "heard"})
	if n := b.node("node1"); n.State != NodeLooking {
		t.Errorf("it is %s", n.State)
	}
	b.must(Inventory{Node: "node1", Incarnation: incarnation, Boot: "node1-boot-1"})
}

func TestARepeatedNodeUpBeginsNoSecondIncarnation(t *testing.T) {
	b := newBook(t, 1)
	up := NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel, Session: "one"}
	b.must(up)
	first := b.node("node1").Incarnation
	b.must(up)
	if again := b.node("node1").Incarnation; again != first {
		t.Errorf("incarnation %d became %d", first, again)
	}
	up.Session = "two"
	b.must(up)
	if again := b.node("node1").Incarnation; again == first {
		t.Error("a new start began no new incarnation")
	}
}

func TestOnlyConfirmedReleases(t *testing.T) {
	for _, outcome := range []fence.Outcome{fence.Unknown, fence.Refuted} {
		b := newBook(t, 3, "vm:a")
		b.running("vm:a", "node1")
		b.lose("node1")
		b.must(b.shoot("node1", "node2"))
		late := b.shot("node1", fence.Confirmed)
		b.must(b.shot("node1", outcome))
		b.is("vm:a", resources.Started, "node1", "node1")
		b.refused(late, "no longer open")
		b.must(AssignFence{Node: "node1", Fencer: "node3"})
		b.must(b.shot("node1", fence.Confirmed))
		b.is("vm:a", resources.Recovering, "")
		if e := b.s.Timeline[len(b.s.Timeline)-1]; e.Subject != "vm:a" || e.Why == "" {
			t.Errorf("the release told %+v", e)
		}
	}
}

func TestNothingSaidByADeadBootCounts(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	incarnation := b.node("node1").Incarnation
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.shot("node1", fence.Confirmed))
	b.refused(Observed{Service: "vm:a", Node: "node1", Incarnation: incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Running}}, "older incarnation")
	b.is("vm:a", resources.Recovering, "")
}

func TestANodeInTouchIsNotFenced(t *testing.T) {
	b := newBook(t, 3)
	b.refused(b.shoot("node1", "node2"), "in touch")
	b.lose("node1")
	wrong := b.shoot("node1", "node2")
	wrong.Boot = "another boot"
	b.refused(wrong, "runs boot")
	b.refused(b.shoot("node1", "node1"), "cannot fence")
}

func TestANewBootReleasesWhatTheOldOneHeld(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.running("vm:a", "node1")
	b.running("vm:b", "node1")
	b.must(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2", MaxLevel: CurrentLevel})
	b.is("vm:a", resources.Started, "node1", "node1")
	b.must(Inventory{Node: "node1", Incarnation: b.node("node1").Incarnation, Boot: "node1-boot-2",
		Found: []Found{{Service: "vm:b", Observation: resources.Observation{Condition: resources.Running}}}})
	b.is("vm:a", resources.Recovering, "")
	b.is("vm:b", resources.Started, "node1", "node1")
}

func TestAnInventoryOfTheSameBootReleasesOnlyWhatItTellsOf(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.up("node1", "node1-boot-1")
	b.is("vm:a", resources.Started, "node1", "node1")
	if h, _ := b.service("vm:a").holder("node1"); !h.Ask {
		t.Error("what the inventory did not tell of is not asked")
	}
}

// A service that is declared while a node looks was not looked for by it.
func TestAnInventoryProvesNothingAboutWhatWasDeclaredLater(t *testing.T) {
	for _, boot := range []string{"node3-boot-1", "node3-boot-2"} {
		b := newBook(t, 3)
		b.must(NodeUp{Node: "node3", Fingerprint: "key-node3", Boot: boot, MaxLevel: CurrentLevel})
		b.must(configure(document("vm:a"), 1))
		b.must(b.looked("vm:a", "node1", resources.Absent))
		b.must(b.looked("vm:a", "node2", resources.Absent))
		b.must(Inventory{Node: "node3", Incarnation: b.node("node3").Incarnation, Boot: boot,
			Found: []Found{{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}}}})
		b.refused(b.startOf("vm:a", "node1"), "may be running on node3")
		b.must(b.looked("vm:a", "node3", resources.Absent))
		b.must(b.startOf("vm:a", "node1"))
	}
}

func TestTheSameWritableDiskIsStartedOnce(t *testing.T) {
	d := document("vm:a", "vm:b")
	spec := d.Services["vm:b"]
	spec.Disks = d.Services["vm:a"].Disks
	d.Services["vm:b"] = spec
	b := newBook(t, 3)
	b.must(configure(d, 1))
	for _, service := range []string{"vm:a", "vm:b"} {
		for _, node := range []string{"node1", "node2", "node3"} {
			b.must(b.looked(service, node, resources.Absent))
		}
	}
	b.running("vm:a", "node1")
	b.refused(b.startOf("vm:b", "node2"), "may be written by vm:a on node1")
	b.lose("node1")
	b.refused(b.startOf("vm:b", "node2"), "may be written by vm:a on node1")
}

// TestALiveMoveTakesTheDisksThatItHas: a disk was declared for a running VM that another one was
// started with since. Its next start waits for that; where it runs it has nothing to do with it, and a node
// that leaves hands it over live instead of stopping what could not be started again.
func TestALiveMoveTakesTheDisksThatItHas(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.running("vm:a", "node1")
	d := document("vm:a", "vm:b")
	spec := d.Services["vm:a"]
	spec.Disks = append(spec.Disks, d.Services["vm:b"].Disks...)
	d.Services["vm:a"] = spec
	b.must(configure(d, 1))
	b.running("vm:b", "node2")
	b.must(Begin{Service: "vm:a", Intent: IntentMigrate, Node: "node1", Target: "node3"})
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.is("vm:a", resources.Started, "node3", "node3")
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node3", Purpose: ForMove, Target: "node1"})
	b.must(b.done("vm:a", "node3", resources.Result{OK: true, Source: resources.Absent}))
	b.refused(b.startOf("vm:a", "node1"), "may be written by vm:b on node2")
}

func TestARemovedServiceKeepsItsDisksUntilItIsProvenGone(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	b.lose("node1")
	b.must(Ask{Request: "r", Op: OpDisable, Service: "vm:a"})
	b.refused(configure(document(), 1), "disable it")
	b.must(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel})
	b.must(configure(document(), 1))
	if b.s.Tombstones.Len() != 1 {
		t.Fatal("it left no tombstone")
	}
	d := document("vm:c")
	spec := d.Services["vm:c"]
	spec.Disks = []resources.Disk{{Identity: "disk-vm:a"}}
	d.Services["vm:c"] = spec
	b.refused(configure(d, 2), "was started writable by vm:a")
	b.must(Inventory{Node: "node1", Incarnation: b.node("node1").Incarnation, Boot: "node1-boot-1"})
	grave, _ := b.s.Tombstones.Get("uuid-vm:a")
	h, _ := grave.holder("node1")
	b.must(Looked{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, Since: h.Since, UUID: "uuid-vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.must(configure(d, 2))
}

func TestADefinitionThatIsNotInForceIsNotStarted(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	start := b.startOf("vm:a", "node1")
	start.Definition = "another"
	b.refused(start, "not the one in force")
}

func TestAnObservationFromBeforeAnActCountsForNothing(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	old := Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Running, Reason: "booted"}}
	b.must(Ask{Request: "r", Op: OpStop, Service: "vm:a"})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForStop})
	b.refused(old, "open intent")
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.refused(old, "older than the last act")
	b.is("vm:a", resources.Stopped, "")
	b.answer("r", codeSuccess)
}

func TestADisappearanceIsAskedAboutEverywhere(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Absent}})
	b.is("vm:a", resources.Recovering, "", "node2", "node3")
	b.refused(b.startOf("vm:a", "node1"), "may be running on node2")
	b.must(b.looked("vm:a", "node2", resources.Running))
	b.is("vm:a", resources.Started, "node2", "node2", "node3")
	b.must(b.looked("vm:a", "node3", resources.Absent))
	b.is("vm:a", resources.Started, "node2", "node2")
}

func TestARequestIsDoneOnce(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "r", Op: OpStop, Service: "vm:a"})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForStop})
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.must(Ask{Request: "e", Op: OpEnable, Service: "vm:a", Node: "node1"})
	b.running("vm:a", "node1")
	b.must(Ask{Request: "r", Op: OpStop, Service: "vm:a"})
	if b.service("vm:a").Wish != nil {
		t.Error("a repeated request id was taken as a new request")
	}
	b.refused(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForStop}, "no longer a request")
	b.refused(Ask{Op: OpStop, Service: "vm:a"}, "needs an id")
}

func TestFoundRunningWhileItIsBeingStarted(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	duty := Work(b.s, "node1")[0]
	b.must(Observed{Service: "vm:a", Node: "node2", Incarnation: b.node("node2").Incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Running}})
	if err := StillWanted(b.s, "node1", duty); err == nil {
		t.Error("the start goes on although the VM was found running elsewhere")
	}
	b.is("vm:a", resources.Started, "node2", "node1", "node2")
	b.must(b.looked("vm:a", "node1", resources.Absent))
	b.is("vm:a", resources.Started, "node2", "node2")
}

func TestANodeIsRemovedOnlyWhenItHoldsNothing(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.refused(RemoveNode{Node: "node1"}, "may be running vm:a")
	b.must(RemoveNode{Node: "node3"})
	b.must(AddToken{ID: "t", Token: Token{Expires: b.at.AddDate(0, 0, 1)}})
	b.refused(Join{Token: "t", Node: "node4", Fingerprint: "key-node3", HardwareUUID: "hw-4", Address: "node4"},
		"was removed")
	b.refused(Join{Token: "t", Node: "node4", Fingerprint: "key-node2", HardwareUUID: "hw-4", Address: "node4"},
		"member already, as node2")
	b.refused(Join{Token: "unknown", Node: "node4", Fingerprint: "key-node4"}, "token is unknown")
}
