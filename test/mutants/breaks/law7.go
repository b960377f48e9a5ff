package breaks

// lostLogs are the breaks of L7 where a disk loses the log under a key that lives.
func lostLogs() []Mutant {
	return []Mutant{
		{
			Name: "emptied-log-votes", Law: "L7", Broken: "a voter whose log is gone votes on under its old key",
			Edits: []Edit{{"cluster/log.go",
				"\tcase h.Life == \"\":\n\t\treturn message.LogGone",
				"\tcase h.Life == \"\":\n\t\treturn message.Text{}\n\tcase h.Life == \"gone\":\n" +
					"\t\treturn message.LogGone"}},
			Nets: first(Simulation), Faults: []string{"log lost"},
		},
		{
			Name: "the-leaders-state-is-right", Law: "L7", Broken: "a State that differs from the leader's is the wrong one",
			Edits: []Edit{{"internal/membership/comparing/comparing.go", "if 2*len(names) > len(voters) {",
				"if slices.Contains(names, leader) {"}},
			Nets: first(tests("internal/daemon", "^TestALeaderWhoseStateDiffersBeginsAnew$")),
		},
		{
			Name: "states-are-not-compared", Law: "L7", Broken: "nobody compares its State with that of others",
			Edits: []Edit{{"internal/membership/comparing/comparing.go", "case verdict.odd:",
				"case verdict.odd && verdict.right == \"\":"}},
			Nets: first(tests("internal/daemon", "^TestAStateThatDiffersStopsItsNode$")),
		},
		{
			Name: "cut-log-votes", Law: "L7", Broken: "a voter whose log was cut by its disk votes on",
			Edits: []Edit{{"cluster/log.go",
				"h.LastTerm == known.LastTerm && h.LastIndex < known.LastIndex",
				"h.LastTerm == known.LastTerm && h.LastIndex < min(known.LastIndex, 0)"}},
			Nets: first(Simulation), // it needs no fault: what compares logs in an election is the same line
		},
		{
			Name: "applied-entries-are-cut", Law: "L7",
			Broken: "a leader that lacks what a node has applied writes over it",
			Edits: []Edit{{"quorum/held.go", "entries[0].Index <= applied {",
				"entries[0].Index < min(applied, 0) {"}},
			Nets: first(tests("quorum", "^TestNobodyCutsWhatWasApplied$")),
		},
		{
			Name: "late-loss-is-believed", Law: "L7",
			Broken: "a node that has begun a newer log is said to have lost it by what it asked for before that",
			Edits: []Edit{{"cluster/apply/member.go",
				"\tcase n.Log != c.Before:",
				"\tcase n.Log != c.Before && c.Why.IsZero():"}},
			Nets: []Net{tests("cluster", "^TestALossThatIsToldLateIsOver$")},
		},
		{
			Name: "logless-gets-its-vote-early", Law: "L7", Broken: "a node that lost its log may vote before it holds it again",
			Edits: []Edit{{"cluster/log.go", "Get(node); n.LogLost != 0 {", "Get(node); n.LogLost == 1 {"}},
			Nets:  []Net{tests("cluster", "^TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp$")},
		},
	}
}

