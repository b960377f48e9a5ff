package cluster

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestANewLeaderAsksBeforeItFencesWhatAnotherCalledLost: the node was lost to another leader and held
// nothing. Meanwhile it is in doubt for a service, and its kernel may answer.
func TestANewLeaderAsksBeforeItFencesWhatAnotherCalledLost(t *testing.T) {
	b := newBook(t, 5, "vm:a")
	b.running("vm:a", "node1")
	b.lose("node1")
	plan := func(verdict *Verdict) Decision {
		w := Contactwatch{Silence: 10 * time.Second, Heard: true, Verdict: verdict}
		return Plan(b.s, View{Self: "node5", Leading: true, Contacts: map[string]Contactwatch{"node1": w}})
	}
	asks := func(n Note) bool {
		return strings.Contains(n.Why, "this leader has not asked yet whether its kernel answers")
	}
	if d := plan(nil); len(d.shots()) > 0 || !slices.ContainsFunc(d.Notes, asks) {
		t.Errorf("before anybody was asked: %+v", d)
	}
	if d := plan(&Verdict{Node: "node1", Kernel: Answers, Daemon: Silent}); len(d.shots()) > 0 {
		t.Errorf("while its kernel answers: %+v", d)
	}
	if d := plan(&Verdict{Node: "node1", Kernel: Silent, Daemon: Silent}); len(d.shots()) != 1 {
		t.Errorf("when nobody reaches it: %+v", d)
	}
}

// TestWhoLeadsAgainForgetsWhatItFoundOutBefore: node2 was silent to everybody when node1 led.
func TestWhoLeadsAgainForgetsWhatItFoundOutBefore(t *testing.T) {
	b := newBook(t, 3)
	m := newMind(t, b, "node1")
	m.listens(time.Second, func() uint64 { return b.s.Index })
	silent := Verdict{Node: "node2", Kernel: Silent, Daemon: Silent}
	m.step(Tick, Input{Leading: true, Leader: "node1", Verdicts: []Verdict{silent}})
	if m.node.view.Contacts["node2"].Verdict == nil {
		t.Fatal("the leader did not take the verdict in")
	}
	m.step(Tick, Input{}) // nobody leads: whoever is elected need not ask once more
	if m.node.view.Contacts["node2"].Verdict == nil {
		t.Fatal("it is forgotten while nobody leads")
	}
	m.step(Tick, Input{Leader: "node3"})
	if w := m.node.view.Contacts["node2"]; w.Verdict != nil {
		t.Errorf("node1 follows, and keeps %+v", *w.Verdict)
	}
}

// TestALeaderThatStoodStillHearsANodeBeforeItSendsWorkThere: what it heard before it stood
// still may have been off ever since.
func TestALeaderThatStoodStillHearsANodeBeforeItSendsWorkThere(t *testing.T) {
	b := newBook(t, 3)
	m := newMind(t, b, "node1")
	m.listens(2*time.Second, func() uint64 { return b.s.Index })
	says := func() string { return m.node.view.unheard(b.s.world(), b.node("node2")) }
	if why := says(); why != "" {
		t.Fatalf("a node that is heard: %s", why)
	}
	m.step(16*time.Second, Input{Leading: true, Leader: "node1", End: b.s.Index})
	if why := says(); !strings.Contains(why, "stood still") {
		t.Errorf("after the leader stood still: %q", why)
	}
	m.listens(Tick, func() uint64 { return b.s.Index })
	if why := says(); why != "" {
		t.Errorf("once it is heard: %s", why)
	}
}
