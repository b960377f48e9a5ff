package breaks

// brakes is where L8 is.
const brakes = "cluster/rules/brake.go"

// brake are the breaks of L8: how many shots, and at whom.
func brake() []Mutant {
	return []Mutant{
		{
			Name: "several-shots-at-once", Law: "L8", Broken: "nodes are shot without waiting for the shot before",
			Edits: []Edit{
				{brakes, "len(busy) >= limits.AtOnce {", "len(busy) >= 1_000 {"},
			}, Nets: []Net{Simulation, stories},
		},
		{
			Name: "half-of-the-nodes-are-shot", Law: "L8", Broken: "half of the nodes and more are shot without an operator",
			Edits: []Edit{{brakes,
				"\tif 2*down >= w.Nodes.Len() && !exception {",
				"\tif down > w.Nodes.Len() && !exception {"}}, Nets: []Net{Simulation, tests("cluster", "^TestTheBrake")},
		},
		{
			Name: "shots-are-not-counted", Law: "L8", Broken: "any number of shots goes in ten minutes",
			Edits: []Edit{{brakes, "limits.Shots", "cluster.MaxShots"}}, Nets: []Net{tests("cluster", "^TestTheBrake")},
		},
		{
			Name: "dead-device-holds-up-others", Law: "L8", Broken: "a shot whose device is dead lets no other node be shot",
			Edits: []Edit{{brakes, "open.TriedTotal == 0 {", "open.Node != \"\" {"}},
			Nets:  []Net{tests("cluster", "^TestAShotThatIsStuck"), stories},
		},
		{
			Name: "shot-while-disarmed", Law: "L8", Broken: "nodes are shot although fencing is disarmed",
			Edits: []Edit{{"cluster/rules/brake.go",
				"if w.Disarmed() == nil || !at.Before(w.Disarmed().Until) {",
				"if w.Disarmed() == nil || at.Before(w.Disarmed().Until) {"}},
			Nets: []Net{tests("cluster", "^TestNothingIsShotWhile"), stories},
		},
		{
			Name: "drill-while-not-well", Law: "L8", Broken: "the schedule switches a node off while another one is lost",
			Edits: []Edit{{"cluster/device.go",
				"if n, _ := s.Nodes.Get(name); n.State != NodeOnline {",
				"if n, _ := s.Nodes.Get(name); n.State == NodeSilent {"}}, Nets: []Net{tests("cluster", "^TestTheSchedule")},
		},
		{
			Name: "node-in-touch-is-shot", Law: "L8", Broken: "a node that its peers reach is taken for lost",
			Edits: []Edit{{"cluster/view.go",
				"\tcase w.Verdict.Daemon == Answers:",
				"\tcase w.Verdict.Daemon == Answers && w.Silence == 0:"}, {"cluster/view.go",
				"\tcase w.Verdict.Kernel == Answers && w.KernelOnly < timing.SilentGrace:",
				"\tcase w.Verdict.Kernel == Answers && w.Verdict.Daemon != Answers && w.KernelOnly < " +
					"timing.SilentGrace:"}}, Nets: []Net{Simulation, stories},
			// Whatever ends a daemon or its links for a moment shows it, so no faults are claimed.
		},
	}
}

// loops are the breaks of L8 at nodes whose daemon starts again and again.
func loops() []Mutant {
	return []Mutant{
		{
			Name: "loop-has-no-grace", Law: "L8",
			Broken: "a node whose daemon starts again and again is shot before a silent daemon would be",
			Edits: []Edit{{"cluster/trouble.go",
				"\treturn w.Silence < timing.Test && w.Starts.Restless >= timing.SilentGrace+more",
				"\treturn w.Silence < timing.Test && w.Starts.Restless >= timing.Deaf+more"}},
			Nets: []Net{stories, Simulation}, Faults: []string{"daemon does not stay up"},
		},
		{
			Name: "old-loop-is-a-loop", Law: "L8",
			Broken: "a host whose daemon looped long ago is shot at its first beat under a new leader",
			Edits: []Edit{{"cluster/trouble.go",
				"\tif !w.Seen {\n\t\treturn Startwatch{}\n\t}\n\tw.Since,",
				"\tw.Since,"}, {"cluster/trouble.go",
				"\tif w.Up >= grace || w.Since > RestartsApart {",
				"\tif w.Up >= grace {"}},
			Nets: []Net{tests("cluster/mind", "^TestAnOldLoopIsNothingToANewLeader$")},
		},
		{
			Name: "loop-never-ends", Law: "L8",
			Broken: "a host is shot for a row of starts that ended while it was behind a broken link",
			Edits: []Edit{{"cluster/trouble.go",
				"\tif w.Up >= grace || w.Since > RestartsApart {",
				"\tif w.Up >= grace {"}},
			Nets: []Net{tests("cluster/mind", "^TestALoopIsOverWhenNoStartFollows$")},
		},
		{
			Name: "unknown-start-is-a-round", Law: "L8",
			Broken: "a host that boots is shot for its beats before the log knows of its start",
			Edits: []Edit{{"cluster/trouble.go",
				"\t\tw.Incarnation == w.Known",
				"\t\tw.Incarnation <= w.Known"}},
			Nets: []Net{tests("cluster/mind", "^TestABeatBeforeTheStartIsKnown")},
		},
	}
}

// uncounted are the breaks of what is kept of those who are refused.
var uncounted = []Mutant{
	{
		Name: "strangers-fill-the-memory", Law: "L10", Broken: "who knocks at 7441 fills a file that lies in memory",
		Edits: []Edit{{"internal/tunnel/forwarder.go", "shorten(f.config.logPath(),", "shorten(\"\","}},
		Nets:  first(tests("internal/tunnel", "^TestTheLogOfAForwarderIsBounded$")),
	},
	{
		Name: "refusals-lose-count", Law: "L10", Broken: "of a flood at 7441 the audit trail has too few",
		Edits: []Edit{{"internal/audit/brakes.go", "\t\ton.left += 1 + e.More\n", "\t\ton.left++\n"}},
		Nets:  first(tests("internal/daemon", "^TestWhoIsRefusedAtThePortOfMovesIsKept$")),
	},
	{
		Name: "knocks-without-a-bound", Law: "L10", Broken: "a stranger with many addresses fills the memory",
		Edits: []Edit{{"internal/knocks/knocks.go", "\tif len(b.callers) < mostAddresses {",
			"\tif len(b.callers) < 1<<20 {"}},
		Nets: first(tests("internal/knocks", "^TestNobodyFillsTheBook$")),
	},
	{
		Name: "knocks-pushed-out", Law: "L10",
		Broken: "whoever comes from many addresses hides the one that goes on guessing",
		Edits:  []Edit{{"internal/knocks/knocks.go", "b.sorted()[len(b.callers)-1]", "b.sorted()[0]"}},
		Nets:   first(tests("internal/knocks", "^TestNobodyFillsTheBook$")),
	},
	{
		Name: "guesses-are-not-told", Law: "L10", Broken: "nobody is told of somebody who goes on guessing tokens",
		Edits: []Edit{{"internal/server/nodes.go", "\t\ts.noteGuess(r.Context(), who)\n", ""}},
		Nets:  first(tests("internal/daemon", "^TestWhoIsRefusedAgainAndAgainIsToldOf$")),
	},
}
