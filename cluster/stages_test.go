package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// asking brings vm:a to a migration from node1 to node2 whose target is being asked.
func asking(t *testing.T) *clustertest.Book {
	t.Helper()
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "m", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	return b
}

// home has the source answer, and checks that the VM runs on there, untouched and alone.
func home(b *clustertest.Book, why string) {
	b.T.Helper()
	does(b, "node1", cluster.DutyLook)
	b.Must(b.Looked("vm:a", "node1", resources.Running))
	b.Is("vm:a", resources.Started, "node1", "node1")
	if reason := b.Service("vm:a").Reason.String(); !strings.Contains(reason, why) {
		b.T.Errorf("it is said: %s", reason)
	}
}

func TestTheTargetIsAskedBeforeAnythingIsSent(t *testing.T) {
	b := asking(t)
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	does(b, "node2", cluster.DutyPrepare)
	if got := duties(b, "node1"); len(got) != 0 {
		t.Fatalf("the source has to do %v already", got)
	}
	if d := cluster.Work(b.S, "node2")[0]; d.Definition != "<domain/>" || d.Target != "node2" {
		t.Errorf("the target is asked about %+v", d)
	}
	b.Ready("vm:a")
	does(b, "node1", cluster.DutyMigrate)
	if got := duties(b, "node2"); len(got) != 0 {
		t.Errorf("the target has to do %v still", got)
	}
}

func TestATargetThatCannotTakeItEndsTheMoveWithNothingSent(t *testing.T) {
	b := asking(t)
	b.Must(b.Done("vm:a", "node2", resources.Result{Source: resources.Absent, Why: "bridge br-blue is missing"}))
	b.Is("vm:a", resources.Migrating, "node1", "node1")
	home(b, "bridge br-blue is missing")
	request, _ := b.S.Requests.Get("m")
	if !request.Done || request.Code != cluster.CodeRunsAtHome {
		t.Errorf("the request is answered %+v", request)
	}
}

// Nothing was sent, so it does not matter that nobody knows what the target would have said.
func TestAMoveWhoseTargetFallsSilentIsWithdrawn(t *testing.T) {
	for what, happens := range map[string]func(b *clustertest.Book){
		"is lost": func(b *clustertest.Book) { b.Lose("node2") },
		"restarts": func(b *clustertest.Book) {
			n := b.Node("node2")
			b.Must(cluster.NodeUp{Node: "node2", Fingerprint: n.Fingerprint, Boot: n.Boot, Address: n.Address,
				MaxLevel: cluster.CurrentLevel})
		},
		"hangs": func(b *clustertest.Book) {
			b.Must(b.Done("vm:a", "node2", resources.Result{Source: resources.Unknown, Why: "no answer"}))
		},
		"is not waited for, because it is to be stopped": func(b *clustertest.Book) {
			b.Must(cluster.Ask{Request: "d", Op: cluster.OpDisable, Service: "vm:a", By: "root"})
		},
		"is not waited for": func(b *clustertest.Book) {
			b.Must(cluster.Ask{Request: "c", Op: cluster.OpCancel, Service: "vm:a", By: "root"})
		},
	} {
		t.Run(what, func(t *testing.T) {
			b := asking(t)
			happens(b)
			b.Is("vm:a", resources.Migrating, "node1", "node1")
			home(b, "")
		})
	}
}

func TestASourceThatRestartsWhileTheTargetIsAskedKeepsTheVM(t *testing.T) {
	b := asking(t)
	n := b.Node("node1")
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: n.Fingerprint, Boot: n.Boot, Address: n.Address,
		MaxLevel: cluster.CurrentLevel})
	b.Is("vm:a", resources.Migrating, "node1", "node1")
}

// What is found on the target while it is asked did not come by this act, and is not forgotten with
// it.
func TestACopyOnTheTargetStaysAHolder(t *testing.T) {
	b := asking(t)
	b.Must(cluster.Observed{Service: "vm:a", Node: "node2", Incarnation: b.Node("node2").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Running}})
	b.Must(b.Done("vm:a", "node2", resources.Result{Source: resources.Running, Why: "a copy is here"}))
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
}

// An answer that comes after the act was withdrawn is none to the questions that were put since.
func TestALateAnswerOfTheTargetSaysNothing(t *testing.T) {
	for _, ok := range []bool{true, false} {
		b := asking(t)
		late := b.Done("vm:a", "node2", resources.Result{OK: ok, Source: resources.Absent})
		b.Must(cluster.Ask{Request: "c", Op: cluster.OpCancel, Service: "vm:a", By: "root"})
		b.Refused(late, "no longer in stage prepare")
		home(b, "")
	}
	b := asking(t)
	again := b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent})
	b.Must(again)
	b.Refused(again, "no longer in stage prepare")
	does(b, "node1", cluster.DutyMigrate)
}

