package cluster_test

import (
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
		cluster.LogHeld{Life: "second", Term: 1}, with(b)); why.IsZero() {
		t.Error("what it says with the old log counts")
	}
	b.Must(up("three", "second"))
	if why := b.S.MayVote("node2"); !why.IsZero() {
		t.Error(why)
	}
	b.Refused(cluster.LoseLog{Node: "node2", Log: "second", Before: "first", Why: message.Words("late")},
		"holds this log already")
}

// with is what a State becomes by entries that its log holds and that are not applied yet, of one
// command each.
func with(b *clustertest.Book, commands ...cluster.Command) func() *cluster.State {
	return func() *cluster.State {
		ahead := &clustertest.Book{T: b.T, S: b.S.Fork(), At: b.At}
		for _, c := range commands {
			ahead.Apply(c)
		}
		return ahead.S
	}
}

// unknown is what comes behind a State where its log cannot be read.
func unknown() *cluster.State { return nil }

// upWith says that a daemon came up with a key and a log.
func upWith(key, log string) cluster.NodeUp {
	return cluster.NodeUp{Node: "node2", Fingerprint: key, Boot: "boot-of-" + log, MaxLevel: cluster.CurrentLevel,
		Session: "with " + log, Log: log}
}

// TestWhoWasLetInByAnEntryThatIsNotAppliedCounts: a State is as old as a snapshot after a start,
// and what its node's log holds behind that tells who was let in since. Only the last of it counts,
// as it does once it is applied.
func TestWhoWasLetInByAnEntryThatIsNotAppliedCounts(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	b.Must(upWith("key-node2", "first"))
	lose := func(node, log, before string) cluster.LoseLog {
		return cluster.LoseLog{Node: node, Log: log, Before: before, Why: message.Words("gone")}
	}
	second, third := lose("node2", "second", "first"), lose("node2", "third", "second")
	late := lose("node2", "third", "first")
	for what, c := range map[string]struct {
		life   string
		later  func() *cluster.State
		counts bool
	}{
		"nothing tells of it":                  {"second", with(b), false},
		"it was let in":                        {"second", with(b, second), true},
		"it was let in, told twice":            {"second", with(b, second, second), true},
		"it was let in again":                  {"third", with(b, second, third), true},
		"it has lost that one as well":         {"second", with(b, second, third), false},
		"another loss comes late":              {"second", with(b, second, late), true},
		"what comes late lets nobody in":       {"third", with(b, second, late), false},
		"another node was let in":              {"second", with(b, lose("node1", "second", "first")), false},
		"it was let in with another log":       {"fourth", with(b, second, third), false},
		"a log without a name lets nobody in":  {"", with(b, lose("node2", "", "first")), false},
		"something else was decided meanwhile": {"second", with(b, second, cluster.RaiseLevel{}), true},
		"its log cannot be read":               {"second", unknown, false},
	} {
		why := b.S.MayCount("node2", cluster.LogHeld{Life: c.life, Term: 9, LastTerm: 9, LastIndex: 90},
			cluster.LogHeld{Life: "first", Term: 1, LastTerm: 1, LastIndex: 5}, c.later)
		if (why.IsZero()) != c.counts {
			t.Errorf("%s: %q", what, why)
		}
	}
	if b.S.MayCount("node2", cluster.LogHeld{Life: "first", Term: 1}, cluster.LogHeld{Life: "zeroth", Term: 1},
		with(b, second)).IsZero() {
		t.Error("a log counts that was lost by an entry which is not applied")
	}
	whole := cluster.LogHeld{Life: "second", Term: 9, LastTerm: 9, LastIndex: 90}
	cut := whole
	cut.LastIndex--
	if b.S.MayCount("node2", cut, whole, with(b, second)).IsZero() {
		t.Error("a log that was let in and has been cut since counts")
	}
}

// TestWhoJoinedAgainByEntriesThatAreNotAppliedCounts: a machine was removed and joined anew, behind
// the snapshot. The log that it came up with counts, by the key that it joined with, and no other.
func TestWhoJoinedAgainByEntriesThatAreNotAppliedCounts(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	b.Must(upWith("key-node2", "first"))
	n := b.Node("node2")
	token := cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.AddDate(0, 0, 1)}}
	removed, up := cluster.RemoveNode{Node: "node2", By: "root"}, upWith("another-key", "second")
	joined := cluster.Join{Token: "t", Node: "node2", Fingerprint: "another-key", HardwareUUID: n.HardwareUUID,
		Address: n.Address}
	replaced := token
	replaced.Token.Replace = "node2"
	for what, c := range map[string]struct {
		life   string
		later  func() *cluster.State
		counts bool
	}{
		"it came up again":                   {"second", with(b, removed, token, joined, up), true},
		"it was replaced":                    {"second", with(b, replaced, joined, up), true},
		"it has not come up again":           {"second", with(b, removed, token, joined), false},
		"the log from before the removal":    {"zeroth", with(b, removed, token, joined, up), false},
		"only the removal is there":          {"second", with(b, removed), false},
		"the join was refused":               {"second", with(b, joined, up), false},
		"its old key, after the join":        {"third", with(b, replaced, joined, upWith("key-node2", "third")), false},
		"its old key, after a refused join":  {"third", with(b, joined, upWith("key-node2", "third")), false},
		"it joined again, and lost that log": {"second", with(b, replaced, joined, up, lost("third", "second")), false},
	} {
		held, known := cluster.LogHeld{Life: c.life, Term: 9, LastIndex: 90}, cluster.LogHeld{Life: "first", Term: 1}
		if why := b.S.MayCount("node2", held, known, c.later); (why.IsZero()) != c.counts {
			t.Errorf("%s: %q", what, why)
		}
	}
}

func lost(log, before string) cluster.LoseLog {
	return cluster.LoseLog{Node: "node2", Log: log, Before: before, Why: message.Words("gone")}
}

// TestAStateThatNamesNoLogYetLetsNobodyIn: without a snapshot a State is empty after a start. It is
// the log that says which log of a node counts, and an emptied folder is not one.
func TestAStateThatNamesNoLogYetLetsNobodyIn(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	joined := b.S.Fork()
	b.Must(upWith("key-node2", "first"))
	whole := func() *cluster.State { return b.S }
	known := cluster.LogHeld{Life: "zeroth", Term: 1, LastTerm: 1, LastIndex: 5}
	for what, s := range map[string]*cluster.State{"an empty State": {}, "one from before it came up": joined} {
		emptied, first := cluster.LogHeld{Life: "second", Term: 2}, cluster.LogHeld{Life: "first", Term: 2, LastIndex: 7}
		if s.MayCount("node2", emptied, known, whole).IsZero() ||
			s.Remember("node2", emptied, known, whole).Life != "zeroth" {
			t.Errorf("%s lets a log in that the log does not name", what)
		}
		if s.MayCount("node2", emptied, known, unknown).IsZero() {
			t.Errorf("%s lets a log in although nobody knows what comes behind it", what)
		}
		if why := s.MayCount("node2", first, known, whole); !why.IsZero() {
			t.Errorf("%s: %s", what, why)
		}
		if s.Remember("node2", first, known, whole) != first {
			t.Errorf("%s: the log that is named is not remembered", what)
		}
	}
	if b.S.Remember("node2", cluster.LogHeld{Life: "second"}, cluster.LogHeld{Life: "first", Term: 1},
		with(b, lost("second", "first"))).Life != "first" {
		t.Error("an entry that is not applied changes what is remembered")
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
