package main

var forgetSource = edit{"cluster/apply/begin.go",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\tservice = service.WithHolder(h)",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\tservice.Holders = []cluster.Holder{h}"}
var forgetTarget = edit{"cluster/apply/begin.go",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\tservice = service.WithHolder(h)\n" +
		"\tservice.Intent = t.intentOf(c, n)",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\t_ = h\n" +
		"\tservice.Intent = t.intentOf(c, n)"}

// migrations are the breaks of L5: a migration is a transaction.
var migrations = []mutant{
	{
		name: "source-forgotten", law: "L5", broken: "the source of a migration is no holder any more",
		edits: []edit{forgetSource}, nets: first(simulation),
	},
	{
		name: "source-forgotten-unseen-by-check", law: "L5", broken: "the same with the State's own check blind",
		edits: []edit{forgetSource, blind}, nets: first(simulation),
	},
	{
		name: "target-forgotten-unseen-by-check", law: "L5",
		broken: "the target of a migration is no holder, and the State's own check is blind",
		edits:  []edit{forgetTarget, blind}, nets: first(simulation),
	},
	{
		name: "sends-without-asking", law: "L5", broken: "a migration begins with its second stage",
		edits: []edit{{"cluster/move.go", "\treturn i.Stages()[i.Stage]\n", "\treturn i.Stages()[len(i.Stages())-1]\n"}},
		nets:  first(simulation),
	},
	{
		name: "a-refusal-is-taken-for-ready", law: "L5", broken: "a target that cannot take the VM is sent it all the same",
		edits: []edit{{"cluster/apply/settle.go", "\tif !c.Result.OK {\n",
			"\tif !c.Result.OK && c.Result.Source == \"\" {\n"}},
		nets: first(simulation),
	},
	{
		name: "forgets-where-it-was-sent", law: "L5",
		broken: "a migration that ends with its source's daemon lets the target go, to which the guest is on its way",
		edits: []edit{
			{"cluster/move.go", "\tif !s.Intent.Preparing() || !held || ", "\tif !held || "},
			{"cluster/apply/begin.go", "\tif intent.Preparing() {\n", "\tif intent.Kind == cluster.IntentMigrate {\n"},
		},
		nets: first(simulation),
	},
	{
		name: "the-door-opens-for-who-is-asked", law: "L5",
		broken: "a VM may come up on a target that has not said that it can take it",
		edits: []edit{{"cluster/work.go", "i.TargetIncarnation == n.Incarnation && !i.Preparing())",
			"i.TargetIncarnation == n.Incarnation)"}},
		nets: []net{tests("cluster", "TestTheDoorOpensForAnOpenIntentAlone")},
	},
	{
		name: "a-late-answer-settles", law: "L5",
		broken: "what a target answers after its migration was withdrawn is taken for the answer to another question",
		edits:  []edit{{"cluster/apply/result.go", "\tif c.Stage != stage.Name {\n", "\tif false {\n"}},
		nets:   []net{tests("cluster", "TestALateAnswerOfTheTargetSaysNothing")},
	},
	{
		name: "a-silent-target-holds-the-move", law: "L5",
		broken: "a migration whose target falls silent before it was sent anything waits for it",
		edits:  []edit{{"cluster/apply/node.go", "\t\tt.withdrawFrom(n.Name, c.Why)\n", ""}},
		nets:   []net{tests("cluster", "TestAMoveWhoseTargetFallsSilentIsWithdrawn")},
	},
	{
		name: "target-asked-too-early", law: "L5", broken: "what the ends say before the source has ended counts",
		edits: []edit{{observe, "\tcase held && service", "\tcase held && n.Name == \"\" && service"}},
		nets: []net{tests("cluster",
			"TestAnInventoryFromBeforeTheSourceEndedProvesNothing|TestASourceThatStillSendsHasNotAnswered")},
	},
	{
		name: "copy-resumed-beside-its-source", law: "L5",
		broken: "a copy at the target is resumed while the source is still there",
		edits: []edit{{settle,
			"\tcase copyAtTarget:\n\t\treturn SettleDropTarget",
			"\tcase copyAtTarget:\n\t\treturn SettleResumeTarget"}}, nets: first(simulation),
		faults: []string{"half a copy stays"},
	},
	{
		name: "unclean-end-taken-for-clean", law: "L5", broken: "a migration whose end is unclean is taken for done",
		edits: []edit{{result,
			"\t}\n\tif c.Result.OK {",
			"\t}\n\tif c.Result.OK || c.Result.Source == resources.Paused {"}}, nets: first(simulation),
	},
	{
		name: "half-a-copy-is-resumed", law: "L5",
		broken: "a copy that is still arriving is taken for the guest once the source is gone",
		edits: []edit{{settle,
			"\tcase source == absent && target == string(resources.Incoming):\n\t\treturn SettleDropTarget",
			"\tcase source == absent && target == string(resources.Incoming):\n\t\treturn SettleEnd"}},
		nets: first(simulation), faults: []string{"half a copy stays"},
	},
	{
		name: "agent-acts-on-an-unseen-end", law: "L5",
		broken: "the agent of the source resumes or destroys although one end could not be seen",
		edits: []edit{{"agents/vm/settle.go",
			"\tif source.Condition == agents.Unknown || target.Condition == agents.Unknown {",
			"\tif source.Condition == agents.Unknown {"},
			{"agents/vm/settle.go", "\tcase agents.Absent:\n\t\treturn stepResumeSource",
				"\tcase agents.Absent, agents.Unknown:\n\t\treturn stepResumeSource"}},
		nets: []net{tests("agents/vm", "^TestDecide")},
	},
}
