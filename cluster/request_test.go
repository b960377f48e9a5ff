package cluster

import (
	"fmt"
	"testing"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// settlePlan applies what the planner of node3 wants until it wants nothing
// more, and fails if it wants what Apply refuses.
func (b *book) settlePlan(limit int) {
	b.t.Helper()
	for range limit + 1 {
		d := Plan(b.s, View{Self: "node3"})
		if len(d.Commands) == 0 {
			return
		}
		b.must(d.Commands...)
	}
	b.t.Fatalf("the planner does not come to rest: %+v", Plan(b.s, View{Self: "node3"}).Commands)
}

func TestDisabledDuringAStart(t *testing.T) {
	for _, fails := range []bool{false, true} {
		b := newBook(t, 3, "vm:a")
		b.must(Ask{Request: "r", Op: OpRestart, Service: "vm:a"})
		b.must(b.startOf("vm:a", "node1"))
		b.must(Ask{Request: "d", Op: OpDisable, Service: "vm:a"})
		if fails {
			b.must(b.done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "no memory"}))
		} else {
			b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running}))
			if r, _ := b.s.Requests.Get("d"); r.Done {
				t.Error("a request to disable was answered by a start")
			}
			b.settlePlan(1)
			b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
		}
		b.is("vm:a", resources.Disabled, "")
		b.answer("d", codeSuccess)
	}
}

func TestDisabledDuringAMigration(t *testing.T) {
	b := moving(t)
	b.must(Ask{Request: "d", Op: OpDisable, Service: "vm:a"})
	b.answer("m", codeAborted)
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	if r, _ := b.s.Requests.Get("d"); r.Done {
		t.Fatal("a request to disable was answered by a migration")
	}
	b.settlePlan(1)
	b.must(b.done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
	b.is("vm:a", resources.Disabled, "")
	b.answer("d", codeSuccess)
}

// The daemon dies while it stops a VM; the VM is found gone, or still there.
func TestAStopWhoseResultIsLost(t *testing.T) {
	purposes := map[Operation]Purpose{OpStop: ForStop, OpDisable: ForDisable, OpRestart: ForRestart, OpRelocate: ForRelocate}
	for op, purpose := range purposes {
		for _, found := range []resources.Condition{resources.Absent, resources.Running} {
			t.Run(fmt.Sprintf("%s, then %s", op, found), func(t *testing.T) {
				b := newBook(t, 3, "vm:a")
				b.running("vm:a", "node1")
				b.must(Ask{Request: "r", Op: op, Service: "vm:a"})
				b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: purpose})
				b.up("node1", "node1-boot-1")
				b.must(b.looked("vm:a", "node1", found))
				for _, node := range []string{"node2", "node3"} {
					if h, held := b.service("vm:a").holder(node); held && h.Ask {
						b.must(b.looked("vm:a", node, resources.Absent))
					}
				}
				b.finishByPlan("vm:a")
				if r, _ := b.s.Requests.Get("r"); !r.Done || r.Code != codeSuccess {
					t.Errorf("answered %+v", r)
				}
				if up := op == OpRestart || op == OpRelocate; up != (b.service("vm:a").State == resources.Started) {
					t.Errorf("after %s it is %s", op, b.service("vm:a").State)
				}
				if op == OpRelocate && b.service("vm:a").Owner == "node1" {
					t.Error("relocated to where it was")
				}
			})
		}
	}
}

// finishByPlan lets the planner go on and carries out everything well.
func (b *book) finishByPlan(service string) {
	b.t.Helper()
	for range 6 {
		b.settlePlan(3)
		intent := b.service(service).Intent
		switch {
		case intent == nil:
			return
		case intent.Kind == IntentStart:
			b.must(b.done(service, intent.Node, resources.Result{OK: true, Source: resources.Running}))
		case intent.Kind == IntentStop:
			b.must(b.done(service, intent.Node, resources.Result{OK: true, Source: resources.Absent}))
		}
	}
}

func TestEveryRequestIsAnsweredWhenTheNodeIsLostForGood(t *testing.T) {
	for _, op := range []Operation{OpStop, OpRestart, OpRelocate, OpMigrate} {
		d := document("vm:a")
		delete(d.Nodes, "node1")
		b := newBook(t, 3, "vm:a")
		b.must(configure(d, 1))
		b.running("vm:a", "node1")
		b.must(Ask{Request: "r", Op: op, Service: "vm:a", Node: map[bool]string{true: "node2"}[op == OpMigrate]})
		b.lose("node1")
		b.settlePlan(3)
		b.answer("r", codeNodeDead)
		b.is("vm:a", resources.Started, "node1", "node1")
	}
}

func TestARelocationWhoseTargetDiedStopsNothing(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "r", Op: OpRelocate, Service: "vm:a", Node: "node2"})
	b.lose("node2")
	b.settlePlan(3)
	b.answer("r", codeNodeDead)
	b.is("vm:a", resources.Started, "node1", "node1")
}

func TestAFrozenServiceWhoseNodeDiedCanBeUnfrozen(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "f", Op: OpFreeze, Service: "vm:a"})
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.shot("node1", fence.Confirmed))
	b.settlePlan(1)
	b.is("vm:a", resources.Recovering, "")
	b.must(Ask{Request: "u", Op: OpUnfreeze, Service: "vm:a"})
	b.finishByPlan("vm:a")
	b.is("vm:a", resources.Started, "node2", "node2")
}

func TestWhatWasPausedByOthersIsNotResumed(t *testing.T) {
	b := newBook(t, 3)
	b.must(configure(document("vm:a"), 1))
	b.must(b.looked("vm:a", "node1", resources.Paused))
	b.must(b.looked("vm:a", "node2", resources.Absent))
	b.must(b.looked("vm:a", "node3", resources.Absent))
	d := Plan(b.s, View{Self: "node3"})
	if len(d.Commands) > 0 || len(d.Notes) != 1 {
		t.Errorf("planned %+v with notes %+v", d.Commands, d.Notes)
	}
}

func TestRequestsHaveALimit(t *testing.T) {
	b := newBook(t, 1, "vm:a")
	for i := range maxRequests + 10 {
		b.must(Ask{Request: fmt.Sprint("r", i), Op: OpStop, Service: "vm:none"})
	}
	if b.s.Requests.Len() != maxRequests {
		t.Errorf("%d requests are kept", b.s.Requests.Len())
	}
	if _, kept := b.s.Requests.Get("r0"); kept {
		t.Error("the oldest was not forgotten")
	}
}
