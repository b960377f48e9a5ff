package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

func proves(b *clustertest.Book, node string, p fence.Proven) cluster.FenceDone {
	c := b.Shot(node, fence.Confirmed)
	c.Result.Proven = p
	return c
}

func lastWhy(b *clustertest.Book, node string) string {
	open, _ := b.S.Fences.Get(node)
	return open.LastWhy.String()
}

var isCut = fence.Proven{Effect: fence.ByStorage, Disks: []string{clustertest.Lun}}

func TestStorageReleasesOnlyWhatItCoversAndAllowsIt(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", isCut))
	b.Is("vm:a", resources.Recovering, "")
	b.Is("vm:b", resources.Started, "node1", "node1")
	if n := b.Node("node1"); n.State != cluster.NodeCut || !b.S.Fences.Has("node1") {
		t.Errorf("node1 is %s, fence open: %v; want it cut off and open for vm:b", n.State, b.S.Fences.Has("node1"))
	}
}

func TestStorageReleasesTheRestOnceTheWatchdogIsWaitedOutToo(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"), clustertest.Level("wd"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", isCut))
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node2"})
	later := isCut
	later.Waited = clustertest.Longest - 1
	b.Must(proves(b, "node1", later))
	b.Is("vm:b", resources.Started, "node1", "node1")
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node2"})
	later.Waited = clustertest.Longest
	b.Must(proves(b, "node1", later))
	b.Is("vm:b", resources.Recovering, "")
	if b.S.Fences.Has("node1") {
		t.Error("the intent stays open although node1 holds nothing any more")
	}
}

func TestALevelOfStorageAndWatchdogNeedsBoth(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san", "wd"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	short := fence.Proven{Effect: fence.ByWatchdog, Disks: []string{clustertest.Lun},
		Waited: clustertest.Longest - time.Millisecond}
	b.Must(proves(b, "node1", short))
	b.Is("vm:a", resources.Started, "node1", "node1")
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node3"})
	uncut := fence.Proven{Effect: fence.ByWatchdog, Waited: clustertest.Longest}
	b.Must(proves(b, "node1", uncut))
	b.Is("vm:a", resources.Started, "node1", "node1")
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node3"})
	both := uncut
	both.Disks = []string{clustertest.Lun}
	b.Must(proves(b, "node1", both))
	b.Is("vm:a", resources.Recovering, "")
	b.Is("vm:b", resources.Recovering, "")
	if n := b.Node("node1"); n.State != cluster.NodeFenced {
		t.Errorf("node1 is %s", n.State)
	}
}

func TestStorageReleasesNoDiskThatIsNotUnderReservation(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"))
	b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Paused,
			Disks: []resources.Disk{{Identity: fence.BlockIdentity(clustertest.Lun)}, {Identity: "file:/local"}}}})
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", isCut))
	b.Is("vm:a", resources.Started, "node1", "node1")
}

// TestStorageReleasesNoFolder: what a VM writes to a folder of its host, or to a unit that it has
// as a device, goes on beside a cut of the disk that it has besides.
func TestStorageReleasesNoFolder(t *testing.T) {
	lun := resources.Disk{Identity: fence.BlockIdentity(clustertest.Lun)}
	for _, c := range []struct {
		besides  resources.Disk
		released bool
	}{
		{resources.Disk{Identity: "dir:/srv/a", Shared: true}, false},
		{resources.Disk{Identity: "dir:/srv/a", Shared: true, ReadOnly: true}, true},
		{resources.Disk{Identity: "scsi:scsi_host0/0:0:0"}, false},
	} {
		b := clustertest.GuardedBook(t, clustertest.Level("san"))
		b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
			Observation: resources.Observation{Condition: resources.Paused, Disks: []resources.Disk{lun, c.besides}}})
		b.Lose("node1")
		b.Must(b.Shoot("node1", "node2"))
		b.Must(proves(b, "node1", isCut))
		if got := len(b.Service("vm:a").Holders) == 0; got != c.released {
			t.Errorf("beside %v it is released: %t", c.besides, got)
		}
	}
}

