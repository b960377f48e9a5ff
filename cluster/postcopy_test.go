package cluster_test

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// movingBy brings vm:a to a migration from node1 to node2 in a mode, whose target is ready.
func movingBy(t *testing.T, mode resources.MoveMode) *clustertest.Book {
	t.Helper()
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "m", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2",
		Migration: resources.Migration{Mode: mode}})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	return b
}

// given returns the one duty of a node.
func given(b *clustertest.Book, node string) cluster.Duty {
	b.T.Helper()
	list := cluster.Work(b.S, node)
	if len(list) != 1 {
		b.T.Fatalf("%s has to do %v, want one duty", node, duties(b, node))
	}
	return list[0]
}

var stalled = resources.Result{Source: resources.Running, Target: resources.Absent, Stalled: true}

func TestAMoveByPostCopyIsSentSoAtOnce(t *testing.T) {
	b := movingBy(t, resources.MovePostCopy)
	d := given(b, "node1")
	if d.Kind != cluster.DutyMigrate || d.Stage != cluster.StagePostCopy || !d.PostCopy || d.Stallable {
		t.Errorf("the source does %+v", d)
	}
}

// The entry comes before the switch, and the second call has a name of its own: the executor would
// take it for the first.
func TestAHybridMoveThatStallsGoesOnByPostCopy(t *testing.T) {
	b := movingBy(t, resources.MoveHybrid)
	first := given(b, "node1")
	if first.Stage != cluster.StageSend || first.PostCopy || !first.Stallable {
		t.Errorf("the source does %+v first", first)
	}
	b.Must(b.Done("vm:a", "node1", stalled))
	second := given(b, "node1")
	if second.Stage != cluster.StagePostCopy || !second.PostCopy || second.Stallable || second.Key() == first.Key() {
		t.Errorf("the source does %+v then", second)
	}
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.Is("vm:a", resources.Started, "node2", "node2")
	b.Answer("m", cluster.CodeSuccess)
}

func TestPostCopyFollowsOnlyWhereBothEndsAreAsBefore(t *testing.T) {
	for _, c := range []struct {
		story  string
		mode   resources.MoveMode
		result resources.Result
	}{
		{"nobody asked for it", resources.MovePreCopy, stalled},
		{"the target may hold something", resources.MoveHybrid,
			resources.Result{Source: resources.Running, Target: resources.Unknown, Stalled: true}},
		{"the source does not run", resources.MoveHybrid,
			resources.Result{Source: resources.Paused, Target: resources.Absent, Stalled: true}},
		{"it only failed", resources.MoveHybrid, resources.Result{Source: resources.Running, Target: resources.Absent}},
	} {
		b := movingBy(t, c.mode)
		b.Must(b.Done("vm:a", "node1", c.result))
		for _, d := range cluster.Work(b.S, "node1") {
			if d.Kind == cluster.DutyMigrate {
				t.Errorf("%s: the source does %+v", c.story, d)
			}
		}
	}
}

func TestAHybridMoveThatIsGivenUpByAPersonIsNotTakenUpByPostCopy(t *testing.T) {
	b := movingBy(t, resources.MoveHybrid)
	b.Must(cluster.Ask{Request: "c", Op: cluster.OpCancel, Service: "vm:a", By: "root"})
	b.Must(b.Done("vm:a", "node1", stalled))
	if i := b.Service("vm:a").Intent; i != nil && i.Present().Name == cluster.StagePostCopy {
		t.Errorf("it goes on: %+v", i)
	}
}

func TestATargetWithoutPostCopyTakesAHybridMoveByPreCopyAlone(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "m", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2",
		Migration: resources.Migration{Mode: resources.MoveHybrid}})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent, OnlyPreCopy: true,
		Why: "its kernel has no userfaultfd"}))
	if d := given(b, "node1"); d.Stallable || d.Stage != cluster.StageSend {
		t.Errorf("the source does %+v", d)
	}
}

// split brings vm:a to where its memory is at both ends, and both have said so.
func split(t *testing.T) *clustertest.Book {
	t.Helper()
	b := movingBy(t, resources.MovePostCopy)
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Split, Target: resources.Split,
		Why: "the tunnel broke"}))
	b.Must(b.Looked("vm:a", "node2", resources.Split))
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	return b
}

