package cluster

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

func (b *book) proves(node string, p fence.Proven) FenceDone {
	c := b.shot(node, fence.Confirmed)
	c.Result.Proven = p
	return c
}

func (b *book) lastWhy(node string) string {
	open, _ := b.s.Fences.Get(node)
	return open.LastWhy
}

var isCut = fence.Proven{Nature: fence.ByStorage, Disks: []string{lun}}

func TestStorageReleasesOnlyWhatItCoversAndAllowsIt(t *testing.T) {
	b := guardedBook(t, level("san"))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", isCut))
	b.is("vm:a", resources.Recovering, "")
	b.is("vm:b", resources.Started, "node1", "node1")
	if n := b.node("node1"); n.State != NodeCut || !b.s.Fences.Has("node1") {
		t.Errorf("node1 is %s, fence open: %v; want it cut off and open for vm:b", n.State, b.s.Fences.Has("node1"))
	}
}

func TestStorageReleasesTheRestOnceTheWatchdogIsWaitedOutToo(t *testing.T) {
	b := guardedBook(t, level("san"), level("wd"))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", isCut))
	b.must(AssignFence{Node: "node1", Fencer: "node2"})
	later := isCut
	later.Waited = longest - 1
	b.must(b.proves("node1", later))
	b.is("vm:b", resources.Started, "node1", "node1")
	b.must(AssignFence{Node: "node1", Fencer: "node2"})
	later.Waited = longest
	b.must(b.proves("node1", later))
	b.is("vm:b", resources.Recovering, "")
	if b.s.Fences.Has("node1") {
		t.Error("the intent stays open although node1 holds nothing any more")
	}
}

func TestALevelOfStorageAndWatchdogNeedsBoth(t *testing.T) {
	b := guardedBook(t, level("san", "wd"))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	short := fence.Proven{Nature: fence.ByWatchdog, Disks: []string{lun}, Waited: longest - time.Millisecond}
	b.must(b.proves("node1", short))
	b.is("vm:a", resources.Started, "node1", "node1")
	b.must(AssignFence{Node: "node1", Fencer: "node3"})
	uncut := fence.Proven{Nature: fence.ByWatchdog, Waited: longest}
	b.must(b.proves("node1", uncut))
	b.is("vm:a", resources.Started, "node1", "node1")
	b.must(AssignFence{Node: "node1", Fencer: "node3"})
	both := uncut
	both.Disks = []string{lun}
	b.must(b.proves("node1", both))
	b.is("vm:a", resources.Recovering, "")
	b.is("vm:b", resources.Recovering, "")
	if n := b.node("node1"); n.State != NodeFenced {
		t.Errorf("node1 is %s", n.State)
	}
}

func TestStorageReleasesNoDiskThatIsNotUnderReservation(t *testing.T) {
	b := guardedBook(t, level("san"))
	b.must(Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index,
		Observation: resources.Observation{Condition: resources.Paused, Disks: []resources.Disk{{Identity: fence.BlockIdentity(lun)}, {Identity: "file:/local"}}}})
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", isCut))
	b.is("vm:a", resources.Started, "node1", "node1")
}

func TestStorageReleasesNothingOfABootWhoseRegistrationMayBeOnItsWay(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.must(configure(guardedDocument(), 1))
	b.running("vm:a", "node1") // before the document named the device
	b.must(configure(guardedDocument(level("san")), 2))
	b.refused(b.startOf("vm:b", "node1"), "registered")
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", isCut))
	b.is("vm:a", resources.Started, "node1", "node1")
}

func TestABootThatWasCutOffIsNeverAdmitted(t *testing.T) {
	b := guardedBook(t, level("san"))
	old := b.node("node1")
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", isCut))
	up := NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: old.Boot, Address: "node1", MaxLevel: CurrentLevel}
	b.refused(up, "")
	b.refused(Contact{Node: "node1", Incarnation: old.Incarnation, State: NodeOnline, Why: "heard"}, "cut off")
	b.refused(Observed{Service: "vm:b", Node: "node1", Incarnation: old.Incarnation, AsOf: b.s.Index, Observation: resources.Observation{Condition: resources.Running}}, "older incarnation")
	up.Boot = "node1-boot-2"
	b.must(up)
	late := up
	late.Boot = old.Boot
	b.refused(late, "cut off")
	b.refused(Inventory{Node: "node1", Incarnation: b.node("node1").Incarnation, Boot: old.Boot}, "cut off")
	b.must(Inventory{Node: "node1", Incarnation: b.node("node1").Incarnation, Boot: "node1-boot-2"})
	b.is("vm:b", resources.Recovering, "")
	if n := b.node("node1"); n.Cut != nil || n.Guard != nil || n.State != NodeOnline {
		t.Errorf("the new boot is %s, cut %v, guard %v", n.State, n.Cut, n.Guard)
	}
}

func TestWaitingProvesNothingOfABootWithoutAnArmedWatchdog(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.running("vm:a", "node1")
	b.must(configure(guardedDocument(level("wd")), 1))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", fence.Proven{Nature: fence.ByWatchdog, Waited: time.Hour}))
	b.is("vm:a", resources.Started, "node1", "node1")
	if b.node("node1").State != NodeLost || b.lastWhy("node1") == "" {
		t.Errorf("node1 is %s (%s)", b.node("node1").State, b.lastWhy("node1"))
	}
}

