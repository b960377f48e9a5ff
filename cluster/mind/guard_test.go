package mind

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// guardMind is the mind of node1, whose only fence level is a watchdog.
func guardMind(t *testing.T) *stepper {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Must(clustertest.Configure(clustertest.GuardedDocument(clustertest.Level("wd")), 1))
	return newMind(t, b, "node1")
}

// at steps node1 on its present boot at a reading of its clock.
func (m *stepper) at(clock time.Duration, in Input) Output {
	m.t.Helper()
	in.Boot, in.Clock = "node1-boot-1", clock
	return m.step(cluster.Tick, in)
}

// armed answers the word of an output as a keeper does.
func armed(p *cluster.Pet) *cluster.Keeper {
	return &cluster.Keeper{Seq: p.Seq, Armed: true, Timeout: fence.DefaultTimeout, Free: p.Policy == cluster.PetFree,
		Until: p.Until}
}

func proposed[C cluster.Command](out Output) bool {
	for _, p := range out.Propose {
		for _, c := range p.Commands {
			if _, found := c.(C); found {
				return true
			}
		}
	}
	return false
}

func TestAnEmptyNodeIsPettedWithoutALeaseAndTellsItsGuard(t *testing.T) {
	m := guardMind(t)
	out := m.at(time.Minute, Input{})
	if out.Pet == nil || out.Pet.Policy != cluster.PetFree || !out.AskLease || proposed[cluster.Guarded](out) {
		t.Fatalf("pet %+v, asks %v, proposes %+v", out.Pet, out.AskLease, out.Propose)
	}
	if out = m.at(time.Minute+cluster.Tick, Input{Keeper: armed(out.Pet)}); !proposed[cluster.Guarded](out) {
		t.Errorf("an armed keeper is not reported: %+v", out.Propose)
	}
	if out = m.at(time.Minute+2*cluster.Tick, Input{}); out.AskLease {
		t.Error("a second lease is asked for while the first question is on its way")
	}
}

func TestAStartWaitsUntilTheKeeperHasAnsweredALease(t *testing.T) {
	m := guardMind(t)
	m.b.Must(m.b.Guarded("node1"))
	clock := time.Minute
	out := m.at(clock, Input{})
	free := armed(out.Pet)
	m.at(clock, Input{Keeper: free, Leased: []cluster.Leased{{Sent: clock, Granted: true}}})
	m.b.Must(m.b.StartOf("vm:a", "node1"))
	out = m.at(clock, Input{})
	if len(out.Do) > 0 || out.Pet.Policy != cluster.PetLeased || out.Pet.Until != clock+fence.DefaultLease {
		t.Fatalf("hands out %+v, pet %+v", out.Do, out.Pet)
	}
	stale := *free // the answer to a word before this one
	stale.Free, stale.Until = false, clock+time.Hour
	if late := m.at(clock, Input{Keeper: &stale}); len(late.Do) > 0 {
		t.Fatal("the answer to an older word lets the start begin")
	}
	if out = m.at(clock, Input{Keeper: armed(out.Pet)}); len(out.Do) != 1 {
		t.Errorf("hands out %+v", out.Do)
	}
}

func TestALeaseIsCountedFromWhenItWasAskedFor(t *testing.T) {
	m := guardMind(t)
	m.b.Must(m.b.Guarded("node1"))
	m.b.Running("vm:a", "node1")
	out := m.at(time.Minute, Input{})
	if !out.AskLease || out.Pet != nil {
		t.Fatalf("asks %v, pet %+v before any lease", out.AskLease, out.Pet)
	}
	late := time.Minute + 4*time.Second
	out = m.at(late, Input{Leased: []cluster.Leased{{Sent: time.Minute, Granted: true}}})
	if out.Pet == nil || out.Pet.Until != time.Minute+fence.DefaultLease {
		t.Fatalf("pet %+v", out.Pet)
	}
	out = m.at(late, Input{Leased: []cluster.Leased{{Sent: late}}}) // asked, and not granted
	if out.Pet.Until != time.Minute+fence.DefaultLease {
		t.Errorf("a lease that was not granted counts: %+v", out.Pet)
	}
}

func TestANodeThatHoldsSomethingIsNeverPettedWithoutALease(t *testing.T) {
	m := guardMind(t)
	m.b.Must(m.b.Guarded("node1"))
	m.b.Running("vm:a", "node1")
	out := m.at(time.Hour, Input{Keeper: &cluster.Keeper{Armed: true, Free: true}})
	if out.Pet == nil || out.Pet.Policy != cluster.PetNever {
		t.Errorf("pet %+v", out.Pet)
	}
}