// worthless are the breaks of what tells a log or a State that must not count.
func worthless() []Mutant {
	return []Mutant{
		{
			Name: "odd-states-are-acted-on", Law: "L7",
			Broken: "a node goes on acting on a State that is known not to be the others', while it may not begin anew",
			Edits: []Edit{{"cluster/mind/step.go", "\t\tif in.Odd || n.handed",
				"\t\tif n.handed"}},
			Nets: []Net{tests("cluster/mind", "^TestANodeWhoseStateDiffersNeitherPlansNorWorks$")},
		},
		{
			Name: "odd-node-lets-vms-in", Law: "L7",
			Broken: "the doorkeeper of a node whose State is known not to be the others' lets VMs in by it",
			Edits:  []Edit{{"internal/membership/comparing/comparing.go", "\tc.odd.Store(true)\n", ""}},
			Nets:   []Net{tests("internal/daemon", "^TestAStateThatDiffersIsActedOnByNobody$")},
		},
		{
			Name: "who-stands-by-gets-acts", Law: "L7",
			Broken: "a node that does nothing, because its State is not that of the others, is given acts that never end",
			Edits:  []Edit{{"cluster/rules/begin.go", "\tcase n.StandsBy():\n", "\tcase n.StandsBy() && n.Name == \"\":\n"}},
			Nets:   []Net{tests("cluster", "^TestANodeThatStandsByIsAskedForNothing$")},
		},
		{
			Name: "who-stands-by-keeps-its-shot", Law: "L7",
			Broken: "a fence stays with a node that has come to stand by, and nobody else tries it",
			Edits:  []Edit{{"cluster/fence.go", "!fencer.StandsBy() && ", ""}},
			Nets:   []Net{tests("cluster", "^TestANodeThatStandsByIsAskedForNothing$")},
		},
		{
			Name: "flapping-disk-has-lost-the-log", Law: "L7",
			Broken: "a snapshot that the disk does not give away for a moment counts as gone, and the log as cut",
			Edits: []Edit{{"quorum/held.go", "&& number != syscall.ENOENT",
				"&& number == 0"}},
			Nets: []Net{tests("quorum", "^TestALogWithoutItsSnapshotIsCut$")},
		},
		{
			Name: "older-copy-is-not-told", Law: "L7",
			Broken: "what the others remember of a node's log is not believed: an older copy of its folder votes",
			Edits:  []Edit{{"quorum/greet.go", "told && g.memory != nil {", "told && g.memory == nil {"}},
			Nets:   []Net{tests("internal/daemon", "^TestAnOlderCopyOfTheFolderIsFoundOutByTheOthers$")},
		},
		{
			Name: "log-without-its-snapshot-is-whole", Law: "L7",
			Broken: "a log whose compacted beginning cannot be reached any more counts as far as it goes",
			Edits: []Edit{{"quorum/held.go", "if first > covered+1 {",
				"if first > covered+1 && covered > last {"}},
			Nets: []Net{tests("quorum", "^TestALogWithoutItsSnapshotIsCut$")},
		},
	}
}

// elsewhere are the breaks of what brings the log to a node whose address is another one, or is not
// there yet.
func elsewhere() []Mutant {
	return []Mutant{
		{
			Name: "moved-node-is-not-looked-for", Law: "L7",
			Broken: "a node that comes back under another address is looked for where it was, for ever",
			Edits: []Edit{{node, "\tif n.Reachable() {\n\t\treturn rules.Refuse(message.AddressNodeInTouch",
				"\tif n.Name != \"\" {\n\t\treturn rules.Refuse(message.AddressNodeInTouch"}},
			Nets:   []Net{Simulation, tests("internal/daemon", "^TestANodeThatComesBackUnderAnotherAddressIsFound$")},
			Faults: []string{"address changes", "addresses change"},
		},
		{
			Name: "start-tells-no-address", Law: "L7",
			Broken: "the new addresses of all nodes last only as long as their files say what moved",
			Edits:  []Edit{{node, "cmp.Or(c.Address, n.Address), c.Version", "cmp.Or(n.Address, c.Address), c.Version"}},
			Nets:   []Net{Simulation, tests("internal/daemon", "^TestAllNodesGetNewAddressesAtOnce$")},
			Faults: []string{"addresses change", "address changes"},
		},
		{
			Name: "late-address-ends-the-daemon", Law: "L7",
			Broken: "a daemon ends whose host does not have the address yet",
			Edits: []Edit{{"internal/daemon/late.go", "\t\tif !comesLate(err) {",
				"\t\tif what != \"\" || !comesLate(err) {"}},
			Nets: first(tests("internal/daemon", "^TestADaemonWaitsForAnAddressThatComesLate$")),
		},
		{
			Name: "volume-is-told-without-end", Law: "L7",
			Broken: "a node that cannot write, and so never reads that it was heard, says so as fast as it can",
			Edits:  []Edit{{"cluster/mind/volume.go", "\t\treturn now-w.at >= w.pause\n", "\t\treturn w.pause > 0\n"}},
			Nets:   first(Simulation), Faults: []string{"volume cannot be written"},
		},
	}
}

