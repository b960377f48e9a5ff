package mind

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
)

// listens lets node1 lead for a while and hear node2, whose log goes as far as ends says of
// each beat. It returns what was proposed about node2, applied at once.
func (m *stepper) listens(for_ time.Duration, applied func() uint64) []cluster.Contact {
	m.t.Helper()
	var edges []cluster.Contact
	for began := m.now; m.now-began < for_; {
		beats := []Beat{{Node: "node2", Incarnation: m.b.Node("node2").Incarnation, Applied: applied(), End: applied()},
			{Node: "node3", Incarnation: m.b.Node("node3").Incarnation, Applied: m.b.S.Index, End: m.b.S.Index}}
		out := m.step(cluster.Tick, Input{Leading: true, Leader: "node1", Beats: beats, End: m.b.S.Index})
		for _, p := range out.Propose {
			applied := m.b.Apply(p.Commands...)
			m.node.Step(m.now, Input{State: m.b.S.Fork(), Incarnation: m.b.Node("node1").Incarnation, Leading: true,
				Proposals: []ProposalDone{{ID: p.ID, Refused: applied.Refused}}})
			for i, c := range p.Commands {
				if edge, is := c.(cluster.Contact); is && applied.Refused[i].IsZero() {
					edges = append(edges, edge)
				}
			}
		}
	}
	return edges
}

func TestANodeThatIsHeardAndTakesNoEntryIsDeaf(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	m := newMind(t, b, "node1")
	follows := func() uint64 { return b.S.Index }
	if edges := m.listens(5*time.Second, follows); len(edges) > 0 {
		t.Fatalf("a node that follows: %+v", edges)
	}
	stuck := b.S.Index
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.Add(time.Hour)}})
	still := func() uint64 { return stuck }
	limit := cluster.TimingFor("").Deaf
	if edges := m.listens(limit-2*cluster.Tick, still); len(edges) > 0 {
		t.Fatalf("before the limit: %+v", edges)
	}
	edges := m.listens(time.Second, still)
	if len(edges) != 1 || edges[0].State != cluster.NodeDeaf || b.Node("node2").State != cluster.NodeDeaf {
		t.Fatalf("after the limit: %+v", edges)
	}
	if why := rules.Of(b.S).MayRun(cluster.Service{}, b.Node("node2")); why.IsZero() {
		t.Error("a deaf node may be given work")
	}
	// It is a daemon that does nothing of what is decided, and gets the grace of one.
	if edges := m.listens(cluster.TimingFor("").SilentGrace-2*time.Second, still); len(edges) > 0 {
		t.Fatalf("within the grace: %+v", edges)
	}
	if edges := m.listens(3*time.Second, still); len(edges) != 1 || edges[0].State != cluster.NodeLost {
		t.Fatalf("after the grace: %+v", edges)
	}
}

// deafened is a cluster in which node2 is heard and has taken nothing of the log since an entry.
func deafened(t *testing.T) (*clustertest.Book, *stepper, uint64) {
	t.Helper()
	b := clustertest.NewBook(t, 3)
	m := newMind(t, b, "node1")
	m.listens(time.Second, func() uint64 { return b.S.Index })
	stuck := b.S.Index
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.Add(time.Hour)}})
	m.listens(cluster.TimingFor("").Deaf+time.Second, func() uint64 { return stuck })
	if b.Node("node2").State != cluster.NodeDeaf {
		t.Fatal("it is not deaf")
	}
	return b, m, stuck
}

func TestADeafNodeIsBackWhenItHasFollowedForAWhile(t *testing.T) {
	b, m, stuck := deafened(t)
	// A new leader has measured nothing, and knows of the State that it is deaf.
	m.node = NewNode("node1")
	for range 3 { // it moves for less than long enough, and stops again
		if edges := m.listens(cluster.DeafBack-3*cluster.Tick, func() uint64 { return b.S.Index }); len(edges) > 0 {
			t.Fatalf("it has hardly begun to follow: %+v", edges)
		}
		stuck = b.S.Index
		b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.Add(time.Hour)}})
		m.listens(time.Second, func() uint64 { return stuck })
	}
	if edges := m.listens(cluster.DeafBack+time.Second, func() uint64 { return b.S.Index }); len(edges) != 1 ||
		edges[0].State != cluster.NodeOnline || b.Node("node2").State != cluster.NodeOnline {
		t.Fatalf("it follows: %+v", edges)
	}
}

// TestANewLeaderDoesNotTakeADeafNodeForWell: until it has measured otherwise itself, it goes by the
// State, also before the first beat that it hears as the leader.
func TestANewLeaderDoesNotTakeADeafNodeForWell(t *testing.T) {
	b, m, stuck := deafened(t)
	still := func() uint64 { return stuck }
	m.node = NewNode("node1")
	beats := []Beat{{Node: "node2", Incarnation: b.Node("node2").Incarnation, Applied: stuck, End: stuck},
		{Node: "node3", Incarnation: b.Node("node3").Incarnation, Applied: b.S.Index, End: b.S.Index}}
	m.silent(m.step(cluster.Tick, Input{Leader: "node3", Beats: beats, End: b.S.Index}))
	for range 3 {
		m.silent(m.step(cluster.Tick, Input{Leading: true, Leader: "node1", End: b.S.Index}))
	}
	// Its grace begins anew: what it is fenced for has to be measured by who has it fenced.
	if edges := m.listens(cluster.TimingFor("").DeafFor()-2*time.Second, still); len(edges) > 0 {
		t.Fatalf("within the grace: %+v", edges)
	}
	if edges := m.listens(4*time.Second, still); len(edges) != 1 || edges[0].State != cluster.NodeLost {
		t.Fatalf("after the grace: %+v", edges)
	}
}

func TestASlowLogThatMovesIsNotDeaf(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	m := newMind(t, b, "node1")
	slow := b.S.Index
	for i := range 40 {
		b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.Add(time.Hour)}})
		if i%3 == 0 { // it falls further and further behind
			slow++
		}
		if edges := m.listens(time.Second, func() uint64 { return slow }); len(edges) > 0 {
			t.Fatalf("after %d s: %+v", i, edges)
		}
	}
}
