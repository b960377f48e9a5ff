package breaks

const (
	rules     = "cluster/document.go"
	depend    = "cluster/rules/depend.go"
	order     = "cluster/plan/order.go"
	lock      = "cluster/rules/lock.go"
	nodeOrder = "cluster/apply/orders.go"
)

var unjoined = Edit{begin,
	"\tif why := w.ObjectionsTo(service).Why[n.Name]; !why.IsZero() ",
	"\tif why := w.ObjectionsTo(service).Why[n.Name]; !why.IsZero() && n.Name == \"\" "}
var unbarred = Edit{"cluster/rules/place.go", "return p.objections.Why[p.node]", "return p.objections.Why[\"\"]"}
var groundless = Edit{begin,
	"\tif refused := w.MayJoin(service, n); refused != Accepted {\n" +
		"\t\treturn refused\n" +
		"\t}\n" +
		"\tif why := w.Lacks(service); !why.IsZero() {\n" +
		"\t\treturn RefuseAs(cluster.CodeDependency, why)\n" +
		"\t}\n" +
		"\tfor _, h := range service.Holders {",
	"\tif refused := w.MayJoin(service, n); refused != Accepted {\n" +
		"\t\treturn refused\n" +
		"\t}\n" +
		"\tif why := w.Lacks(service); !why.IsZero() && c.Node == \"\" {\n" +
		"\t\treturn RefuseAs(cluster.CodeDependency, why)\n" +
		"\t}\n" +
		"\tfor _, h := range service.Holders {"}
var early = Edit{"cluster/plan/depend.go",
	"\t\tif needed.Up() && p.ready(needed) {",
	"\t\tif needed.Up() || p.ready(needed) {"}