// otherLogs are breaks of L7 in whose log counts, where a State is older than its node's log.
func otherLogs() []Mutant {
	return []Mutant{
		{
			Name: "unapplied-log-lets-nobody-in", Law: "L7",
			Broken: "who was let in since the snapshot is not believed before somebody leads, and nobody may be able to",
			Edits: []Edit{{"cluster/log.go",
				"\tthen, _ := ahead.Nodes.Get(node)",
				"\tthen := now"}},
			Nets: []Net{tests("internal/daemon", "^TestAVoteOfWhoWasLetInSinceTheSnapshotCounts$"),
				tests("cluster", "^TestWhoWasLetInByAnEntryThatIsNotAppliedCounts$"),
				tests("cluster", "^TestWhoJoinedAgainByEntriesThatAreNotAppliedCounts$")},
		},
		{
			Name: "any-life-counts", Law: "L7", Broken: "a log counts that its node was not let in with",
			Edits: []Edit{{"cluster/log.go",
				"\tif then.Log == held.Life && then.Log != \"\" ||",
				"\tif then.Log != \"\" ||"}},
			Nets: []Net{tests("cluster", "^TestANodeWithoutItsLogMayNotVoteBeforeItHasComeUp$"),
				tests("cluster", "^TestWhoWasLetInByAnEntryThatIsNotAppliedCounts$")},
		},
		{
			Name: "empty-state-lets-anybody-in", Law: "L7",
			Broken: "before anything is applied, any log counts as one that its node was let in with: an emptied one too",
			Edits:  []Edit{{"cluster/log.go", "then.Log == \"\" && now.Log == \"\" {", "now.Log == \"\" {"}},
			Nets: []Net{tests("internal/daemon", "^TestAnEmptiedFolderElectsNobodyWhereNothingIsAppliedYet$"),
				tests("cluster", "^TestAStateThatNamesNoLogYetLetsNobodyIn$")},
		},
		{
			Name: "empty-state-forgets-logs", Law: "L7",
			Broken: "before anything is applied, what an emptied log says takes the place of what is remembered of it",
			Edits:  []Edit{{"cluster/log.go", "\tif s.MayCount(node, held, known, later).IsZero() &&\n\t\ts.", "\tif s."}},
			Nets:   first(tests("cluster", "^TestAStateThatNamesNoLogYetLetsNobodyIn$")),
		},
		{
			Name: "joins-in-a-removed-ones-place", Law: "L7",
			Broken: "who joins under the name of a node that was just removed votes in its place, with an empty log",
			Edits: []Edit{{"internal/membership/entrance/entrance.go", "if !root.Nodes.Has(node) && slices.",
				"if root.Nodes.Has(node) && slices."}},
			Nets: first(tests("internal/daemon", "^TestARemovedNodesPlaceInTheLogIsNobodyElses$")),
		},
	}
}

// acknowledged are the breaks of L7: nothing that was answered is lost.
func acknowledged() []Mutant {
	return []Mutant{
		{
			Name: "results-are-dropped", Law: "L7", Broken: "a result whose proposal failed is forgotten",
			Edits: []Edit{{outbox,
				"\t\t\tcase n.delivered(now, key, refused):",
				"\t\t\t\tn.outbox = nil\n\t\t\tcase n.delivered(now, key, refused):"}},
			Nets: []Net{Simulation, tests("cluster/mind", "^TestAResultIsProposedUntilItIsInTheLogAndThenNeverAgain$")},
		},
		{
			Name: "snapshot-drops-intents", Law: "L7", Broken: "a snapshot does not hold the open intents",
			Edits: []Edit{{state, "`json:\"intent,omitempty\"`", "`json:\"-\"`"}}, Nets: first(Simulation),
			Faults: []string{"snapshot"},
		},
		{
			Name: "snapshot-drops-fences", Law: "L7", Broken: "a snapshot does not hold the open fence intents",
			Edits: []Edit{{state, "`json:\"fences\"`", "`json:\"-\"`"}}, Nets: first(Simulation), Faults: []string{"snapshot"},
		},
		{
			Name: "snapshot-drops-wishes", Law: "L7", Broken: "a snapshot does not hold what administrators asked for",
			Edits: []Edit{{state, "`json:\"wish,omitempty\"`", "`json:\"-\"`"}}, Nets: first(Simulation),
			Faults: []string{"snapshot"},
		},
		{
			Name: "requests-are-done-twice", Law: "L7", Broken: "a request that is repeated is done again",
			Edits: []Edit{{"cluster/apply/ask.go",
				"\tif _, known := t.Requests.Get(c.Request); known {",
				"\tif _, known := t.Requests.Get(c.Request); known && c.Op == \"\" {"}},
			Nets: []Net{Simulation, tests("cluster", "^TestARequestIsDoneOnce$")}, Faults: []string{"request"},
		},
		{
			Name: "requests-are-never-answered", Law: "L7",
			Broken: "the request behind a migration that is undone gets no answer",
			Edits: []Edit{{"cluster/apply/settle.go",
				"service = t.answer(service, code, service.Reason, cluster.OpMigrate",
				"service.Wish, code = nil, code\n\t\tt.Services.Set(service.Spec.Name, service"}},
			Nets: first(Simulation),
		},
		{
			Name: "maps-are-walked-as-they-lie", Law: "L7",
			Broken: "the keys of a document come in any order, so that equal entries make unequal States",
			Edits: []Edit{{"cluster/internal/words/words.go",
				"\tsort.Strings(keys)\n\treturn keys",
				"\tif len(keys) > 1_000_000 {\n\t\tsort.Strings(keys)\n\t}\n\treturn keys"}}, Nets: first(Simulation),
		},
	}
}

