package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

func TestNothingIsShotWhileFencingIsDisarmed(t *testing.T) {
	b := clustertest.NewBook(t, 5)
	b.Refused(cluster.Disarm{For: time.Second, By: "root"}, "at least 1m and")
	b.Refused(cluster.Disarm{For: 25 * time.Hour, By: "root"}, "at most 24h0m,")
	b.Refused(cluster.Arm{By: "root"}, "armed already")
	b.Must(cluster.Disarm{For: 30 * time.Minute, By: "root", Why: "the switch is replaced"})
	b.Lose("node1")
	b.Refused(b.Shoot("node1", "node5"), "disarmed until 08:30")
	byHand := b.Shoot("node1", "node5")
	byHand.Override, byHand.By = true, "root"
	b.Refused(byHand, "`clusterd fence arm` ends that")
	b.Refused(drillOf(b, "node2"), "disarmed until")
	b.Refused(cluster.Arm{Expired: true}, "disarmed until")
	b.Must(cluster.Arm{By: "root"})
	b.Must(b.Shoot("node1", "node5"))
	b.Must(b.Shot("node1", fence.Unknown))

	// An intent that is open waits with its next attempt, and is not spared.
	b.Must(cluster.Disarm{For: time.Minute, By: "root"})
	b.Refused(cluster.AssignFence{Node: "node1", Fencer: "node5"}, "disarmed until")
	b.At = b.At.Add(time.Minute)
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node5"})
	b.Must(cluster.Arm{Expired: true})
	b.Must(b.Shot("node1", fence.Confirmed))
}

// A person who knows that a machine is off is believed also while nothing is shot.
func TestAWordIsTakenWhileFencingIsDisarmed(t *testing.T) {
	b := clustertest.NewBook(t, 5, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Disarm{For: time.Hour, By: "root"})
	b.Lose("node1")
	boot := b.Node("node1").Boot
	word := cluster.BeginFence{Node: "node1", Boot: boot, Fencer: "node5", By: "root",
		Why:      message.Words("a person's word"),
		Override: true, Word: true}
	confirm := cluster.ConfirmFence{Node: "node1", Boot: boot, By: "root"}
	b.Must(word, confirm)
	if b.Node("node1").State != cluster.NodeFenced || b.S.Fences.Len() != 0 {
		t.Fatalf("node1 is %s", b.Node("node1").State)
	}
	for _, d := range cluster.Work(b.S, "node5") {
		if d.Kind == cluster.DutyFence {
			t.Errorf("a device is used for a person's word: %+v", d)
		}
	}
}

// The plan arms fencing again by what it measures, and says until then why
// nothing is shot.
func TestADisarmingExpires(t *testing.T) {
	b := clustertest.NewBook(t, 5, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Disarm{For: 10 * time.Minute, By: "root"})
	b.Lose("node1")
	v := cluster.View{Self: "node5", Leading: true,
		Contacts: map[string]cluster.Contactwatch{
			"node1": {Silence: time.Minute, Heard: true, Verdict: &cluster.Verdict{Node: "node1", Kernel: cluster.Silent,
				Daemon: cluster.Silent}}}}
	d := plan.Plan(b.S, v)
	if len(d.Shots()) > 0 || !noted(d, "node1 is lost and not fenced: fencing is disarmed until") {
		t.Fatalf("while disarmed: %+v", d)
	}
	if rules.Steady(v, b.S, time.Hour) {
		t.Error("the plan is not asked again when the time is over")
	}
	v.Quiet = 10 * time.Minute
	b.At = b.At.Add(10 * time.Minute)
	d = plan.Plan(b.S, v)
	if len(d.Shots()) != 1 {
		t.Fatalf("when the time is over: %+v", d)
	}
	b.Must(d.Commands...)
	if b.S.Disarmed != nil {
		t.Error("it is still disarmed")
	}
}

func noted(d plan.Decision, text string) bool {
	for _, n := range d.Notes {
		if strings.Contains(n.Why.String(), text) {
			return true
		}
	}
	return false
}
