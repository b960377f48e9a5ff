package breaks

const (
	doors, dial, dialed  = "internal/pki/doors.go", "internal/pki/dial.go", "internal/pki/dialed.go"
	mux, members         = "internal/pki/mux.go", "internal/tunnel/members.go"
	tunnelTarget, roster = "internal/tunnel/target.go", "internal/tunnel/roster.go"
	sieve                = "internal/tunnel/sieve.go"
)

var doorTable, bothEnds = tests("internal/pki", "^TestWhoMayDoWhat$"),
	tests("internal/pki", "^TestARemovalEndsBothEndsOfALink$")
var getsIn = tests("internal/tunnel", "^TestOnlyTheSourceOfAnOpenMigrationGetsIn$")

// admitted are breaks of L10 in who is let in where, and in what may enter the log.
var admitted = []Mutant{
	{
		Name: "unknown-is-welcome", Law: "L10",
		Broken: "a key that nobody recorded is a member's if the authority signed it",
		Edits:  []Edit{{doors, "case standing.Kind == StandingMember && of.member,", "case of.member,"}},
		Nets:   first(doorTable),
	},
	{
		Name: "question-in-any-name", Law: "L10", Broken: "a member asks in the name of another one, and changes its place",
		Edits: []Edit{{"internal/daemon/answers.go", "if err == nil && peer.Name != name {",
			"if err == nil && peer.Name == \"\" {"}},
		Nets: first(tests("internal/daemon", "^TestANodeAsksForItselfAlone$")),
	},
	{
		Name: "vouched-commands", Law: "L10", Broken: "a node that only another one vouches for may propose",
		Edits: []Edit{{doors, "ChannelForward:    {member: true},", "ChannelForward:    {member: true, vouched: true},"}},
		Nets:  first(doorTable),
	},
	{
		Name: "unrecorded-client-is-welcome", Law: "L10", Broken: "whoever the authority signed as an administrator is one",
		Edits: []Edit{{doors, "peer.Kind == KindClient && standing.Kind == StandingMember && of.client",
			"peer.Kind == KindClient && of.client"}},
		Nets: first(doorTable),
	},
	{
		Name: "visit-that-is-over-goes-on", Law: "L10", Broken: "who left the page, or was never there, may still use it",
		Edits: []Edit{{doors, "peer.Kind == KindVisitor && standing.Kind == StandingMember && of.visitor",
			"peer.Kind == KindVisitor && of.visitor"}},
		Nets: first(doorTable),
	},
	{
		Name: "dialed-stranger-is-taken", Law: "L10", Broken: "who answers at a member's address is not looked at",
		Edits: []Edit{{dial, "return store.Admit(channel, Dialing, peer)", "_ = peer\n\t\treturn nil"},
			{dialed, "\treturn store.Admit(connection.channel, Dialing, peer)", "\treturn nil"}},
		Nets: first(tests("internal/pki", "^TestAnUnrecordedKeyIsNobodyOnEitherEnd$")),
	},
	{
		Name: "accepted-links-live-on", Law: "L10", Broken: "connections of a node live on after its removal",
		Edits: []Edit{{mux, "\t\t\trefused = append(refused, connection)", "\t\t\tcontinue"}}, Nets: first(bothEnds),
	},
	{
		Name: "dialed-links-live-on", Law: "L10", Broken: "connections to a node live on after its removal",
		Edits: []Edit{{dialed, "\t\t\trefused = append(refused, connection)", "\t\t\tcontinue"}}, Nets: first(bothEnds),
	},
	{
		Name: "any-act-opens-libvirt", Law: "L10", Broken: "a member reaches another one's libvirt when it likes",
		Edits: []Edit{{roster, "if move.From == from && move.To == to && move.covers(act) {",
			"if act != \"\" || move.covers(act) {"}},
		Nets: first(getsIn),
	},
	{
		Name: "any-call-passes", Law: "L10",
		Broken: "a member with a migration may ask another one's libvirt for anything",
		Edits:  []Edit{{sieve, "case why == nil || s.own:", "case why == nil || s.guest != \"\" || s.own:"}},
		Nets:   first(tests("internal/tunnel", "^TestAMemberWithAMoveReachesNothingElse$")),
	},
	{
		Name: "any-hypervisor-is-opened", Law: "L10",
		Broken: "a member with a migration has another one's libvirtd start a program as root",
		Edits: []Edit{{"internal/tunnel/calls.go", "case uri != \"\" && uri != ownURI:",
			"case uri == ownURI && flags > 2:"}},
		Nets: first(tests("internal/tunnel", "^TestNoHypervisorButTheHostsOwnIsOpened$")),
	},
	{
		Name: "any-guest-passes", Law: "L10",
		Broken: "a member with a migration may end another guest than the one that moves",
		Edits: []Edit{{"internal/tunnel/calls.go", "if guest == \"\" || !strings.EqualFold(named, guest) {",
			"if guest == \"\" {\n\t\t_ = strings.EqualFold(named, guest)"}},
		Nets: first(tests("internal/tunnel", "^TestWhatPassesToLibvirt$")),
	},
	{
		Name: "any-definition-arrives", Law: "L10",
		Broken: "a member with a migration has a guest of its own making come up on another host",
		Edits: []Edit{{"internal/tunnel/arrival.go",
			"case guest == \"\" || !strings.EqualFold(strings.TrimSpace(uuid), guest):",
			"case guest == \"\" || uuid == \"\":"}},
		Nets: first(tests("internal/tunnel", "^TestNoGuestArrivesButTheOneThatMoves$")),
	},
	{
		Name: "any-arrival-is-finished", Law: "L10",
		Broken: "a member with a migration gives up the arrival of another guest",
		Edits:  []Edit{{sieve, "s.prepared == \"\" || name != s.prepared {", "name == \"\" {"}},
		Nets:   first(tests("internal/tunnel", "^TestAnArrivalIsFinishedByWhoPreparedIt$")),
	},
	{
		Name: "guests-are-ended-after-migrations", Law: "L10",
		Broken: "who never finishes an arrival may end or halt the guest for minutes after its migration",
		Edits:  []Edit{{sieve, "if s.over.Load() && acting[f.procedure] {", "if s.over.Load() && acting[0] {"}},
		Nets:   first(tests("internal/tunnel", "^TestAfterItsMigrationAGuestIsLeftAlone$")),
	},
	{
		Name: "streams-outlive-migrations", Law: "L10",
		Broken: "another one's libvirt stays open for minutes after the migration",
		Edits:  []Edit{{"internal/tunnel/stream.go", "limit := overMoment", "limit := afterAct"}},
		Nets:   first(tests("internal/tunnel", "^TestAStreamEndsWithItsMigration$")),
	},
	{
		Name: "arriving-guest-is-parted", Law: "L5",
		Broken: "the way of a guest that is just arriving is cut, and its target kills it",
		Edits:  []Edit{{"internal/tunnel/stream.go", "if arriving[carried.about.act] {", "if arriving[\"\"] {"}},
		Nets:   first(tests("internal/tunnel", "^TestAStreamEndsWithItsMigration$")),
	},
	{
		Name: "revoking-one-bars-another", Law: "L10", Broken: "which of a user's certificates is revoked is not asked",
		Edits: []Edit{{"cluster/apply/keys.go", "if strings.HasPrefix(fingerprint, c.Fingerprint) {",
			"if len(found) == 0 || c.Fingerprint == \"\" {"}},
		Nets: first(tests("cluster", "^TestOneCertificateOfSeveralIsRevoked$")),
	},
	{
		Name: "no-roster-is-everybody", Law: "L10", Broken: "a forwarder that was told nothing lets everybody in",
		Edits: []Edit{
			{members, "\t\treturn pki.Standing{Kind: pki.StandingUnknown}\n\t}\n\tif at, removed",
				"\t\treturn pki.Standing{Kind: pki.StandingMember}\n\t}\n\tif at, removed"},
			{members, "\troster, _, err := m.roster.read()\n\tif err != nil {\n\t\treturn err\n\t}\n\tfrom, to",
				"\troster, _, err := m.roster.read()\n\tif err != nil {\n\t\treturn nil\n\t}\n\tfrom, to"},
		},
		Nets: first(tests("internal/tunnel", "^TestWithoutARosterNobodyGetsIn$")),
	},
	{
		Name: "forwarder-forgets-removals", Law: "L10", Broken: "streams of a removed node live on in the forwarder",
		Edits: []Edit{{members, "if !sameKeys(now, last) {", "if len(now.Nodes)+len(last.Nodes) > 1_000 {"},
			{"internal/tunnel/stream.go", "\t\t_ = carried.a.Close()\n\t\t_ = carried.b.Close()\n\t\tclosed++",
				"\t\tclosed++"}},
		Nets: first(tests("internal/tunnel", "^TestARemovalCutsWhatIsOpen$")),
	},
	{
		Name: "forwarder-keeps-its-old-key", Law: "L10",
		Broken: "a forwarder goes on with the key of a node that was replaced",
		Edits: []Edit{{members, "if identity.Self.Fingerprint != current.Self.Fingerprint ||",
			"if identity.Self.Fingerprint == \"\" ||"}},
		Nets: first(tests("internal/tunnel", "^TestANewKeyEndsTheForwarder$")),
	},
	{
		Name: "deaf-forwarder-opens", Law: "L10", Broken: "a forwarder without a daemon lets in whom it knew last",
		Edits: []Edit{{tunnelTarget, "if !what.dialed && f.deaf() {", "if what.dialed && f.deaf() {"}},
		Nets:  first(tests("internal/tunnel", "^TestWithoutItsDaemonAForwarderLetsNobodyIn$")),
	},
	{
		Name: "tools-believe-anybody", Law: "L10", Broken: "remote tools take the answers of whoever the authority signed",
		Edits: []Edit{{"internal/api/knownnodes.go",
			"\tif keys.Nodes[name] != fingerprint && keys.Next[name] != fingerprint {",
			"\tif len(keys.Nodes) > 1_000 {"}},
		Nets: first(tests("internal/api", "^TestRemoteClient$")),
	},
	{
		Name: "poison-is-appended", Law: "L10", Broken: "the leader appends what no member can apply",
		Edits: []Edit{{"quorum/propose.go", "\tif l.options.Unfit != nil {", "\tif l.options.Unfit == nil {"}},
		Nets:  first(tests("internal/daemon", "^TestPoisonDoesNotEnterTheLog$")),
	},
	{
		Name: "half-an-entry-stays", Law: "L10", Broken: "an entry at which the rules break is half applied",
		Edits: []Edit{{"cluster/apply/fit.go", "\tnext := s.Fork()\n", "\tnext := s\n"}},
		Nets:  first(tests("cluster/apply", "^TestAnEntryThatBreaksApplyChangesNothing$")),
	},
	{
		Name: "another-entry-is-stepped-over", Law: "L10", Broken: "an operator's step hits whatever is at that index",
		Edits: []Edit{{"internal/membership/steps.go",
			"if step.Index == entry.Index && step.Name == NameOfEntry(entry.Data) {",
			"if step.Index == entry.Index {"}},
		Nets: first(tests("internal/daemon", "^TestAMemberStepsOverAnEntryThatNoneCanApply$")),
	},
	{
		Name: "removed-keys-are-forgotten", Law: "L10",
		Broken: "there is no end to the list of removed keys, or some are dropped",
		Edits: []Edit{{"cluster/admit.go",
			"\tif s.Removed.Len()+keys > MaxRemoved",
			"\tif s.Removed.Len()+keys > 2*MaxRemoved"}},
		Nets: first(tests("cluster", "^TestARemovedKeyIsNeverForgotten$")),
	},
}

