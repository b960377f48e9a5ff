package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

func TestStartNeedsThatNobodyElseMayRunIt(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Refused(b.StartOf("vm:a", "node2"), "runs on node1")
	b.Lose("node1")
	b.Must(cluster.Observed{Service: "vm:a", Node: "node2", Incarnation: b.Node("node2").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Absent}})
	b.Refused(b.StartOf("vm:a", "node2"), "node1")
	b.Is("vm:a", resources.Started, "node1", "node1")
}

func TestANewServiceMayRunAnywhereUntilEachNodeHasLooked(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.Must(clustertest.Configure(clustertest.Document("vm:a"), 1))
	b.Is("vm:a", resources.Uninitialized, "", "node1", "node2", "node3")
	b.Must(b.Looked("vm:a", "node1", resources.Absent))
	b.Refused(b.StartOf("vm:a", "node1"), "may be running on node2")
	b.Must(b.Looked("vm:a", "node2", resources.Absent))
	late := b.Looked("vm:a", "node3", resources.Absent)
	b.Must(late)
	b.Is("vm:a", resources.Stopped, "")
	b.Refused(late, "was not asked")
	b.Must(b.StartOf("vm:a", "node1"))
}

func TestAFailedStartIsNotAStop(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Unknown, Why: "out of time"}))
	b.Is("vm:a", resources.Recovering, "", "node1")
	b.Refused(b.StartOf("vm:a", "node2"), "may be running on node1")
	if h, _ := b.Service("vm:a").Holder("node1"); !h.Ask {
		t.Error("a node whose start proved nothing is not asked what is there")
	}
	b.Must(b.Looked("vm:a", "node1", resources.Absent))
	b.Must(b.StartOf("vm:a", "node2"))
}

func TestAStartThatWasNeverSentDidNotHappen(t *testing.T) {
	unsent := resources.Result{Source: resources.Unknown, Unsent: true, Why: "no connection to the hypervisor"}
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	b.Must(b.Done("vm:a", "node1", unsent))
	b.Is("vm:a", resources.Recovering, "")
	b.Must(b.StartOf("vm:a", "node2"))

	b.Must(b.Done("vm:a", "node2", resources.Result{Source: resources.Paused, Why: "not resumed"}))
	b.Must(b.StartOf("vm:a", "node2"))
	b.Must(b.Done("vm:a", "node2", unsent))
	b.Is("vm:a", resources.Recovering, "", "node2")
	b.Refused(b.StartOf("vm:a", "node3"), "may be running on node2")
}

func TestAStopThatProvedNothingReleasesNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpRelocate, Service: "vm:a"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForRelocate})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Unknown}))
	b.Is("vm:a", resources.Failed, "node1", "node1")
	b.Refused(b.StartOf("vm:a", "node2"), "may be running on node1")
	b.Answer("r", cluster.CodeAborted)
}

func TestResultsOfOldIncarnationsAreRefused(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	stale := b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running})
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: cluster.CurrentLevel})
	b.Refused(stale, "no longer open")
	b.Must(cluster.Inventory{Node: "node1", Incarnation: b.Node("node1").Incarnation, Boot: "node1-boot-1",
		Found: []cluster.Found{{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}}}})
	b.Must(b.StartOf("vm:a", "node1"))
	stale.Act = b.Service("vm:a").Intent.Index
	b.Refused(stale, "older incarnation")
}

func TestAResultCountsOnce(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	result := b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running})
	b.Must(result)
	b.Refused(result, "no longer open")
}

func TestAdmissionNeedsAnInventoryAndNoOpenFence(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Refused(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1",
		MaxLevel: cluster.CurrentLevel}, "being fenced")
	b.Refused(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2",
		MaxLevel: cluster.CurrentLevel}, "being fenced")
	b.Refused(cluster.Contact{Node: "node1", Incarnation: b.Node("node1").Incarnation, State: cluster.NodeOnline},
		"not spared")
	b.Must(b.Shot("node1", fence.Confirmed))
	b.Refused(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1",
		MaxLevel: cluster.CurrentLevel}, "confirmed off")
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2", MaxLevel: cluster.CurrentLevel})
	b.Refused(b.StartOf("vm:a", "node1"), "looking")
	if duties := cluster.Work(b.S, "node1"); len(duties) > 0 {
		t.Errorf("a node that has not looked is given %v", duties)
	}
}

func TestANodeLostBeforeItsInventoryLooksStillWhenHeardAgain(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: cluster.CurrentLevel})
	incarnation := b.Node("node1").Incarnation
	b.Lose("node1")
	b.Refused(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Running}}, "older incarnation")
	b.Must(cluster.Contact{Node: "node1", Incarnation: incarnation, State: cluster.NodeOnline,
		Why: message.Words("heard")})
	if n := b.Node("node1"); n.State != cluster.NodeLooking {
		t.Errorf("it is %s", n.State)
	}
	b.Must(cluster.Inventory{Node: "node1", Incarnation: incarnation, Boot: "node1-boot-1"})
}

