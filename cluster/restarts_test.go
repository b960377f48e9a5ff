package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
)

func TestStartsInARowAreALoop(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var r *cluster.Restarts
	told := 0
	for round := 1; round <= 20; round++ {
		r = r.Another(at)
		if r.Loop() != (round > cluster.RestartsKnown) {
			t.Errorf("after %d starts: loop %v", round, r.Loop())
		}
		if r.Told() {
			told++
		}
		at = at.Add(cluster.RestartsApart)
	}
	if told != 6 { // the 1st to 4th, the 8th and the 16th
		t.Errorf("%d of 20 rounds are told", told)
	}
	if r = r.Another(at.Add(time.Second)); r.Count != 1 {
		t.Error("a daemon that ran for longer than that is still in its loop")
	}
	if r = r.Another(at.Add(-time.Hour)); r.Count != 1 || r.Loop() {
		t.Error("a clock that was set back makes a loop")
	}
}

// TestNobodySendsAServiceIntoALoop: a person's request is refused with the reason, until a start of
// the daemon has lasted.
func TestNobodySendsAServiceIntoALoop(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	for range cluster.RestartsKnown + 1 {
		b.Up("node2", "node2-boot-1")
	}
	move := cluster.Ask{Request: "soon", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2", By: "root"}
	b.Must(move)
	says(b, "soon", cluster.CodeNodeDead, message.TargetRestless.With("node2", b.Node("node2").Restarts.Says()).String())
	b.At = b.At.Add(cluster.RestartsApart)
	move.Request = "later"
	b.Must(move)
	if r, _ := b.S.Requests.Get("later"); r.Done {
		t.Errorf("once it stays up: %d %q", r.Code, r.Why)
	}
}
