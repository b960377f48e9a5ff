package metrics

import (
	"errors"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// history is a cluster in which vm:a is moved live, and recovers from the loss of its node.
func history(t *testing.T) (b *clustertest.Book, moved, recovered *cluster.State) {
	b = clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node2")
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node2", Target: "node1"})
	b.Ready("vm:a")
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running,
		Total: 4 * time.Second, Downtime: 90 * time.Millisecond}))
	moved = b.S.Fork()
	b.Must(cluster.Contact{Node: "node1", Incarnation: b.Node("node1").Incarnation, State: cluster.NodeLost,
		Silence: 500 * time.Millisecond, Why: message.Words("silent")})
	b.Must(b.Shoot("node1", "node2"))
	off := b.At.Add(700 * time.Millisecond)
	done := b.Shot("node1", fence.Confirmed)
	done.Result.Phases = []fence.Phase{{What: "off confirmed", At: off}}
	b.Must(done)
	b.Running("vm:a", "node3")
	return b, moved, b.S.Fork()
}

func TestWhatHappensIsCountedOnce(t *testing.T) {
	b, moved, recovered := history(t)
	tally := newTally()
	tally.look(moved, 1)
	tally.look(moved, 1)
	tally.look(recovered, 1)
	tally.look(recovered, 1)
	got, _ := scrape(t, tally)
	if len(b.S.FenceHistory) != 1 {
		t.Fatalf("%d fences", len(b.S.FenceHistory))
	}
	for name, want := range (scraped{
		"migrations_total{arrived}": 1, "migrations_total{undone}": 0, "migration_seconds count": 1,
		"migration_seconds sum": 4, "migration_downtime_seconds sum": .09,
		"fences_total{false,confirmed}": 1, "fence_seconds count": 1, "fence_seconds sum": 1,
		"node_transitions_total{lost}": 1, "node_transitions_total{fenced}": 1,
		"service_transitions_total{started}": 3, "service_transitions_total{migrating}": 1,
		// An entry each second; the node was last heard half a second before it was called lost.
		"failover_seconds count": 1, "failover_seconds sum": 4.5,
		"failover_phase_seconds{detection} sum": 1.5, "failover_phase_seconds{fencing} sum": .7,
		"failover_phase_seconds{waiting} sum": 1.3, "failover_phase_seconds{start} sum": 1,
	}) {
		if value, told := got[name]; !told || value != want {
			t.Errorf("%s is %v (told: %v), want %v", name, value, told, want)
		}
	}
}

// TestHistoryIsNotCountedAgain: a daemon that starts anew reads its log from the beginning.
func TestHistoryIsNotCountedAgain(t *testing.T) {
	_, moved, recovered := history(t)
	tally := newTally()
	tally.look(recovered, recovered.Index)
	got, _ := scrape(t, tally)
	for name, value := range got {
		if value != 0 {
			t.Errorf("%s is %v", name, value)
		}
	}
	tally = newTally()
	tally.look(recovered, moved.Index)
	got, _ = scrape(t, tally)
	if got["migrations_total{arrived}"] != 0 || got["fences_total{false,confirmed}"] != 1 {
		t.Errorf("what came before is counted, or what came behind is not: %v", got)
	}
}

func TestAMoveThatDidNotArrive(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	began := b.S.Index
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	b.Ready("vm:a")
	b.Must(b.Done("vm:a", "node1", resources.Result{Why: "libvirt: cancelled", Source: resources.Running,
		Target: resources.Absent}))
	b.Must(b.Looked("vm:a", "node2", resources.Absent))
	tally := newTally()
	tally.look(b.S, began)
	got, _ := scrape(t, tally)
	if got["migrations_total{undone}"] != 1 || got["migrations_total{arrived}"] != 0 ||
		got["migration_seconds count"] != 0 {
		t.Errorf("%v; the service is %+v", got, b.Service("vm:a"))
	}
}

func TestLeadersAndProposals(t *testing.T) {
	tally := newTally()
	for _, leader := range []string{"", "node1", "node1", "", "node1", "node2"} {
		tally.Led(leader)
	}
	tally.Proposed(20*time.Millisecond, nil)
	tally.Proposed(time.Second, errors.New("no leader"))
	got, _ := scrape(t, tally)
	if got["leader_changes_total"] != 2 || got["proposal_seconds count"] != 1 || got["proposals_failed_total"] != 1 {
		t.Errorf("%v", got)
	}
}
