package main

// hypervisorsAlone are breaks that only what hypervisors and guests do can show.
var hypervisorsAlone = []mutant{
	{
		name: "shutdown-is-ignored", law: "L7", broken: "a guest that shuts itself down counts as running for ever",
		edits: []edit{{observe,
			"\tif !o.Explained {\n\t\twhy = \"disappeared",
			"\tif o.Explained && o.Reason == \"shut down by its guest\" {\n" +
				"\t\treturn\n" +
				"\t}\n" +
				"\tif !o.Explained {\n" +
				"\t\twhy = \"disappeared"}}, nets: first(simulation),
		faults: []string{"guest shuts down", "guest dies at each start"},
	},
	{
		name: "destroyed-is-ignored", law: "L7", broken: "a VM that a person destroyed counts as running for ever",
		edits: []edit{{observe,
			"\tif !o.Explained {\n\t\twhy = \"disappeared",
			"\tif o.Reason == \"destroyed\" {\n" +
				"\t\treturn\n" +
				"\t}\n" +
				"\tif !o.Explained {\n" +
				"\t\twhy = \"disappeared"}}, nets: first(simulation), faults: []string{"destroyed by hand"},
	},
	{
		name: "a-persons-pause-is-a-crash", law: "L5", broken: "a VM that a person has paused is taken for failed",
		edits: []edit{{observe,
			"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started",
			"\tif h.Reason == \"user\" {\n" +
				"\t\th.Condition = string(resources.Crashed)\n" +
				"\t}\n" +
				"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started"}}, nets: first(simulation), faults: []string{"paused by hand"},
	},
	{
		name: "an-io-error-is-a-crash", law: "L5", broken: "a VM that waits for its disk is taken for failed",
		edits: []edit{{observe,
			"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started",
			"\tif h.Reason == \"ioerror\" {\n" +
				"\t\th.Condition = string(resources.Crashed)\n" +
				"\t}\n" +
				"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started"}}, nets: first(simulation),
		faults: []string{"guest pauses", "storage gone", "storage gone for all"},
	},
	{
		name: "hints-need-words", law: "L3", broken: "a hint that does not say what has changed is not looked into",
		edits: []edit{{"cluster/mind/looks.go",
			"\tfor _, change := range in.Changes {\n",
			"\tfor _, change := range in.Changes {\n" +
				"\t\tif change.Observation.Condition == \"\" {\n" +
				"\t\t\tcontinue\n" +
				"\t\t}\n"}}, nets: first(simulation), faults: []string{"events lost"},
	},
	{
		name: "failed-starts-are-final", law: "L7", broken: "a service that could be started nowhere is never tried again",
		edits: []edit{{up, ">= PauseStartRounds", "< 0"}}, nets: first(simulation),
		faults: []string{"starts fail", "storage gone", "storage gone for all", "calls hang"},
	},
	{
		name: "total-loss-is-final", law: "L7",
		broken: "a service whose start failed on more than two nodes is never tried again",
		edits: []edit{{up,
			"\tif p.view.Stuck[service.Spec.Name] >= PauseStartRounds ",
			"\tif p.view.Stuck[service.Spec.Name] >= PauseStartRounds && len(failedOn) < 3 "}}, nets: first(simulation),
		faults: []string{"storage gone for all"},
	},
	{
		name: "complete-copies-are-both-right", law: "L5",
		broken: "a complete copy at the target is resumed while the source is there, paused",
		edits: []edit{{settle,
			"\tcase copyAtTarget",
			"\tcase copyAtTarget && target == string(resources.Paused):\n" +
				"\t\treturn SettleResumeTarget\n" +
				"\tcase copyAtTarget"}}, nets: first(simulation), faults: []string{"reply lost"},
	},
}

