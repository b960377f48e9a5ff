package cluster

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// says checks how a request was answered, and in which words.
func (b *book) says(id string, code int, words string) {
	b.t.Helper()
	b.answer(id, code)
	if r, _ := b.s.Requests.Get(id); !strings.Contains(r.Why, words) || (words == "" && r.Why != "") {
		b.t.Errorf("request %s was answered with %q, want %q in it", id, r.Why, words)
	}
}

// TestAStopIsNotDoneWhereTheVMMayRunElsewhere: a person moved the VM while it was stopped, and its
// new node cannot be asked. That it is gone from the old one is no success.
func TestAStopIsNotDoneWhereTheVMMayRunElsewhere(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node2")
	b.must(Ask{Request: "r", Op: OpStop, Service: "vm:a", By: "root"})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node2", Purpose: ForStop, By: "root"})
	see := func(condition resources.Condition, reason string) {
		b.must(Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index,
			Observation: resources.Observation{Condition: condition, Reason: reason}})
	}
	see(resources.Running, "")
	see(resources.Unknown, "libvirtd does not answer")
	b.must(b.done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
	b.says("r", codeTemporary, "it is gone from node2, and it is unknown on node1: libvirtd does not answer")
}

// TestAStartThatIsToldLateIsAnsweredByItsNode: a service came up, and its node is out of touch when
// the log hears of it.
func TestAStartThatIsToldLateIsAnsweredByItsNode(t *testing.T) {
	restarting := func() *book {
		b := newBook(t, 3, "vm:a")
		b.running("vm:a", "node2")
		b.must(Ask{Request: "r", Op: OpRestart, Service: "vm:a", By: "root"})
		b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node2", Purpose: ForRestart, By: "root"})
		b.must(b.done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
		b.must(b.startOf("vm:a", "node2"))
		return b
	}
	came := resources.Result{OK: true, Source: resources.Running}

	b := restarting()
	b.must(b.done("vm:a", "node2", came))
	b.says("r", codeSuccess, "")

	b = restarting()
	b.lose("node2")
	b.must(b.done("vm:a", "node2", came))
	b.says("r", codeTemporary, "node2 is lost, and it is started elsewhere once node2 is confirmed off")

	b = restarting()
	b.lose("node2")
	b.must(b.shoot("node2", "node1"))
	b.must(b.done("vm:a", "node2", came))
	b.says("r", codeFencing, "node2 is being fenced")

	// It announced that, and its guests run on: a failure would have it restarted once more.
	b = restarting()
	b.must(DaemonStopping{Node: "node2", Incarnation: b.node("node2").Incarnation})
	b.must(b.done("vm:a", "node2", came))
	b.says("r", codeSuccess, "it runs on node2, where clusterd was stopped on purpose since")
}

// TestAGuestThatFellAfterItsMoveIsNotCalledMoved: the source lost the end of the move, and the guest
// had crashed on its new node when that was asked.
func TestAGuestThatFellAfterItsMoveIsNotCalledMoved(t *testing.T) {
	b := moving(t)
	b.must(b.done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "the reply was lost"}))
	b.must(b.looked("vm:a", "node2", resources.Crashed))
	b.is("vm:a", resources.Recoverable, "node2", "node2")
	b.says("m", codeFailure, "it moved live, and is crashed on node2")
}

// TestADisabledServiceThatIsLookedForIsNotDown: it is asked for once more to be disabled, while nodes
// are still asked whether it came to them by hand.
func TestADisabledServiceThatIsLookedForIsNotDown(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "first", Op: OpDisable, Service: "vm:a", By: "root"})
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForDisable, By: "root"})
	b.up("node1", "node1-boot-1", Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
	b.is("vm:a", resources.Disabled, "", "node2", "node3")

	b.must(Ask{Request: "again", Op: OpDisable, Service: "vm:a", By: "root"})
	b.answer("first", codeAborted)
	b.must(b.looked("vm:a", "node2", resources.Absent))
	if r, _ := b.s.Requests.Get("again"); r.Done {
		t.Errorf("it was answered with %d %q while node3 is still asked", r.Code, r.Why)
	}
	b.must(b.looked("vm:a", "node3", resources.Absent))
	b.says("again", codeSuccess, "")
}

// TestWhatIsFoundBeforeTheAnswerCounts: a request was found fulfilled, and the log heard of another
// copy, or of a lost node, before it heard of that.
func TestWhatIsFoundBeforeTheAnswerCounts(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(Ask{Request: "r", Op: OpEnable, Service: "vm:a", Node: "node1"})
	over := GiveUp{Service: "vm:a", Request: "r", Code: codeSuccess}
	b.refused(over, "no longer fulfilled")

	b = newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "r", Op: OpDisable, Service: "vm:a", By: "root"})
	b.refused(over, "no longer fulfilled")
	b.must(Begin{Service: "vm:a", Intent: IntentStop, Node: "node1", Purpose: ForDisable, By: "root"})
	b.must(b.done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.says("r", codeSuccess, "")
}