func TestAnInterruptedPostCopyIsTakenUpAgain(t *testing.T) {
	b := split(t)
	if d := given(b, "node1"); d.Kind != cluster.DutyMigrate || !d.PostCopy || d.Target != "node2" {
		t.Errorf("the source does %+v", d)
	}
	if got := duties(b, "node2"); len(got) != 0 {
		t.Errorf("the target has to do %v", got)
	}
	// Another try that comes to nothing: both are asked again, and it is taken up once more.
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Split, Target: resources.Split}))
	b.Must(b.Looked("vm:a", "node1", resources.Split))
	b.Must(b.Looked("vm:a", "node2", resources.Split))
	does(b, "node1", cluster.DutyMigrate)
	// What the target was before is not believed once the source is gone: it is whole by now.
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	does(b, "node2", cluster.DutyLook)
	b.Must(b.Looked("vm:a", "node2", resources.Running))
	b.Is("vm:a", resources.Started, "node2", "node2")
}

func TestWhatIsStillCopiedIsNoAnswer(t *testing.T) {
	b := movingBy(t, resources.MovePostCopy)
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Unknown, Target: resources.Unknown}))
	going := b.Looked("vm:a", "node1", resources.Split)
	going.Observation.Reason = resources.PostCopyGoing
	b.Apply(going)
	if h, _ := b.Service("vm:a").Holder("node1"); !h.Ask {
		t.Errorf("the source is no longer asked: %+v", h)
	}
	b.Must(b.Looked("vm:a", "node1", resources.Split))
	going = b.Looked("vm:a", "node2", resources.Split)
	going.Observation.Reason = resources.PostCopyGoing
	b.Apply(going)
	if h, _ := b.Service("vm:a").Holder("node2"); !h.Ask {
		t.Errorf("the target is no longer asked: %+v", h)
	}
}

// Whatever the guest does at the target, it needs its memory: an act that nobody drives would stay
// open forever.
func TestTheCopyingGoesOnForAGuestThatStandsStill(t *testing.T) {
	for _, c := range []resources.Condition{resources.Paused, resources.Incoming, resources.ShuttingDown} {
		b := movingBy(t, resources.MovePostCopy)
		b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Split, Target: c}))
		b.Must(b.Looked("vm:a", "node2", c))
		if d := given(b, "node1"); d.Kind != cluster.DutyMigrate || !d.PostCopy {
			t.Errorf("the target is %s, and the source does %+v", c, d)
		}
	}
}

func TestACopyBesideASourceThatRunsIsPaused(t *testing.T) {
	b := split(t)
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Running, Target: resources.Unknown}))
	b.Must(b.Looked("vm:a", "node1", resources.Running)) // by somebody's hand
	b.Must(b.Looked("vm:a", "node2", resources.Split))
	does(b, "node2", cluster.DutyPause)
}

// After a restart of the source's daemon libvirt carries a move on by itself. One that never
// arrives would go on for good, if a person could not end it; and what is asked for has to be
// handed out.
func TestAMoveThatNobodyWatchesCanBeCancelled(t *testing.T) {
	b := movingBy(t, resources.MovePreCopy)
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Unknown, Target: resources.Unknown}))
	does(b, "node1", cluster.DutyLook)
	b.Must(cluster.Ask{Request: "t", Op: cluster.OpTune, Service: "vm:a",
		Migration: resources.Migration{Bandwidth: 100}})
	b.Answer("t", cluster.CodeTemporary)
	b.Must(cluster.Ask{Request: "c", Op: cluster.OpCancel, Service: "vm:a", By: "root"})
	b.Answer("c", cluster.CodeSuccess)
	if got := duties(b, "node1"); !slices.Contains(got, cluster.DutyCancel) || !slices.Contains(got, cluster.DutyLook) {
		t.Errorf("the source has to do %v", got)
	}
	b.Must(b.Looked("vm:a", "node1", resources.Running))
	if got := duties(b, "node1"); slices.Contains(got, cluster.DutyCancel) {
		t.Errorf("the source has said that it is over, and has to do %v", got)
	}
}

