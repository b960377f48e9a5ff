package main

const level = "cluster/codec.go"

// levels are the breaks of "one log, one State": a member with an older binary is
// given what it does not know, or would make something else of.
func levels() []mutant {
	enters := edit{level,
		"\t\tif why := r.PrematureFor(s, c); !why.IsZero() ",
		"\t\tif why := r.PrematureFor(s, c); !why.IsZero() && s.Level > r.level "}
	applied := edit{"cluster/apply/apply.go",
		"\t\tif why := r.release.PrematureFor(s, command); !why.IsZero() ",
		"\t\tif why := r.release.PrematureFor(s, command); !why.IsZero() && s.Level > " +
			"cluster.CurrentLevel "}
	return append(unknownRules(), []mutant{
		{
			name: "new-commands-reach-old-binaries", law: "L7",
			broken: "what newer rules allow is proposed and applied at any level",
			edits:  []edit{enters, applied}, nets: first(simulation), faults: []string{"upgrade"},
		},
		{
			name: "new-commands-are-proposed-early", law: "L7",
			broken: "what newer rules allow is proposed at any level; Apply refuses it, and an old binary stops at it",
			edits:  []edit{enters}, nets: first(simulation),
		},
		{
			name: "new-commands-apply-alone", law: "L7", broken: "Apply does not ask for the level of a command",
			edits: []edit{applied}, nets: first(shortSimulation), harmless: "such a command is not proposed",
		},
		{
			name: "level-is-raised-early", law: "L7", broken: "newer rules come into force although a member does not know them",
			edits: []edit{{"cluster/apply/cluster.go", "n.MaxLevel < c.Level {", "n.MaxLevel < c.Level-1 {"}},
			nets:  first(simulation), faults: []string{"level raised"},
		},
		{
			name: "level-is-the-binary's", law: "L7",
			broken: "an old log that is read again after an upgrade brings the newer binary's rules",
			edits:  []edit{{"cluster/apply/cluster.go", " = c.Level, c.Cluster,", " = cluster.CurrentLevel, c.Cluster,"}},
			nets:   []net{simulation, tests("cluster", "^TestTheFirstEntrySaysItsLevel$")},
		},
		{
			name: "too-old-is-admitted", law: "L7", broken: "a daemon is let in that does not know the rules in force",
			edits: []edit{{node, "\tif c.MaxLevel < t.Level {\n", "\tif c.MaxLevel < 0 {\n"}}, nets: first(stories),
		},
		{
			name: "what-a-command-says-has-no-level", law: "L7",
			broken: "a command that older members read otherwise is let into their log, because they know its kind",
			edits:  []edit{{level, "\t\t\t\tneeded = max(needed, of(c.(C)))", "\t\t\t\tneeded = max(needed, 0*of(c.(C)))"}},
			nets:   []net{tests("cluster", "^TestALevelIsThatOfWhatACommandSays$")},
		},
		{
			name: "mind-proposes-early", law: "L7",
			broken: "what a node reports is proposed although older members would not understand it",
			edits: []edit{{"cluster/mind/outbox.go", "n.release.LevelOf(commands[i]) > s.Level",
				"n.release.LevelOf(commands[i]) > s.Level+1"}},
			nets: []net{tests("cluster/mind", "^TestWhatOlderMembersWouldNotUnderstandWaits$")},
		},
	}...)
}

// unknownRules are the breaks of what keeps a daemon from rules that it does not know.
func unknownRules() []mutant {
	return []mutant{
		{
			name: "unknown-rules-are-followed", law: "L7",
			broken: "a daemon goes on although the rules in force are newer than it",
			edits: []edit{{level,
				"\tif s.Level <= r.level {\n\t\treturn message.Text{}",
				"\tif s.Level > 0 {\n\t\treturn message.Text{}"}},
			nets: []net{tests("internal/daemon", "^TestRulesThatAreNotKnownEndTheDaemon$")},
		},
	}
}
