package main

const (
	move     = "cluster/plan/move.go"
	evacuate = "cluster/plan/nodeorder.go"
	target   = "cluster/plan/target.go"
	answer   = "cluster/apply/ask.go"
	warn     = "internal/config/warn.go"
)

// places are breaks of where the cluster sends services by itself.
func places() []mutant {
	return []mutant{
		{
			name: "nobody-makes-room", law: "R", broken: "a service stays down for one that could live elsewhere",
			edits: []edit{{"cluster/plan/room.go", "\tif p.Lock() !", "\tif p.Lock() ="}}, nets: first(stories),
		},
		{
			name: "companions-hold-a-failback-back", law: "R",
			broken: "a service that is stopped to fail back is started where those are that would follow it",
			edits: []edit{{up,
				"\tif service.Moving != \"\" {\n\t\t// Where",
				"\tif service.Moving == \"nowhere\" {\n\t\t// Where"}},
			nets: first(stories),
		},
		{
			name: "old-trouble-hides-a-new-one", law: "R",
			broken: "a move that failed before is not remembered again when that counts no more",
			edits:  []edit{{"cluster/move.go", "Incarnation && at.Before(tr.At.Add(TroubleLasts))", "Incarnation"}},
			nets:   []net{tests("cluster", "^TestATroubleThatIsOverIsRememberedAnew$")},
		},
		{
			name: "success-somewhere-else", law: "L7",
			broken: "a request for one node that ended on another is answered with success",
			edits: []edit{{answer,
				"\telsewhere := wish.Target != \"\" && owner != wish.Target",
				"\telsewhere := wish.Target != \"\" && owner == \"\""}},
			nets: []net{simulation, stories},
		},
		{
			name: "gone-from-here-is-stopped", law: "L7",
			broken: "a request to stop a service is answered with success although it may run on another node",
			edits:  []edit{{"cluster/rules/ask.go", "\t\tif !h.Ask {", "\t\tif !h.Ask && h.Node == \"\" {"}},
			nets:   []net{tests("cluster", "^TestAStopIsNotDoneWhereTheVMMayRunElsewhere$")},
		},
		{
			name: "lost-to-another-leader", law: "L8",
			broken: "a new leader fences what an earlier one called lost, before it has asked anybody",
			edits: []edit{{"cluster/view.go",
				"return w.Verdict == nil && w.Silence",
				"return w.Heard && !w.Heard && w.Silence"}},
			nets: []net{tests("cluster/mind", "^TestANewLeaderAsksBeforeItFencesWhatAnotherCalledLost$")},
		},
		{
			name: "what-was-heard-before-a-standstill", law: "L7",
			broken: "a leader that stood still sends services where it last heard somebody before that",
			edits: []edit{{"cluster/rules/target.go",
				"\tcase w.StoodStill:",
				"\tcase w.StoodStill && !w.StoodStill:"}},
			nets: []net{tests("cluster/mind", "^TestALeaderThatStoodStillHearsANodeBeforeItSendsWorkThere$")},
		},
		{
			name: "the-late-end-of-a-move-is-believed", law: "L7",
			broken: "a guest that fell while the target's daemon started is called running for ever",
			edits: []edit{{"cluster/apply/result.go",
				"target.Incarnation > intent.Index {",
				"target.Incarnation > intent.Index && intent.Index == 0 {"}},
			nets: []net{tests("cluster", "^TestAGuestThatFellWhileTheTargetsDaemonStartedIsAskedFor$")},
		},
		{
			name: "silent-by-an-older-name", law: "L7",
			broken: "a silent node that is fenced by the name of its older boot is neither fenced nor admitted",
			edits:  []edit{{"cluster/member.go", "(n.State == NodeLost || n.Stalled())", "n.State == NodeLost"}},
			nets:   []net{tests("cluster", "^TestASilentNodeThatIsFencedByTheNameOfItsOlderBootComesUpOnceMore$")},
		},
		{
			name: "enabled-somewhere-else", law: "L7",
			broken: "enabling on one node what was found running on another is answered with success",
			edits: []edit{{"cluster/rules/ask.go",
				"\tif c.Op != cluster.OpEnable || c.Node =",
				"\tif c.Op != cluster.OpEnable || c.Node !"}},
			nets: []net{tests("cluster", "^TestEnablingElsewhereWhatRunsSaysWhereItRuns$")},
		},
		{
			name: "a-place-empty-for-a-moment", law: "R",
			broken: "a service fails back to where another one is down for a moment only, in a circle",
			edits: []edit{{move,
				"\tif other := p.returnsTo(target, service); other != \"\" {",
				"\tif other := p.returnsTo(target, service); other == target {"}},
			nets: []net{tests("cluster/plan", "^TestNothingFailsBackToAPlaceThatIsEmptyForAMoment$")},
		},
		{
			name: "a-verdict-for-ever", law: "L8",
			broken: "who leads again fences by what it found out when it led before",
			edits: []edit{{"cluster/mind/step.go",
				"if !in.Leading && in.Leader != \"\" && name != in.Leader {",
				"if !in.Leading && in.Leader != \"\" && name == in.Leader {"}},
			nets: []net{tests("cluster/mind", "^TestWhoLeadsAgainForgetsWhatItFoundOutBefore$")},
		},
		{
			name: "left-is-arrived", law: "L7",
			broken: "a live migration is answered with success although the guest crashed on its new node",
			edits: []edit{{"cluster/rules/ask.go",
				"\tif h.Condition == string(resources.Running) {",
				"\tif h.Condition != string(resources.Unknown) {"}},
			nets: []net{tests("cluster", "^TestAGuestThatFellAfterItsMoveIsNotCalledMoved$")},
		},
		{
			name: "called-disabled-is-down", law: "L7",
			broken: "a service that counts as disabled is called down while nodes are still asked whether they run it",
			edits: []edit{{"cluster/apply/ask.go",
				"\t\t(c.Op == cluster.OpDisable && len(service.Holders) == 0",
				"\t\t(c.Op == cluster.OpDisable && service.State == resources.Disabled"}},
			nets: []net{tests("cluster", "^TestADisabledServiceThatIsLookedForIsNotDown$")},
		},
		{
			name: "decided-is-fulfilled", law: "L7",
			broken: "a request is answered with success although the log heard otherwise since that was decided",
			edits:  []edit{{answer, "\t\treturn len(service.Holders) == 0", "\t\treturn true"}},
			nets:   []net{tests("cluster", "^TestWhatIsFoundBeforeTheAnswerCounts$")},
		},
		{
			name: "told-by-the-lost", law: "L7",
			broken: "a start is answered with success although its node is lost by then",
			edits: []edit{{answer,
				"\tif r := t.Running(service, cluster.CodeSuccess, \"\"); off != \"",
				"\tif r := t.Running(service, cluster.CodeSuccess, \"\"); off == \"lost"}},
			nets: []net{tests("cluster", "^TestAStartThatIsToldLateIsAnsweredByItsNode$")},
		},
		{
			name: "remembered-is-running", law: "L7", broken: "a service on a lost node is called running",
			edits: []edit{{"cluster/rules/ask.go", "\tcase off != \"\":", "\tcase off != \"\" && owner == \"\":"}},
			nets:  first(tests("cluster", "^TestAServiceOnALostNodeIsNotCalledRunning$")),
		},
		{
			name: "attached-disk-pins-a-vm", law: "R",
			broken: "a VM is stopped because its host leaves, where a person attached its disk to another one",
			edits: []edit{{begin,
				"\t// Nobody is asked about its disks: it brings along those that it has, and who else may",
				"\tif w.DisksFree(service) != \"\" {\n" +
					"\t\treturn Refuse(\"\")\n" +
					"\t}\n" +
					"\t// Nobody is asked about its disks: it brings along those that it has, and who else may"}},
			nets: first(stories),
		},
		{
			name: "leave-stops-for-what-was", law: "R",
			broken: "a VM is stopped because its host leaves, although a node has come since that was planned",
			edits:  []edit{{begin, "w.takesLive(service) != \"\":", "w.takesLive(service) == \"nowhere\":"}},
			nets:   []net{simulation, tests("cluster", "^TestALeaveStopsNothingThatANodeTakesLive$")},
		},
		{
			name: "better-node-in-silence", law: "R",
			broken: "nobody says why a service is not on a better node that is there and cannot have it",
			edits: []edit{{"cluster/plan/move.go",
				"\t\tif p.BarredFor(c.Node, n) == \"\" ",
				"\t\tif p.BarredFor(c.Node, n) == \"\" && c.Barred == \"\" "}},
			nets: first(simulation),
		},
		{
			name: "held-in-silence", law: "R",
			broken: "nothing tells that a service was stopped until the next change of a node",
			edits: []edit{{service,
				"p.wait(service.Spec.Name, \"it was stopped by request",
				"p.wait(\"\", \"it was stopped by request"}},
			nets: []net{simulation, stories},
		},
		{
			name: "strangers-get-services", law: "R",
			broken: "a host of which nobody has heard since an outage is sent services",
			edits:  []edit{{"cluster/rules/target.go", "\tcase !v", "\tcase v"}},
			nets:   first(stories),
		},
		{
			name: "the-first-gets-everything", law: "R", broken: "at a cold start nobody waits for who is coming",
			edits: []edit{{target,
				"\tif len(coming) == 0 || service.Wish != nil",
				"\tif len(coming) >= 0 || service.Wish != nil"}},
			nets: first(stories),
		},
		{
			name: "who-never-comes-is-waited-for", law: "R",
			broken: "at a cold start a host that does not come is waited for as long as it may be",
			edits:  []edit{{target, "\tif !p.view.Leading || p.view.Led >=", "\tif !p.view.Leading || p.view.Led >"}},
			nets:   first(stories),
		},
		{
			name: "only-the-first-is-tried", law: "R",
			broken: "a node that leaves stops its VM when the first node did not take it live",
			edits: []edit{{evacuate,
				"\t\tif !v.Legal || v.Node == owner {",
				"\t\tif !v.Legal || v.Node == owner || len(service.Troubles) > 0 {"}}, nets: []net{simulation, stories},
		},
		{
			name: "volumes-fail-in-silence", law: "R", broken: "nobody is told of a data volume that fails",
			edits: []edit{{"cluster/mind/volume.go",
				"\tcase w.now == known:\n",
				"\tcase w.now == known || w.now.Failing:\n"}},
			nets: []net{simulation, stories}, faults: []string{"volume fails"},
		},
		{
			name: "long-acts-are-no-news", law: "R", broken: "nothing is said of an act whose end is never told",
			edits: []edit{{"cluster/plan/waiting.go",
				"\tif w.Index != intent.Index || w.For < cluster",
				"\tif w.Index != intent.Index || w.For < 1_000*cluster"}},
			nets: []net{stories},
		},
		{
			name: "devices-of-a-host-move-live", law: "R",
			broken: "a rule moves a VM live although it has a device of its host",
			edits: []edit{{move,
				"if what := service.Spec.NotLive(); what != \"\" {",
				"if what := service.Spec.NotLive(); false {"}},
			nets: first(stories),
		},
		{
			name: "failures-are-forgotten", law: "R", broken: "a service is sent back to where it has just failed",
			edits: []edit{{"cluster/plan/trouble.go",
				"|| n.Incarnation != tr.Incarnation ||",
				"|| n.Incarnation == tr.Incarnation ||"}}, nets: first(stories),
		},
		{
			name: "failures-are-never-forgiven", law: "R", broken: "a service is never sent again to where it once failed",
			edits: []edit{{"cluster/plan/trouble.go", "|| p.reached(tr.At.Add(cluster.TroubleLasts)) ", ""}},
			nets:  first(stories),
		},
		{
			name: "rules-before-people", law: "R", broken: "a leave moves a service that a person asked something else of",
			edits: []edit{{"cluster/plan/mover.go",
				"\t{\"request\", (*planner).planWish},\n\t{\"leave\", (*planner).planEvacuation},\n",
				"\t{\"leave\", (*planner).planEvacuation},\n\t{\"request\", (*planner).planWish},\n"}},
			nets: []net{tests("cluster/plan", "^TestMoversHaveTheirSayInOrder$")},
		},
		{
			name: "who-waits-has-the-last-say", law: "R",
			broken: "a service that may not return yet is not moved for any other reason either",
			edits: []edit{{"cluster/plan/mover.go",
				"\t\tif said.kind != saysWait {\n",
				"\t\tif said.kind != saysNothing {\n"}},
			nets: []net{tests("cluster/plan", "^TestAMoverThatWaitsIsNotTheLast$")},
		},
		{
			name: "restricted-is-a-wish", law: "R", broken: "a VM stays where its restricted domain forbids it",
			edits: []edit{{move,
				"\tif legal || !r.well() {\n\t\treturn answer{}\n\t}\n\tservice, verdicts",
				"\tif legal || why != \"\" {\n\t\treturn answer{}\n\t}\n\tservice, verdicts"}}, nets: first(stories),
		},
		{
			name: "rules-undo-what-people-do", law: "R", broken: "who was put somewhere by hand follows one that was not",
			edits: []edit{{"cluster/move.go",
				"\tcase s.IsPlaced() != other.IsPlaced()",
				"\tcase s.IsPlaced() != other.IsPlaced() && s.Owner == \"\""},
				{"cluster/move.go",
					"\tmine, theirs := s.Arrived, other.Arrived\n",
					"\tmine, theirs := s.Since, other.Since\n"}},
			nets: first(stories),
		},
		{
			name: "a-leave-is-for-good", law: "R", broken: "what a node handed over when it left does not come home",
			edits: []edit{{nodeOrder, "nil && n.State != cluster.NodeLeaving", "nil"}},
			nets:  first(stories),
		},
		{
			name: "nothing-is-said-of-one-node", law: "R",
			broken: "config check does not warn of what is down while one node is",
			edits: []edit{{warn, "nodes := t.allowed[name]; len(nodes) == 1 {",
				"nodes := t.allowed[name]; len(nodes) == 1 && name == \"\" {"}},
			nets: first(tests("internal/config", "^TestWarningsOfWhatOneNodesLossMakesImpossible$")),
		},
		{
			name: "nothing-is-said-of-full-nodes", law: "R",
			broken: "config check does not warn of services kept apart that need every node there is",
			edits:  []edit{{warn, "len(crowd) >= len(nodes)", "len(crowd) > len(nodes)"}},
			nets:   first(tests("internal/config", "^TestWarningsOfWhatOneNodesLossMakesImpossible$")),
		},
		{
			name: "nothing-is-said-of-two-nodes", law: "R",
			broken: "config check does not warn that one of two nodes can do nothing alone",
			edits:  []edit{{warn, "len(p.document.Nodes) == 2 &&", "len(p.document.Nodes) == 0 &&"}},
			nets:   first(tests("internal/config", "^TestWarningsOfWhatOneNodesLossMakesImpossible$")),
		},
	}
}
