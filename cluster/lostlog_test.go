package cluster

import "testing"

// TestWhatALogLacks holds, case by case, what counts as a loss.
func TestWhatALogLacks(t *testing.T) {
	known := LogHeld{Life: "a", Term: 5, LastTerm: 4, LastIndex: 20}
	for what, c := range map[string]struct {
		held  LogHeld
		lacks bool
	}{
		"the same":                       {known, false},
		"more of it":                     {LogHeld{Life: "a", Term: 5, LastTerm: 4, LastIndex: 21}, false},
		"shorter, and of a newer term":   {LogHeld{Life: "a", Term: 6, LastTerm: 6, LastIndex: 12}, false},
		"gone":                           {LogHeld{}, true},
		"another one":                    {LogHeld{Life: "b", Term: 9, LastTerm: 9, LastIndex: 90}, true},
		"cut":                            {LogHeld{Life: "a", Term: 5, LastTerm: 4, LastIndex: 19}, true},
		"cut, longer and of an old term": {LogHeld{Life: "a", Term: 5, LastTerm: 3, LastIndex: 30}, true},
		"an older vote":                  {LogHeld{Life: "a", Term: 4, LastTerm: 4, LastIndex: 20}, true},
	} {
		if why := c.held.Lacks(known); (why != "") != c.lacks {
			t.Errorf("%s: %q", what, why)
		}
	}
	if why := (LogHeld{}).Lacks(LogHeld{Life: "a"}); why != "" {
		t.Errorf("a log that never acknowledged anything was lost: %s", why)
	}
}

// TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp: the way back, and what is refused on it.
func TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp(t *testing.T) {
	b := newBook(t, 2)
	up := func(session, log string) NodeUp {
		n := b.node("node2")
		return NodeUp{Node: "node2", Fingerprint: n.Fingerprint, Boot: n.Boot, MaxLevel: CurrentLevel,
			Session: session, Log: log}
	}
	b.must(up("one", "first"))
	b.must(LoseLog{Node: "node2", Log: "second", Before: "first", Why: "gone"})
	if b.s.MayVote("node2") == "" {
		t.Error("it may vote without its log")
	}
	b.refused(up("two", "first"), "is not the one in which it acknowledged entries")
	if why := b.s.MayCount("node2", LogHeld{Life: "first", Term: 9}, LogHeld{Life: "second", Term: 1}); why == "" {
		t.Error("what it says with the old log counts")
	}
	b.must(up("three", "second"))
	if why := b.s.MayVote("node2"); why != "" {
		t.Error(why)
	}
	b.refused(LoseLog{Node: "node2", Log: "second", Before: "first", Why: "late"}, "holds this log already")
}

// TestALossThatIsToldLateIsOver: a node lost its log twice, and what it asked for the first time
// comes into the log behind the second. The log that it holds is the right one.
func TestALossThatIsToldLateIsOver(t *testing.T) {
	b := newBook(t, 2)
	n := b.node("node2")
	late := LoseLog{Node: "node2", Log: "second", Before: n.Log, Why: "gone"}
	b.must(LoseLog{Node: "node2", Log: "third", Before: n.Log, Why: "gone"})
	b.refused(late, "has begun another log since")
	b.must(NodeUp{Node: "node2", Fingerprint: n.Fingerprint, Boot: n.Boot, MaxLevel: CurrentLevel, Session: "s",
		Log: "third"})
	b.refused(late, "has begun another log since")
	if why := b.s.MayVote("node2"); why != "" {
		t.Error(why)
	}
}