const callersFile = "internal/pki/callers.go"

func byPKITests(run string) []Net { return []Net{tests("internal/pki", "^"+run+"$")} }

// strangers are breaks by which somebody who does not belong to the cluster, or may only look, gets
// in the way of those who do.
var strangers = []Mutant{
	{
		Name: "a-crowd-keeps-its-places", Law: "L10", Broken: "connections of one certificate lock out everybody else's",
		Edits: []Edit{{"internal/pki/rooms.go",
			"KindClient: {Most: bounds.Clients, Each: bounds.PerClient},",
			"KindClient: {Most: bounds.Clients, Each: bounds.Clients, Keeps: true},"}},
		Nets: first(tests("internal/pki", "^TestACrowdOfOneViewerLocksNobodyOut$")),
	},
	{
		Name: "joiners-take-places-of-nodes", Law: "L10",
		Broken: "machines without a certificate are counted among the nodes",
		Edits:  []Edit{{"internal/pki/rooms.go", "\troom := mux.rooms[peer.Kind]\n", "\troom := mux.rooms[KindNode]\n"}},
		Nets:   first(tests("internal/pki", "^TestJoinersCannotTakeTheRoomOfNodes$")),
	},
	{
		Name: "strangers-fill-the-log", Law: "L10", Broken: "each failed handshake has a line in the log",
		Edits: []Edit{{"internal/pki/rooms.go", "\tif !tell {\n", "\tif !tell && unsaid > 0 {\n"}},
		Nets:  first(tests("internal/pki", "^TestAFloodDoesNotFillTheLog$")),
	},
	{
		Name: "a-read-answers-later-questions", Law: "L7",
		Broken: "a read that is under way answers a question that came after it",
		Edits: []Edit{{"quorum/shared.go",
			"\tdefer s.mu.Unlock()\n\tif s.next == nil {",
			"\tdefer s.mu.Unlock()\n\tif s.running != nil {\n\t\treturn s.running\n\t}\n\tif s.next == nil {"}},
		Nets: first(tests("quorum", "^TestAReadUnderWayAnswersNoLaterQuestion$")),
	},
	{
		Name: "others-take-the-leaders-places", Law: "L10",
		Broken: "other nodes' entries leave the leader no place for its own",
		Edits: []Edit{{"quorum/log.go",
			"forwarded: make(chan struct{}, options.MaxProposals),",
			"forwarded: make(chan struct{}, 2*options.MaxProposals),"},
			{"quorum/forward.go",
				"\tcase l.forwarded <- struct{}{}:\n\t\tdefer func() { <-l.forwarded }()\n",
				"\tcase l.appends <- struct{}{}:\n\t\tdefer func() { <-l.appends }()\n"}},
		Nets: first(tests("quorum", "^TestOtherNodesLeaveTheLeaderItsPlaces$")),
	},
	{
		Name: "guesses-cost-a-quorum", Law: "L10", Broken: "the leader is asked before a token is looked at",
		Edits: []Edit{{"internal/server/nodes.go",
			"\tif _, err := s.tokenShown(r.Context(), asked); err != nil {\n" +
				"\t\ts.noteGuess(r.Context(), who)\n\t\treturn err\n\t}\n",
			""}},
		Nets: first(tests("internal/daemon", "^TestGuessesAtTokensCostNoQuorum$")),
	},
	{
		Name: "operators-remove-nodes", Law: "L10", Broken: "who may empty a node may also take it out of the cluster",
		Edits: []Edit{{"internal/server/nodes.go",
			"\t\tif !who.Role.Includes(pki.RoleAdmin) {",
			"\t\tif !who.Role.Includes(pki.RoleOperator) {"}},
		Nets: first(tests("internal/daemon", "^TestAnOperatorChangesNoMembers$")),
	},
	{
		Name: "page-changes-members", Law: "L10", Broken: "a visitor of the page may take a node out of the cluster",
		Edits: []Edit{{"internal/server/nodes.go", "if who.Kind == pki.KindVisitor {", "if who.Kind == \"\" {"}},
		Nets:  first(tests("internal/daemon", "^TestWhoMayDoWhatAtThePage$")),
	},
	{
		Name: "strangers-plan-all-at-once", Law: "L10", Broken: "as many plans are made on paper at once as are asked for",
		Edits: []Edit{{"internal/server/gate.go", "s.turns[kind] = make(chan struct{}, 1)",
			"s.turns[kind] = make(chan struct{}, 100)"}},
		Nets: first(tests("internal/server", "^TestOnePlanAtATimeForStrangers$")),
	},
	{
		Name: "unknown-roles-look", Law: "L10", Broken: "a caller of a role that is not known may look",
		Edits: []Edit{{"internal/pki/name.go",
			"\treturn knownRole(other) && slices.Index(Roles, role) >=",
			"\treturn knownRole(other) && slices.Index(Roles, role)+1 >="}},
		Nets: first(tests("internal/server", "^TestWhoMayDoWhat$")),
	},
	{
		Name: "refusals-leave-no-trace", Law: "L10", Broken: "who was refused is not in the audit trail",
		Edits: []Edit{{"internal/server/gate.go",
			"\t\t\ts.audit(who, r, a, errors.New(why))\n",
			"\t\t\t_ = errors.New(why)\n"}},
		Nets: first(tests("internal/daemon", "^TestTheTrailHasWhoDidWhat$")),
	},
	{
		Name: "failing-fills-the-trail", Law: "L10", Broken: "requests that fail push what was done out of the audit trail",
		Edits: []Edit{{"internal/server/audit.go", "\tif err == nil && (who.Role",
			"\tif who.told != nil || (who.Role"}},
		Nets: first(tests("internal/server", "^TestWhateverFailsIsBraked$")),
	},
	{
		Name: "bobs-flood-hides-carol", Law: "L10", Broken: "what one person does hides what another does",
		Edits: []Edit{{"internal/audit/brakes.go", "\tif person != \"\" {", "\tif person == \"-\" {"}},
		Nets:  first(tests("internal/audit", "^TestBrakesTellPeopleApart$")),
	},
	{
		Name: "passed-on-by-nobody", Law: "L10", Broken: "a VM is taken in by a node, and not by who asked for it elsewhere",
		Edits: []Edit{{"internal/server/guests.go", "\tasked.By = who.by(asked.By)", "\tasked.By = who.Name"}},
		Nets:  first(tests("internal/server", "^TestWhatIsPassedOnIsDoneInTheNameOfWhoAsked$")),
	},
	{
		Name: "anybody-acts-as-anybody", Law: "L10", Broken: "whoever asks says in whose name it is done",
		Edits: []Edit{{"internal/server/callers.go", "\tif c.Kind == pki.KindNode && passedOn", "\tif passedOn"}},
		Nets:  first(tests("internal/server", "^TestWhatIsPassedOnIsDoneInTheNameOfWhoAsked$")),
	},
	{
		Name: "programs-in-open-folders-run", Law: "L10",
		Broken: "a program is run as root although anybody can put another in its place",
		Edits: []Edit{{"internal/owned/owned.go",
			"\t\t\tif err := folder(at); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n",
			""}},
		Nets: first(tests("internal/owned", "^TestOnlyWhatNobodyElseCanChangeIsOurs$")),
	},
	{
		Name: "agents-of-anybody-run", Law: "L10", Broken: "an agent that others may change is run as root",
		Edits: []Edit{{"agents/ocf/dialect/dialect.go",
			"\t\tcase err == nil:\n\t\t\treturn path, nil\n",
			"\t\tcase err == nil, errors.Is(err, owned.ErrNotOurs):\n\t\t\treturn path, nil\n"},
			{"agents/ocf/dialect/dialect.go",
				"\t\tcase errors.Is(err, owned.ErrNotOurs):\n",
				"\t\tcase err == errors.ErrUnsupported:\n"}},
		Nets: first(tests("agents/ocf/dialect", "^TestAnAgentThatOthersMayChangeIsNotRun$")),
	},
	{
		Name: "terminals-obey", Law: "L10", Broken: "the tools print what a terminal obeys",
		Edits: []Edit{{"internal/api/client.go", "\tplain.Scrub(out)\n", ""}},
		Nets:  first(tests("internal/api", "^TestAnswersHoldNothingThatATerminalObeys$")),
	},
	{
		Name: "bombs-go-off", Law: "L10", Broken: "a short document becomes as much memory as it likes",
		Edits: []Edit{{"internal/config/strict/reader.go",
			"\tif marks(text) > mostMarks {",
			"\tif marks(text) > mostMarks && largest < 0 {"}},
		Nets: first(tests("internal/config", "^TestBombsEndEarly$")),
	},
	{
		Name: "policies-bind-nobody", Law: "L10", Broken: "the door lets in what the host's own policy forbids",
		Edits: []Edit{{"internal/passage/doorkeeper.go",
			"\tif why := d.Policy.Refuses(text); why != \"\" {",
			"\tif why := d.Policy.Refuses(text); why == \"-\" {"}},
		Nets: first(tests("internal/daemon", "^TestANodesPolicyForbidsDefinitions$")),
	},
	{
		Name: "what-is-not-listed-is-harmless", Law: "L10", Broken: "a policy lets in what nobody thought of",
		Edits: []Edit{{"internal/config/nodefile/harmless.go",
			"\tf.add(other, e.String())\n}\n\nfunc (f findings) attributes",
			"\t_ = other\n}\n\nfunc (f findings) attributes"}},
		Nets: first(tests("internal/config/nodefile", "^TestWhatReachesAHostIsNeverHarmless$")),
	},
	{
		Name: "definitions-say-what-they-mean", Law: "L10",
		Broken: "a definition gives its elements attributes that the policy does not see",
		Edits: []Edit{{"internal/config/nodefile/policy_xml.go",
			"\t\tcase xml.Directive:\n\t\t\treturn nil, errors.New(\"it declares a type of its own\")\n", ""}},
		Nets: first(tests("internal/config/nodefile", "^TestAPolicyReadsNoTypesOfItsOwn$")),
	},
	{
		Name: "handshakes-without-end", Law: "L10",
		Broken: "strangers at one address may begin as many handshakes as they like",
		Edits: []Edit{{callersFile, "\tif !mux.pace.Overdrawn(from, time.Now()) {",
			"\tif !mux.pace.Overdrawn(from, time.Now()) || from != \"\" {"}},
		Nets: first(tests("internal/pki", "^TestStrangersBeginOnlySoManyHandshakes$")),
	},
	{
		Name: "neighbours-keep-nodes-out", Law: "L10",
		Broken: "whoever uses up what strangers in a network may do keeps its nodes out",
		Edits:  []Edit{{mux, "\tif !fromNode && mux.tooOften(", "\tif mux.tooOften("}},
		Nets:   byPKITests("TestNobodyInItsNetworkKeepsANodeOut"),
	},
	{
		Name: "silence-pushes-nodes-out", Law: "L10", Broken: "handshakes of strangers end those of nodes",
		Edits: []Edit{{callersFile, "&c.nodes, address.String()", "&c.strangers, address.String()"}},
		Nets:  byPKITests("TestSilentStrangersPushOutNoNode"),
	},
	{
		Name: "nodes-have-one-address", Law: "L10",
		Broken: "a node that dials from another address than the recorded one is held up like a stranger",
		Edits:  []Edit{{mux, "\t\tmux.learn(connection, secured.ConnectionState())\n", ""}},
		Nets:   byPKITests("TestWhereAMemberCameFromIsItsOwn"),
	},
	{
		Name: "removed-nodes-keep-their-address", Law: "L10",
		Broken: "whoever has the address of a node that was removed is held to nothing",
		Edits:  []Edit{{mux, "\tmux.callers.unlearn(mux.store)\n", ""}},
		Nets:   byPKITests("TestWhereAMemberCameFromIsItsOwn"),
	},
	{
		Name: "crowds-keep-moves-out", Law: "L10", Broken: "strangers at a member's address keep its live moves out",
		Edits: []Edit{{members, "\tmux.Known = m.isMembers\n", ""}},
		Nets:  first(tests("internal/tunnel", "^TestStrangersKeepNoMemberFromItsMove$")),
	},
	{
		Name: "forwarders-know-no-addresses", Law: "L10", Broken: "the forwarder is not told where the members are",
		Edits: []Edit{{"internal/daemon/doors.go", "\tknown.Addresses = d.homesTold\n", ""}},
		Nets:  first(tests("internal/daemon", "^TestWhereMembersAreIsToldToThePorts$")),
	},
	{
		Name: "moves-refused-without-a-trace", Law: "L10", Broken: "keys that 7441 sends away are in no audit trail",
		Edits: []Edit{{"internal/tunnel/forwarder.go", "config.Listen, f.sentAway)", "config.Listen, nil)"}},
		Nets:  first(tests("internal/tunnel", "^TestTheDaemonHearsWhomItsForwarderSentAway$")),
	},
	{
		Name: "members-refused-without-a-trace", Law: "L10", Broken: "a member that reaches beyond its move is not told of",
		Edits: []Edit{{tunnelTarget, "\tif err != nil && !what.dialed {\n", "\tif err != nil && what.dialed {\n"}},
		Nets:  first(tests("internal/tunnel", "^TestTheDaemonHearsWhomItsForwarderSentAway$")),
	},
	{
		Name: "knocks-hide-members-at-moves", Law: "L10", Broken: "strangers at 7441 hide what members are refused there",
		Edits: []Edit{{"internal/tunnel/refusals.go", "\t\tif (r.waiting[i].Node == \"\") == (one.Node == \"\") {",
			"\t\tif one.Count > 0 {"}},
		Nets: first(tests("internal/tunnel", "^TestRefusalsThatWaitAreBounded$")),
	},
}
