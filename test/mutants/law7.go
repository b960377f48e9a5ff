package main

// lostLogs are the breaks of L7 where a disk loses the log under a key that lives.
func lostLogs() []mutant {
	const rule = "cluster/alone.go"
	return []mutant{
		{
			name: "emptied-log-votes", law: "L7", broken: "a voter whose log is gone votes on under its old key",
			edits: []edit{{"cluster/log.go",
				"\tcase h.Life == \"\":\n\t\treturn message.LogGone",
				"\tcase h.Life == \"\":\n\t\treturn message.Text{}\n\tcase h.Life == \"gone\":\n" +
					"\t\treturn message.LogGone"}},
			nets: first(simulation), faults: []string{"log lost"},
		},
		{
			name: "cut-log-votes", law: "L7", broken: "a voter whose log was cut by its disk votes on",
			edits: []edit{{"cluster/log.go",
				"h.LastTerm == known.LastTerm && h.LastIndex < known.LastIndex",
				"h.LastTerm == known.LastTerm && h.LastIndex < min(known.LastIndex, 0)"}},
			nets: first(simulation),
		},
		{
			name: "late-loss-is-believed", law: "L7",
			broken: "a node that has begun a newer log is said to have lost it by what it asked for before that",
			edits: []edit{{"cluster/apply/member.go",
				"\tcase n.Log != c.Before:",
				"\tcase n.Log != c.Before && c.Why.IsZero():"}},
			nets: []net{tests("cluster", "^TestALossThatIsToldLateIsOver$")},
		},
		{
			name: "logless-gets-its-vote-early", law: "L7", broken: "a node that lost its log may vote before it holds it again",
			edits: []edit{{"cluster/log.go", "Get(node); n.LogLost != 0 {", "Get(node); n.LogLost == 1 {"}},
			nets:  []net{tests("cluster", "^TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp$")},
		},
	}
}

// otherLogs are breaks of L7 in whose log counts, where a State is older than its node's log.
func otherLogs() []mutant {
	return []mutant{
		{
			name: "unapplied-log-lets-nobody-in", law: "L7",
			broken: "who was let in since the snapshot is not believed before somebody leads, and nobody may be able to",
			edits: []edit{{"cluster/log.go",
				"\tthen, _ := ahead.Nodes.Get(node)",
				"\tthen := now"}},
			nets: []net{tests("internal/daemon", "^TestAVoteOfWhoWasLetInSinceTheSnapshotCounts$"),
				tests("cluster", "^TestWhoWasLetInByAnEntryThatIsNotAppliedCounts$"),
				tests("cluster", "^TestWhoJoinedAgainByEntriesThatAreNotAppliedCounts$")},
		},
		{
			name: "any-life-counts", law: "L7", broken: "a log counts that its node was not let in with",
			edits: []edit{{"cluster/log.go",
				"\tif then.Log == held.Life && then.Log != \"\" ||",
				"\tif then.Log != \"\" ||"}},
			nets: []net{tests("cluster", "^TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp$"),
				tests("cluster", "^TestWhoWasLetInByAnEntryThatIsNotAppliedCounts$")},
		},
		{
			name: "empty-state-lets-anybody-in", law: "L7",
			broken: "before anything is applied, any log counts as one that its node was let in with: an emptied one too",
			edits:  []edit{{"cluster/log.go", "then.Log == \"\" && now.Log == \"\" {", "now.Log == \"\" {"}},
			nets: []net{tests("internal/daemon", "^TestAnEmptiedFolderElectsNobodyWhereNothingIsAppliedYet$"),
				tests("cluster", "^TestAStateThatNamesNoLogYetLetsNobodyIn$")},
		},
		{
			name: "empty-state-forgets-logs", law: "L7",
			broken: "before anything is applied, what an emptied log says takes the place of what is remembered of it",
			edits:  []edit{{"cluster/log.go", "\tif s.MayCount(node, held, known, later).IsZero() &&\n\t\ts.", "\tif s."}},
			nets:   first(tests("cluster", "^TestAStateThatNamesNoLogYetLetsNobodyIn$")),
		},
		{
			name: "joins-in-a-removed-ones-place", law: "L7",
			broken: "who joins under the name of a node that was just removed votes in its place, with an empty log",
			edits: []edit{{"internal/daemon/joining.go", "if !root.Nodes.Has(node) && slices.",
				"if root.Nodes.Has(node) && slices."}},
			nets: first(tests("internal/daemon", "^TestARemovedNodesPlaceInTheLogIsNobodyElses$")),
		},
	}
}

// acknowledged are the breaks of L7: nothing that was answered is lost.
func acknowledged() []mutant {
	return []mutant{
		{
			name: "results-are-dropped", law: "L7", broken: "a result whose proposal failed is forgotten",
			edits: []edit{{outbox,
				"\t\t\tcase n.delivered(now, key, refused):",
				"\t\t\t\tn.outbox = nil\n\t\t\tcase n.delivered(now, key, refused):"}},
			nets: []net{simulation, tests("cluster/mind", "^TestAResultIsProposedUntilItIsInTheLogAndThenNeverAgain$")},
		},
		{
			name: "snapshot-drops-intents", law: "L7", broken: "a snapshot does not hold the open intents",
			edits: []edit{{state, "`json:\"intent,omitempty\"`", "`json:\"-\"`"}}, nets: first(simulation),
			faults: []string{"snapshot"},
		},
		{
			name: "snapshot-drops-fences", law: "L7", broken: "a snapshot does not hold the open fence intents",
			edits: []edit{{state, "`json:\"fences\"`", "`json:\"-\"`"}}, nets: first(simulation), faults: []string{"snapshot"},
		},
		{
			name: "snapshot-drops-wishes", law: "L7", broken: "a snapshot does not hold what administrators asked for",
			edits: []edit{{state, "`json:\"wish,omitempty\"`", "`json:\"-\"`"}}, nets: first(simulation),
			faults: []string{"snapshot"},
		},
		{
			name: "requests-are-done-twice", law: "L7", broken: "a request that is repeated is done again",
			edits: []edit{{"cluster/apply/ask.go",
				"\tif _, known := t.Requests.Get(c.Request); known {",
				"\tif _, known := t.Requests.Get(c.Request); known && c.Op == \"\" {"}},
			nets: []net{simulation, tests("cluster", "^TestARequestIsDoneOnce$")}, faults: []string{"request"},
		},
		{
			name: "requests-are-never-answered", law: "L7",
			broken: "the request behind a migration that is undone gets no answer",
			edits: []edit{{"cluster/apply/settle.go",
				"service = t.answer(service, code, service.Reason, cluster.OpMigrate",
				"service.Wish, code = nil, code\n\t\tt.Services.Set(service.Spec.Name, service"}},
			nets: first(simulation),
		},
		{
			name: "maps-are-walked-as-they-lie", law: "L7",
			broken: "the keys of a document come in any order, so that equal entries make unequal States",
			edits: []edit{{"cluster/internal/words/words.go",
				"\tsort.Strings(keys)\n\treturn keys",
				"\tif len(keys) > 1_000_000 {\n\t\tsort.Strings(keys)\n\t}\n\treturn keys"}}, nets: first(simulation),
		},
	}
}
