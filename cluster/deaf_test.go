package cluster

import (
	"testing"
	"time"
)

// listens lets node1 lead for a while and hear node2, whose log goes as far as ends says of
// each beat. It returns what was proposed about node2, applied at once.
func (m *stepper) listens(for_ time.Duration, applied func() uint64) []Contact {
	m.t.Helper()
	var edges []Contact
	for began := m.now; m.now-began < for_; {
		beats := []Beat{{Node: "node2", Incarnation: m.b.node("node2").Incarnation, Applied: applied(), End: applied()},
			{Node: "node3", Incarnation: m.b.node("node3").Incarnation, Applied: m.b.s.Index, End: m.b.s.Index}}
		out := m.step(Tick, Input{Leading: true, Leader: "node1", Beats: beats, End: m.b.s.Index})
		for _, p := range out.Propose {
			applied := m.b.apply(p.Commands...)
			m.node.Step(m.now, Input{State: m.b.s.Fork(), Incarnation: m.b.node("node1").Incarnation, Leading: true,
				Proposals: []ProposalDone{{ID: p.ID, Refused: applied.Refused}}})
			for i, c := range p.Commands {
				if edge, is := c.(Contact); is && applied.Refused[i] == "" {
					edges = append(edges, edge)
				}
			}
		}
	}
	return edges
}

func TestANodeThatIsHeardAndTakesNoEntryIsDeaf(t *testing.T) {
	b := newBook(t, 3)
	m := newMind(t, b, "node1")
	follows := func() uint64 { return b.s.Index }
	if edges := m.listens(5*time.Second, follows); len(edges) > 0 {
		t.Fatalf("a node that follows: %+v", edges)
	}
	stuck := b.s.Index
	b.must(AddToken{ID: "t", Token: Token{Expires: b.at.Add(time.Hour)}})
	still := func() uint64 { return stuck }
	limit := TimingFor("").Deaf
	if edges := m.listens(limit-2*Tick, still); len(edges) > 0 {
		t.Fatalf("before the limit: %+v", edges)
	}
	edges := m.listens(time.Second, still)
	if len(edges) != 1 || edges[0].State != NodeDeaf || b.node("node2").State != NodeDeaf {
		t.Fatalf("after the limit: %+v", edges)
	}
	if why := b.s.world().mayRun(Service{}, b.node("node2")); why == "" {
		t.Error("a deaf node may be given work")
	}
	// It is a daemon that does nothing of what is decided, and gets the grace of one.
	if edges := m.listens(TimingFor("").SilentGrace-2*time.Second, still); len(edges) > 0 {
		t.Fatalf("within the grace: %+v", edges)
	}
	if edges := m.listens(3*time.Second, still); len(edges) != 1 || edges[0].State != NodeLost {
		t.Fatalf("after the grace: %+v", edges)
	}
}

// deafened is a cluster in which node2 is heard and has taken nothing of the log since an entry.
func deafened(t *testing.T) (*book, *stepper, uint64) {
	t.Helper()
	b := newBook(t, 3)
	m := newMind(t, b, "node1")
	m.listens(time.Second, func() uint64 { return b.s.Index })
	stuck := b.s.Index
	b.must(AddToken{ID: "t", Token: Token{Expires: b.at.Add(time.Hour)}})
	m.listens(TimingFor("").Deaf+time.Second, func() uint64 { return stuck })
	if b.node("node2").State != NodeDeaf {
		t.Fatal("it is not deaf")
	}
	return b, m, stuck
}

func TestADeafNodeIsBackWhenItHasFollowedForAWhile(t *testing.T) {
	b, m, stuck := deafened(t)
	// A new leader has measured nothing, and knows of the State that it is deaf.
	m.node = NewNode("node1")
	for range 3 { // it moves for less than long enough, and stops again
		if edges := m.listens(deafBack-3*Tick, func() uint64 { return b.s.Index }); len(edges) > 0 {
			t.Fatalf("it has hardly begun to follow: %+v", edges)
		}
		stuck = b.s.Index
		b.must(AddToken{ID: "t", Token: Token{Expires: b.at.Add(time.Hour)}})
		m.listens(time.Second, func() uint64 { return stuck })
	}
	if edges := m.listens(deafBack+time.Second, func() uint64 { return b.s.Index }); len(edges) != 1 ||
		edges[0].State != NodeOnline || b.node("node2").State != NodeOnline {
		t.Fatalf("it follows: %+v", edges)
	}
}

// TestANewLeaderDoesNotTakeADeafNodeForWell: until it has measured otherwise itself, it goes by the
// State, also before the first beat that it hears as the leader.
func TestANewLeaderDoesNotTakeADeafNodeForWell(t *testing.T) {
	b, m, stuck := deafened(t)
	still := func() uint64 { return stuck }
	m.node = NewNode("node1")
	beats := []Beat{{Node: "node2", Incarnation: b.node("node2").Incarnation, Applied: stuck, End: stuck},
		{Node: "node3", Incarnation: b.node("node3").Incarnation, Applied: b.s.Index, End: b.s.Index}}
	m.silent(m.step(Tick, Input{Leader: "node3", Beats: beats, End: b.s.Index}))
	for range 3 {
		m.silent(m.step(Tick, Input{Leading: true, Leader: "node1", End: b.s.Index}))
	}
	// Its grace begins anew: what it is fenced for has to be measured by who has it fenced.
	if edges := m.listens(TimingFor("").deafFor()-2*time.Second, still); len(edges) > 0 {
		t.Fatalf("within the grace: %+v", edges)
	}
	if edges := m.listens(4*time.Second, still); len(edges) != 1 || edges[0].State != NodeLost {
		t.Fatalf("after the grace: %+v", edges)
	}
}

func TestASlowLogThatMovesIsNotDeaf(t *testing.T) {
	b := newBook(t, 3)
	m := newMind(t, b, "node1")
	slow := b.s.Index
	for i := range 40 {
		b.must(AddToken{ID: "t", Token: Token{Expires: b.at.Add(time.Hour)}})
		if i%3 == 0 { // it falls further and further behind
			slow++
		}
		if edges := m.listens(time.Second, func() uint64 { return slow }); len(edges) > 0 {
			t.Fatalf("after %d s: %+v", i, edges)
		}
	}
}