// between are the breaks of rules between services and of standing orders.
var between = []Mutant{
	{
		Name: "rules-are-forgotten", Law: "R",
		Broken: "exclusive services and services that are kept apart meet on one node",
		Edits:  []Edit{unjoined, unbarred}, Nets: []Net{Simulation, stories},
	},
	{
		Name: "rules-are-forgotten-by-the-plan", Law: "R",
		Broken: "the plan puts services where a rule forbids it; Apply refuses",
		Edits:  []Edit{unbarred}, Nets: first(stories),
	},
	{
		Name: "exclusive-in-one-direction", Law: "R", Broken: "an exclusive service gets company from others",
		Edits: []Edit{{rules, "\tcase other.Exclusive:", "\tcase other.Exclusive && other.Name == \"\":"}},
		Nets:  []Net{Simulation, stories},
	},
	{
		Name: "started-before-its-parent", Law: "R", Broken: "a service starts before what it depends on",
		Edits: []Edit{groundless, early}, Nets: []Net{Simulation, stories},
	},
	{
		Name: "parent-goes-alone", Law: "R", Broken: "a service stays up when what it needs hard goes down",
		Edits: []Edit{{depend, "\t\tcase w.down(needed):\n", "\t\tcase w.down(needed) && name == \"\":\n"}, {depend,
			"\t\tcase needed.Going() != \"\"",
			"\t\tcase needed.Going() != \"\" && name == \"\""}}, Nets: first(stories),
	},
	{
		Name: "lock-holds-nothing", Law: "R", Broken: "services start although the cluster is locked",
		Edits: []Edit{{lock,
			"\tcase w.Lock() == nil:\n\t\treturn message.Text{}\n\tcase w.Lock().Stop:",
			"\tcase w.Lock() == nil || !w.Lock().Stop:\n\t\treturn message.Text{}\n\tcase w.Lock().Stop:"}},
		Nets: []Net{Simulation, stories},
	},
	{
		Name: "orders-hold-nothing", Law: "R", Broken: "services are brought to nodes on standby",
		Edits: []Edit{{begin, "\tcase n.Order != nil:\n", "\tcase n.Order != nil && n.Name == \"\":\n"},
			{"cluster/rules/place.go",
				"\tcase n.Order != nil",
				"\tcase n.Order != nil && name == \"\""}}, Nets: []Net{Simulation, stories},
	},
	{
		Name: "dependents-stay-up-meanwhile", Law: "R",
		Broken: "a service is moved by stop and start while what needs it hard runs on",
		Edits: []Edit{{"cluster/plan/depend.go",
			"\treturn p.afterDependents(service)\n}",
			"\treturn p.afterDependents(service) && c.Node == \"\"\n}"}}, Nets: first(stories),
	},
	{
		Name: "a-change-has-no-end", Law: "L7",
		Broken: "a service that has taken its changed declaration in does so again, and again",
		Edits: []Edit{{"cluster/apply/begin.go",
			"h.Definition, h.Reason, service.Behind = intent.Definition, \"\", nil",
			"h.Reason, service.Behind = \"\", nil"}}, Nets: first(Simulation),
	},
	{
		Name: "a-change-leaves-new-disks-free", Law: "L9",
		Broken: "a service that changes while it runs holds the disks that it was started with, and no others",
		Edits: []Edit{{"cluster/apply/begin.go",
			"\t\tif !slices.Contains(h.Disks, disk) {",
			"\t\tif !slices.Contains(h.Disks, disk) && disk.Identity == \"\" {"}},
		Nets: first(tests("cluster", "^TestAChangeIsWithinTheLaws$")),
	},
	{
		Name: "half-a-change-is-whole", Law: "R", Broken: "a service whose change ended in the middle is called whole",
		Edits: []Edit{{"agents/ocf/reconfigure.go",
			"\tif len(delta.Stop)+len(delta.Start) > 0 {\n\t\ts.record.Stage = starting\n",
			"\tif len(delta.Stop)+len(delta.Start) < 0 {\n\t\ts.record.Stage = starting\n"},
			{"agents/ocf/reconfigure.go", "return wanted(change) }); err != nil {\n\t\ts.record.Stage = starting\n",
				"return wanted(change) }); err != nil {\n"}},
		Nets: first(tests("agents/ocf", "^TestAChangeThat")),
	},
	{
		Name: "together-takes-turns", Law: "R",
		Broken: "a service is moved to one that is stopped for the move, again and again",
		Edits: []Edit{{"cluster/plan/move.go",
			"p.restsOn(newest, name, map[string]bool{}) {",
			"p.restsOn(newest, name, map[string]bool{}) && target == \"\" {"}}, Nets: first(stories),
	},
	{
		Name: "maintenance-spares-what-holds", Law: "R",
		Broken: "a node in maintenance that holds something is not fenced when it dies",
		Edits: []Edit{{"cluster/rules/target.go",
			"|| n.Order.Empty == 0 {\n\t\treturn false\n\t}\n\tfor",
			"{\n\t\treturn false\n\t}\n\tfor"}, {"cluster/rules/target.go",
			"(h.Condition != \"\" || h.Creating)",
			"h.Condition == n.Name"}}, Nets: first(stories),
	},
	{
		Name: "a-crash-makes-larger", Law: "R",
		Broken: "a VM that was declared larger has what is declared once it crashed, on a node that has less",
		Edits: []Edit{{observe,
			"KeepsRoomAs(n.Name, h.Demand)\n\tif t.adoptLast",
			"KeepsRoomAs(n.Name, service.Spec.Demand)\n\tif t.adoptLast"}},
		Nets: first(tests("cluster", "^TestACrashGivesNoMoreThanThereWas$")),
	},
	{
		Name: "a-promise-grows", Law: "R",
		Broken: "room that is kept for a VM counts as what is declared by now, which nobody promised",
		Edits:  []Edit{{"cluster/host.go", "promised.None()", "!promised.None()"}},
		Nets:   first(tests("cluster", "^TestAPromiseIsWhatWasPromised$")),
	},
	{
		Name: "one-try-to-come-back", Law: "R",
		Broken: "the first attempt to start again where it ran takes the room that was kept for it",
		Edits: []Edit{{"cluster/apply/begin.go",
			"\tif service.Kept.Node != n.Name {\n",
			"\tif service.Kept.Node != \"\" {\n"}},
		Nets: first(tests("cluster", "^TestTheRightToComeBackLasts$")),
	},
	{
		Name: "tiers-do-not-wait", Law: "R", Broken: "later tiers start with the first",
		Edits: []Edit{{order, "\tif tier == 0 {\n", "\tif tier >= 0 {\n"}},
		Nets:  first(stories),
	},
	{
		Name: "all-start-at-once", Law: "R", Broken: "start_at_once is not kept",
		Edits: []Edit{{order, "most > 0 && p.starting >= most", "most > 0 && p.starting >= most+1000"}},
		Nets:  first(stories),
	},
	{
		Name: "freeze-never-ends", Law: "R", Broken: "a freeze does not end when its time is over",
		Edits: []Edit{{"cluster/plan/service.go",
			"!frozen.Until.IsZero() && p.reached(frozen.Until)",
			"frozen.Until.IsZero() && p.reached(frozen.Until)"}}, Nets: first(stories),
	},
	{
		Name: "whoever-fails-to-stop-is-shot", Law: "R",
		Broken: "a node is fenced for a failed stop that a person asked for",
		Edits: []Edit{{"cluster/rules/target.go",
			"byItself &&\n\t\th.Condition == string(resources.Unknown",
			"(byItself || held"}}, Nets: first(stories),
	},
}

