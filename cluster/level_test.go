package cluster_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/resources"
)

// beyond is a document that rules of level one know nothing of.
func beyond(b *clustertest.Book) cluster.Configure {
	document := b.S.Document
	document.Services = map[string]resources.Spec{"service:shop": {Name: "service:shop", Definition: "tree"}}
	return cluster.Configure{Base: b.S.Config.Version, Document: document, Blobs: map[string]string{"tree": "[]"},
		By: "root"}
}

func raises(d plan.Decision) bool {
	return slices.Contains(d.Commands, cluster.Command(cluster.RaiseLevel{Level: cluster.CurrentLevel}))
}

// TestTheFirstEntrySaysItsLevel: a newer binary that reads an old log from its
// beginning, as every one does after an upgrade, must come to the same State.
func TestTheFirstEntrySaysItsLevel(t *testing.T) {
	for said, want := range map[int]int{0: 1, 1: 1, cluster.CurrentLevel: cluster.CurrentLevel} {
		s := &cluster.State{}
		if err := apply.Apply(s, cluster.Entry{Index: 1,
			Commands: []cluster.Command{cluster.Init{Cluster: "c", ID: "i", Level: said}}}).Err(); err != nil ||
			s.Level != want {
			t.Errorf("a founder of level %d makes rules of level %d (%v), not %d", said, s.Level, err, want)
		}
	}
}

// TestALevelIsRaisedWhenAllMembersKnowIt: the answer is a function of the State,
// not of what the binary that applies it knows.
func TestALevelIsRaisedWhenAllMembersKnowIt(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.S.Level = cluster.LevelOne
	old, _ := b.S.Nodes.Get("node2")
	old.MaxLevel = cluster.LevelOne
	b.S.Nodes.Set("node2", old)
	if d := plan.Plan(b.S, cluster.View{Self: "node1", Leading: true}); raises(d) {
		t.Error("the leader raises the level although node2 does not know it")
	}
	if d := plan.Plan(b.S, cluster.View{Self: "node1", Leading: true}); len(d.Notes) == 0 ||
		!strings.Contains(d.Notes[0].Why, "node2") {
		t.Errorf("nobody is told what newer rules wait for: %v", d.Notes)
	}
	b.Refused(cluster.RaiseLevel{Level: cluster.CurrentLevel}, "node2 knows only level 1")
	b.Refused(beyond(b), "upgrade the nodes")
	for _, name := range b.S.Nodes.Keys() {
		n, _ := b.S.Nodes.Get(name)
		n.MaxLevel = cluster.CurrentLevel + 1
		b.S.Nodes.Set(name, n)
	}
	if d := plan.Plan(b.S, cluster.View{Self: "node1", Leading: true}); !raises(d) {
		t.Error("all know it, and the leader does not raise the level")
	}
	b.Must(cluster.RaiseLevel{Level: cluster.CurrentLevel})
	b.Must(beyond(b))
	if why := cluster.Premature(b.S,
		[]cluster.Command{cluster.RaiseLevel{Level: cluster.CurrentLevel + 1}}); !strings.Contains(why, "is not known here") {
		t.Errorf("a level that is not known here may be proposed: %q", why)
	}
	b.Must(cluster.RaiseLevel{Level: cluster.CurrentLevel + 1})
	if cluster.Unknown(b.S) == "" {
		t.Error("a State with rules that nobody here knows is gone on with")
	}
}

// TestWhatOlderBinariesDoNotKnowStaysOut of the log, and of the State.
func TestWhatOlderBinariesDoNotKnowStaysOut(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.S.Level = cluster.LevelOne
	if why := cluster.Premature(b.S, []cluster.Command{cluster.Leave{Node: "node1"}, beyond(b)}); !strings.Contains(why,
		"level 2") {
		t.Errorf("it may be proposed: %q", why)
	}
	if why := cluster.Premature(b.S, []cluster.Command{cluster.Leave{Node: "node1"}}); why != "" {
		t.Errorf("what all know may not be proposed: %s", why)
	}
}