func TestAWatchdogIsWaitedOutInFull(t *testing.T) {
	b := guardedBook(t, level("wd"))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", fence.Proven{Nature: fence.ByWatchdog, Waited: fence.DefaultLease}))
	b.is("vm:b", resources.Started, "node1", "node1")
	b.must(AssignFence{Node: "node1", Fencer: "node3"})
	b.must(b.shot("node1", fence.Confirmed)) // "off", from a level that switches no power
	b.is("vm:b", resources.Started, "node1", "node1")
	b.must(AssignFence{Node: "node1", Fencer: "node3"})
	b.must(b.proves("node1", fence.Proven{Nature: fence.ByWatchdog, Waited: longest}))
	b.is("vm:b", resources.Recovering, "")
	if b.node("node1").State != NodeFenced {
		t.Errorf("node1 is %s", b.node("node1").State)
	}
}

func TestANewBootNeedNotWaitForAWatchdogThatIsWaitedOut(t *testing.T) {
	b := guardedBook(t, level("wd"))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.up("node1", "node1-boot-2")
	b.is("vm:a", resources.Recovering, "")

	b = guardedBook(t, level("san", "wd"))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.refused(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2", Address: "node1", MaxLevel: CurrentLevel}, "is being fenced")
}

func TestAPillCountsOnlyWhereItIsWatchedFor(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.running("vm:a", "node1")
	b.must(configure(guardedDocument(level("pill")), 1))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", fence.Proven{Nature: fence.ByPill}))
	b.is("vm:a", resources.Started, "node1", "node1")

	b = guardedBook(t, level("pill"))
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", fence.Proven{Nature: fence.ByPill}))
	b.is("vm:a", resources.Recovering, "")
}

func TestANodeRunsNothingBeforeItsGuardIsKnown(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.must(configure(guardedDocument(level("wd"), level("san")), 1))
	b.refused(b.startOf("vm:a", "node1"), "runs nothing yet")
	half := b.guarded("node1")
	half.Guard.Keys = nil
	b.must(half)
	b.refused(b.startOf("vm:a", "node1"), "registered")
	b.must(b.guarded("node1"))
	b.running("vm:a", "node1")
	b.up("node1", "node1-boot-2", Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.refused(b.startOf("vm:a", "node1"), "runs nothing yet")
}

func TestAGuardIsNotLoosenedWithinABoot(t *testing.T) {
	b := guardedBook(t, level("wd"))
	for _, change := range []func(*fence.Guard){
		func(g *fence.Guard) { g.Lease /= 2 }, func(g *fence.Guard) { g.Timeout *= 2 }, func(g *fence.Guard) { g.Pills = nil },
	} {
		loose := b.guarded("node1")
		change(&loose.Guard)
		b.refused(loose, "armed otherwise")
	}
	old := b.guarded("node1")
	old.Guard.Boot = "another"
	b.refused(old, "older incarnation or boot")
	b.lose("node1")
	b.refused(b.guarded("node1"), "older incarnation or boot")
}

func TestADrillOfAWatchdogIsRefused(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.must(configure(guardedDocument(level("wd")), 1))
	b.refused(drillOf(b, "node1"), "switches no power")
	b.refused(BeginDrill{Node: "node1", By: "root"}, "switches no power")
	if levels := b.s.drillable("node1"); len(levels) > 0 {
		t.Errorf("the schedule would drill levels %v of node1", levels)
	}
}

func TestAKeyThatComesBackIsToldLoudly(t *testing.T) {
	b := guardedBook(t, level("san"))
	boot := b.node("node1").Boot
	b.refused(KeyBack{Node: "node1", Boot: boot, Disk: lun, By: "node2"}, "not one that was cut off")
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.proves("node1", isCut))
	if told := b.must(KeyBack{Node: "node1", Boot: boot, Disk: lun, By: "node2", Again: true}).Events; len(told) != 1 {
		t.Errorf("told %v", told)
	}
}

func TestAServiceThatStorageAloneWouldNotReleaseIsKnownBefore(t *testing.T) {
	b := guardedBook(t, level("san"))
	if why := b.s.LeftBehind(b.service("vm:a")); why != "" {
		t.Errorf("vm:a allows storage only, and: %s", why)
	}
	if why := b.s.LeftBehind(b.service("vm:b")); why == "" {
		t.Error("vm:b would stay where it is, and nobody says so")
	}
	b = guardedBook(t, level("san"), level("wd"))
	if why := b.s.LeftBehind(b.service("vm:b")); why != "" {
		t.Errorf("a watchdog would release vm:b, and: %s", why)
	}
}

// A machine that has booted anew and is lost before it told its inventory is to
// be fenced by the name of its older boot. A watchdog that is waited out resets
// nobody who lives, so its daemon comes up once more, and that ends the intent.
func TestAMachineThatIsFencedByTheNameOfItsOlderBootComesUpOnceMore(t *testing.T) {
	b := guardedBook(t, level("wd"))
	old := b.node("node1")
	up := NodeUp{Node: "node1", Fingerprint: old.Fingerprint, Boot: "node1-boot-2", Address: old.Address, Version: "2.0", MaxLevel: CurrentLevel, Session: "second"}
	b.must(up)
	if b.s.Outlived("node1", "node1-boot-2") {
		t.Fatal("a daemon that looks is told to come up once more")
	}
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	if !b.s.Outlived("node1", "node1-boot-2") || b.s.Outlived("node1", old.Boot) {
		t.Fatal("the daemon of the new boot, and no other, has to come up once more")
	}
	up.Session = "third"
	b.must(up)
	if n := b.node("node1"); n.State != NodeLooking || b.s.Fences.Has("node1") {
		t.Errorf("node1 is %s, fence open: %v; want it looking and nothing open", n.State, b.s.Fences.Has("node1"))
	}
	b.is("vm:a", resources.Started, "node1", "node1")
}