func TestANewDaemonDoesNotFreeWhatItDoesNotKnowYet(t *testing.T) {
	m := guardMind(t)
	m.b.Must(m.b.Guarded("node1"))
	out := m.node.Step(time.Hour, Input{State: m.b.S.Fork(), Boot: "node1-boot-1", Clock: time.Hour,
		Keeper: &cluster.Keeper{Armed: true, Until: time.Hour + time.Second}})
	if out.Pet == nil || out.Pet.Policy != cluster.PetLeased || out.Pet.Until != time.Hour+time.Second || !out.AskLease {
		t.Errorf("pet %+v, asks %v: a daemon that is not admitted keeps the lease it finds", out.Pet, out.AskLease)
	}
}

func TestABootThatIsToEndIsPettedNoMore(t *testing.T) {
	m := guardMind(t)
	m.b.Must(m.b.Guarded("node1"))
	m.b.Running("vm:a", "node1")
	m.b.Lose("node1")
	if err := cluster.MayLease(m.b.S, "node1", "node1-boot-1"); err != nil {
		t.Errorf("a node that may be heard again gets no lease: %v", err)
	}
	m.b.Must(m.b.Shoot("node1", "node2"))
	out := m.at(time.Minute, Input{})
	if out.Pet == nil || out.Pet.Policy != cluster.PetNever || out.AskLease ||
		cluster.MayLease(m.b.S, "node1", "node1-boot-1") == nil {
		t.Errorf("pet %+v, asks %v", out.Pet, out.AskLease)
	}
	if cluster.MayLease(m.b.S, "node1", "node1-boot-2") != nil {
		t.Error("the boot after it gets none either")
	}
}

func TestANodeThatFindsItselfCutOffGivesUp(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"))
	m := newMind(t, b, "node1")
	out := m.at(time.Minute, Input{Keys: &cluster.Keys{CutOff: true}})
	if !out.Yield || !proposed[cluster.LostKeys](out) {
		t.Fatalf("yields %v, proposes %+v", out.Yield, out.Propose)
	}
	n := b.Node("node1")
	b.Must(cluster.LostKeys{Node: "node1", Incarnation: n.Incarnation, Boot: n.Boot})
	b.Is("vm:a", resources.Started, "node1", "node1")
	b.Refused(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: n.Boot, Address: "node1",
		MaxLevel: cluster.CurrentLevel}, "cut off")
	if err := cluster.MayLease(b.S, "node1", n.Boot); err == nil {
		t.Error("a node that is cut off gets a lease")
	}
	b.Must(b.Shoot("node1", "node2"))
}

func TestAFencerWaitsByItsOwnStopwatch(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("wd"))
	m := newMind(t, b, "node2")
	m.step(0, Input{})
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	m.step(time.Hour, Input{}) // it saw the intent only now
	steps := int(clustertest.Longest / cluster.Tick)
	for range steps {
		if out := m.step(time.Second, Input{}); len(out.Do) > 0 { // a step counts one tick, however long it took
			t.Fatalf("handed out after %s", m.node.view.Waited["node1"].For)
		}
	}
	out := m.step(cluster.Tick, Input{})
	if len(out.Do) != 1 || out.Do[0].Waited < clustertest.Longest {
		t.Fatalf("handed out %+v", out.Do)
	}
	b.Must(b.Shot("node1", fence.Unknown))
	b.Must(cluster.ConfirmFence{Node: "node1", Boot: b.Node("node1").Boot, By: "root"})
	b.Up("node1", "node1-boot-2")
	b.Must(b.Guarded("node1"))
	b.Running("vm:a", "node1")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	if out := m.step(cluster.Tick, Input{}); len(out.Do) > 0 || m.node.view.Waited["node1"].For != 0 {
		t.Errorf("the stopwatch of another intent goes on: %+v, %+v", out.Do, m.node.view.Waited)
	}
}

func TestAWatchdogThatDoesNotWorkProvesNothing(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("wd"))
	m := newMind(t, b, "node2")
	m.step(0, Input{})
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	beat := Input{Beats: []Beat{{Node: "node1", Incarnation: b.Node("node1").Incarnation}}}
	for range int(clustertest.Longest/cluster.Tick) + 5 {
		if out := m.step(cluster.Tick, beat); len(out.Do) > 0 {
			t.Fatal("a boot that is heard counts as reset")
		} else if proposed[cluster.FenceDone](out) {
			return
		}
	}
	t.Error("the attempt has no end")
}