// The limits of a move are those that are declared, with what was asked for this move in their
// place.
func TestTheLimitsOfAMove(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	document := clustertest.Document("vm:a")
	spec := document.Services["vm:a"]
	spec.Migration = resources.Migration{AutoConverge: true, Bandwidth: 100}
	document.Services["vm:a"] = spec
	b.Must(clustertest.Configure(document, b.S.Config.Version))
	b.Running("vm:a", "node1")
	tune := cluster.Ask{Request: "early", Op: cluster.OpTune, Service: "vm:a",
		Migration: resources.Migration{Bandwidth: 400}}
	b.Must(tune)
	says(b, "early", cluster.CodeInvalid, "is not being migrated")
	b.Must(cluster.Ask{Request: "m", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2",
		Migration: resources.Migration{Downtime: time.Second}})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	want := resources.Migration{AutoConverge: true, Bandwidth: 100, Downtime: time.Second}
	if d := cluster.Work(b.S, "node1")[0]; d.Move != want {
		t.Fatalf("it is moved with %q, want %q", d.Move, want)
	}
	keys := map[string]bool{}
	for i, bandwidth := range []int{400, 500} {
		tune.Request, tune.Migration.Bandwidth = fmt.Sprint("t", i), bandwidth
		b.Must(tune)
		b.Answer(tune.Request, cluster.CodeSuccess)
		work := cluster.Work(b.S, "node1")
		if len(work) != 2 || work[1].Kind != cluster.DutyTune || work[1].Move.Bandwidth != bandwidth ||
			work[1].Lane() == work[0].Lane() {
			t.Fatalf("node1 has to do %+v", work)
		}
		keys[work[1].Key()] = true
	}
	if len(keys) != 2 {
		t.Error("two changes are one act, and the second would never be handed out")
	}
}

func TestLimitsThatAreNone(t *testing.T) {
	b := asking(t)
	for id, c := range map[string]struct {
		op   cluster.Operation
		how  resources.Migration
		says string
	}{
		"fixed":  {cluster.OpTune, resources.Migration{AutoConverge: true}, "cannot be changed while vm:a moves"},
		"none":   {cluster.OpTune, resources.Migration{}, "nothing is set"},
		"bounds": {cluster.OpTune, resources.Migration{Bandwidth: -1}, "out of bounds"},
		"other":  {cluster.OpRestart, resources.Migration{Bandwidth: 1}, "go with a request to migrate vm:a"},
	} {
		b.Must(cluster.Ask{Request: id, Op: c.op, Service: "vm:a", Migration: c.how})
		says(b, id, cluster.CodeInvalid, c.says)
	}
}

func TestMovesAreKept(t *testing.T) {
	b := asking(t)
	b.Must(b.Done("vm:a", "node2", resources.Result{Source: resources.Absent, Why: "no bridge"}))
	home(b, "no bridge")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2", By: "drain"})
	b.Ready("vm:a")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running,
		Total: time.Second, Downtime: 40 * time.Millisecond}))
	kept, _ := b.S.Moves.Get("vm:a")
	if len(kept.List) != 2 || kept.List[0].Arrived || kept.List[0].Undone.String() != "no bridge" ||
		!kept.List[1].Arrived || kept.List[1].By != "drain" || kept.List[1].Downtime != 40*time.Millisecond {
		t.Errorf("%+v", kept.List)
	}
}

func TestFewMovesAreKeptWhereManyServicesMove(t *testing.T) {
	for services, want := range map[int]int{1: cluster.MovesKept, 40: cluster.MovesKept, 100: 40, 5000: 8} {
		var m cluster.Moves
		for range 2 * cluster.MovesKept {
			m = m.Another(cluster.Move{}, services)
		}
		if len(m.List) != want {
			t.Errorf("%d moves of each of %d services, want %d", len(m.List), services, want)
		}
	}
}

// A recovered log may lack the entry that had it sent. So a target that is being asked, by that
// log, is asked what it has, and stays a holder until it has said.
func TestANewGenerationDoesNotBelieveThatNothingWasSent(t *testing.T) {
	b := asking(t)
	b.Must(cluster.Recover{Generation: 2, Dead: []string{"node3"}, Through: b.S.Index, By: "root"})
	b.Is("vm:a", resources.Migrating, "node1", "node1", "node2")
	if !b.Service("vm:a").Intent.Sends() {
		t.Error("the tunnel would cut a move that may be under way")
	}
	b.Must(b.Looked("vm:a", "node1", resources.Absent))
	b.Must(b.Looked("vm:a", "node2", resources.Running))
	b.Is("vm:a", resources.Started, "node2", "node2")
}