const (
	treeStop  = "agents/ocf/stop.go"
	treeCall  = "agents/ocf/call.go"
	treeLook  = "agents/ocf/look.go"
	treeStart = "agents/ocf/start.go"
)

// trees are the breaks of what services made of resources rest on: when their
// agent may call them absent, and what it may start.
func trees() []Mutant {
	return []Mutant{
		{
			Name: "failed-stop-of-a-resource-is-a-stop", Law: "L1", Broken: "a resource whose stop failed counts as stopped",
			Edits: []Edit{{treeStop, "\treturn \"its stop failed: \" + verdict.Why", "\treturn \"\""}},
			Nets:  first(tests("agents/ocf", "^TestAStopThatFailsLeavesItBroken$")),
		},
		{
			Name: "what-holds-others-up-is-stopped", Law: "L1",
			Broken: "a resource is stopped although one that depends on it may still be there",
			Edits:  []Edit{{treeStop, "\t\tif holds(stuck, p.Path) {", "\t\tif holds(stuck, p.Path) && p.Path == \"\" {"}},
			Nets:   first(tests("agents/ocf", "^TestAStopThatFailsLeavesItBroken$")),
		},
		{
			Name: "agent-at-work-is-forgotten", Law: "L1",
			Broken: "a start that outlives its daemon is forgotten: the next one looks while it still happens",
			Edits: []Edit{{treeCall, "\tif !ended.Left && !(ended.Overran && staysAlive(ctx, ended.Group)) {",
				"\tif ended.Left || !(ended.Overran && staysAlive(ctx, ended.Group)) {"}},
			Nets: first(tests("agents/ocf", "^TestAStartThatOutlivesItsDaemonIsUnknownUntilItEnds$")),
		},
		{
			Name: "no-answer-of-a-resource-is-absence", Law: "L3",
			Broken: "an agent that cannot tell counts as one that says no",
			Edits: []Edit{{treeLook, "\t\tdefault:\n\t\t\treturn unknown(spec, \"it is not known whether \"",
				"\t\tcase -1:\n\t\t\treturn unknown(spec, \"it is not known whether \""}},
			Nets: first(tests("agents/ocf", "^TestAnAgentThatCannotTellProvesNothing$")),
		},
		{
			Name: "records-outlive-the-boot", Law: "L1", Broken: "what was started on an earlier boot is taken for what runs",
			Edits: []Edit{{"agents/ocf/record.go", "\t\tif r.Boot != f.boot ||", "\t\tif r.Boot == \"\" ||"}},
			Nets:  first(tests("agents/ocf", "^TestABootForgetsWhatWasStarted$")),
		},
		{
			Name: "any-tree-is-started", Law: "L9", Broken: "a tree is started that is not the one the log names",
			Edits: []Edit{{treeStart, "hex.EncodeToString(sum[:]) != start.Spec.Definition {",
				"hex.EncodeToString(sum[:]) == \"\" {"}}, Nets: first(tests("agents/ocf", "^TestAnotherDefinitionIsNotStarted$")),
		},
	}
}

