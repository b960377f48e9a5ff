package cluster_test

import (
	"fmt"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// settlePlan applies what the planner of node3 wants until it wants nothing
// more, and fails if it wants what Apply refuses.
func settlePlan(b *clustertest.Book, limit int) {
	b.T.Helper()
	for range limit + 1 {
		d := plan.Plan(b.S, cluster.View{Self: "node3"})
		if len(d.Commands) == 0 {
			return
		}
		b.Must(d.Commands...)
	}
	b.T.Fatalf("the planner does not come to rest: %+v", plan.Plan(b.S, cluster.View{Self: "node3"}).Commands)
}

func TestDisabledDuringAStart(t *testing.T) {
	for _, fails := range []bool{false, true} {
		b := clustertest.NewBook(t, 3, "vm:a")
		b.Must(cluster.Ask{Request: "r", Op: cluster.OpRestart, Service: "vm:a"})
		b.Must(b.StartOf("vm:a", "node1"))
		b.Must(cluster.Ask{Request: "d", Op: cluster.OpDisable, Service: "vm:a"})
		if fails {
			b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "no memory"}))
		} else {
			b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Running}))
			if r, _ := b.S.Requests.Get("d"); r.Done {
				t.Error("a request to disable was answered by a start")
			}
			settlePlan(b, 1)
			b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
		}
		b.Is("vm:a", resources.Disabled, "")
		b.Answer("d", cluster.CodeSuccess)
	}
}

func TestDisabledDuringAMigration(t *testing.T) {
	b := moving(t)
	b.Must(cluster.Ask{Request: "d", Op: cluster.OpDisable, Service: "vm:a"})
	b.Answer("m", cluster.CodeAborted)
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	if r, _ := b.S.Requests.Get("d"); r.Done {
		t.Fatal("a request to disable was answered by a migration")
	}
	settlePlan(b, 1)
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
	b.Is("vm:a", resources.Disabled, "")
	b.Answer("d", cluster.CodeSuccess)
}

// The daemon dies while it stops a VM; the VM is found gone, or still there.
func TestAStopWhoseResultIsLost(t *testing.T) {
	purposes := map[cluster.Operation]cluster.Purpose{cluster.OpStop: cluster.ForStop,
		cluster.OpDisable: cluster.ForDisable, cluster.OpRestart: cluster.ForRestart, cluster.OpRelocate: cluster.ForRelocate}
	for op, purpose := range purposes {
		for _, found := range []resources.Condition{resources.Absent, resources.Running} {
			t.Run(fmt.Sprintf("%s, then %s", op, found), func(t *testing.T) {
				b := clustertest.NewBook(t, 3, "vm:a")
				b.Running("vm:a", "node1")
				b.Must(cluster.Ask{Request: "r", Op: op, Service: "vm:a"})
				b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: purpose})
				b.Up("node1", "node1-boot-1")
				b.Must(b.Looked("vm:a", "node1", found))
				for _, node := range []string{"node2", "node3"} {
					if h, held := b.Service("vm:a").Holder(node); held && h.Ask {
						b.Must(b.Looked("vm:a", node, resources.Absent))
					}
				}
				finishByPlan(b, "vm:a")
				if r, _ := b.S.Requests.Get("r"); !r.Done || r.Code != cluster.CodeSuccess {
					t.Errorf("answered %+v", r)
				}
				if up := op == cluster.OpRestart || op == cluster.OpRelocate; up != (b.Service("vm:a").State == resources.Started) {
					t.Errorf("after %s it is %s", op, b.Service("vm:a").State)
				}
				if op == cluster.OpRelocate && b.Service("vm:a").Owner == "node1" {
					t.Error("relocated to where it was")
				}
			})
		}
	}
}

// finishByPlan lets the planner go on and carries out everything well.
func finishByPlan(b *clustertest.Book, service string) {
	b.T.Helper()
	for range 6 {
		settlePlan(b, 3)
		intent := b.Service(service).Intent
		switch {
		case intent == nil:
			return
		case intent.Kind == cluster.IntentStart:
			b.Must(b.Done(service, intent.Node, resources.Result{OK: true, Source: resources.Running}))
		case intent.Kind == cluster.IntentStop:
			b.Must(b.Done(service, intent.Node, resources.Result{OK: true, Source: resources.Absent}))
		}
	}
}

func TestEveryRequestIsAnsweredWhenTheNodeIsLostForGood(t *testing.T) {
	for _, op := range []cluster.Operation{cluster.OpStop, cluster.OpRestart, cluster.OpRelocate, cluster.OpMigrate} {
		d := clustertest.Document("vm:a")
		delete(d.Nodes, "node1")
		b := clustertest.NewBook(t, 3, "vm:a")
		b.Must(clustertest.Configure(d, 1))
		b.Running("vm:a", "node1")
		b.Must(cluster.Ask{Request: "r", Op: op, Service: "vm:a",
			Node: map[bool]string{true: "node2"}[op == cluster.OpMigrate]})
		b.Lose("node1")
		settlePlan(b, 3)
		b.Answer("r", cluster.CodeNodeDead)
		b.Is("vm:a", resources.Started, "node1", "node1")
	}
}

func TestARelocationWhoseTargetDiedStopsNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpRelocate, Service: "vm:a", Node: "node2"})
	b.Lose("node2")
	settlePlan(b, 3)
	b.Answer("r", cluster.CodeNodeDead)
	b.Is("vm:a", resources.Started, "node1", "node1")
}

func TestAFrozenServiceWhoseNodeDiedCanBeUnfrozen(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "f", Op: cluster.OpFreeze, Service: "vm:a"})
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(b.Shot("node1", fence.Confirmed))
	settlePlan(b, 1)
	b.Is("vm:a", resources.Recovering, "")
	b.Must(cluster.Ask{Request: "u", Op: cluster.OpUnfreeze, Service: "vm:a"})
	finishByPlan(b, "vm:a")
	b.Is("vm:a", resources.Started, "node2", "node2")
}

func TestWhatWasPausedByOthersIsNotResumed(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.Must(clustertest.Configure(clustertest.Document("vm:a"), 1))
	b.Must(b.Looked("vm:a", "node1", resources.Paused))
	b.Must(b.Looked("vm:a", "node2", resources.Absent))
	b.Must(b.Looked("vm:a", "node3", resources.Absent))
	d := plan.Plan(b.S, cluster.View{Self: "node3"})
	if len(d.Commands) > 0 || len(d.Notes) != 1 {
		t.Errorf("planned %+v with notes %+v", d.Commands, d.Notes)
	}
}

func TestRequestsHaveALimit(t *testing.T) {
	b := clustertest.NewBook(t, 1, "vm:a")
	for i := range cluster.MaxRequests + 10 {
		b.Must(cluster.Ask{Request: fmt.Sprint("r", i), Op: cluster.OpStop, Service: "vm:none"})
	}
	if b.S.Requests.Len() != cluster.MaxRequests {
		t.Errorf("%d requests are kept", b.S.Requests.Len())
	}
	if _, kept := b.S.Requests.Get("r0"); kept {
		t.Error("the oldest was not forgotten")
	}
}
