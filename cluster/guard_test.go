package cluster

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// guardMind is the mind of node1, whose only fence level is a watchdog.
func guardMind(t *testing.T) *stepper {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.must(configure(guardedDocument(level("wd")), 1))
	return newMind(t, b, "node1")
}

// at steps node1 on its present boot at a reading of its clock.
func (m *stepper) at(clock time.Duration, in Input) Output {
	m.t.Helper()
	in.Boot, in.Clock = "node1-boot-1", clock
	return m.step(Tick, in)
}

// armed answers the word of an output as a keeper does.
func armed(p *Pet) *Keeper {
	return &Keeper{Seq: p.Seq, Armed: true, Timeout: fence.DefaultTimeout, Free: p.Mood == PetFree, Until: p.Until}
}

func proposed[C Command](out Output) bool {
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
	if out.Pet == nil || out.Pet.Mood != PetFree || !out.AskLease || proposed[Guarded](out) {
		t.Fatalf("pet %+v, asks %v, proposes %+v", out.Pet, out.AskLease, out.Propose)
	}
	if out = m.at(time.Minute+Tick, Input{Keeper: armed(out.Pet)}); !proposed[Guarded](out) {
		t.Errorf("an armed keeper is not reported: %+v", out.Propose)
	}
	if out = m.at(time.Minute+2*Tick, Input{}); out.AskLease {
		t.Error("a second lease is asked for while the first question is on its way")
	}
}

func TestAStartWaitsUntilTheKeeperHasAnsweredALease(t *testing.T) {
	m := guardMind(t)
	m.b.must(m.b.guarded("node1"))
	clock := time.Minute
	out := m.at(clock, Input{})
	free := armed(out.Pet)
	m.at(clock, Input{Keeper: free, Leased: []Leased{{Sent: clock, Granted: true}}})
	m.b.must(m.b.startOf("vm:a", "node1"))
	out = m.at(clock, Input{})
	if len(out.Do) > 0 || out.Pet.Mood != PetLeased || out.Pet.Until != clock+fence.DefaultLease {
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
	m.b.must(m.b.guarded("node1"))
	m.b.running("vm:a", "node1")
	out := m.at(time.Minute, Input{})
	if !out.AskLease || out.Pet != nil {
		t.Fatalf("asks %v, pet %+v before any lease", out.AskLease, out.Pet)
	}
	late := time.Minute + 4*time.Second
	out = m.at(late, Input{Leased: []Leased{{Sent: time.Minute, Granted: true}}})
	if out.Pet == nil || out.Pet.Until != time.Minute+fence.DefaultLease {
		t.Fatalf("pet %+v", out.Pet)
	}
	out = m.at(late, Input{Leased: []Leased{{Sent: late}}}) // asked, and not granted
	if out.Pet.Until != time.Minute+fence.DefaultLease {
		t.Errorf("a lease that was not granted counts: %+v", out.Pet)
	}
}

func TestANodeThatHoldsSomethingIsNeverPettedWithoutALease(t *testing.T) {
	m := guardMind(t)
	m.b.must(m.b.guarded("node1"))
	m.b.running("vm:a", "node1")
	out := m.at(time.Hour, Input{Keeper: &Keeper{Armed: true, Free: true}})
	if out.Pet == nil || out.Pet.Mood != PetNever {
		t.Errorf("pet %+v", out.Pet)
	}
}

func TestANewDaemonDoesNotFreeWhatItDoesNotKnowYet(t *testing.T) {
	m := guardMind(t)
	m.b.must(m.b.guarded("node1"))
	out := m.node.Step(time.Hour, Input{State: m.b.s.Fork(), Boot: "node1-boot-1", Clock: time.Hour, Keeper: &Keeper{Armed: true, Until: time.Hour + time.Second}})
	if out.Pet == nil || out.Pet.Mood != PetLeased || out.Pet.Until != time.Hour+time.Second || !out.AskLease {
		t.Errorf("pet %+v, asks %v: a daemon that is not admitted keeps the lease it finds", out.Pet, out.AskLease)
	}
}

func TestABootThatIsToEndIsPettedNoMore(t *testing.T) {
	m := guardMind(t)
	m.b.must(m.b.guarded("node1"))
	m.b.running("vm:a", "node1")
	m.b.lose("node1")
	if err := MayLease(m.b.s, "node1", "node1-boot-1"); err != nil {
		t.Errorf("a node that may be heard again gets no lease: %v", err)
	}
	m.b.must(m.b.shoot("node1", "node2"))
	out := m.at(time.Minute, Input{})
	if out.Pet == nil || out.Pet.Mood != PetNever || out.AskLease || MayLease(m.b.s, "node1", "node1-boot-1") == nil {
		t.Errorf("pet %+v, asks %v", out.Pet, out.AskLease)
	}
	if MayLease(m.b.s, "node1", "node1-boot-2") != nil {
		t.Error("the boot after it gets none either")
	}
}

func TestANodeThatFindsItselfCutOffGivesUp(t *testing.T) {
	b := guardedBook(t, level("san"))
	m := newMind(t, b, "node1")
	out := m.at(time.Minute, Input{Keys: &Keys{CutOff: true}})
	if !out.Yield || !proposed[LostKeys](out) {
		t.Fatalf("yields %v, proposes %+v", out.Yield, out.Propose)
	}
	n := b.node("node1")
	b.must(LostKeys{Node: "node1", Incarnation: n.Incarnation, Boot: n.Boot})
	b.is("vm:a", resources.Started, "node1", "node1")
	b.refused(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: n.Boot, Address: "node1", MaxLevel: CurrentLevel}, "cut off")
	if err := MayLease(b.s, "node1", n.Boot); err == nil {
		t.Error("a node that is cut off gets a lease")
	}
	b.must(b.shoot("node1", "node2"))
}

func TestAFencerWaitsByItsOwnStopwatch(t *testing.T) {
	b := guardedBook(t, level("wd"))
	m := newMind(t, b, "node2")
	m.step(0, Input{})
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	m.step(time.Hour, Input{}) // it saw the intent only now
	steps := int(longest / Tick)
	for range steps {
		if out := m.step(time.Second, Input{}); len(out.Do) > 0 { // a step counts one tick, however long it took
			t.Fatalf("handed out after %s", m.node.view.Waited["node1"].For)
		}
	}
	out := m.step(Tick, Input{})
	if len(out.Do) != 1 || out.Do[0].Waited < longest {
		t.Fatalf("handed out %+v", out.Do)
	}
	b.must(b.shot("node1", fence.Unknown))
	b.must(ConfirmFence{Node: "node1", Boot: b.node("node1").Boot, By: "root"})
	b.up("node1", "node1-boot-2")
	b.must(b.guarded("node1"))
	b.running("vm:a", "node1")
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	if out := m.step(Tick, Input{}); len(out.Do) > 0 || m.node.view.Waited["node1"].For != 0 {
		t.Errorf("the stopwatch of another intent goes on: %+v, %+v", out.Do, m.node.view.Waited)
	}
}

func TestAWatchdogThatDoesNotWorkProvesNothing(t *testing.T) {
	b := guardedBook(t, level("wd"))
	m := newMind(t, b, "node2")
	m.step(0, Input{})
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	beat := Input{Beats: []Beat{{Node: "node1", Incarnation: b.node("node1").Incarnation}}}
	for range int(longest/Tick) + 5 {
		if out := m.step(Tick, beat); len(out.Do) > 0 {
			t.Fatal("a boot that is heard counts as reset")
		} else if proposed[FenceDone](out) {
			return
		}
	}
	t.Error("the attempt has no end")
}
