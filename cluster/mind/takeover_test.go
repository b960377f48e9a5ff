package mind

import (
	"slices"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// TestANewLeaderAsksBeforeItFencesWhatAnotherCalledLost: the node was lost to another leader and
// held nothing. Meanwhile it is in doubt for a service, and its kernel may answer.
func TestANewLeaderAsksBeforeItFencesWhatAnotherCalledLost(t *testing.T) {
	b := clustertest.NewBook(t, 5, "vm:a")
	b.Running("vm:a", "node1")
	b.Lose("node1")
	plan := func(verdict *cluster.Verdict) plan.Decision {
		w := cluster.Contactwatch{Silence: 10 * time.Second, Heard: true, Verdict: verdict}
		return plan.Plan(b.S, cluster.View{Self: "node5", Leading: true,
			Contacts: map[string]cluster.Contactwatch{"node1": w}})
	}
	asks := func(n cluster.Note) bool { return n.Why.Is(message.KernelNotAsked) }
	if d := plan(nil); len(d.Shots()) > 0 || !slices.ContainsFunc(d.Notes, asks) {
		t.Errorf("before anybody was asked: %+v", d)
	}
	if d := plan(&cluster.Verdict{Node: "node1", Kernel: cluster.Answers, Daemon: cluster.Silent}); len(d.Shots()) > 0 {
		t.Errorf("while its kernel answers: %+v", d)
	}
	if d := plan(&cluster.Verdict{Node: "node1", Kernel: cluster.Silent, Daemon: cluster.Silent}); len(d.Shots()) != 1 {
		t.Errorf("when nobody reaches it: %+v", d)
	}
}

// TestWhoLeadsAgainForgetsWhatItFoundOutBefore: node2 was silent to everybody when node1 led.
func TestWhoLeadsAgainForgetsWhatItFoundOutBefore(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	m := newMind(t, b, "node1")
	m.listens(time.Second, func() uint64 { return b.S.Index })
	silent := cluster.Verdict{Node: "node2", Kernel: cluster.Silent, Daemon: cluster.Silent}
	m.step(cluster.Tick, Input{Leading: true, Leader: "node1", Verdicts: []cluster.Verdict{silent}})
	if m.node.view.Contacts["node2"].Verdict == nil {
		t.Fatal("the leader did not take the verdict in")
	}
	m.step(cluster.Tick, Input{}) // nobody leads: whoever is elected need not ask once more
	if m.node.view.Contacts["node2"].Verdict == nil {
		t.Fatal("it is forgotten while nobody leads")
	}
	m.step(cluster.Tick, Input{Leader: "node3"})
	if w := m.node.view.Contacts["node2"]; w.Verdict != nil {
		t.Errorf("node1 follows, and keeps %+v", *w.Verdict)
	}
}

// TestALeaderThatStoodStillHearsANodeBeforeItSendsWorkThere: what it heard before it stood
// still may have been off ever since.
func TestALeaderThatStoodStillHearsANodeBeforeItSendsWorkThere(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	m := newMind(t, b, "node1")
	m.listens(2*time.Second, func() uint64 { return b.S.Index })
	says := func() message.Text { return rules.Unheard(m.node.view, rules.Of(b.S), b.Node("node2")) }
	if why := says(); !why.IsZero() {
		t.Fatalf("a node that is heard: %s", why)
	}
	m.step(16*time.Second, Input{Leading: true, Leader: "node1", End: b.S.Index})
	if why := says(); !why.Is(message.NodeNotHeardSince) {
		t.Errorf("after the leader stood still: %q", why)
	}
	m.listens(cluster.Tick, func() uint64 { return b.S.Index })
	if why := says(); !why.IsZero() {
		t.Errorf("once it is heard: %s", why)
	}
}

// TestALogThatIsReadAgainIsNoSignOfLife: a daemon that has just started reads old entries, and in
// them that another one starts. That one may have been off for hours.
func TestALogThatIsReadAgainIsNoSignOfLife(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	n := b.Node("node2")
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: n.Fingerprint, Boot: n.Boot, Address: n.Address,
		MaxLevel: cluster.CurrentLevel})
	m := newMind(t, b, "node1")
	m.step(cluster.Tick, Input{Leading: true, Leader: "node1"}) // it is looking, says the log
	b.Must(cluster.Inventory{Node: "node2", Incarnation: b.Node("node2").Incarnation, Boot: n.Boot})
	m.step(cluster.Tick, Input{Leading: true, Leader: "node1"})
	if why := rules.Unheard(m.node.view, rules.Of(b.S), b.Node("node2")); !why.Is(message.NodeNotHeardYet) {
		t.Errorf("it says of node2, which nobody has heard: %q", why)
	}
	beat := Beat{Node: "node2", Incarnation: b.Node("node2").Incarnation}
	m.step(cluster.Tick, Input{Leading: true, Leader: "node1", Beats: []Beat{beat}})
	if why := rules.Unheard(m.node.view, rules.Of(b.S), b.Node("node2")); !why.IsZero() {
		t.Errorf("it is heard, and it says: %q", why)
	}
}