func TestARepeatedNodeUpBeginsNoSecondIncarnation(t *testing.T) {
	b := clustertest.NewBook(t, 1)
	up := cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: cluster.CurrentLevel,
		Session: "one"}
	b.Must(up)
	first := b.Node("node1").Incarnation
	b.Must(up)
	if again := b.Node("node1").Incarnation; again != first {
		t.Errorf("incarnation %d became %d", first, again)
	}
	up.Session = "two"
	b.Must(up)
	if again := b.Node("node1").Incarnation; again == first {
		t.Error("a new start began no new incarnation")
	}
}

func TestOnlyConfirmedReleases(t *testing.T) {
	for _, outcome := range []fence.Outcome{fence.Unknown, fence.Refuted} {
		b := clustertest.NewBook(t, 3, "vm:a")
		b.Running("vm:a", "node1")
		b.Lose("node1")
		b.Must(b.Shoot("node1", "node2"))
		late := b.Shot("node1", fence.Confirmed)
		b.Must(b.Shot("node1", outcome))
		b.Is("vm:a", resources.Started, "node1", "node1")
		b.Refused(late, "no longer open")
		b.Must(cluster.AssignFence{Node: "node1", Fencer: "node3"})
		b.Must(b.Shot("node1", fence.Confirmed))
		b.Is("vm:a", resources.Recovering, "")
		if e := b.S.Timeline[len(b.S.Timeline)-1]; e.Subject != "vm:a" || e.Why.IsZero() {
			t.Errorf("the release told %+v", e)
		}
	}
}

func TestNothingSaidByADeadBootCounts(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	incarnation := b.Node("node1").Incarnation
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(b.Shot("node1", fence.Confirmed))
	b.Refused(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Running}}, "older incarnation")
	b.Is("vm:a", resources.Recovering, "")
}

func TestANodeInTouchIsNotFenced(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.Refused(b.Shoot("node1", "node2"), "in touch")
	b.Lose("node1")
	wrong := b.Shoot("node1", "node2")
	wrong.Boot = "another boot"
	b.Refused(wrong, "runs boot")
	b.Refused(b.Shoot("node1", "node1"), "cannot fence")
}

func TestANewBootReleasesWhatTheOldOneHeld(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node1")
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2", MaxLevel: cluster.CurrentLevel})
	b.Is("vm:a", resources.Started, "node1", "node1")
	b.Must(cluster.Inventory{Node: "node1", Incarnation: b.Node("node1").Incarnation, Boot: "node1-boot-2",
		Found: []cluster.Found{{Service: "vm:b", Observation: resources.Observation{Condition: resources.Running}}}})
	b.Is("vm:a", resources.Recovering, "")
	b.Is("vm:b", resources.Started, "node1", "node1")
}

func TestAnInventoryOfTheSameBootReleasesOnlyWhatItTellsOf(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Up("node1", "node1-boot-1")
	b.Is("vm:a", resources.Started, "node1", "node1")
	if h, _ := b.Service("vm:a").Holder("node1"); !h.Ask {
		t.Error("what the inventory did not tell of is not asked")
	}
}

// A service that is declared while a node looks was not looked for by it.
func TestAnInventoryProvesNothingAboutWhatWasDeclaredLater(t *testing.T) {
	for _, boot := range []string{"node3-boot-1", "node3-boot-2"} {
		b := clustertest.NewBook(t, 3)
		b.Must(cluster.NodeUp{Node: "node3", Fingerprint: "key-node3", Boot: boot, MaxLevel: cluster.CurrentLevel})
		b.Must(clustertest.Configure(clustertest.Document("vm:a"), 1))
		b.Must(b.Looked("vm:a", "node1", resources.Absent))
		b.Must(b.Looked("vm:a", "node2", resources.Absent))
		b.Must(cluster.Inventory{Node: "node3", Incarnation: b.Node("node3").Incarnation, Boot: boot,
			Found: []cluster.Found{{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}}}})
		b.Refused(b.StartOf("vm:a", "node1"), "may be running on node3")
		b.Must(b.Looked("vm:a", "node3", resources.Absent))
		b.Must(b.StartOf("vm:a", "node1"))
	}
}

func TestTheSameWritableDiskIsStartedOnce(t *testing.T) {
	d := clustertest.Document("vm:a", "vm:b")
	spec := d.Services["vm:b"]
	spec.Disks = d.Services["vm:a"].Disks
	d.Services["vm:b"] = spec
	b := clustertest.NewBook(t, 3)
	b.Must(clustertest.Configure(d, 1))
	for _, service := range []string{"vm:a", "vm:b"} {
		for _, node := range []string{"node1", "node2", "node3"} {
			b.Must(b.Looked(service, node, resources.Absent))
		}
	}
	b.Running("vm:a", "node1")
	b.Refused(b.StartOf("vm:b", "node2"), "may be written by vm:a on node1")
	b.Lose("node1")
	b.Refused(b.StartOf("vm:b", "node2"), "may be written by vm:a on node1")
}

