package main

// oldLeaders are the breaks of L6: who acts asks again, and what is not the
// newest counts for nothing.
var oldLeaders = []mutant{
	{
		name: "executor-never-asks-again", law: "L6", broken: "an executor carries out what was taken back meanwhile",
		edits: []edit{{work,
			"\tfor _, wanted := range workFor(s, n, d) {\n" +
				"\t\tif wanted.Key() == d.Key() {\n" +
				"\t\t\treturn nil",
			"\tfor _, wanted := range append(workFor(s, n, d), d) {\n" +
				"\t\tif wanted.Key() == d.Key() {\n" +
				"\t\t\treturn nil"}}, nets: []net{tests("cluster", "^TestAnExecutorHearsThatItsActWasTakenBack$")},
	},
	{
		name: "closed-intents-take-results", law: "L6",
		broken: "a result counts although its intent is not the newest any more",
		edits: []edit{{result,
			"service.Intent == nil || service.Intent.Index != c.Act {",
			"service.Intent == nil {"}}, nets: []net{simulation, tests("cluster", "^TestAResultCountsOnce$")},
	},
	{
		name: "stale-observations-count", law: "L6", broken: "what was seen before the last act counts after it",
		edits: []edit{{observe,
			"(held && h.Since > c.AsOf) || (!held && service.Changed > c.AsOf)",
			"held && h.Since > c.AsOf+1_000_000"}},
		nets: []net{simulation, tests("cluster", "^TestAnObservationFromBeforeAnActCountsForNothing$")},
	},
	{
		name: "late-twins-count", law: "L6",
		broken: "what was seen comes into the log twice, and the second time has the last word",
		edits: []edit{{observe,
			"} else if held && h.Seen >= c.AsOf {",
			"} else if held && h.Seen > c.AsOf+1_000_000 {"}},
		nets: []net{simulation, tests("cluster", "^TestALateTwinOfAnObservationCountsForNothing$")},
	},
	{
		name: "off-is-sent-unasked", law: "L6", broken: "an off command goes out without asking whether it is still wanted",
		edits: []edit{{attempt, "\terr := a.request.StillWanted()\n", "\tvar err error\n"}},
		nets:  []net{tests("fence/proof", "^TestWhatNobodyAnswersForIsUnknown$")},
	},
	{
		name: "plans-pass-to-the-next-leader", law: "L6",
		broken: "what a leader decided is carried to its successor, whose view it is not",
		edits:  []edit{{"internal/daemon/propose.go", "\t\tif p.Planned {", "\t\tif p.Planned && p.ID == 0 {"}},
		nets:   []net{tests("internal/daemon", "^TestAPlanOfAnOldLeaderIsNotPassedOn$")},
	},
	{
		name: "explains-from-a-blank-view", law: "L6",
		broken: "clustat --why is worked out as if the leader had measured nothing",
		edits: []edit{{"internal/server/orders.go",
			"\t\treturn root, seen.View, api.Ground{", "\t\treturn root, cluster.View{Self: name}, api.Ground{"}},
		nets: []net{tests("internal/daemon", "^TestWhySaysWhatTheLeaderActsOn$")},
	},
	{
		name: "followers-explain-from-a-blank-view", law: "L6",
		broken: "a node that does not lead explains as if the leader had measured nothing",
		edits: []edit{{"internal/server/orders.go",
			"\t\t\treturn root, seen.View.On(root, 0), api.Ground{",
			"\t\t\treturn root, cluster.View{Self: name}, api.Ground{"}},
		nets: []net{tests("internal/daemon", "^TestWhySaysWhatTheLeaderActsOn$")},
	},
	{
		name: "decisions-outlive-findings", law: "L6",
		broken: "what was decided holds although the leader has found out something else since",
		edits:  []edit{{"cluster/mind/shortcut.go", "turned && v.FoundAs(s, *c.seen)", "turned"}},
		nets:   byMindTests("TestADecisionIsMadeAnewWhenSomethingElseIsFound"),
	},
}
