package breaks

var forgetSource = Edit{"cluster/apply/begin.go",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\tservice = service.WithHolder(h)",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\tservice.Holders = []cluster.Holder{h}"}
var forgetTarget = Edit{"cluster/apply/begin.go",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\tservice = service.WithHolder(h)\n" +
		"\tservice.Intent = t.intentOf(c, n)",
	"\th := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)\n" +
		"\t_ = h\n" +
		"\tservice.Intent = t.intentOf(c, n)"}

// migrations are the breaks of L5: a migration is a transaction.
var migrations = []Mutant{
	{
		Name: "source-forgotten", Law: "L5", Broken: "the source of a migration is no holder any more",
		Edits: []Edit{forgetSource}, Nets: first(Simulation),
	},
	{
		Name: "source-forgotten-unseen-by-check", Law: "L5", Broken: "the same with the State's own check blind",
		Edits: []Edit{forgetSource, blind}, Nets: first(Simulation),
	},
	{
		Name: "target-forgotten-unseen-by-check", Law: "L5",
		Broken: "the target of a migration is no holder, and the State's own check is blind",
		Edits:  []Edit{forgetTarget, blind}, Nets: first(Simulation),
	},
	{
		Name: "sends-without-asking", Law: "L5", Broken: "a migration begins with its second stage",
		Edits: []Edit{{"cluster/move.go", "\treturn i.Stages()[i.Stage]\n", "\treturn i.Stages()[len(i.Stages())-1]\n"}},
		Nets:  first(Simulation),
	},
	{
		Name: "a-refusal-is-taken-for-ready", Law: "L5", Broken: "a target that cannot take the VM is sent it all the same",
		Edits: []Edit{{"cluster/apply/settle.go", "\tif !c.Result.OK {\n",
			"\tif !c.Result.OK && c.Result.Source == \"\" {\n"}},
		Nets: first(Simulation),
	},
	{
		Name: "forgets-where-it-was-sent", Law: "L5",
		Broken: "a migration that ends with its source's daemon lets the target go, to which the guest is on its way",
		Edits: []Edit{
			{"cluster/move.go", "\tif !s.Intent.Preparing() || !held || ", "\tif !held || "},
			{"cluster/apply/begin.go", "\tif intent.Preparing() && intent.Generation == t.Generation {\n",
				"\tif intent.Kind == cluster.IntentMigrate {\n"},
		},
		Nets: first(Simulation),
	},
	{
		Name: "a-lost-log-says-nothing-was-sent", Law: "L5",
		Broken: "a recovered log, which may lack the entry that had it sent, lets the target of a move go unasked",
		Edits: []Edit{{"cluster/apply/begin.go", "\tif intent.Preparing() && intent.Generation == t.Generation {\n",
			"\tif intent.Preparing() {\n"}},
		Nets: []Net{tests("cluster", "TestANewGenerationDoesNotBelieveThatNothingWasSent")},
	},
	{
		Name: "the-door-opens-for-who-is-asked", Law: "L5",
		Broken: "a VM may come up on a target that has not said that it can take it",
		Edits: []Edit{{"cluster/work.go", "i.TargetIncarnation == n.Incarnation && !i.Preparing())",
			"i.TargetIncarnation == n.Incarnation)"}},
		Nets: []Net{tests("cluster", "TestTheDoorOpensForAnOpenIntentAlone")},
	},
	{
		Name: "a-late-answer-settles", Law: "L5",
		Broken: "what a target answers after its migration was withdrawn is taken for the answer to another question",
		Edits:  []Edit{{"cluster/apply/result.go", "\tif c.Stage != stage.Name {\n", "\tif false {\n"}},
		Nets:   []Net{tests("cluster", "TestALateAnswerOfTheTargetSaysNothing")},
	},
	{
		Name: "a-silent-target-holds-the-move", Law: "L5",
		Broken: "a migration whose target falls silent before it was sent anything waits for it",
		Edits:  []Edit{{"cluster/apply/node.go", "\t\tt.withdrawFrom(n.Name, c.Why)\n", ""}},
		Nets:   []Net{tests("cluster", "TestAMoveWhoseTargetFallsSilentIsWithdrawn")},
	},
	{
		Name: "a-part-of-a-guest-is-resumed", Law: "L5",
		Broken: "the source of a post-copy goes on with old memory once its target is gone",
		Edits: []Edit{{"cluster/move.go", "string(resources.Crashed)):\n\t\treturn SettleDropSource",
			"string(resources.Crashed)):\n\t\treturn SettleResumeSource"}},
		Nets: []Net{tests("cluster", "TestAPartOfAGuestIsNeverTheGuest")},
	},
	{
		Name: "half-a-guest-is-whole", Law: "L5",
		Broken: "a guest whose source died before its memory had followed it counts as arrived",
		Edits: []Edit{{"cluster/move.go", "\tcase source == absent:\n\t\treturn SettleDropTarget",
			"\tcase source == absent:\n\t\treturn SettleEnd"}},
		Nets: []Net{Simulation, tests("cluster", "TestEitherEndOfAPostCopyIsNothingWithoutTheOther")},
	},
	{
		Name: "a-broken-copy-ends-the-source", Law: "L5",
		Broken: "a post-copy that was interrupted loses the guest instead of going on",
		Edits:  []Edit{{"cluster/move.go", "\t\treturn SettleCopyOn\n", "\t\treturn SettleDropSource\n"}},
		Nets:   []Net{tests("cluster", "TestAnInterruptedPostCopyIsTakenUpAgain")},
	},
	{
		Name: "post-copy-beside-a-copy", Law: "L5",
		Broken: "a hybrid move goes on by post-copy although something may be left at its target",
		Edits: []Edit{{"cluster/apply/result.go", "\t\tc.Result.Target == resources.Absent {",
			"\t\tc.Result.Target != \"\" {"}},
		Nets: []Net{tests("cluster", "TestPostCopyFollowsOnlyWhereBothEndsAreAsBefore")},
	},
	{
		Name: "given-up-and-tried-another-way", Law: "L7",
		Broken: "a move that a person cancelled goes on by post-copy",
		Edits: []Edit{{"cluster/apply/result.go", "intent.Stallable() && intent.Cancelled == \"\" &&",
			"intent.Stallable() &&"}},
		Nets: []Net{tests("cluster", "TestAHybridMoveThatIsGivenUpByAPerson")},
	},
	{
		Name: "still-copying-is-an-answer", Law: "L5",
		Broken: "an end whose memory is still being copied counts as having given its last answer",
		Edits: []Edit{{"resources/observation.go", "(o.Condition == Split && o.Reason == PostCopyGoing)",
			"(o.Condition == Split && o.Reason == \"\")"}},
		Nets: []Net{tests("cluster", "TestWhatIsStillCopiedIsNoAnswer")},
	},
	{
		Name: "what-was-split-stays-so", Law: "L5",
		Broken: "what the target showed before the copying was taken up again is believed once the source is gone",
		Edits: []Edit{{"cluster/apply/result.go", "\tif c.Result.Target != \"\" {\n\t\t// The",
			"\tif c.Result.Target == \"x\" {\n\t\t// The"}},
		Nets: []Net{tests("cluster", "TestAnInterruptedPostCopyIsTakenUpAgain")},
	},
	{
		Name: "arrives-paused-by-post-copy", Law: "L5",
		Broken: "libvirt is asked for what it refuses: to arrive paused, and by post-copy",
		Edits: []Edit{{"agents/vm/limits.go", "flags | libvirt.MIGRATE_POSTCOPY,",
			"flags | libvirt.MIGRATE_POSTCOPY | libvirt.MIGRATE_PAUSED,"}},
		Nets: []Net{tests("agents/vm", "TestHowAMoveIsAskedFor")},
	},
	{
		Name: "one-slow-pass-is-a-stall", Law: "L7",
		Broken: "a move is given up at the first pass that is no smaller than the one before",
		Edits:  []Edit{{"agents/vm/postcopy.go", "\tfruitless = 2\n", "\tfruitless = 1\n"}},
		Nets:   []Net{tests("agents/vm", "TestAMoveStallsOnceItsPassesNoLongerShrink")},
	},
	{
		Name: "what-goes-on-is-an-end", Law: "L5",
		Broken: "the agent gives up watching a move that goes on, and tells what it saw as its end",
		Edits: []Edit{{"agents/vm/settled.go", "\t\tSource: source.AsEnd(), Target",
			"\t\tSource: source.Condition, Target"}},
		Nets: []Net{tests("agents/vm", "TestWhatGoesOnIsNoEnd")},
	},
	{
		Name: "nobody-can-end-what-nobody-watches", Law: "L7",
		Broken: "a cancel is answered with success and handed to nobody, where the source is being asked",
		Edits: []Edit{{"cluster/work.go", "intent.Cancelled != \"\" && intent.Sends() &&",
			"intent.Cancelled == \"x\" && intent.Sends() &&"}},
		Nets: []Net{tests("cluster", "TestAMoveThatNobodyWatchesCanBeCancelled")},
	},
	{
		Name: "a-cancelled-move-switches", Law: "L7",
		Broken: "a guest changes its place although a person's cancel was answered with success before",
		Edits:  []Edit{{"cluster/work.go", "d.Stage == StagePostCopy && i != nil &&", "d.Stage == \"\" && i != nil &&"}},
		Nets:   []Net{tests("cluster", "TestACancelledPostCopyDoesNotSwitch")},
	},
	{
		Name: "a-guest-is-ended-while-its-memory-comes", Law: "L5",
		Broken: "a disable destroys a guest at both ends whose memory is still following it",
		Edits: []Edit{{"cluster/moveend.go", "i.Ending || i.Present().Name == StagePostCopy",
			"i.Ending || i.Present().Name == \"x\""}},
		Nets: []Net{tests("cluster", "TestADisableWaitsForTheMemoryOfAGuest")},
	},
	{
		Name: "overdue-move-is-never-ended", Law: "L5", Broken: "a drain's deadline does not end a move whose guest hangs",
		Edits: []Edit{{"cluster/moveend.go", "|| !s.untold(service) {", "|| s.untold(service) {"}},
		Nets:  []Net{stories},
	},
	{
		Name: "what-runs-ends-with-its-move", Law: "L5", Broken: "past a deadline a guest is destroyed that is known to run",
		Edits: []Edit{{"cluster/moveend.go", ", !h.Ask && h.Condition == string(resources.Running):", ":"}},
		Nets:  []Net{tests("cluster", "^TestPastADeadlineOnlyWhatNobodyCanTellOfEnds$")},
	},
	{
		Name: "the-silent-are-ended", Law: "L5", Broken: "past a deadline a guest is destroyed because a node is silent",
		Edits: []Edit{{"cluster/moveend.go", "!known || !n.Reachable() || !OnBoot(n)(h):", "!known && !n.Reachable():"}},
		Nets:  []Net{tests("cluster", "^TestPastADeadlineOnlyWhatNobodyCanTellOfEnds$")},
	},
	{
		Name: "moves-end-before-their-deadline", Law: "L5",
		Broken: "a move that is looked at is ended before the deadline of the order",
		Edits: []Edit{{"cluster/plan/down.go", "|| !p.reached(end.Due) {", "{"},
			{"cluster/apply/settle.go", "|| t.At.Before(end.Due) {", "{"}},
		Nets: []Net{stories},
	},
	{
		Name: "a-part-stays-a-part", Law: "L5",
		Broken: "a guest that is whole by now is destroyed for the part that it was",
		Edits: []Edit{{"cluster/work.go", "drops[i].Part = target == string(resources.Split)",
			"drops[i].Part = target == \"\""}},
		Nets: []Net{tests("cluster", "TestAPartIsDroppedOnlyWhileItIsOne")},
	},
	{
		Name: "target-asked-too-early", Law: "L5", Broken: "what the ends say before the source has ended counts",
		Edits: []Edit{{observe, "\tcase held && service", "\tcase held && n.Name == \"\" && service"}},
		Nets: []Net{tests("cluster",
			"TestAnInventoryFromBeforeTheSourceEndedProvesNothing|TestASourceThatStillSendsHasNotAnswered")},
	},
	{
		Name: "copy-resumed-beside-its-source", Law: "L5",
		Broken: "a copy at the target is resumed while the source is still there",
		Edits: []Edit{{settle,
			"\tcase copyAtTarget:\n\t\treturn SettleDropTarget",
			"\tcase copyAtTarget:\n\t\treturn SettleResumeTarget"}}, Nets: first(Simulation),
		Faults: []string{"half a copy stays"},
	},
	{
		Name: "unclean-end-taken-for-clean", Law: "L5", Broken: "a migration whose end is unclean is taken for done",
		Edits: []Edit{{result,
			"\t}\n\tif c.Result.OK {",
			"\t}\n\tif c.Result.OK || c.Result.Source == resources.Paused {"}}, Nets: first(Simulation),
	},
	{
		Name: "half-a-copy-is-resumed", Law: "L5",
		Broken: "a copy that is still arriving is taken for the guest once the source is gone",
		Edits: []Edit{{settle,
			"\tcase source == absent && target == string(resources.Incoming):\n\t\treturn SettleDropTarget",
			"\tcase source == absent && target == string(resources.Incoming):\n\t\treturn SettleEnd"}},
		Nets: first(Simulation), Faults: []string{"half a copy stays"},
	},
	{
		Name: "agent-acts-on-an-unseen-end", Law: "L5",
		Broken: "the agent of the source resumes or destroys although one end could not be seen",
		Edits: []Edit{{"agents/vm/settle.go",
			"\tif source.Condition == agents.Unknown || target.Condition == agents.Unknown {",
			"\tif source.Condition == agents.Unknown {"},
			{"agents/vm/settle.go", "\tcase agents.Absent:\n\t\treturn stepResumeSource",
				"\tcase agents.Absent, agents.Unknown:\n\t\treturn stepResumeSource"}},
		Nets: []Net{tests("agents/vm", "^TestDecide")},
	},
}