func TestStorageReleasesNothingOfABootWhoseRegistrationMayBeOnItsWay(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Must(clustertest.Configure(clustertest.GuardedDocument(), 1))
	b.Running("vm:a", "node1") // before the document named the device
	b.Must(clustertest.Configure(clustertest.GuardedDocument(clustertest.Level("san")), 2))
	b.Refused(b.StartOf("vm:b", "node1"), "registered")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", isCut))
	b.Is("vm:a", resources.Started, "node1", "node1")
}

func TestABootThatWasCutOffIsNeverAdmitted(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"))
	old := b.Node("node1")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", isCut))
	up := cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: old.Boot, Address: "node1",
		MaxLevel: cluster.CurrentLevel}
	b.Refused(up, "")
	b.Refused(cluster.Contact{Node: "node1", Incarnation: old.Incarnation, State: cluster.NodeOnline,
		Why: message.Words("heard")},
		"cut off")
	b.Refused(cluster.Observed{Service: "vm:b", Node: "node1", Incarnation: old.Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Running}}, "older incarnation")
	up.Boot = "node1-boot-2"
	b.Must(up)
	late := up
	late.Boot = old.Boot
	b.Refused(late, "cut off")
	b.Refused(cluster.Inventory{Node: "node1", Incarnation: b.Node("node1").Incarnation, Boot: old.Boot}, "cut off")
	b.Must(cluster.Inventory{Node: "node1", Incarnation: b.Node("node1").Incarnation, Boot: "node1-boot-2"})
	b.Is("vm:b", resources.Recovering, "")
	if n := b.Node("node1"); n.Cut != nil || n.Guard != nil || n.State != cluster.NodeOnline {
		t.Errorf("the new boot is %s, cut %v, guard %v", n.State, n.Cut, n.Guard)
	}
}

func TestWaitingProvesNothingOfABootWithoutAnArmedWatchdog(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	b.Must(clustertest.Configure(clustertest.GuardedDocument(clustertest.Level("wd")), 1))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", fence.Proven{Effect: fence.ByWatchdog, Waited: time.Hour}))
	b.Is("vm:a", resources.Started, "node1", "node1")
	if b.Node("node1").State != cluster.NodeLost || lastWhy(b, "node1") == "" {
		t.Errorf("node1 is %s (%s)", b.Node("node1").State, lastWhy(b, "node1"))
	}
}

