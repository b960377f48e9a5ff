package main

// The two nets of a start: Apply refuses it while anybody else may run the
// service, and the planner waits for each holder before it asks.
var (
	applyIgnoresHolders = edit{begin,
		"!cluster.OnBoot(n)(h):\n" +
			"\t\t\treturn Refuse(message.StartMayRun.With(c.Service, h.Node, brief(h.Boot, bootDigits)))\n" +
			"\t\tcase h.Ask",
		"h.Node == \"\":\n" +
			"\t\t\treturn Refuse(message.StartMayRun.With(c.Service, h.Node, brief(h.Boot, bootDigits)))\n" +
			"\t\tcase h.Machine == \"\""}
	applyIgnoresWhose  = edit{begin, "case h.Definition != c.Definition:", "case h.Definition == \"\":"}
	planIgnoresHolders = edit{up,
		"\tif len(waits) == 0 {\n\t\treturn message.Text{}\n\t}\n\treturn message.StartWaits",
		"\tif len(waits) < 1000 {\n\t\treturn message.Text{}\n\t}\n\treturn message.StartWaits"}
)

// holders are the breaks of L1: a VM is started only when it can be nowhere else.
var holders = []mutant{
	{
		name: "start-while-held", law: "L1",
		broken: "a service is started although another boot may run it: neither Apply nor Plan looks at the holders",
		edits:  []edit{applyIgnoresHolders, applyIgnoresWhose, planIgnoresHolders}, nets: first(simulation),
	},
	{
		name: "start-while-held-unseen-by-check", law: "L1",
		broken: "the same, and the State's own check is blind: two guests have to be seen executing",
		edits:  []edit{applyIgnoresHolders, applyIgnoresWhose, planIgnoresHolders, blind}, nets: first(simulation),
	},
	{
		name: "start-while-held-plan-alone", law: "L1", broken: "Plan alone does not wait for holders",
		edits: []edit{planIgnoresHolders}, nets: first(shortSimulation),
		harmless: "Apply refuses the start, and Plan asks Apply's own question before it proposes",
	},
	{
		name: "start-while-held-apply-alone", law: "L1", broken: "Apply alone does not look at the holders",
		edits: []edit{applyIgnoresHolders, applyIgnoresWhose}, nets: first(shortSimulation),
		harmless: "Plan waits for every holder",
	},
	{
		name: "failed-start-is-a-stop", law: "L1",
		broken: "a start that failed lets its holder go, although nothing proved that the call is over",
		edits: []edit{{result,
			"\tservice = t.troubled(service.WithFailedStart(failed), n, cluster.TroubleStart, why)\n" +
				"\tif c.Result.Source == resources.Absent {",
			"\tservice = t.troubled(service.WithFailedStart(failed), n, cluster.TroubleStart, why)\n" +
				"\tif c.Result.Source != resources.Running {"}},
		nets: []net{simulation, tests("cluster", "^TestAFailedStartIsNotAStop$")},
		faults: []string{"calls hang", "libvirt down", "strikes",
			"guest pauses", "storage gone", "storage gone for all", "hypervisor hangs"},
	},
	{
		name: "unsent-start-frees-an-older-holder", law: "L1",
		broken: "a start of which no call was sent lets a boot go that held the service before",
		edits:  []edit{{"cluster/holders.go", " && intent.Entered && h.Condition == \"\"", ""}},
		nets:   []net{tests("cluster", "^TestAStartThatWasNeverSentDidNotHappen$")},
	},
	{
		name: "unsent-start-holds", law: "L1",
		broken: "a start of which no call was sent keeps its node a holder until its hypervisor answers",
		edits: []edit{{result,
			"\t} else if unsent ",
			"\t} else if unsent && intent.Kind != cluster.IntentStart "}},
		nets: []net{tests("cluster", "^TestAStartThatWasNeverSentDidNotHappen$"), stories},
	},
	{
		name: "dead-by-an-old-word", law: "L1",
		broken: "a node that was let in after a person had said that it is off is declared dead all the same",
		edits: []edit{{"cluster/apply/cluster.go",
			"if n.Incarnation > c.Through {",
			"if n.Incarnation > c.Through && c.By == \"\" {"}},
		nets: []net{stories},
	},
	{
		name: "new-service-is-nowhere", law: "L1",
		broken: "a service that is new has no holders, so it is started before anybody has looked for it",
		edits: []edit{{"cluster/apply/cluster.go",
			"service.Holders = t.everywhere(message.HolderNotLookedFor.With(), spec)",
			"service.Holders = t.everywhere(message.HolderNotLookedFor.With(), spec)[:0]"}}, nets: []net{simulation, stories},
	},
	{
		name: "disappearance-is-believed", law: "L1",
		broken: "a VM that is gone without an event is started again without asking the other nodes for it",
		edits: []edit{{observe,
			"\t\tif name == except || other.Witness || !other.Reachable() {",
			"\t\tif name != \"\" {"}}, nets: []net{simulation, stories},
	},
	{
		name: "looked-for-as-declared-now", law: "L9",
		broken: "a VM that is looked for holds the disks of its declaration, and not those that it ran on",
		edits: []edit{{observe, "\t\t\tservice = service.WithHolder(h.RunsAs(last))",
			"\t\t\tservice = service.WithHolder(h)"}},
		nets: []net{tests("cluster", "^TestWhatIsLookedForHasTheDisksItRanOn$")},
	},
	{
		name: "guest-on-a-new-boot-is-not-asked-for", law: "L1",
		broken: "after a migration that left the guest at neither end nobody asks the nodes, although a target that " +
			"booted anew may have it",
		edits: []edit{{"cluster/apply/settle.go",
			"\t// where nobody held it; so every node in touch is asked first (law L1).\n" +
				"\tservice = t.askReachable(service, \"\", intent.SetOutAs(service.Spec))\n" +
				"\tstate := resources.Recovering",
			"\t// where nobody held it; so every node in touch is asked first (law L1).\n" +
				"\tstate := resources.Recovering"}}, nets: []net{tests("cluster", "^TestAGuestThatArrivesOnANewBootOfTheTarget$")},
	},
	{
		name: "new-boot-without-inventory", law: "L1",
		broken: "a new boot frees what the old one held, and what its inventory found running is not taken in",
		edits:  []edit{{node, "\t\tcase seen", "\t\tcase seen && n.State == cluster.NodeLooking"}},
		nets:   []net{simulation, tests("cluster", "Inventory|NewBoot")},
	},
	{
		name: "door-is-open-for-all", law: "L1", broken: "the doorkeeper lets a managed VM come up without an open intent",
		edits: []edit{{work,
			"false, message.HookNotAsked.With(",
			"service.Intent == nil, message.HookNotAsked.With("}},
		nets: []net{simulation, tests("cluster", "^TestTheDoor")}, faults: []string{"autostart"},
	},
	{
		name: "door-is-open-without-a-daemon", law: "L1",
		broken: "the hook lets managed VMs pass when clusterd does not answer",
		edits: []edit{{"agents/vm/doorkeeper/doorkeeper.go",
			"\tif err != nil {\n\t\treturn false, fmt.Sprintf(",
			"\tif err != nil {\n\t\treturn true, fmt.Sprintf("}},
		nets: []net{tests("agents/vm/doorkeeper", "^TestADeadDaemonRefusesManagedVMsOnly$")},
	},
	{
		name: "calls-end-with-their-daemon", law: "L1",
		broken: "a daemon that starts forgets the calls its predecessor sent to the hypervisor",
		edits: []edit{{"agents/vm/proof/journal.go", "\tj.calls[uuid] = calls\n\treturn nil\n}\n\n// Begin",
			"\tj.calls[uuid] = calls[:0]\n\treturn nil\n}\n\n// Begin"}}, nets: []net{tests("agents/vm/proof", "^TestJournal")},
	},
	{
		name: "orphans-end-at-once", law: "L1",
		broken: "a call whose caller is gone counts as ended at the first quiet look",
		edits: []edit{{"agents/vm/proof/journal.go", "\t\treturn now.Sub(call.quietSince) < settle\n",
			"\t\treturn now.Sub(call.quietSince) < 0\n"}}, nets: []net{tests("agents/vm/proof", "^TestJournal")},
	},
	{
		name: "process-is-not-looked-for", law: "L1", broken: "a QEMU process that is still there is not found",
		edits: []edit{{"agents/vm/proof/processes.go", "\treturn ok && found == p\n", "\treturn ok && found != p\n"}},
		nets:  []net{tests("agents/vm/proof", "^TestAlive|^TestFinds|^TestZombies")},
	},
}
