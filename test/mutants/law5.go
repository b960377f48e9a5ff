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
