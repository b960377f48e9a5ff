package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/resources"
)

// A result whose fate its daemon does not know is proposed again, and both copies may
// come into the log: the second one after what was seen later.
func TestALateTwinOfAnObservationCountsForNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	declared := []resources.Disk{{Identity: "disk-of-vm:a"}}
	attached := append(declared[:1:1], resources.Disk{Identity: "by-hand"})
	seen := func(disks []resources.Disk) cluster.Observed {
		return cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
			Observation: resources.Observation{Condition: resources.Running, Disks: disks}}
	}
	early := seen(attached)
	b.Must(early)
	late := seen(declared)
	b.Must(late)
	b.Refused(early, "not newer than the last look")
	if h, _ := b.Service("vm:a").Holder("node1"); !resources.SameDisks(h.Disks, declared) {
		t.Errorf("the State counts %v, and it runs on %v", h.Disks, declared)
	}
	tie := early
	tie.AsOf = late.AsOf
	b.Refused(tie, "not newer than the last look")
	b.Must(seen(attached))
}

// An answer to the State's own asking ends what was seen before it, too.
func TestAnAnswerIsNewerThanTheLooksBeforeIt(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Absent}})
	early := cluster.Observed{Service: "vm:a", Node: "node2", Incarnation: b.Node("node2").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Condition: resources.Paused, Reason: "user"}}
	answer := b.Looked("vm:a", "node2", resources.Running)
	answer.AsOf = b.S.Index
	b.Must(answer)
	b.Refused(early, "not newer than the last look")
}

// What an interrupted start left has the disks that were declared then. It is not gone
// on with where others are declared by now: the State would count those.
func TestAnInterruptedStartWithOtherDisksIsRemoved(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	left := cluster.Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Paused,
		Disks: b.Service("vm:a").Spec.Disks}}
	declare(b, "vm:a", func(s *resources.Spec) {
		s.Disks = append(s.Disks[:1:1], resources.Disk{Identity: "new"})
	})
	b.Up("node1", "node1-boot-1", left)
	b.Refused(b.StartOf("vm:a", "node1"), "other disks than it is declared with now")
	plan := plan.Plan(b.S, cluster.View{Self: "node2", Leading: true, Led: time.Minute})
	if len(plan.Commands) != 1 {
		t.Fatalf("planned is %+v", plan.Commands)
	}
	if c, begins := plan.Commands[0].(cluster.Begin); !begins || c.Intent != cluster.IntentStop ||
		c.Purpose != cluster.ForCleanup {
		t.Errorf("planned is %+v, want that what is left is removed", plan.Commands[0])
	}
}
