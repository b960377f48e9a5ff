package breaks

// oldLeaders are the breaks of L6: who acts asks again, and what is not the
// newest counts for nothing.
var oldLeaders = []Mutant{
	{
		Name: "executor-never-asks-again", Law: "L6", Broken: "an executor carries out what was taken back meanwhile",
		Edits: []Edit{{work,
			"\tfor _, wanted := range workFor(s, n, d) {\n" +
				"\t\tif wanted.Key() == d.Key() {\n" +
				"\t\t\treturn mayGoOver(s, d)",
			"\tfor _, wanted := range append(workFor(s, n, d), d) {\n" +
				"\t\tif wanted.Key() == d.Key() {\n" +
				"\t\t\treturn mayGoOver(s, d)"}}, Nets: []Net{tests("cluster", "^TestAnExecutorHearsThatItsActWasTakenBack$")},
	},
	{
		Name: "closed-intents-take-results", Law: "L6",
		Broken: "a result counts although its intent is not the newest any more",
		Edits: []Edit{{result,
			"service.Intent == nil || service.Intent.Index != c.Act {",
			"service.Intent == nil {"}}, Nets: []Net{Simulation, tests("cluster", "^TestAResultCountsOnce$")},
	},
	{
		Name: "stale-observations-count", Law: "L6", Broken: "what was seen before the last act counts after it",
		Edits: []Edit{{observe,
			"(held && h.Since > c.AsOf) || (!held && service.Changed > c.AsOf)",
			"held && h.Since > c.AsOf+1_000_000"}},
		Nets: []Net{Simulation, tests("cluster", "^TestAnObservationFromBeforeAnActCountsForNothing$")},
	},
	{
		Name: "late-twins-count", Law: "L6",
		Broken: "what was seen comes into the log twice, and the second time has the last word",
		Edits: []Edit{{observe,
			"} else if held && h.Seen >= c.AsOf {",
			"} else if held && h.Seen > c.AsOf+1_000_000 {"}},
		Nets: []Net{Simulation, tests("cluster", "^TestALateTwinOfAnObservationCountsForNothing$")},
	},
	{
		Name: "off-is-sent-unasked", Law: "L6", Broken: "an off command goes out without asking whether it is still wanted",
		Edits: []Edit{{attempt, "\terr := a.request.StillWanted()\n", "\tvar err error\n"}},
		Nets:  []Net{tests("fence/proof", "^TestWhatNobodyAnswersForIsUnknown$")},
	},
	{
		Name: "plans-pass-to-the-next-leader", Law: "L6",
		Broken: "what a leader decided is carried to its successor, whose view it is not",
		Edits:  []Edit{{"internal/daemon/propose.go", "\t\tif p.Planned {", "\t\tif p.Planned && p.ID == 0 {"}},
		Nets:   []Net{tests("internal/daemon", "^TestAPlanOfAnOldLeaderIsNotPassedOn$")},
	},
	{
		Name: "explains-from-a-blank-view", Law: "L6",
		Broken: "clustat --why is worked out as if the leader had measured nothing",
		Edits: []Edit{{"internal/server/orders.go",
			"\t\treturn root, seen.View, api.Ground{", "\t\treturn root, cluster.View{Self: name}, api.Ground{"}},
		Nets: []Net{tests("internal/daemon", "^TestWhySaysWhatTheLeaderActsOn$")},
	},
	{
		Name: "followers-explain-from-a-blank-view", Law: "L6",
		Broken: "a node that does not lead explains as if the leader had measured nothing",
		Edits: []Edit{{"internal/server/orders.go",
			"\t\t\treturn root, seen.View.On(root, 0), api.Ground{",
			"\t\t\treturn root, cluster.View{Self: name}, api.Ground{"}},
		Nets: []Net{tests("internal/daemon", "^TestWhySaysWhatTheLeaderActsOn$")},
	},
	{
		Name: "decisions-outlive-findings", Law: "L6",
		Broken: "what was decided holds although the leader has found out something else since",
		Edits:  []Edit{{"cluster/mind/shortcut.go", "turned && v.FoundAs(s, *c.seen)", "turned"}},
		Nets:   byMindTests("TestADecisionIsMadeAnewWhenSomethingElseIsFound"),
	},
}
