package cluster

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// A result whose fate its daemon does not know is proposed again, and both copies may
// come into the log: the second one after what was seen later.
func TestALateTwinOfAnObservationCountsForNothing(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	declared := []resources.Disk{{Identity: "disk-of-vm:a"}}
	attached := append(declared[:1:1], resources.Disk{Identity: "by-hand"})
	seen := func(disks []resources.Disk) Observed {
		return Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index,
			Observation: resources.Observation{Condition: resources.Running, Disks: disks}}
	}
	early := seen(attached)
	b.must(early)
	late := seen(declared)
	b.must(late)
	b.refused(early, "not newer than the last look")
	if h, _ := b.service("vm:a").holder("node1"); !resources.SameDisks(h.Disks, declared) {
		t.Errorf("the State counts %v, and it runs on %v", h.Disks, declared)
	}
	tie := early
	tie.AsOf = late.AsOf
	b.refused(tie, "not newer than the last look")
	b.must(seen(attached))
}

// An answer to the State's own asking ends what was seen before it, too.
func TestAnAnswerIsNewerThanTheLooksBeforeIt(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Observed{Service: "vm:a", Node: "node1", Incarnation: b.node("node1").Incarnation, AsOf: b.s.Index,
		Observation: resources.Observation{Condition: resources.Absent}})
	early := Observed{Service: "vm:a", Node: "node2", Incarnation: b.node("node2").Incarnation, AsOf: b.s.Index,
		Observation: resources.Observation{Condition: resources.Paused, Reason: "user"}}
	answer := b.looked("vm:a", "node2", resources.Running)
	answer.AsOf = b.s.Index
	b.must(answer)
	b.refused(early, "not newer than the last look")
}

// What an interrupted start left has the disks that were declared then. It is not gone
// on with where others are declared by now: the State would count those.
func TestAnInterruptedStartWithOtherDisksIsRemoved(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	left := Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Paused,
		Disks: b.service("vm:a").Spec.Disks}}
	b.declare("vm:a", func(s *resources.Spec) {
		s.Disks = append(s.Disks[:1:1], resources.Disk{Identity: "new"})
	})
	b.up("node1", "node1-boot-1", left)
	b.refused(b.startOf("vm:a", "node1"), "other disks than it is declared with now")
	plan := Plan(b.s, View{Self: "node2", Leading: true, Led: time.Minute})
	if len(plan.Commands) != 1 {
		t.Fatalf("planned is %+v", plan.Commands)
	}
	if c, begins := plan.Commands[0].(Begin); !begins || c.Intent != IntentStop || c.Purpose != ForCleanup {
		t.Errorf("planned is %+v, want that what is left is removed", plan.Commands[0])
	}
}
