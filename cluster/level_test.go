package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// beyond is a document that rules of level one know nothing of.
func beyond(b *book) Configure {
	document := b.s.Document
	document.Services = map[string]resources.Spec{"service:shop": {Name: "service:shop", Definition: "tree"}}
	return Configure{Base: b.s.Config.Version, Document: document, Blobs: map[string]string{"tree": "[]"}, By: "root"}
}

func raises(d Decision) bool {
	return slices.Contains(d.Commands, Command(RaiseLevel{Level: CurrentLevel}))
}

// TestTheFirstEntrySaysItsLevel: a newer binary that reads an old log from its
// beginning, as every one does after an upgrade, must come to the same State.
func TestTheFirstEntrySaysItsLevel(t *testing.T) {
	for said, want := range map[int]int{0: 1, 1: 1, CurrentLevel: CurrentLevel} {
		s := &State{}
		if err := Apply(s, Entry{Index: 1, Commands: []Command{Init{Cluster: "c", ID: "i", Level: said}}}).Err(); err != nil || s.Level != want {
			t.Errorf("a founder of level %d makes rules of level %d (%v), not %d", said, s.Level, err, want)
		}
	}
}

// TestALevelIsRaisedWhenAllMembersKnowIt: the answer is a function of the State,
// not of what the binary that applies it knows.
func TestALevelIsRaisedWhenAllMembersKnowIt(t *testing.T) {
	b := newBook(t, 3)
	b.s.Level = levelOne
	old, _ := b.s.Nodes.Get("node2")
	old.MaxLevel = levelOne
	b.s.Nodes.Set("node2", old)
	if d := Plan(b.s, View{Self: "node1", Leading: true}); raises(d) {
		t.Error("the leader raises the level although node2 does not know it")
	}
	if d := Plan(b.s, View{Self: "node1", Leading: true}); len(d.Notes) == 0 || !strings.Contains(d.Notes[0].Why, "node2") {
		t.Errorf("nobody is told what newer rules wait for: %v", d.Notes)
	}
	b.refused(RaiseLevel{Level: CurrentLevel}, "node2 knows only level 1")
	b.refused(beyond(b), "upgrade the nodes")
	for _, name := range b.s.Nodes.Keys() {
		n, _ := b.s.Nodes.Get(name)
		n.MaxLevel = CurrentLevel + 1
		b.s.Nodes.Set(name, n)
	}
	if d := Plan(b.s, View{Self: "node1", Leading: true}); !raises(d) {
		t.Error("all know it, and the leader does not raise the level")
	}
	b.must(RaiseLevel{Level: CurrentLevel})
	b.must(beyond(b))
	if why := Premature(b.s, []Command{RaiseLevel{Level: CurrentLevel + 1}}); !strings.Contains(why, "is not known here") {
		t.Errorf("a level that is not known here may be proposed: %q", why)
	}
	b.must(RaiseLevel{Level: CurrentLevel + 1})
	if Unknown(b.s) == "" {
		t.Error("a State with rules that nobody here knows is gone on with")
	}
}

// TestWhatOlderBinariesDoNotKnowStaysOut of the log, and of the State.
func TestWhatOlderBinariesDoNotKnowStaysOut(t *testing.T) {
	b := newBook(t, 3)
	b.s.Level = levelOne
	if why := Premature(b.s, []Command{Leave{Node: "node1"}, beyond(b)}); !strings.Contains(why, "level 2") {
		t.Errorf("it may be proposed: %q", why)
	}
	if why := Premature(b.s, []Command{Leave{Node: "node1"}}); why != "" {
		t.Errorf("what all know may not be proposed: %s", why)
	}
}