const level = "cluster/codec.go"

// levels are the breaks of "one log, one State": a member with an older binary is
// given what it does not know, or would make something else of.
func levels() []Mutant {
	enters := Edit{level,
		"\t\tif why := r.PrematureFor(s, c); !why.IsZero() ",
		"\t\tif why := r.PrematureFor(s, c); !why.IsZero() && s.Level > r.level "}
	applied := Edit{"cluster/apply/apply.go",
		"\t\tif why := r.release.PrematureFor(s, command); !why.IsZero() ",
		"\t\tif why := r.release.PrematureFor(s, command); !why.IsZero() && s.Level > " +
			"cluster.CurrentLevel "}
	return append(unknownRules(), []Mutant{
		{
			Name: "new-commands-reach-old-binaries", Law: "L7",
			Broken: "what newer rules allow is proposed and applied at any level",
			Edits:  []Edit{enters, applied}, Nets: first(Simulation), Faults: []string{"upgrade"},
		},
		{
			Name: "new-commands-are-proposed-early", Law: "L7",
			Broken: "what newer rules allow is proposed at any level; Apply refuses it, and an old binary stops at it",
			Edits:  []Edit{enters}, Nets: first(Simulation),
		},
		{
			Name: "new-commands-apply-alone", Law: "L7", Broken: "Apply does not ask for the level of a command",
			Edits: []Edit{applied}, Nets: first(shortSimulation), Harmless: "such a command is not proposed",
		},
		{
			Name: "level-is-raised-early", Law: "L7", Broken: "newer rules come into force although a member does not know them",
			Edits: []Edit{{"cluster/apply/cluster.go", "n.MaxLevel < c.Level {", "n.MaxLevel < c.Level-1 {"}},
			Nets:  first(Simulation), Faults: []string{"level raised"},
		},
		{
			Name: "level-is-the-binary's", Law: "L7",
			Broken: "an old log that is read again after an upgrade brings the newer binary's rules",
			Edits:  []Edit{{"cluster/apply/cluster.go", " = c.Level, c.Cluster,", " = cluster.CurrentLevel, c.Cluster,"}},
			Nets:   []Net{Simulation, tests("cluster", "^TestTheFirstEntrySaysItsLevel$")},
		},
		{
			Name: "too-old-is-admitted", Law: "L7", Broken: "a daemon is let in that does not know the rules in force",
			Edits: []Edit{{node, "\tif c.MaxLevel < t.Level {\n", "\tif c.MaxLevel < 0 {\n"}}, Nets: first(stories),
		},
		{
			Name: "what-a-command-says-has-no-level", Law: "L7",
			Broken: "a command that older members read otherwise is let into their log, because they know its kind",
			Edits:  []Edit{{level, "\t\t\t\tneeded = max(needed, of(c.(C)))", "\t\t\t\tneeded = max(needed, 0*of(c.(C)))"}},
			Nets:   []Net{tests("cluster", "^TestALevelIsThatOfWhatACommandSays$")},
		},
		{
			Name: "mind-proposes-early", Law: "L7",
			Broken: "what a node reports is proposed although older members would not understand it",
			Edits: []Edit{{"cluster/mind/outbox.go", "n.release.LevelOf(commands[i]) > s.Level",
				"n.release.LevelOf(commands[i]) > s.Level+1"}},
			Nets: []Net{tests("cluster/mind", "^TestWhatOlderMembersWouldNotUnderstandWaits$")},
		},
	}...)
}

// unknownRules are the breaks of what keeps a daemon from rules that it does not know.
func unknownRules() []Mutant {
	return []Mutant{
		{
			Name: "leader-is-told-over-and-over", Law: "L7",
			Broken: "a leader tells again and again that it leads, and fills the log",
			Edits:  []Edit{{"cluster/plan/notes.go", "v.Term <= last.Term ||", "v.Term < last.Term ||"}},
			Nets:   []Net{tests("cluster", "^TestALeaderTellsOfEachTermOnce$")},
		},
		{
			Name: "old-word-of-a-leader-counts", Law: "L7",
			Broken: "what an older leader told comes late into the log, and it is shown as the leader",
			Edits:  []Edit{{"cluster/apply/reach.go", "case c.Term <= t.Leader.Term:", "case c.Term == 0:"}},
			Nets:   []Net{tests("cluster", "^TestALeaderTellsOfEachTermOnce$")},
		},
		{
			Name: "unknown-rules-are-followed", Law: "L7",
			Broken: "a daemon goes on although the rules in force are newer than it",
			Edits: []Edit{{level,
				"\tif s.Level <= r.level {\n\t\treturn message.Text{}",
				"\tif s.Level > 0 {\n\t\treturn message.Text{}"}},
			Nets: []Net{tests("internal/daemon", "^TestRulesThatAreNotKnownEndTheDaemon$")},
		},
		{
			Name: "loop-is-in-touch", Law: "L7",
			Broken: "what runs on a node whose daemon ends after each start is left to it for good",
			Edits: []Edit{{"cluster/trouble.go",
				"\treturn w.Silence < timing.Test && w.Starts.Restless >= timing.SilentGrace+more",
				"\treturn w.Silence < 0 && w.Starts.Restless >= timing.SilentGrace+more"}},
			Nets: []Net{Simulation, stories}, Faults: []string{"daemon does not stay up"},
		},
	}
}