// networksAlone are breaks that only networks, boards, the log and people's
// orders to whole nodes can show.
var networksAlone = []mutant{
	{
		name: "hung-hypervisor-gets-vms", law: "L7", broken: "VMs are sent to a node whose hypervisor does not answer",
		edits: []edit{{"cluster/host.go",
			"\tif n.Hung == \"\" || !service.Spec",
			"\tif n.Hung == \"\" || n.ID > 0 || !service.Spec"}},
		nets: []net{simulation, stories}, faults: []string{"hypervisor hangs", "libvirt down"},
	},
	{
		name: "heard-is-in-touch", law: "L7",
		broken: "a node of which the heartbeats pass and the log does not is given work",
		edits:  []edit{{"cluster/mind/deaf.go", "l.Still, l.Well = l.Still+since, 0", "l.Still, l.Well = 0, 0"}},
		nets:   []net{simulation, stories}, faults: []string{"deaf"},
	},
	{
		name: "sent-into-a-loop", law: "L7",
		broken: "a person's move to a node whose daemon does not stay up is tried",
		edits: []edit{{"cluster/rules/ask.go",
			"\tif n.Restarts.Lately(w.At) ",
			"\tif n.Restarts.Lately(w.At) && n.ID < 0 "}},
		nets: []net{tests("cluster", "^TestNobodySendsAServiceIntoALoop$")},
	},
	{
		name: "restarts-are-forgotten", law: "-",
		broken: "a daemon that ends after each start is given work each time",
		edits: []edit{{"cluster/trouble.go",
			"func (r *Restarts) Loop() bool { return r != nil && r.Count > RestartsKnown",
			"func (r *Restarts) Loop() bool { return r != nil && r.Count > 1<<30"}},
		nets: []net{stories},
	},
	{
		name: "deaf-has-no-grace", law: "L8",
		broken: "a node that takes nothing of the log is shot before a silent daemon would be",
		edits: []edit{{"cluster/log.go",
			"\treturn w.Log.Deaf && w.Silence < timing.Test && w.Log.Still >= timing.DeafFor()",
			"\treturn w.Log.Deaf && w.Silence < timing.Test && w.Log.Still >= timing.Deaf"}},
		nets: []net{simulation, stories},
	},
	{
		name: "deaf-flaps", law: "L7", broken: "a node that was deaf is given work with the first entry that it takes",
		edits: []edit{{"cluster/mind/deaf.go", "l.Well >= cluster.DeafBack {", "l.Well > 0 {"},
			{"cluster/mind/deaf.go", "l.Well < cluster.DeafBack)", "l.Well == 0)"}},
		nets: []net{tests("cluster/mind", "^TestADeafNodeIsBack")},
	},
	{
		name: "no-way-is-off", law: "L3", broken: "a board that cannot be reached is read as: the machine has no power",
		edits: []edit{{shot,
			"\tif c.Result.Outcome != fence.Confirmed {\n\t\tif open.Drill",
			"\tif c.Result.Outcome != fence.Confirmed && !strings.Contains(evidence.String(), \"no way to\") {\n" +
				"\t\tif open.Drill"}}, nets: first(simulation), faults: []string{"board network cut", "board shares power"},
	},
	{
		name: "late-node-up-counts", law: "L2",
		broken: "a NodeUp that a dead daemon proposed puts an end to the one that lives",
		edits: []edit{{node,
			"if c.Previous != nil && *c.Previous != n.Incarnation {",
			"if c.Previous != nil && *c.Previous > n.Incarnation {"}}, nets: first(simulation),
		faults: []string{"late entry", "limbo"},
	},
	{
		name: "operators-shot-has-one-try", law: "L3",
		broken: "a fence intent that an operator began is given to nobody after its first attempt",
		edits: []edit{{shot,
			"\tif open.Fencer",
			"\tif open.By == \"root\" {\n" +
				"\t\treturn rules.Refuse(message.Words(\"an operator began it\"))\n" +
				"\t}\n" +
				"\tif open.Fencer"}}, nets: first(simulation), faults: []string{"fence by hand"},
	},
	{
		name: "word-for-any-boot", law: "L3", broken: "an administrator's word for one boot counts for another",
		edits: []edit{{"cluster/apply/fence.go",
			"\tif !known || open.Boot != c.Boot || n.Boot != c.Boot {",
			"\tif !known {"}}, nets: first(simulation), faults: []string{"confirmation"},
	},
	{
		name: "leaving-never-ends", law: "L7", broken: "a node that leaves is never marked as left",
		edits: []edit{{plan,
			"\t\tif held := w.HeldBy(n); len(held) >",
			"\t\tif held := w.HeldBy(n); len(held) >="}}, nets: first(simulation),
		faults: []string{"evacuation", "node removed"},
	},
	{
		name: "grace-is-forgotten", law: "L8",
		broken: "a node whose daemon restarts is shot at once, although its kernel answers",
		edits: []edit{{"cluster/view.go",
			"\tcase w.Verdict.Kernel == Answers && w.KernelOnly < timing.SilentGrace:",
			"\tcase w.Verdict.Kernel == Answers && w.KernelOnly < 0:"}}, nets: []net{simulation, stories},
		// Whatever keeps a daemon busy for a moment shows it, so no faults are claimed.
	},
	{
		name: "announced-stop-has-no-grace", law: "L8",
		broken: "a host whose daemon was stopped on purpose is shot as if it had died",
		edits: []edit{{"cluster/rules/stopping.go",
			"\tif n.Stopped && w.waitsForDaemon(n) == \"\" {",
			"\tif n.Stopped && n.Name == \"\" {"}},
		nets: []net{stories, simulation}, faults: []string{"daemon stopped"},
	},
	{
		name: "announcement-outlives-its-daemon", law: "L8",
		broken: "a daemon that came back and then dies without a word still has the grace of its announced stop",
		edits:  []edit{{node, "\tn.Stopped = false\n", ""}}, nets: []net{tests("cluster", "^TestAnAnnouncement")},
	},
	{
		name: "stragglers-are-shot", law: "L8",
		broken: "after a blackout a node that was not heard yet is given no longer than one that was",
		edits:  []edit{{"cluster/view.go", "\t\tlimit = timing.JoinGrace", "\t\tlimit = timing.Lost"}}, nets: first(stories),
	},
}