// A cancel that was answered with success before the guest has changed its place is heeded.
func TestACancelledPostCopyDoesNotSwitch(t *testing.T) {
	b := movingBy(t, resources.MoveHybrid)
	b.Must(b.Done("vm:a", "node1", stalled))
	d := given(b, "node1")
	if err := cluster.StillWanted(b.S, "node1", d); err != nil {
		t.Fatalf("it is not wanted: %v", err)
	}
	b.Must(cluster.Ask{Request: "c", Op: cluster.OpCancel, Service: "vm:a", By: "root"})
	if err := cluster.StillWanted(b.S, "node1", d); err == nil {
		t.Error("it still switches")
	}
}

// What follows its guest cannot be given up, so a disable waits for it; once it is interrupted, or
// overdue, it is as any other move.
func TestADisableWaitsForTheMemoryOfAGuest(t *testing.T) {
	b := movingBy(t, resources.MovePostCopy)
	b.Must(cluster.Ask{Request: "d", Op: cluster.OpDisable, Service: "vm:a", By: "root"})
	if s := b.Service("vm:a"); b.S.EndsMove(&s).Since != 0 {
		t.Error("a guest whose memory follows it is to be destroyed")
	}
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Split, Target: resources.Split}))
	if s := b.Service("vm:a"); b.S.EndsMove(&s).Since == 0 {
		t.Error("one that was interrupted never ends")
	}
}

// libvirt may learn later than the cluster that the memory is whole: who drops a part looks again.
func TestAPartIsDroppedOnlyWhileItIsOne(t *testing.T) {
	b := split(t)
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.Must(b.Looked("vm:a", "node2", resources.Split))
	if d := given(b, "node2"); d.Kind != cluster.DutyStop || !d.Part {
		t.Fatalf("the target does %+v", d)
	}
	b.Must(b.Done("vm:a", "node2", resources.Result{Source: resources.Running, Why: "it is no longer a part of a guest"}))
	b.Is("vm:a", resources.Started, "node2", "node2")
}

// What is left where the other end is gone is ended, with proof, before the VM is started anew.
func TestEitherEndOfAPostCopyIsNothingWithoutTheOther(t *testing.T) {
	for _, c := range []struct{ lost, left string }{{"node1", "node2"}, {"node2", "node1"}} {
		b := split(t)
		b.Lose(c.lost)
		b.Must(b.Shoot(c.lost, "node3"))
		b.Must(b.Shot(c.lost, fence.Confirmed))
		for b.Service("vm:a").Asking(c.left) {
			b.Must(b.Looked("vm:a", c.left, resources.Split))
		}
		if d := given(b, c.left); d.Kind != cluster.DutyStop || !d.Kill {
			t.Fatalf("%s is lost, and %s does %+v", c.lost, c.left, d)
		}
		b.Must(b.Done("vm:a", c.left, resources.Result{OK: true, Source: resources.Absent}))
		if s := b.Service("vm:a"); s.State != resources.Recovering || s.Owner != "" || s.Intent != nil {
			t.Errorf("%s is lost: vm:a is %s on %q, %+v", c.lost, s.State, s.Owner, s.Intent)
		}
	}
}

// Whatever the other end shows, a part of a guest's memory is never resumed and never taken for the
// guest.
func TestAPartOfAGuestIsNeverTheGuest(t *testing.T) {
	all := []resources.Condition{resources.Absent, resources.Running, resources.Paused, resources.Incoming,
		resources.ShuttingDown, resources.Crashed, resources.Unknown, resources.Split}
	part := string(resources.Split)
	for _, twice := range []bool{false, true} {
		for _, other := range all {
			for _, ends := range [][2]string{{part, string(other)}, {string(other), part}} {
				switch act := cluster.Settlement(ends[0], ends[1], twice); act {
				case cluster.SettleEnd, cluster.SettleResumeSource, cluster.SettleResumeTarget:
					t.Errorf("source %s, target %s, twice %v: act %d", ends[0], ends[1], twice, act)
				case cluster.SettleDropSource:
					if ends[0] != part || (other != resources.Absent && other != resources.Running && other != resources.Crashed) {
						t.Errorf("source %s, target %s: the source is dropped", ends[0], ends[1])
					}
				case cluster.SettleDropTarget:
					if ends[1] != part || other != resources.Absent {
						t.Errorf("source %s, target %s: the target is dropped", ends[0], ends[1])
					}
				}
			}
		}
	}
}
