package main

// strangers are breaks by which somebody who does not belong to the cluster, or may only look, gets
// in the way of those who do.
func strangers() []mutant {
	return []mutant{
		{
			name: "a-crowd-keeps-its-places", law: "L10", broken: "connections of one certificate lock out everybody else's",
			edits: []edit{{"internal/pki/rooms.go",
				"KindClient: {Most: bounds.Clients, Each: bounds.PerClient},",
				"KindClient: {Most: bounds.Clients, Each: bounds.Clients, Keeps: true},"}},
			nets: first(tests("internal/pki", "^TestACrowdOfOneViewerLocksNobodyOut$")),
		},
		{
			name: "joiners-take-places-of-nodes", law: "L10",
			broken: "machines without a certificate are counted among the nodes",
			edits:  []edit{{"internal/pki/rooms.go", "\troom := mux.rooms[peer.Kind]\n", "\troom := mux.rooms[KindNode]\n"}},
			nets:   first(tests("internal/pki", "^TestJoinersCannotTakeTheRoomOfNodes$")),
		},
		{
			name: "strangers-fill-the-log", law: "L10", broken: "each failed handshake has a line in the log",
			edits: []edit{{"internal/pki/rooms.go", "\tif !tell {\n", "\tif !tell && unsaid > 0 {\n"}},
			nets:  first(tests("internal/pki", "^TestAFloodDoesNotFillTheLog$")),
		},
		{
			name: "a-read-answers-later-questions", law: "L7",
			broken: "a read that is under way answers a question that came after it",
			edits: []edit{{"quorum/shared.go",
				"\tdefer s.mu.Unlock()\n\tif s.next == nil {",
				"\tdefer s.mu.Unlock()\n\tif s.running != nil {\n\t\treturn s.running\n\t}\n\tif s.next == nil {"}},
			nets: first(tests("quorum", "^TestAReadUnderWayAnswersNoLaterQuestion$")),
		},
		{
			name: "others-take-the-leaders-places", law: "L10",
			broken: "other nodes' entries leave the leader no place for its own",
			edits: []edit{{"quorum/log.go",
				"forwarded: make(chan struct{}, options.MaxProposals),",
				"forwarded: make(chan struct{}, 2*options.MaxProposals),"},
				{"quorum/forward.go",
					"\tcase l.forwarded <- struct{}{}:\n\t\tdefer func() { <-l.forwarded }()\n",
					"\tcase l.appends <- struct{}{}:\n\t\tdefer func() { <-l.appends }()\n"}},
			nets: first(tests("quorum", "^TestOtherNodesLeaveTheLeaderItsPlaces$")),
		},
		{
			name: "guesses-cost-a-quorum", law: "L10", broken: "the leader is asked before a token is looked at",
			edits: []edit{{"internal/daemon/server_nodes.go",
				"\tif _, err := s.tokenShown(r.Context(), asked); err != nil {\n" +
					"\t\td.noteGuess(r.Context(), who)\n\t\treturn err\n\t}\n",
				""}},
			nets: first(tests("internal/daemon", "^TestGuessesAtTokensCostNoQuorum$")),
		},
		{
			name: "operators-remove-nodes", law: "L10", broken: "who may empty a node may also take it out of the cluster",
			edits: []edit{{"internal/daemon/server_nodes.go",
				"\t\tif !who.role.Includes(pki.RoleAdmin) {",
				"\t\tif !who.role.Includes(pki.RoleOperator) {"}},
			nets: first(tests("internal/daemon", "^TestAnOperatorChangesNoMembers$")),
		},
		{
			name: "unknown-roles-look", law: "L10", broken: "a caller of a role that is not known may look",
			edits: []edit{{"internal/pki/name.go",
				"\treturn knownRole(other) && slices.Index(Roles, role) >=",
				"\treturn knownRole(other) && slices.Index(Roles, role)+1 >="}},
			nets: first(tests("internal/daemon", "^TestWhoMayDoWhat$")),
		},
		{
			name: "refusals-leave-no-trace", law: "L10", broken: "who was refused is not in the audit trail",
			edits: []edit{{"internal/daemon/gate.go",
				"\t\t\ts.audit(who, r, a, errors.New(why))\n",
				"\t\t\t_ = errors.New(why)\n"}},
			nets: first(tests("internal/daemon", "^TestTheTrailHasWhoDidWhat$")),
		},
		{
			name: "programs-in-open-folders-run", law: "L10",
			broken: "a program is run as root although anybody can put another in its place",
			edits: []edit{{"internal/owned/owned.go",
				"\t\t\tif err := folder(at); err != nil {\n\t\t\t\treturn err\n\t\t\t}\n",
				""}},
			nets: first(tests("internal/owned", "^TestOnlyWhatNobodyElseCanChangeIsOurs$")),
		},
		{
			name: "agents-of-anybody-run", law: "L10", broken: "an agent that others may change is run as root",
			edits: []edit{{"agents/ocf/dialect/dialect.go",
				"\t\tcase err == nil:\n\t\t\treturn path, nil\n",
				"\t\tcase err == nil, errors.Is(err, owned.ErrNotOurs):\n\t\t\treturn path, nil\n"},
				{"agents/ocf/dialect/dialect.go",
					"\t\tcase errors.Is(err, owned.ErrNotOurs):\n",
					"\t\tcase err == errors.ErrUnsupported:\n"}},
			nets: first(tests("agents/ocf/dialect", "^TestAnAgentThatOthersMayChangeIsNotRun$")),
		},
		{
			name: "terminals-obey", law: "L10", broken: "the tools print what a terminal obeys",
			edits: []edit{{"internal/api/client.go", "\tplain.Scrub(out)\n", ""}},
			nets:  first(tests("internal/api", "^TestAnswersHoldNothingThatATerminalObeys$")),
		},
		{
			name: "bombs-go-off", law: "L10", broken: "a short document becomes as much memory as it likes",
			edits: []edit{{"internal/config/reader.go",
				"\tif marks(text) > mostMarks {",
				"\tif marks(text) > mostMarks && largest < 0 {"}},
			nets: first(tests("internal/config", "^TestBombsEndEarly$")),
		},
		{
			name: "policies-bind-nobody", law: "L10", broken: "the door lets in what the host's own policy forbids",
			edits: []edit{{"internal/daemon/server_nodes.go",
				"\tif why := s.daemon.options.Node.Definitions.Refuses(text); why != \"\" {",
				"\tif why := s.daemon.options.Node.Definitions.Refuses(text); why == \"-\" {"}},
			nets: first(tests("internal/daemon", "^TestANodesPolicyForbidsDefinitions$")),
		},
		{
			name: "handshakes-without-end", law: "L10",
			broken: "strangers at one address may begin as many handshakes as they like",
			edits: []edit{{"internal/pki/rooms.go", "\tif !mux.pace.Overdrawn(from, time.Now()) || mux",
				"\tif from != \"\" || mux"}},
			nets: first(tests("internal/pki", "^TestStrangersBeginOnlySoManyHandshakes$")),
		},
		{
			name: "knocks-without-a-bound", law: "L10", broken: "a stranger with many addresses fills the memory",
			edits: []edit{{"internal/knocks/knocks.go", "\tif len(b.callers) < mostAddresses {",
				"\tif len(b.callers) < 1<<20 {"}},
			nets: first(tests("internal/knocks", "^TestNobodyFillsTheBook$")),
		},
		{
			name: "knocks-pushed-out", law: "L10",
			broken: "whoever comes from many addresses hides the one that goes on guessing",
			edits:  []edit{{"internal/knocks/knocks.go", "b.sorted()[len(b.callers)-1]", "b.sorted()[0]"}},
			nets:   first(tests("internal/knocks", "^TestNobodyFillsTheBook$")),
		},
		{
			name: "guesses-are-not-told", law: "L10", broken: "nobody is told of somebody who goes on guessing tokens",
			edits: []edit{{"internal/daemon/server_nodes.go", "\t\td.noteGuess(r.Context(), who)\n", ""}},
			nets:  first(tests("internal/daemon", "^TestWhoIsRefusedAgainAndAgainIsToldOf$")),
		},
	}
}
