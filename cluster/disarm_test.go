package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

func TestNothingIsShotWhileFencingIsDisarmed(t *testing.T) {
	b := newBook(t, 5)
	b.refused(Disarm{For: time.Second, By: "root"}, "at least 1m0s")
	b.refused(Disarm{For: 25 * time.Hour, By: "root"}, "at most 24h0m0s")
	b.refused(Arm{By: "root"}, "armed already")
	b.must(Disarm{For: 30 * time.Minute, By: "root", Why: "the switch is replaced"})
	b.lose("node1")
	b.refused(b.shoot("node1", "node5"), "disarmed until 08:30")
	byHand := b.shoot("node1", "node5")
	byHand.Override, byHand.By = true, "root"
	b.refused(byHand, "`clusterd fence arm` ends that")
	b.refused(drillOf(b, "node2"), "disarmed until")
	b.refused(Arm{Expired: true}, "disarmed until")
	b.must(Arm{By: "root"})
	b.must(b.shoot("node1", "node5"))
	b.must(b.shot("node1", fence.Unknown))

	// An intent that is open waits with its next attempt, and is not spared.
	b.must(Disarm{For: time.Minute, By: "root"})
	b.refused(AssignFence{Node: "node1", Fencer: "node5"}, "disarmed until")
	b.at = b.at.Add(time.Minute)
	b.must(AssignFence{Node: "node1", Fencer: "node5"})
	b.must(Arm{Expired: true})
	b.must(b.shot("node1", fence.Confirmed))
}

// A person who knows that a machine is off is believed also while nothing is shot.
func TestAWordIsTakenWhileFencingIsDisarmed(t *testing.T) {
	b := newBook(t, 5, "vm:a")
	b.running("vm:a", "node1")
	b.must(Disarm{For: time.Hour, By: "root"})
	b.lose("node1")
	boot := b.node("node1").Boot
	word := BeginFence{Node: "node1", Boot: boot, Fencer: "node5", Why: "a person's word", By: "root", Override: true, Word: true}
	confirm := ConfirmFence{Node: "node1", Boot: boot, By: "root"}
	b.must(word, confirm)
	if b.node("node1").State != NodeFenced || b.s.Fences.Len() != 0 {
		t.Fatalf("node1 is %s", b.node("node1").State)
	}
	for _, d := range Work(b.s, "node5") {
		if d.Kind == DutyFence {
			t.Errorf("a device is used for a person's word: %+v", d)
		}
	}
}

// The plan arms fencing again by what it measures, and says until then why
// nothing is shot.
func TestADisarmingExpires(t *testing.T) {
	b := newBook(t, 5, "vm:a")
	b.running("vm:a", "node1")
	b.must(Disarm{For: 10 * time.Minute, By: "root"})
	b.lose("node1")
	v := View{Self: "node5", Leading: true, Contacts: map[string]Contactwatch{"node1": {Silence: time.Minute, Heard: true, Verdict: &Verdict{Node: "node1", Kernel: Silent, Daemon: Silent}}}}
	d := Plan(b.s, v)
	if len(d.shots()) > 0 || !noted(d, "node1 is lost and not fenced: fencing is disarmed until") {
		t.Fatalf("while disarmed: %+v", d)
	}
	if v.steady(b.s, time.Hour) {
		t.Error("the plan is not asked again when the time is over")
	}
	v.Quiet = 10 * time.Minute
	b.at = b.at.Add(10 * time.Minute)
	d = Plan(b.s, v)
	if len(d.shots()) != 1 {
		t.Fatalf("when the time is over: %+v", d)
	}
	b.must(d.Commands...)
	if b.s.Disarmed != nil {
		t.Error("it is still disarmed")
	}
}

func noted(d Decision, text string) bool {
	for _, n := range d.Notes {
		if strings.Contains(n.Why, text) {
			return true
		}
	}
	return false
}
