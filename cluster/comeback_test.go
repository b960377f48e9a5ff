package cluster_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// TestACrashGivesNoMoreThanThereWas: a VM that was declared larger while it ran comes back where it
// ran only if what is declared fits there; so does one whose restart was asked for and whose stop
// nobody told of.
func TestACrashGivesNoMoreThanThereWas(t *testing.T) {
	for name, restart := range map[string]bool{"it crashes": false, "the result of a restart is lost": true} {
		t.Run(name, func(t *testing.T) {
			b := sized(t, 2, map[string]int{"vm:a": 4, "vm:b": 4})
			b.Running("vm:a", "node1")
			if restart {
				b.Must(cluster.Ask{Request: "r", Op: cluster.OpRestart, Service: "vm:a", By: "root"})
			}
			sizedAnew(b, map[string]int{"vm:a": 100, "vm:b": 4})
			crashed(b, "vm:a", "node1")
			if kept := b.Service("vm:a").Kept; kept.Node != "node1" || kept.Demand.Memory != 4*resources.GiB {
				t.Errorf("kept is %+v", kept)
			}
			b.Refused(b.StartOf("vm:a", "node1"), "vm:a needs 100 GiB")
			sizedAnew(b, map[string]int{"vm:a": 4, "vm:b": 4})
			b.Running("vm:a", "node1")
		})
	}
}

// over is a node that runs 8 GiB and may give 6 by now, and a VM that falls there: it takes 4.
func over(t *testing.T, others map[string]int) *clustertest.Book {
	t.Helper()
	services := map[string]int{"vm:a": 4, "vm:b": 4}
	maps.Copy(services, others)
	b := sized(t, 1, services)
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node1")
	has(b, "node1", 7)
	crashed(b, "vm:a", "node1")
	return b
}

// TestTheRightToComeBackLasts: neither a start that fails, nor one that is broken off, nor a
// request that names no other place takes from a VM the room that is kept for it.
func TestTheRightToComeBackLasts(t *testing.T) {
	for name, happens := range map[string]func(b *clustertest.Book){
		"a start fails": func(b *clustertest.Book) {
			b.Must(b.StartOf("vm:a", "node1"))
			b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "no answer"}))
		},
		"the daemon starts anew": func(b *clustertest.Book) {
			b.Must(b.StartOf("vm:a", "node1"))
			b.Up("node1", "node1-boot-1",
				cluster.Found{Service: "vm:b", Observation: resources.Observation{Condition: resources.Running}},
				cluster.Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
		},
		"it is enabled": func(b *clustertest.Book) {
			b.Must(cluster.Ask{Request: "r", Op: cluster.OpEnable, Service: "vm:a", By: "root"})
		},
		"it is enabled there": func(b *clustertest.Book) {
			b.Must(cluster.Ask{Request: "r", Op: cluster.OpEnable, Service: "vm:a", Node: "node1", By: "root"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := over(t, nil)
			happens(b)
			if kept := b.Service("vm:a").Kept; kept.Node != "node1" {
				t.Errorf("kept is %+v", kept)
			}
			b.Running("vm:a", "node1")
			if kept := b.Service("vm:a").Kept; kept.Node != "" {
				t.Errorf("it runs, and still %+v is kept", kept)
			}
		})
	}
}

// TestAPromiseIsWhatWasPromised: what is declared larger while it is down takes no more room from
// others than was kept for it.
func TestAPromiseIsWhatWasPromised(t *testing.T) {
	b := sized(t, 1, map[string]int{"vm:a": 4, "vm:b": 4})
	b.Running("vm:a", "node1")
	crashed(b, "vm:a", "node1")
	sizedAnew(b, map[string]int{"vm:a": 12, "vm:b": 4})
	b.Running("vm:b", "node1")
	b.Refused(b.StartOf("vm:a", "node1"), "vm:a needs 12 GiB")
}

