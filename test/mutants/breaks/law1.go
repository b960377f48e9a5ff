package breaks

// The two nets of a start: Apply refuses it while anybody else may run the
// service, and the planner waits for each holder before it asks.
var (
	applyIgnoresHolders = Edit{begin,
		"!cluster.OnBoot(n)(h):\n" +
			"\t\t\treturn Refuse(message.StartMayRun.With(c.Service, h.Node, brief(h.Boot, bootDigits)))\n" +
			"\t\tcase h.Ask",
		"h.Node == \"\":\n" +
			"\t\t\treturn Refuse(message.StartMayRun.With(c.Service, h.Node, brief(h.Boot, bootDigits)))\n" +
			"\t\tcase h.Machine == \"\""}
	applyIgnoresWhose  = Edit{begin, "case h.Definition != c.Definition:", "case h.Definition == \"\":"}
	planIgnoresHolders = Edit{up,
		"\tif len(waits) == 0 {\n\t\treturn message.Text{}\n\t}\n\treturn message.StartWaits",
		"\tif len(waits) < 1000 {\n\t\treturn message.Text{}\n\t}\n\treturn message.StartWaits"}
)

// holders are the breaks of L1: a VM is started only when it can be nowhere else.
var holders = []Mutant{
	{
		Name: "start-while-held", Law: "L1",
		Broken: "a service is started although another boot may run it: neither Apply nor Plan looks at the holders",
		Edits:  []Edit{applyIgnoresHolders, applyIgnoresWhose, planIgnoresHolders}, Nets: first(Simulation),
	},
	{
		Name: "start-while-held-unseen-by-check", Law: "L1",
		Broken: "the same, and the State's own check is blind: two guests have to be seen executing",
		Edits:  []Edit{applyIgnoresHolders, applyIgnoresWhose, planIgnoresHolders, blind}, Nets: first(Simulation),
	},
	{
		Name: "start-while-held-plan-alone", Law: "L1", Broken: "Plan alone does not wait for holders",
		Edits: []Edit{planIgnoresHolders}, Nets: first(shortSimulation),
		Harmless: "Apply refuses the start, and Plan asks Apply's own question before it proposes",
	},
	{
		Name: "start-while-held-apply-alone", Law: "L1", Broken: "Apply alone does not look at the holders",
		Edits: []Edit{applyIgnoresHolders, applyIgnoresWhose}, Nets: first(shortSimulation),
		Harmless: "Plan waits for every holder",
	},
	{
		Name: "failed-start-is-a-stop", Law: "L1",
		Broken: "a start that failed lets its holder go, although nothing proved that the call is over",
		Edits: []Edit{{result,
			"\tservice = t.troubled(service.WithFailedStart(failed), n, cluster.TroubleStart, why)\n" +
				"\tif c.Result.Source == resources.Absent {",
			"\tservice = t.troubled(service.WithFailedStart(failed), n, cluster.TroubleStart, why)\n" +
				"\tif c.Result.Source != resources.Running {"}},
		Nets: []Net{Simulation, tests("cluster", "^TestAFailedStartIsNotAStop$")},
		Faults: []string{"calls hang", "libvirt down", "strikes",
			"guest pauses", "storage gone", "storage gone for all", "hypervisor hangs"},
	},
	{
		Name: "unsent-start-frees-an-older-holder", Law: "L1",
		Broken: "a start of which no call was sent lets a boot go that held the service before",
		Edits:  []Edit{{"cluster/holders.go", " && intent.Entered && h.Condition == \"\"", ""}},
		Nets:   []Net{tests("cluster", "^TestAStartThatWasNeverSentDidNotHappen$")},
	},
	{
		Name: "unsent-start-holds", Law: "L1",
		Broken: "a start of which no call was sent keeps its node a holder until its hypervisor answers",
		Edits: []Edit{{result,
			"\t} else if unsent ",
			"\t} else if unsent && intent.Kind != cluster.IntentStart "}},
		Nets: []Net{tests("cluster", "^TestAStartThatWasNeverSentDidNotHappen$"), stories},
	},
	{
		Name: "an-unanswered-look-holds", Law: "L1",
		Broken: "a start that ended at a look which libvirtd did not answer keeps its node a holder",
		Edits: []Edit{{"agents/vm/start.go", "a.unsent(uuid, agents.Result{Source: seen.Condition, Why: fmt.Sprintf(",
			"func(_ string, r agents.Result) agents.Result { return r }" +
				"(uuid, agents.Result{Source: seen.Condition, Why: fmt.Sprintf("}},
		Nets: []Net{tests("agents/vm", "^TestAStartWhoseLookIsNotAnsweredWasNotSent$")},
	},
	{
		Name: "unsent-beside-an-open-call", Law: "L1",
		Broken: "a start counts as not sent although an earlier one of the same VM is open",
		Edits:  []Edit{{"agents/vm/start.go", "\tif len(a.journal.Open(uuid)) > 0 {\n", "\tif false {\n"}},
		Nets:   []Net{tests("agents/vm", "^TestAStartWithoutAConnectionWasNotSent$")},
	},
	{
		Name: "unsent-beside-a-qemu", Law: "L1",
		Broken: "a start counts as not sent although the QEMU of its VM is on the host",
		Edits:  []Edit{{"agents/vm/start.go", "result.Unsent = err == nil && !here", "_, result.Unsent = here, err == nil"}},
		Nets:   []Net{tests("agents/vm", "^TestAStartWhoseLookIsNotAnsweredWasNotSent$")},
	},
	{
		Name: "a-sent-create-is-unsent", Law: "L1",
		Broken: "a create that libvirtd answered with an error counts as not sent",
		Edits: []Edit{{"agents/vm/start.go", "\t\tif errors.Is(err, errNotAsked) {\n\t\t\treturn a.unsent",
			"\t\tif err != nil {\n\t\t\treturn a.unsent"}},
		Nets: []Net{tests("agents/vm", "^TestACreateThatWasSentIsNotUnsent$")},
	},
	{
		Name: "dead-by-an-old-word", Law: "L1",
		Broken: "a node that was let in after a person had said that it is off is declared dead all the same",
		Edits: []Edit{{"cluster/apply/cluster.go",
			"if n.Incarnation > c.Through {",
			"if n.Incarnation > c.Through && c.By == \"\" {"}},
		Nets: []Net{stories},
	},
	{
		Name: "new-service-is-nowhere", Law: "L1",
		Broken: "a service that is new has no holders, so it is started before anybody has looked for it",
		Edits: []Edit{{"cluster/apply/cluster.go",
			"service.Holders = t.everywhere(message.HolderNotLookedFor.With(), spec)",
			"service.Holders = t.everywhere(message.HolderNotLookedFor.With(), spec)[:0]"}}, Nets: []Net{Simulation, stories},
	},
	{
		Name: "disappearance-is-believed", Law: "L1",
		Broken: "a VM that is gone without an event is started again without asking the other nodes for it",
		Edits: []Edit{{observe,
			"\t\tif name == except || other.Witness || !other.Reachable() {",
			"\t\tif name != \"\" {"}}, Nets: []Net{Simulation, stories},
	},
	{
		Name: "looked-for-as-declared-now", Law: "L9",
		Broken: "a VM that is looked for holds the disks of its declaration, and not those that it ran on",
		Edits: []Edit{{observe, "\t\t\tservice = service.WithHolder(h.RunsAs(last))",
			"\t\t\tservice = service.WithHolder(h)"}},
		Nets: []Net{tests("cluster", "^TestWhatIsLookedForHasTheDisksItRanOn$")},
	},
	{
		Name: "guest-on-a-new-boot-is-not-asked-for", Law: "L1",
		Broken: "after a migration that left the guest at neither end nobody asks the nodes, although a target that " +
			"booted anew may have it",
		Edits: []Edit{{"cluster/apply/settle.go",
			"\t// where nobody held it; so every node in touch is asked first (law L1).\n" +
				"\tservice = t.askReachable(service, \"\", intent.SetOutAs(service.Spec))\n" +
				"\tstate := resources.Recovering",
			"\t// where nobody held it; so every node in touch is asked first (law L1).\n" +
				"\tstate := resources.Recovering"}}, Nets: []Net{tests("cluster", "^TestAGuestThatArrivesOnANewBootOfTheTarget$")},
	},
	{
		Name: "new-boot-without-inventory", Law: "L1",
		Broken: "a new boot frees what the old one held, and what its inventory found running is not taken in",
		Edits:  []Edit{{node, "\t\tcase seen", "\t\tcase seen && n.State == cluster.NodeLooking"}},
		Nets:   []Net{Simulation, tests("cluster", "Inventory|NewBoot")},
	},
	{
		Name: "door-is-open-for-all", Law: "L1", Broken: "the doorkeeper lets a managed VM come up without an open intent",
		Edits: []Edit{{work,
			"\t\treturn name, false, why\n",
			"\t\treturn name, service.Intent == nil, why\n"}},
		Nets: []Net{Simulation, tests("cluster", "^TestTheDoor")}, Faults: []string{"autostart"},
	},
	{
		Name: "door-is-open-without-a-daemon", Law: "L1",
		Broken: "the hook lets managed VMs pass when clusterd does not answer",
		Edits: []Edit{{"agents/vm/doorkeeper/doorkeeper.go",
			"\tif err != nil {\n\t\treturn false, fmt.Sprintf(",
			"\tif err != nil {\n\t\treturn true, fmt.Sprintf("}},
		Nets: []Net{tests("agents/vm/doorkeeper", "^TestADeadDaemonRefusesManagedVMsOnly$")},
	},
	{
		Name: "calls-end-with-their-daemon", Law: "L1",
		Broken: "a daemon that starts forgets the calls its predecessor sent to the hypervisor",
		Edits: []Edit{{"agents/vm/proof/journal.go", "\tj.calls[uuid] = calls\n\treturn nil\n}\n\n// Begin",
			"\tj.calls[uuid] = calls[:0]\n\treturn nil\n}\n\n// Begin"}}, Nets: []Net{tests("agents/vm/proof", "^TestJournal")},
	},
	{
		Name: "orphans-end-at-once", Law: "L1",
		Broken: "a call whose caller is gone counts as ended at the first quiet look",
		Edits: []Edit{{"agents/vm/proof/journal.go", "\t\treturn now.Sub(call.quietSince) < settle\n",
			"\t\treturn now.Sub(call.quietSince) < 0\n"}}, Nets: []Net{tests("agents/vm/proof", "^TestJournal")},
	},
	{
		Name: "process-is-not-looked-for", Law: "L1", Broken: "a QEMU process that is still there is not found",
		Edits: []Edit{{"agents/vm/proof/processes.go", "\treturn ok && found == p\n", "\treturn ok && found != p\n"}},
		Nets:  []Net{tests("agents/vm/proof", "^TestAlive|^TestFinds|^TestZombies")},
	},
}