// commands are the breaks of what a person types and reads. None breaks a law of the cluster: it
// misleads whoever acts on the answer.
var commands = []Mutant{
	{
		Name: "version-of-a-file-is-forgotten", Law: "L7",
		Broken: "a file that was made from an older version of the document overwrites what came between",
		Edits: []Edit{{"cmd/clusterd/config.go", "strconv.ParseUint(found[1], 10, 64)",
			"strconv.ParseUint(found[1][:0], 10, 64)"}},
		Nets: []Net{tests("cmd/clusterd", "^TestTheVersionAFileWasMadeFor$")},
	},
	{
		Name: "first-of-two-operations-is-dropped", Law: "L7",
		Broken: "of two operations in one command line one is done, and nobody says that the other was not",
		Edits: []Edit{{"internal/cli/options.go", "\t\t\tif first.name != \"\" {\n",
			"\t\t\tif first.name == o.name {\n"}},
		Nets: []Net{tests("internal/cli", "^TestArgumentsFollowGetopt$"),
			tests("cmd/clusvcadm", "^TestTranscriptOfEveryOperation$")},
	},
	{
		Name: "status-takes-longer-than-a-second", Law: "R",
		Broken: "clustat asks a cluster without a leader for longer than the second that is promised",
		Edits: []Edit{{"cmd/clustat/show.go", "freshWithin = 500 * time.Millisecond",
			"freshWithin = 1500 * time.Millisecond"}},
		Nets: []Net{tests("cmd/clustat", "^TestAStatusComesWithinASecond$")},
	},
	{
		Name: "success-without-its-reason", Law: "R",
		Broken: "a stop that still asks other nodes, and a VM that came up without its NVRAM, are told as a plain success",
		Edits: []Edit{{"cmd/clusvcadm/dialogue.go", "\tif !d.where(reply) || !reply.Why.Is(",
			"\tif !d.where(reply) && reply.Why.Is("}},
		Nets: []Net{tests("cmd/clusvcadm", "^TestTranscriptOfSuccessesWithAReason$")},
	},
	{
		Name: "no-question-before-all-are-stopped", Law: "-",
		Broken: "everything is stopped without a question to the person who typed it",
		Edits: []Edit{{"cmd/clusterd/orders.go", "command.Agreed(c, text+\"Stop all of these?\"); err != nil {",
			"command.Agreed(c, text+\"Stop all of these?\"); err != nil && text == \"\" {"}},
		Nets: first(endsServices),
	},
	{
		Name: "no-question-before-a-removal", Law: "-",
		Broken: "a node is taken out for good without a question to the person who typed it",
		Edits: []Edit{{"cmd/clusterd/admin.go", "command.Agreed(c, question); err != nil {",
			"command.Agreed(c, question); err != nil && question == \"\" {"}},
		Nets: first(endsServices),
	},
	{
		Name: "no-question-before-the-power-is-cut", Law: "-",
		Broken: "a node with services is switched off without a question to the person who typed it",
		Edits: []Edit{{"cmd/clusterd/fence.go", "powerQuestion(c.Context, client, name)); err != nil {",
			"powerQuestion(c.Context, client, name)); err != nil && name == \"\" {"}},
		Nets: first(endsServices),
	},
	{
		Name: "wrong-words-of-subcommands-are-failures", Law: "-",
		Broken: "a wrong option of a subcommand ends with the code of a failure",
		Edits: []Edit{{"cmd/clusterd/command/usage.go", "\t\tcommand.OnUsageError, command.HideHelpCommand = Misused, true\n",
			"\t\tcommand.HideHelpCommand = true\n"}},
		Nets: first(tests("cmd/clusterd", "^TestWrongUseSaysWhatIsTaken$")),
	},
	{
		Name: "removed-nodes-are-started-again", Law: "-",
		Broken: "the daemon of a node that was removed is started again and again",
		Edits:  []Edit{{"cmd/clusterd/main.go", "const exitRemoved = 4", "const exitRemoved = 1"}},
		Nets:   first(tests("cmd/clusterd", "^TestARemovedNodeIsNotStartedAgain$")),
	},
	{
		Name: "upgrades-cut-moves", Law: "-", Broken: "the daemon of a new version cuts the live moves that take long",
		Edits: []Edit{{"internal/tunnel/client.go", "got.Status.Streams+got.Status.Routes > 0 &&",
			"got.Status.Streams+got.Status.Routes < 0 &&"}},
		Nets: first(tests("internal/tunnel", "^TestAnUpgradeCutsNoMove$")),
	},
	{
		Name: "retirement-cuts-moves", Law: "-", Broken: "a forwarder that was retired cuts the live moves that take long",
		Edits: []Edit{{"internal/tunnel/forwarder.go", "ctx.Done(), (<-chan time.Time)(nil)",
			"ctx.Done(), time.After(f.config.Drain)"}},
		Nets: first(tests("internal/tunnel", "^TestStreamsOutliveTheDaemonAndItsForwardersRetirement$")),
	},
	{
		Name: "what-is-off-is-imported-as-started", Law: "R",
		Broken: "a VM that is off is started when it is taken in",
		Edits:  []Edit{{"internal/config/rewrite/add.go", "\tif !autostart {", "\tif !autostart && domain == \"-\" {"}},
		Nets:   first(tests("internal/config", "^TestAVMThatIsOffIsAddedAsOneThatStaysDown$")),
	},
	{
		Name: "not-asked-yet-is-an-error", Law: "-",
		Broken: "a fence device that nobody has asked yet is said not to be its node's",
		Edits:  []Edit{{"internal/daemon/examine.go", "\tif !asked {", "\tif !asked && device == \"\" {"}},
		Nets:   first(tests("internal/daemon", "^TestADeviceThatWasNotAskedYetIsNoError$")),
	},
}

// endsServices is the test of the questions before something ends.
var endsServices = tests("cmd/clusterd", "^TestWhatEndsServicesAsksFirst$")
