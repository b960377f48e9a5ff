package cluster_test

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// says checks how a request was answered, and in which words.
func says(b *clustertest.Book, id string, code int, words string) {
	b.T.Helper()
	b.Answer(id, code)
	if r, _ := b.S.Requests.Get(id); !strings.Contains(r.Why.String(), words) || (words == "" && !r.Why.IsZero()) {
		b.T.Errorf("request %s was answered with %q, want %q in it", id, r.Why, words)
	}
}

// TestAStopIsNotDoneWhereTheVMMayRunElsewhere: a person moved the VM while it was stopped, and its
// new node cannot be asked. That it is gone from the old one is no success.
func TestAStopIsNotDoneWhereTheVMMayRunElsewhere(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node2")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpStop, Service: "vm:a", By: "root"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node2", Purpose: cluster.ForStop, By: "root"})
	see := func(condition resources.Condition, reason string) {
		b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
			Observation: resources.Observation{Condition: condition, Reason: reason}})
	}
	see(resources.Running, "")
	see(resources.Unknown, "libvirtd does not answer")
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
	says(b, "r", cluster.CodeTemporary, "it is gone from node2, and it is unknown on node1: libvirtd does not answer")
}

// TestAStartThatIsToldLateIsAnsweredByItsNode: a service came up, and its node is out of touch when
// the log hears of it.
func TestAStartThatIsToldLateIsAnsweredByItsNode(t *testing.T) {
	restarting := func() *clustertest.Book {
		b := clustertest.NewBook(t, 3, "vm:a")
		b.Running("vm:a", "node2")
		b.Must(cluster.Ask{Request: "r", Op: cluster.OpRestart, Service: "vm:a", By: "root"})
		b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node2", Purpose: cluster.ForRestart,
			By: "root"})
		b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
		b.Must(b.StartOf("vm:a", "node2"))
		return b
	}
	came := resources.Result{OK: true, Source: resources.Running}

	b := restarting()
	b.Must(b.Done("vm:a", "node2", came))
	says(b, "r", cluster.CodeSuccess, "")

	b = restarting()
	b.Lose("node2")
	b.Must(b.Done("vm:a", "node2", came))
	says(b, "r", cluster.CodeTemporary, message.OwnerOutOfTouch.With("vm:a", "node2", cluster.NodeLost).String())

	b = restarting()
	b.Lose("node2")
	b.Must(b.Shoot("node2", "node1"))
	b.Must(b.Done("vm:a", "node2", came))
	says(b, "r", cluster.CodeFencing, "node2 is being fenced")

	// It announced that, and its guests run on: a failure would have it restarted once more.
	b = restarting()
	b.Must(cluster.DaemonStopping{Node: "node2", Incarnation: b.Node("node2").Incarnation})
	b.Must(b.Done("vm:a", "node2", came))
	says(b, "r", cluster.CodeSuccess, "it runs on node2, where clusterd has since been stopped on purpose")
}

// TestAGuestThatFellAfterItsMoveIsNotCalledMoved: the source lost the end of the move, and the
// guest had crashed on its new node when that was asked.
func TestAGuestThatFellAfterItsMoveIsNotCalledMoved(t *testing.T) {
	b := moving(t)
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "the reply was lost"}))
	b.Must(b.Looked("vm:a", "node2", resources.Crashed))
	b.Is("vm:a", resources.Recoverable, "node2", "node2")
	says(b, "m", cluster.CodeFailure, "it moved live, and is crashed on node2")
}

// TestADisabledServiceThatIsLookedForIsNotDown: it is asked for once more to be disabled, while
// nodes are still asked whether it came to them by hand.
func TestADisabledServiceThatIsLookedForIsNotDown(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "first", Op: cluster.OpDisable, Service: "vm:a", By: "root"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForDisable,
		By: "root"})
	b.Up("node1", "node1-boot-1",
		cluster.Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.Is("vm:a", resources.Disabled, "", "node2", "node3")

	b.Must(cluster.Ask{Request: "again", Op: cluster.OpDisable, Service: "vm:a", By: "root"})
	b.Answer("first", cluster.CodeAborted)
	b.Must(b.Looked("vm:a", "node2", resources.Absent))
	if r, _ := b.S.Requests.Get("again"); r.Done {
		t.Errorf("it was answered with %d %q while node3 is still asked", r.Code, r.Why)
	}
	b.Must(b.Looked("vm:a", "node3", resources.Absent))
	says(b, "again", cluster.CodeSuccess, "")
}

// TestWhatIsFoundBeforeTheAnswerCounts: a request was found fulfilled, and the log heard of another
// copy, or of a lost node, before it heard of that.
func TestWhatIsFoundBeforeTheAnswerCounts(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpEnable, Service: "vm:a", Node: "node1"})
	over := cluster.GiveUp{Service: "vm:a", Request: "r", Code: cluster.CodeSuccess}
	b.Refused(over, "no longer fulfilled")

	b = clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpDisable, Service: "vm:a", By: "root"})
	b.Refused(over, "no longer fulfilled")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForDisable,
		By: "root"})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	says(b, "r", cluster.CodeSuccess, "")
}

// TestAServiceOnALostNodeIsNotCalledRunning: what is remembered of a node that is lost and not
// being fenced yet says nothing about now.
func TestAServiceOnALostNodeIsNotCalledRunning(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Lose("node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpEnable, Service: "vm:a", By: "root"})
	says(b, "r", cluster.CodeTemporary, message.OwnerOutOfTouch.With("vm:a", "node1", cluster.NodeLost).String())
}

// TestWhatIsTakenOffItsNodeIsNotCalledRunningThere: a VM is stopped because its node leaves, or
// crashed, and is seen there until it is gone. Who asks to relocate it to that very node must not
// hear that it runs.
func TestWhatIsTakenOffItsNodeIsNotCalledRunningThere(t *testing.T) {
	there := cluster.Ask{Request: "r", Op: cluster.OpRelocate, Service: "vm:a", Node: "node1", By: "root"}

	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(there)
	says(b, "r", cluster.CodeSuccess, "vm:a already runs on node1")

	b = clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.OrderNode{Node: "node2", Order: cluster.OrderStandby, By: "root"},
		cluster.OrderNode{Node: "node3", Order: cluster.OrderStandby, By: "root"}, cluster.Leave{Node: "node1", By: "root"},
		cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForRecovery, By: "leave"})
	b.Is("vm:a", resources.Recoverable, "node1", "node1")
	b.Must(there)
	says(b, "r", cluster.CodeNodeDead, "node1 is leaving")

	// A node that stays may have it again, once what crashed is gone from it.
	b = clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Crashed}})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForCleanup})
	b.Is("vm:a", resources.Recoverable, "node1", "node1")
	b.Must(there)
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	if r, _ := b.S.Requests.Get("r"); r.Done {
		t.Errorf("it was answered with %d %q before it runs again", r.Code, r.Why)
	}
	b.Running("vm:a", "node1")
	says(b, "r", cluster.CodeSuccess, "")
}
