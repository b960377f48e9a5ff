package cluster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
)

func TestStartsInARowAreALoop(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var r *cluster.Restarts
	told := 0
	for round := 1; round <= 20; round++ {
		r = r.Another(at, "boot-1")
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
	if r = r.Another(at.Add(time.Second), "boot-1"); r.Count != 1 {
		t.Error("a daemon that ran for longer than that is still in its loop")
	}
	if r = r.Another(at.Add(-time.Hour), "boot-1"); r.Count != 1 || r.Loop() {
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

// A clock that is set back ends a loop, until the clock shows the time of its starts again. The
// decision says when it will, so that what is told stays what an explanation tells.
func TestALoopThatAClockEndedComesBackInTime(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	for range cluster.RestartsKnown + 1 {
		b.Up("node2", "node2-boot-1")
	}
	b.At = b.At.Add(-time.Minute)
	b.Running("vm:a", "node1")
	view := cluster.View{}.On(b.S, 0)
	noted := func() (plan.Decision, bool) {
		d := plan.Plan(b.S, view)
		return d, slices.ContainsFunc(d.Notes, func(n cluster.Note) bool { return n.Subject == "node2" })
	}
	d, told := noted()
	if told || d.Again == 0 || d.Again > cluster.RestartsApart {
		t.Fatalf("told %v, and it is decided again after %s", told, d.Again)
	}
	view.Quiet = d.Again
	if _, told = noted(); !told {
		t.Error("it is not told when the clock shows that time again")
	}
}

// The grace is for one row of starts: one that lasts as long as a daemon may be silent ends it, and
// while one may be such a start its node is waited for.
func TestALoopHasItsGrace(t *testing.T) {
	timing := cluster.TimingFor("")
	n := &cluster.Member{Name: "node2", Restarts: &cluster.Restarts{Count: cluster.RestartsKnown + 1}}
	w := cluster.Contactwatch{Heard: true}
	known := uint64(1)
	run := func(incarnation uint64, up, down time.Duration) (lost time.Duration) {
		n.Incarnation = incarnation
		for at := time.Duration(0); at < up+down; at += cluster.Tick {
			w.Silence = max(0, at-up)
			heard := cluster.Tick
			if at >= up {
				heard = 0
			}
			w.Starts = w.Starts.Goes(n, known, cluster.Tick, heard, timing.SilentGrace)
			known, w.Known, w.Incarnation = incarnation, incarnation, incarnation
			if cluster.Judge(*n, w, timing).State == cluster.NodeLost {
				lost += cluster.Tick
			}
		}
		return lost
	}
	for round := range uint64(4) {
		if lost := run(round+2, time.Second, 2*time.Second); lost > 0 {
			t.Fatalf("within the grace it is lost for %s in round %d", lost, round)
		}
	}
	run(6, time.Second, 2*time.Second)
	if lost := run(7, timing.SilentGrace+time.Second, 0); lost == 0 || lost > timing.Deaf {
		t.Errorf("after the grace it is lost for %s of a start that lasts", lost)
	}
	if lost := run(8, time.Second, 0); lost > 0 {
		t.Errorf("after a start that lasted it is lost for %s", lost)
	}
	n.Restarts = nil
	if w.Starts = w.Starts.Goes(n, known, cluster.Tick, 0, timing.SilentGrace); w.Starts != (cluster.Startwatch{}) {
		t.Errorf("what is no loop is measured: %+v", w.Starts)
	}
}

// A stop that was announced is somebody's: the start after it is no round of a loop.
func TestARestartOnPurposeIsNoRound(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	for range 3 * cluster.RestartsKnown {
		b.Must(cluster.DaemonStopping{Node: "node2", Incarnation: b.Node("node2").Incarnation})
		b.Up("node2", "node2-boot-1")
	}
	if r := b.Node("node2").Restarts; r.Loop() {
		t.Errorf("restarts on purpose are a loop: %+v", r)
	}
}

// A boot is no round of a daemon's loop: whoever was fenced for one begins anew. A daemon that ends
// before it has told what runs on the new boot is in a loop all the same.
func TestABootEndsALoop(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	for range cluster.RestartsKnown {
		b.Up("node2", "node2-boot-1")
	}
	if r := b.Node("node2").Restarts; !r.Loop() {
		t.Fatalf("no loop: %+v", r)
	}
	ends := func(round int) {
		up := cluster.NodeUp{Node: "node2", Boot: "node2-boot-2", Session: fmt.Sprint("start-", round),
			Fingerprint: b.Node("node2").Fingerprint, MaxLevel: b.S.Level}
		b.Must(up)
	}
	ends(1)
	if r := b.Node("node2").Restarts; r == nil || r.Count != 1 {
		t.Errorf("after a boot: %+v", r)
	}
	for round := range cluster.RestartsKnown {
		ends(round + 2)
	}
	if r := b.Node("node2").Restarts; !r.Loop() {
		t.Errorf("it ended at each start since it was booted: %+v", r)
	}
}
