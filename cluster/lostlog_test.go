package cluster_test

import (
	"iter"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
)

// TestWhatALogLacks holds, case by case, what counts as a loss.
func TestWhatALogLacks(t *testing.T) {
	known := cluster.LogHeld{Life: "a", Term: 5, LastTerm: 4, LastIndex: 20}
	for what, c := range map[string]struct {
		held  cluster.LogHeld
		lacks bool
	}{
		"the same":                       {known, false},
		"more of it":                     {cluster.LogHeld{Life: "a", Term: 5, LastTerm: 4, LastIndex: 21}, false},
		"shorter, and of a newer term":   {cluster.LogHeld{Life: "a", Term: 6, LastTerm: 6, LastIndex: 12}, false},
		"gone":                           {cluster.LogHeld{}, true},
		"another one":                    {cluster.LogHeld{Life: "b", Term: 9, LastTerm: 9, LastIndex: 90}, true},
		"cut":                            {cluster.LogHeld{Life: "a", Term: 5, LastTerm: 4, LastIndex: 19}, true},
		"cut, longer and of an old term": {cluster.LogHeld{Life: "a", Term: 5, LastTerm: 3, LastIndex: 30}, true},
		"an older vote":                  {cluster.LogHeld{Life: "a", Term: 4, LastTerm: 4, LastIndex: 20}, true},
	} {
		if why := c.held.Lacks(known); why.IsZero() == c.lacks {
			t.Errorf("%s: %q", what, why)
		}
	}
	if why := (cluster.LogHeld{}).Lacks(cluster.LogHeld{Life: "a"}); !why.IsZero() {
		t.Errorf("a log that never acknowledged anything was lost: %s", why)
	}
}

// TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp: the way back, and what is refused on it.
func TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	up := func(session, log string) cluster.NodeUp {
		n := b.Node("node2")
		return cluster.NodeUp{Node: "node2", Fingerprint: n.Fingerprint, Boot: n.Boot, MaxLevel: cluster.CurrentLevel,
			Session: session, Log: log}
	}
	b.Must(up("one", "first"))
	b.Must(cluster.LoseLog{Node: "node2", Log: "second", Before: "first", Why: message.Words("gone")})
	if b.S.MayVote("node2").IsZero() {
		t.Error("it may vote without its log")
	}
	b.Refused(up("two", "first"), "is not the one in which it acknowledged entries")
	if why := b.S.MayCount("node2", cluster.LogHeld{Life: "first", Term: 9},
		cluster.LogHeld{Life: "second", Term: 1}, entries()); why.IsZero() {
		t.Error("what it says with the old log counts")
	}
	b.Must(up("three", "second"))
	if why := b.S.MayVote("node2"); !why.IsZero() {
		t.Error(why)
	}
	b.Refused(cluster.LoseLog{Node: "node2", Log: "second", Before: "first", Why: message.Words("late")},
		"holds this log already")
}

// entries are those that a log holds and the State has not applied, of one command each.
func entries(commands ...cluster.Command) iter.Seq[[]cluster.Command] {
	return func(yield func([]cluster.Command) bool) {
		for _, c := range commands {
			if !yield([]cluster.Command{c}) {
				return
			}
		}
	}
}

// TestWhoWasLetInByAnEntryThatIsNotAppliedCounts: a State is as old as a snapshot after a start,
// and what its node's log holds behind that tells who was let in since. Only the last of it counts,
// as it does once it is applied.
func TestWhoWasLetInByAnEntryThatIsNotAppliedCounts(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	n := b.Node("node2")
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: n.Fingerprint, Boot: n.Boot, MaxLevel: cluster.CurrentLevel,
		Session: "one", Log: "first"})
	lose := func(node, log, before string) cluster.LoseLog {
		return cluster.LoseLog{Node: node, Log: log, Before: before, Why: message.Words("gone")}
	}
	second, third := lose("node2", "second", "first"), lose("node2", "third", "second")
	late := lose("node2", "third", "first")
	for what, c := range map[string]struct {
		life   string
		behind iter.Seq[[]cluster.Command]
		counts bool
	}{
		"nothing tells of it":                  {"second", entries(), false},
		"it was let in":                        {"second", entries(second), true},
		"it was let in, told twice":            {"second", entries(second, second), true},
		"it was let in again":                  {"third", entries(second, third), true},
		"it has lost that one as well":         {"second", entries(second, third), false},
		"another loss comes late":              {"second", entries(second, late), true},
		"what comes late lets nobody in":       {"third", entries(second, late), false},
		"another node was let in":              {"second", entries(lose("node1", "second", "first")), false},
		"it was let in with another log":       {"fourth", entries(second, third), false},
		"a log without a name lets nobody in":  {"", entries(lose("node2", "", "first")), false},
		"something else was decided meanwhile": {"second", entries(second, cluster.RaiseLevel{}), true},
	} {
		why := b.S.MayCount("node2", cluster.LogHeld{Life: c.life, Term: 9, LastTerm: 9, LastIndex: 90},
			cluster.LogHeld{Life: "first", Term: 1, LastTerm: 1, LastIndex: 5}, c.behind)
		if (why.IsZero()) != c.counts {
			t.Errorf("%s: %q", what, why)
		}
	}
	if b.S.MayCount("node2", cluster.LogHeld{Life: "first", Term: 1}, cluster.LogHeld{Life: "zeroth", Term: 1},
		entries(second)).IsZero() {
		t.Error("a log counts that was lost by an entry which is not applied")
	}
	whole := cluster.LogHeld{Life: "second", Term: 9, LastTerm: 9, LastIndex: 90}
	cut := whole
	cut.LastIndex--
	if b.S.MayCount("node2", cut, whole, entries(second)).IsZero() {
		t.Error("a log that was let in and has been cut since counts")
	}
}

// TestALossThatIsToldLateIsOver: a node lost its log twice, and what it asked for the first time
// comes into the log behind the second. The log that it holds is the right one.
func TestALossThatIsToldLateIsOver(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	n := b.Node("node2")
	late := cluster.LoseLog{Node: "node2", Log: "second", Before: n.Log, Why: message.Words("gone")}
	b.Must(cluster.LoseLog{Node: "node2", Log: "third", Before: n.Log, Why: message.Words("gone")})
	b.Refused(late, "has begun another log since")
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: n.Fingerprint, Boot: n.Boot, MaxLevel: cluster.CurrentLevel,
		Session: "s",
		Log:     "third"})
	b.Refused(late, "has begun another log since")
	if why := b.S.MayVote("node2"); !why.IsZero() {
		t.Error(why)
	}
}