// TestALiveMoveTakesTheDisksThatItHas: a disk was declared for a running VM that another one was
// started with since. Its next start waits for that; where it runs it has nothing to do with it,
// and a node that leaves hands it over live instead of stopping what could not be started again.
func TestALiveMoveTakesTheDisksThatItHas(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	d := clustertest.Document("vm:a", "vm:b")
	spec := d.Services["vm:a"]
	spec.Disks = append(spec.Disks, d.Services["vm:b"].Disks...)
	d.Services["vm:a"] = spec
	b.Must(clustertest.Configure(d, 1))
	b.Running("vm:b", "node2")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node3"})
	b.Ready("vm:a")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Is("vm:a", resources.Started, "node3", "node3")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node3", Purpose: cluster.ForMove,
		Target: "node1"})
	b.Must(b.Done("vm:a", "node3", resources.Result{OK: true, Source: resources.Absent}))
	b.Refused(b.StartOf("vm:a", "node1"), "may be written by vm:b on node2")
}

func TestARemovedServiceKeepsItsDisksUntilItIsProvenGone(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	b.Lose("node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpDisable, Service: "vm:a"})
	b.Refused(clustertest.Configure(clustertest.Document(), 1), "disable it")
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: cluster.CurrentLevel})
	b.Must(clustertest.Configure(clustertest.Document(), 1))
	if b.S.Tombstones.Len() != 1 {
		t.Fatal("it left no tombstone")
	}
	d := clustertest.Document("vm:c")
	spec := d.Services["vm:c"]
	spec.Disks = []resources.Disk{{Identity: "disk-vm:a"}}
	d.Services["vm:c"] = spec
	b.Refused(clustertest.Configure(d, 2), "was started writable by vm:a")
	b.Must(cluster.Inventory{Node: "node1", Incarnation: b.Node("node1").Incarnation, Boot: "node1-boot-1"})
	grave, _ := b.S.Tombstones.Get("uuid-vm:a")
	h, _ := grave.Holder("node1")
	b.Must(cluster.Looked{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, Since: h.Since,
		UUID: "uuid-vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.Must(clustertest.Configure(d, 2))
}

func TestADefinitionThatIsNotInForceIsNotStarted(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	start := b.StartOf("vm:a", "node1")
	start.Definition = "another"
	b.Refused(start, "not the one in force")
}

func TestAnObservationFromBeforeAnActCountsForNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	old := cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Running, Reason: "booted"}}
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpStop, Service: "vm:a"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForStop})
	b.Refused(old, "open intent")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Refused(old, "older than the last act")
	b.Is("vm:a", resources.Stopped, "")
	b.Answer("r", cluster.CodeSuccess)
}

func TestADisappearanceIsAskedAboutEverywhere(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Absent}})
	b.Is("vm:a", resources.Recovering, "", "node2", "node3")
	b.Refused(b.StartOf("vm:a", "node1"), "may be running on node2")
	b.Must(b.Looked("vm:a", "node2", resources.Running))
	b.Is("vm:a", resources.Started, "node2", "node2", "node3")
	b.Must(b.Looked("vm:a", "node3", resources.Absent))
	b.Is("vm:a", resources.Started, "node2", "node2")
}

func TestARequestIsDoneOnce(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpStop, Service: "vm:a"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForStop})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Must(cluster.Ask{Request: "e", Op: cluster.OpEnable, Service: "vm:a", Node: "node1"})
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpStop, Service: "vm:a"})
	if b.Service("vm:a").Wish != nil {
		t.Error("a repeated request id was taken as a new request")
	}
	b.Refused(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForStop},
		"no longer a request")
	b.Refused(cluster.Ask{Op: cluster.OpStop, Service: "vm:a"}, "needs an id")
}

func TestFoundRunningWhileItIsBeingStarted(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	duty := cluster.Work(b.S, "node1")[0]
	b.Must(cluster.Observed{Service: "vm:a", Node: "node2", Incarnation: b.Node("node2").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Running}})
	if err := cluster.StillWanted(b.S, "node1", duty); err == nil {
		t.Error("the start goes on although the VM was found running elsewhere")
	}
	b.Is("vm:a", resources.Started, "node2", "node1", "node2")
	b.Must(b.Looked("vm:a", "node1", resources.Absent))
	b.Is("vm:a", resources.Started, "node2", "node2")
}

func TestANodeIsRemovedOnlyWhenItHoldsNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Refused(cluster.RemoveNode{Node: "node1"}, "may be running vm:a")
	b.Must(cluster.RemoveNode{Node: "node3"})
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.AddDate(0, 0, 1)}})
	b.Refused(cluster.Join{Token: "t", Node: "node4", Fingerprint: "key-node3", HardwareUUID: "hw-4", Address: "node4"},
		"was removed")
	b.Refused(cluster.Join{Token: "t", Node: "node4", Fingerprint: "key-node2", HardwareUUID: "hw-4", Address: "node4"},
		"member already, as node2")
	b.Refused(cluster.Join{Token: "unknown", Node: "node4", Fingerprint: "key-node4"}, "token is unknown")
}