func TestAWatchdogIsWaitedOutInFull(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("wd"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", fence.Proven{Effect: fence.ByWatchdog, Waited: fence.DefaultLease}))
	b.Is("vm:b", resources.Started, "node1", "node1")
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node3"})
	b.Must(b.Shot("node1", fence.Confirmed)) // "off", from a level that switches no power
	b.Is("vm:b", resources.Started, "node1", "node1")
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node3"})
	b.Must(proves(b, "node1", fence.Proven{Effect: fence.ByWatchdog, Waited: clustertest.Longest}))
	b.Is("vm:b", resources.Recovering, "")
	if b.Node("node1").State != cluster.NodeFenced {
		t.Errorf("node1 is %s", b.Node("node1").State)
	}
}

func TestANewBootNeedNotWaitForAWatchdogThatIsWaitedOut(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("wd"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Up("node1", "node1-boot-2")
	b.Is("vm:a", resources.Recovering, "")

	b = clustertest.GuardedBook(t, clustertest.Level("san", "wd"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Refused(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-2", Address: "node1",
		MaxLevel: cluster.CurrentLevel}, "is being fenced")
}

func TestAPillCountsOnlyWhereItIsWatchedFor(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	b.Must(clustertest.Configure(clustertest.GuardedDocument(clustertest.Level("pill")), 1))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", fence.Proven{Effect: fence.ByPill}))
	b.Is("vm:a", resources.Started, "node1", "node1")

	b = clustertest.GuardedBook(t, clustertest.Level("pill"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", fence.Proven{Effect: fence.ByPill}))
	b.Is("vm:a", resources.Recovering, "")
}

func TestANodeRunsNothingBeforeItsGuardIsKnown(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Must(clustertest.Configure(clustertest.GuardedDocument(clustertest.Level("wd"), clustertest.Level("san")), 1))
	b.Refused(b.StartOf("vm:a", "node1"), "runs nothing yet")
	half := b.Guarded("node1")
	half.Guard.Keys = nil
	b.Must(half)
	b.Refused(b.StartOf("vm:a", "node1"), "registered")
	b.Must(b.Guarded("node1"))
	b.Running("vm:a", "node1")
	b.Up("node1", "node1-boot-2",
		cluster.Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.Refused(b.StartOf("vm:a", "node1"), "runs nothing yet")
}

func TestAGuardIsNotLoosenedWithinABoot(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("wd"))
	for _, change := range []func(*fence.Guard){
		func(g *fence.Guard) { g.Lease /= 2 }, func(g *fence.Guard) { g.Timeout *= 2 },
		func(g *fence.Guard) { g.Pills = nil },
	} {
		loose := b.Guarded("node1")
		change(&loose.Guard)
		b.Refused(loose, "armed otherwise")
	}
	old := b.Guarded("node1")
	old.Guard.Boot = "another"
	b.Refused(old, "older incarnation or boot")
	b.Lose("node1")
	b.Refused(b.Guarded("node1"), "older incarnation or boot")
}

func TestADrillOfAWatchdogIsRefused(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Must(clustertest.Configure(clustertest.GuardedDocument(clustertest.Level("wd")), 1))
	b.Refused(drillOf(b, "node1"), "switches no power")
	b.Refused(cluster.BeginDrill{Node: "node1", By: "root"}, "switches no power")
	if levels := rules.Drillable(b.S, "node1"); len(levels) > 0 {
		t.Errorf("the schedule would drill levels %v of node1", levels)
	}
}

func TestAKeyThatComesBackIsToldLoudly(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"))
	boot := b.Node("node1").Boot
	b.Refused(cluster.KeyBack{Node: "node1", Boot: boot, Disk: clustertest.Lun, By: "node2"}, "not one that was cut off")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", isCut))
	if told := b.Must(cluster.KeyBack{Node: "node1", Boot: boot, Disk: clustertest.Lun, By: "node2",
		Again: true}).Events; len(told) != 1 {
		t.Errorf("told %v", told)
	}
}

func TestAServiceThatStorageAloneWouldNotReleaseIsKnownBefore(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"))
	if why := rules.LeftBehind(b.S, b.Service("vm:a")); !why.IsZero() {
		t.Errorf("vm:a allows storage only, and: %s", why)
	}
	if why := rules.LeftBehind(b.S, b.Service("vm:b")); why.IsZero() {
		t.Error("vm:b would stay where it is, and nobody says so")
	}
	b = clustertest.GuardedBook(t, clustertest.Level("san"), clustertest.Level("wd"))
	if why := rules.LeftBehind(b.S, b.Service("vm:b")); !why.IsZero() {
		t.Errorf("a watchdog would release vm:b, and: %s", why)
	}
}

// A machine that has booted anew and is lost before it told its inventory is to
// be fenced by the name of its older boot. A watchdog that is waited out resets
// nobody who lives, so its daemon comes up once more, and that ends the intent.
func TestAMachineThatIsFencedByTheNameOfItsOlderBootComesUpOnceMore(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("wd"))
	old := b.Node("node1")
	up := cluster.NodeUp{Node: "node1", Fingerprint: old.Fingerprint, Boot: "node1-boot-2", Address: old.Address,
		Version: "2.0", MaxLevel: cluster.CurrentLevel, Session: "second"}
	b.Must(up)
	if b.S.Outlived("node1", "node1-boot-2") {
		t.Fatal("a daemon that looks is told to come up once more")
	}
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	if !b.S.Outlived("node1", "node1-boot-2") || b.S.Outlived("node1", old.Boot) {
		t.Fatal("the daemon of the new boot, and no other, has to come up once more")
	}
	up.Session = "third"
	b.Must(up)
	if n := b.Node("node1"); n.State != cluster.NodeLooking || b.S.Fences.Has("node1") {
		t.Errorf("node1 is %s, fence open: %v; want it looking and nothing open", n.State, b.S.Fences.Has("node1"))
	}
	b.Is("vm:a", resources.Started, "node1", "node1")
}
