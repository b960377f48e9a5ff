package mind

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
)

// crashed is a cluster in which the daemon of node2, which runs a VM, has just started for the
// fourth time in a row.
func crashed(t *testing.T) *clustertest.Book {
	t.Helper()
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node2")
	for range cluster.RestartsKnown {
		b.At = b.At.Add(5 * time.Second)
		b.Up("node2", "node2-boot-1")
	}
	if !b.Node("node2").Restarts.Loop() {
		t.Fatalf("no loop: %+v", b.Node("node2").Restarts)
	}
	return b
}

// leads lets node1 lead for a while, hear node3, and node2 where it is given a beat of it. It
// reports whether node2 was called lost or a shot at it was proposed.
func (m *stepper) leads(span time.Duration, verdict *cluster.Verdict, beats ...Beat) (shot bool) {
	m.t.Helper()
	for began := m.now; m.now-began < span; {
		in := Input{Leading: true, Leader: "node1", End: m.b.S.Index, Beats: append(beats,
			Beat{Node: "node3", Incarnation: m.b.Node("node3").Incarnation, Applied: m.b.S.Index, End: m.b.S.Index})}
		if verdict != nil {
			in.Verdicts = []cluster.Verdict{*verdict}
		}
		for _, p := range m.step(cluster.Tick, in).Propose {
			for _, c := range p.Commands {
				switch c := c.(type) {
				case cluster.Contact:
					shot = shot || c.State == cluster.NodeLost
				case cluster.BeginFence:
					shot = true
				}
			}
		}
	}
	return shot
}

func (m *stepper) beat(incarnation uint64) Beat {
	return Beat{Node: "node2", Incarnation: incarnation, Applied: m.b.S.Index, End: m.b.S.Index}
}

// reached is what is found out about a node behind a broken link.
var reached = cluster.Verdict{Node: "node2", Kernel: cluster.Answers, Daemon: cluster.Answers}

// A host that once looped is well now, and its State says "loop" until its next start. Whoever
// begins to lead has seen none of that: its first beat after a silence is that of any node.
func TestAnOldLoopIsNothingToANewLeader(t *testing.T) {
	b := crashed(t)
	b.At = b.At.Add(72 * time.Hour)
	present := b.Node("node2").Incarnation
	for name, prepare := range map[string]func(*stepper){
		"its daemon has just started": func(*stepper) {},
		"it followed": func(m *stepper) {
			for range 20 {
				m.step(cluster.Tick, Input{Leader: "node3", Beats: []Beat{m.beat(present)}})
			}
		},
	} {
		m := newMind(t, b, "node1")
		prepare(m)
		if m.leads(20*time.Second, &reached) {
			t.Fatalf("%s: it is lost behind a broken link", name)
		}
		if m.leads(10*time.Second, nil, m.beat(present)) {
			t.Errorf("%s: a node that is well is lost at its first beat", name)
		}
	}
}

// After a power cut a daemon beats before the log knows of its start.
func TestABeatBeforeTheStartIsKnownIsNoEvidenceOfALoop(t *testing.T) {
	b := crashed(t)
	b.At = b.At.Add(72 * time.Hour)
	m := newMind(t, b, "node1")
	if m.leads(20*time.Second, nil) || m.leads(2*time.Second, nil, m.beat(0)) {
		t.Error("a host that boots is fenced for a loop of long ago")
	}
	// The same right after the loop: it may be its next boot that is heard.
	b = crashed(t)
	m = newMind(t, b, "node1")
	m.leads(time.Second, nil, m.beat(b.Node("node2").Incarnation))
	b.At = b.At.Add(5 * time.Second)
	b.Up("node2", "node2-boot-1")
	known := b.Node("node2").Incarnation
	if m.leads(time.Second, nil, m.beat(known)) || m.leads(16*time.Second, &reached) {
		t.Fatal("it is lost too soon")
	}
	if m.leads(2*time.Second, nil, m.beat(0)) {
		t.Error("the beats of a start that the log does not know are taken for another round")
	}
	if !m.leads(cluster.Tick, nil, m.beat(known)) {
		t.Error("a loop that goes on is not noticed")
	}
}

// A row of starts is over when no other start has followed for a while, heard or not.
func TestALoopIsOverWhenNoStartFollows(t *testing.T) {
	b := crashed(t)
	m := newMind(t, b, "node1")
	m.leads(time.Second, nil, m.beat(b.Node("node2").Incarnation))
	b.At = b.At.Add(5 * time.Second)
	b.Up("node2", "node2-boot-1")
	known := b.Node("node2").Incarnation
	if m.leads(time.Second, nil, m.beat(known)) || m.leads(cluster.RestartsApart, &reached) {
		t.Fatal("it is lost behind a broken link")
	}
	if m.leads(10*time.Second, nil, m.beat(known)) {
		t.Error("the one start that lasts is taken for another round")
	}
}

// A person who stops the daemon of a node that looped announces it: its last beats are no loop's.
func TestAnAnnouncedStopEndsALoop(t *testing.T) {
	b := crashed(t)
	b.S.Document.StopGrace = time.Second // no longer than any other silence
	m := newMind(t, b, "node1")
	m.leads(time.Second, nil, m.beat(b.Node("node2").Incarnation))
	b.At = b.At.Add(5 * time.Second)
	b.Up("node2", "node2-boot-1")
	known := b.Node("node2").Incarnation
	m.leads(cluster.Tick, nil, m.beat(known))
	if m.leads(cluster.TimingFor("").SilentGrace-2*time.Second, &reached) {
		t.Fatal("it is lost within its grace")
	}
	b.Must(cluster.DaemonStopping{Node: "node2", Incarnation: known})
	if m.leads(3*time.Second, nil, m.beat(known)) {
		t.Error("a node is shot for a loop although its stop was announced")
	}
}
