package cluster

import (
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
	if d := plan(nil); len(d.shots()) > 0 || !noted(d, "this leader has not asked yet whether its kernel answers") {
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