// staying are the breaks of what is said and done about the state of a VM that lies on one host.
// They break no law: what is lost by them is a guest's own.
var staying = []Mutant{
	{
		Name: "a-guest-loses-its-tpm", Law: "L7", Broken: "the state of an emulated TPM goes with each stop of its VM",
		Edits: []Edit{{"agents/vm/vm.go", "{ return keepsTPM(start.Definition) }", "{ return start.Definition }"}},
		Nets:  []Net{tests("agents/vm", "^TestAVMKeepsItsTPM$")},
	},
	{
		Name: "a-tpm-is-kept-where-nobody-asked", Law: "L7",
		Broken: "the state of a TPM is lost where its definition says in words that it need not stay",
		Edits: []Edit{{"agents/vm/vm.go", "tag = strings.Replace(tag, no, \"persistent_state='yes'\", 1)",
			"tag = strings.Replace(tag, no, no, 1)"}},
		Nets: []Net{tests("agents/vm", "^TestAVMKeepsItsTPM$")},
	},
	{
		Name: "a-cold-move-is-not-warned-of", Law: "R",
		Broken: "a person who relocates a VM is not told what stays on its host",
		Edits:  []Edit{{"cmd/clusvcadm/act.go", "coldWarning(*w, service))\n", "coldWarning(*w, service)[:0])\n"}},
		Nets:   []Net{tests("cmd/clusvcadm", "^TestAColdRelocationSaysWhatItLeavesBehind$")},
	},
	{
		Name: "what-is-off-left-nothing", Law: "R",
		Broken: "of a VM that is off nobody is told that its state lies where it ran last",
		Edits:  []Edit{{"cmd/clusvcadm/act.go", "cmp.Or(service.Owner, service.LastOwner)", "cmp.Or(service.Owner)"}},
		Nets:   []Net{tests("cmd/clusvcadm", "^TestTheStateOfAVMThatIsOffLiesWhereItRanLast$")},
	},
	{
		Name: "nothing-stays-on-a-host", Law: "R",
		Broken: "what a VM leaves behind on its host is neither said before a drain nor after a start elsewhere",
		Edits:  []Edit{{"resources/bond.go", "func(b Bond) bool { return b.Stays })", "func(b Bond) bool { return false })"}},
		Nets:   []Net{stories, tests("internal/domainxml", "^TestWhatTiesAVMToItsHost$")},
	},
	{
		Name: "a-plugged-device-is-no-news", Law: "R",
		Broken: "a network interface that was plugged in vanishes at the next start without a word",
		Edits:  []Edit{{"agents/plugged.go", "switch surplus := len(here) - most; {", "switch surplus := most - most; {"}},
		Nets: []Net{tests("agents", "^TestWhatWasPluggedInIsWhatNoDefinitionHas$"),
			tests("internal/executor", "^TestALookTellsWhatTheNextStartIsWithout$")},
	},
	{
		Name: "a-mended-part-answers-anything", Law: "R",
		Broken: "the end of a convalescence answers whatever request came since with success",
		Edits: []Edit{{"cluster/apply/begin.go", "if w := service.Wish; w != nil && w.Op == cluster.OpConvalesce {",
			"if service = t.finish(service, cluster.CodeSuccess, message.Text{}); service.Wish != nil {"}},
		Nets: first(tests("cluster", "^TestTheEndOfConvalescingAnswersNoOtherRequest$")),
	},
	{
		Name: "what-was-left-is-no-news", Law: "R",
		Broken: "a VM comes up on another node without its state, and its event does not say so",
		Edits: []Edit{{"cluster/member.go", "if stays == \"\" || s.LastOwner == \"\" ||",
			"if stays != \"\" || s.LastOwner == \"\" ||"}},
		Nets: first(stories),
	},
}