// TestNothingIsRestartedThatCouldNotComeBack: what was declared larger than any node has room for
// goes on as it is, and a request that is given up keeps no room.
func TestNothingIsRestartedThatCouldNotComeBack(t *testing.T) {
	b := sized(t, 2, map[string]int{"vm:a": 4, "vm:b": 5})
	b.Running("vm:a", "node1")
	sizedAnew(b, map[string]int{"vm:a": 12, "vm:b": 5})
	b.Must(cluster.Ask{Request: "large", Op: cluster.OpRestart, Service: "vm:a", By: "root"})
	if r, _ := b.S.Requests.Get("large"); !r.Done || !strings.Contains(r.Why.String(), "vm:a needs 12 GiB") {
		t.Errorf("the answer is %+v", r)
	}
	has(b, "node2", 20)
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpRestart, Service: "vm:a", By: "root"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Purpose: cluster.ForRestart, Node: "node1",
		By: "root"})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Refused(b.StartOf("vm:b", "node1"), "vm:b needs 5 GiB")
	b.Must(cluster.GiveUp{Service: "vm:a", Request: "r", Code: cluster.CodeFailure})
	b.Running("vm:b", "node1")
}

// TestRoomIsKeptForWhoFollows: what goes down with what it needs, and what is relocated to whoever
// takes it, finds its place where it ran. What follows something that a person stopped does not.
func TestRoomIsKeptForWhoFollows(t *testing.T) {
	follows := func(by cluster.Operation) *clustertest.Book {
		b := sized(t, 1, map[string]int{"vm:a": 2, "vm:b": 5, "vm:w": 6})
		d := b.S.Document
		d.Services = maps.Clone(d.Services)
		spec := d.Services["vm:b"]
		spec.Depend = []resources.Dependency{{Service: "vm:a", Mode: resources.Hard}}
		d.Services["vm:b"] = spec
		b.Must(clustertest.Configure(d, b.S.Config.Version))
		b.Running("vm:a", "node1")
		b.Running("vm:b", "node1")
		if by == "" {
			crashed(b, "vm:a", "node1")
		} else {
			b.Must(cluster.Ask{Request: "r", Op: by, Service: "vm:a", By: "root"})
		}
		b.Must(cluster.Begin{Service: "vm:b", Intent: cluster.IntentStop, Purpose: cluster.ForDepend, Node: "node1"})
		b.Must(b.Done("vm:b", "node1", resources.Result{OK: true, Source: resources.Absent}))
		return b
	}
	b := follows("")
	b.Refused(b.StartOf("vm:w", "node1"), "vm:w needs 6 GiB")
	b = follows(cluster.OpStop)
	b.Must(b.StartOf("vm:w", "node1"))
	b = sized(t, 2, map[string]int{"service:a": 4, "vm:w": 6})
	b.Running("service:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpRelocate, Service: "service:a", By: "root"})
	b.Must(cluster.Begin{Service: "service:a", Intent: cluster.IntentStop, Purpose: cluster.ForRelocate, Node: "node1",
		By: "root"})
	b.Must(b.Done("service:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Refused(b.StartOf("vm:w", "node1"), "vm:w needs 6 GiB")
	b.Running("service:a", "node2")
	b.Running("vm:w", "node1")
}

// TestAColdMoveIsAskedForWhatIsDeclared: what was started with more is started with less there.
func TestAColdMoveIsAskedForWhatIsDeclared(t *testing.T) {
	for _, name := range []string{"service:a", "vm:a"} {
		b := sized(t, 2, map[string]int{name: 8, "vm:b": 5})
		b.Running(name, "node1")
		b.Running("vm:b", "node2")
		sizedAnew(b, map[string]int{name: 2, "vm:b": 5})
		b.Must(cluster.Ask{Request: "r", Op: cluster.OpRelocate, Service: name, Node: "node2", By: "root"})
		if r, _ := b.S.Requests.Get("r"); r.Done {
			t.Errorf("%s is refused: %s", name, r.Why)
		}
		b.Refused(cluster.Begin{Service: "vm:b", Intent: cluster.IntentMigrate, Node: "node2", Target: "node1"},
			"vm:b needs 5 GiB")
		b.Must(cluster.Begin{Service: name, Intent: cluster.IntentStop, Purpose: cluster.ForRelocate, Node: "node1"})
		if kept := b.Service(name).Kept; kept.Node != "node2" {
			t.Errorf("kept is %+v", kept)
		}
	}
}

// TestAdviceIsBounded: of many that wait for room, only so many are told what would make it.
func TestAdviceIsBounded(t *testing.T) {
	services := map[string]int{"vm:up": 4}
	for i := range 50 {
		services[fmt.Sprintf("vm:waits-%02d", i)] = 7
	}
	b := sized(t, 1, services)
	b.Running("vm:up", "node1")
	advised, waits := 0, 0
	for _, note := range plan.Plan(b.S, cluster.View{Self: "node1"}).Notes {
		if note.Next.Is(message.DoFreeMemory) {
			advised++
		}
		if strings.HasPrefix(note.Subject, "vm:waits") {
			waits++
		}
	}
	if advised != 32 || waits != 50 {
		t.Errorf("%d wait, and %d are advised", waits, advised)
	}
}

// TestTheLargestIsPlacedFirst: small ones leave no node whole for it otherwise.
func TestTheLargestIsPlacedFirst(t *testing.T) {
	b := sized(t, 2, map[string]int{"vm:a": 2, "vm:b": 2, "vm:c": 2, "vm:d": 2, "vm:z": 7})
	begun := map[string]string{}
	for _, c := range plan.Plan(b.S, cluster.View{Self: "node1"}).Commands {
		if begin, is := c.(cluster.Begin); is {
			begun[begin.Service] = begin.Node
		}
	}
	if len(begun) != 5 {
		t.Errorf("begun are %v", begun)
	}
}

// TestADryDrainWalksAsThePlanWould: the larger one has its place, whatever it is called.
func TestADryDrainWalksAsThePlanWould(t *testing.T) {
	b := sized(t, 3, map[string]int{"vm:a": 2, "vm:b": 6, "vm:x": 3})
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node1")
	b.Running("vm:x", "node3")
	has(b, "node3", 5)
	steps, err := rehearse.DrainPlan(b.S, cluster.View{Self: "node2"},
		cluster.OrderNode{Node: "node1", Order: cluster.OrderDrain, By: "root"})
	if err != nil || len(steps) != 2 || steps[0].Service != "vm:b" || steps[0].Target != "node2" {
		t.Errorf("%+v, %v", steps, err)
	}
}

// whatIf is what would become of services if hosts lost their power: how many stay, and why the
// last one does.
func whatIf(b *clustertest.Book, down ...string) (stays, all int, why message.Text) {
	b.T.Helper()
	what, err := rehearse.WhatIf(b.S, cluster.View{Self: "node4"}, down, "")
	if err != nil {
		b.T.Fatal(err)
	}
	for _, step := range what.Steps {
		if step.Method == cluster.MethodStays {
			stays, why = stays+1, step.Why
		}
	}
	return stays, len(what.Steps), why
}

// TestWhatIfKeepsTheBrake: half of the nodes are shot on paper no more than in truth, and nobody is
// where fencing is disarmed.
func TestWhatIfKeepsTheBrake(t *testing.T) {
	b := sized(t, 4, map[string]int{"vm:a": 1, "vm:b": 1})
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node2")
	if stays, _, why := whatIf(b, "node1"); stays != 0 {
		t.Errorf("one host down: %d stay, %s", stays, why)
	}
	if stays, _, why := whatIf(b, "node1", "node2"); stays != 1 || !why.Is(message.BrakeHalfOfNodes) {
		t.Errorf("half of them down: %d stay, %s", stays, why)
	}
	b.Must(cluster.Disarm{By: "root", Why: "cables", For: time.Hour})
	if stays, _, why := whatIf(b, "node1"); stays != 1 || why.String() != b.S.Disarmed.Says().String() {
		t.Errorf("disarmed: %d stay, %s", stays, why)
	}
}

// TestWhatIfGoesOnToTheEnd: where one starts at a time, it takes as many rounds as there are.
func TestWhatIfGoesOnToTheEnd(t *testing.T) {
	services := map[string]int{}
	for i := range 120 {
		services[fmt.Sprintf("vm:%03d", i)] = 1
	}
	b := sized(t, 4, services)
	d := b.S.Document
	d.StartAtOnce = 1
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	has(b, "node1", 400)
	has(b, "node4", 400)
	for name := range services {
		b.Running(name, "node1")
	}
	if stays, all, why := whatIf(b, "node1"); stays != 0 || all != len(services) {
		t.Errorf("%d of %d stay: %s", stays, all, why)
	}
}

// TestNothingMovesForRoomThatIsNotMade: two that are in the way have one place between them.
func TestNothingMovesForRoomThatIsNotMade(t *testing.T) {
	for gib, moves := range map[int]int{9: 0, 13: 2} {
		b := sized(t, 3, map[string]int{"vm:a": 4, "vm:b": 4, "vm:c": 4, "vm:x": 4})
		b.Running("vm:a", "node1")
		b.Running("vm:b", "node1")
		b.Running("vm:c", "node3")
		has(b, "node2", 2)
		has(b, "node3", gib)
		d := b.S.Document
		d.Services = maps.Clone(d.Services)
		x := d.Services["vm:x"]
		x.Apart, x.Domain = []string{"vm:a", "vm:b"}, "pair"
		d.Services["vm:x"] = x
		b.Must(clustertest.Configure(d, b.S.Config.Version))
		begun := 0
		for _, c := range plan.Plan(b.S, cluster.View{Self: "node1"}).Commands {
			if begin, is := c.(cluster.Begin); is && begin.Intent == cluster.IntentMigrate {
				begun++
			}
		}
		if begun != moves {
			t.Errorf("with %d GiB on node3 %d are moved, want %d", gib, begun, moves)
		}
	}
}

// TestWhatIsShortIsToldAsSuch: need is not told as what is free, and a node that leaves says that
// the others are full, not that a live move is impossible.
func TestWhatIsShortIsToldAsSuch(t *testing.T) {
	b := sized(t, 2, map[string]int{"vm:a": 4, "vm:b": 4})
	d := b.S.Document
	d.Services = maps.Clone(d.Services)
	a := d.Services["vm:a"]
	a.Demand.Memory = 8*resources.GiB + resources.MiB
	d.Services["vm:a"] = a
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	b.Refused(b.StartOf("vm:a", "node2"), "8 GiB of memory free of 8 GiB for services, and vm:a needs 8.1 GiB")
	has(b, "node1", 20)
	b.Running("vm:a", "node1")
	b.Must(cluster.Leave{Node: "node1"})
	for _, c := range plan.Plan(b.S, cluster.View{Self: "node2"}).Commands {
		if begin, is := c.(cluster.Begin); is && begin.Service == "vm:a" && !begin.Why.Is(message.LeaveNoRoom) {
			t.Errorf("it is stopped because %s", begin.Why)
		}
	}
}

// TestTwoBootsOfANodeTakeTheMoreOfBoth: what an older boot may still run counts.
func TestTwoBootsOfANodeTakeTheMoreOfBoth(t *testing.T) {
	s := cluster.Service{Holders: []cluster.Holder{
		{Node: "node1", Boot: "old", Demand: resources.Demand{Memory: 6 * resources.GiB}},
		{Node: "node1", Boot: "new", Demand: resources.Demand{Memory: 2 * resources.GiB}}}}
	if taken, _ := s.TakesOn("node1"); taken.Memory != 6*resources.GiB {
		t.Errorf("%s are taken", taken.Memory)
	}
}
