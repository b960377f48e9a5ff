package main

const (
	doors, dial, dialed  = "internal/pki/doors.go", "internal/pki/dial.go", "internal/pki/dialed.go"
	mux, members         = "internal/pki/mux.go", "internal/tunnel/members.go"
	tunnelTarget, roster = "internal/tunnel/target.go", "internal/tunnel/roster.go"
)

var doorTable, bothEnds = tests("internal/pki", "^TestWhoMayDoWhat$"),
	tests("internal/pki", "^TestARemovalEndsBothEndsOfALink$")
var getsIn = tests("internal/tunnel", "^TestOnlyTheSourceOfAnOpenMigrationGetsIn$")

// admitted are breaks of L10 in who is let in where, and in what may enter the log.
var admitted = []mutant{
	{
		name: "unknown-is-welcome", law: "L10",
		broken: "a key that nobody recorded is a member's if the authority signed it",
		edits:  []edit{{doors, "case standing.Kind == StandingMember && of.member,", "case of.member,"}},
		nets:   first(doorTable),
	},
	{
		name: "vouched-commands", law: "L10", broken: "a node that only another one vouches for may propose",
		edits: []edit{{doors, "ChannelForward:    {member: true},", "ChannelForward:    {member: true, vouched: true},"}},
		nets:  first(doorTable),
	},
	{
		name: "unrecorded-client-is-welcome", law: "L10", broken: "whoever the authority signed as an administrator is one",
		edits: []edit{{doors, "peer.Kind == KindClient && standing.Kind == StandingMember && of.client",
			"peer.Kind == KindClient && of.client"}},
		nets: first(doorTable),
	},
	{
		name: "dialed-stranger-is-taken", law: "L10", broken: "who answers at a member's address is not looked at",
		edits: []edit{{dial, "return store.Admit(channel, Dialing, peer)", "_ = peer\n\t\treturn nil"},
			{dialed, "\treturn store.Admit(connection.channel, Dialing, peer)", "\treturn nil"}},
		nets: first(tests("internal/pki", "^TestAnUnrecordedKeyIsNobodyOnEitherEnd$")),
	},
	{
		name: "accepted-links-live-on", law: "L10", broken: "connections of a node live on after its removal",
		edits: []edit{{mux, "\t\t\trefused = append(refused, connection)", "\t\t\tcontinue"}}, nets: first(bothEnds),
	},
	{
		name: "dialed-links-live-on", law: "L10", broken: "connections to a node live on after its removal",
		edits: []edit{{dialed, "\t\t\trefused = append(refused, connection)", "\t\t\tcontinue"}}, nets: first(bothEnds),
	},
	{
		name: "any-act-opens-libvirt", law: "L10", broken: "a member reaches another one's libvirt when it likes",
		edits: []edit{{roster, "if move.From == from && move.To == to && (act", "if act != \"\" || (act"}},
		nets:  first(getsIn),
	},
	{
		name: "no-roster-is-everybody", law: "L10", broken: "a forwarder that was told nothing lets everybody in",
		edits: []edit{
			{members, "\t\treturn pki.Standing{Kind: pki.StandingUnknown}\n\t}\n\tif at, removed",
				"\t\treturn pki.Standing{Kind: pki.StandingMember}\n\t}\n\tif at, removed"},
			{members, "\troster, _, err := m.roster.read()\n\tif err != nil {\n\t\treturn err\n\t}\n\tfrom, to",
				"\troster, _, err := m.roster.read()\n\tif err != nil {\n\t\treturn nil\n\t}\n\tfrom, to"},
		},
		nets: first(tests("internal/tunnel", "^TestWithoutARosterNobodyGetsIn$")),
	},
	{
		name: "forwarder-forgets-removals", law: "L10", broken: "streams of a removed node live on in the forwarder",
		edits: []edit{{members, "if !sameKeys(now, last) {", "if len(now.Nodes)+len(last.Nodes) > 1_000 {"},
			{"internal/tunnel/stream.go", "\t\t_ = carried.a.Close()\n\t\t_ = carried.b.Close()\n\t\tclosed++",
				"\t\tclosed++"}},
		nets: first(tests("internal/tunnel", "^TestARemovalCutsWhatIsOpen$")),
	},
	{
		name: "forwarder-keeps-its-old-key", law: "L10",
		broken: "a forwarder goes on with the key of a node that was replaced",
		edits: []edit{{members, "if identity.Self.Fingerprint != current.Self.Fingerprint ||",
			"if identity.Self.Fingerprint == \"\" ||"}},
		nets: first(tests("internal/tunnel", "^TestANewKeyEndsTheForwarder$")),
	},
	{
		name: "deaf-forwarder-opens", law: "L10", broken: "a forwarder without a daemon lets in whom it knew last",
		edits: []edit{{tunnelTarget, "if !what.dialed && f.deaf() {", "if what.dialed && f.deaf() {"}},
		nets:  first(tests("internal/tunnel", "^TestWithoutItsDaemonAForwarderLetsNobodyIn$")),
	},
	{
		name: "tools-believe-anybody", law: "L10", broken: "remote tools take the answers of whoever the authority signed",
		edits: []edit{{"internal/api/knownnodes.go",
			"\tif keys.Nodes[name] != fingerprint && keys.Next[name] != fingerprint {",
			"\tif len(keys.Nodes) > 1_000 {"}},
		nets: first(tests("internal/api", "^TestRemoteClient$")),
	},
	{
		name: "poison-is-appended", law: "L10", broken: "the leader appends what no member can apply",
		edits: []edit{{"quorum/propose.go", "\tif l.options.Unfit != nil {", "\tif l.options.Unfit == nil {"}},
		nets:  first(tests("internal/daemon", "^TestPoisonDoesNotEnterTheLog$")),
	},
	{
		name: "half-an-entry-stays", law: "L10", broken: "an entry at which the rules break is half applied",
		edits: []edit{{"cluster/apply/fit.go", "\tnext := s.Fork()\n", "\tnext := s\n"}},
		nets:  first(tests("cluster/apply", "^TestAnEntryThatBreaksApplyChangesNothing$")),
	},
	{
		name: "another-entry-is-stepped-over", law: "L10", broken: "an operator's step hits whatever is at that index",
		edits: []edit{{"internal/daemon/steps.go", "if step.Index == entry.Index && step.Name == nameOfEntry(entry.Data) {",
			"if step.Index == entry.Index {"}},
		nets: first(tests("internal/daemon", "^TestAMemberStepsOverAnEntryThatNoneCanApply$")),
	},
	{
		name: "removed-keys-are-forgotten", law: "L10",
		broken: "there is no end to the list of removed keys, or some are dropped",
		edits: []edit{{"cluster/admit.go",
			"\tif s.Removed.Len()+keys > MaxRemoved",
			"\tif s.Removed.Len()+keys > 2*MaxRemoved"}},
		nets: first(tests("cluster", "^TestARemovedKeyIsNeverForgotten$")),
	},
}
