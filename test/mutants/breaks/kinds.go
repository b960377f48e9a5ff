package breaks

// hypervisorsAlone are breaks that only what hypervisors and guests do can show.
var hypervisorsAlone = []Mutant{
	{
		Name: "shutdown-is-ignored", Law: "L7", Broken: "a guest that shuts itself down counts as running for ever",
		Edits: []Edit{{observe,
			"\tif !o.Explained {\n\t\twhy = message.ServiceDisappeared",
			"\tif o.Explained && o.Reason == \"shut down by its guest\" {\n" +
				"\t\treturn\n" +
				"\t}\n" +
				"\tif !o.Explained {\n" +
				"\t\twhy = message.ServiceDisappeared"}}, Nets: first(Simulation),
		Faults: []string{"guest shuts down", "guest dies at each start"},
	},
	{
		Name: "destroyed-is-ignored", Law: "L7", Broken: "a VM that a person destroyed counts as running for ever",
		Edits: []Edit{{observe,
			"\tif !o.Explained {\n\t\twhy = message.ServiceDisappeared",
			"\tif o.Reason == \"destroyed\" {\n" +
				"\t\treturn\n" +
				"\t}\n" +
				"\tif !o.Explained {\n" +
				"\t\twhy = message.ServiceDisappeared"}}, Nets: first(Simulation), Faults: []string{"destroyed by hand"},
	},
	{
		Name: "a-persons-pause-is-a-crash", Law: "L5", Broken: "a VM that a person has paused is taken for failed",
		Edits: []Edit{{observe,
			"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started",
			"\tif h.Reason == \"user\" {\n" +
				"\t\th.Condition = string(resources.Crashed)\n" +
				"\t}\n" +
				"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started"}}, Nets: first(Simulation), Faults: []string{"paused by hand"},
	},
	{
		Name: "an-io-error-is-a-crash", Law: "L5", Broken: "a VM that waits for its disk is taken for failed",
		Edits: []Edit{{observe,
			"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started",
			"\tif h.Reason == \"ioerror\" {\n" +
				"\t\th.Condition = string(resources.Crashed)\n" +
				"\t}\n" +
				"\tswitch resources.Condition(h.Condition) {\n" +
				"\tcase resources.Running:\n" +
				"\t\tt.setService(service, resources.Started"}}, Nets: first(Simulation),
		Faults: []string{"guest pauses", "storage gone", "storage gone for all"},
	},
	{
		Name: "hints-need-words", Law: "L3", Broken: "a hint that does not say what has changed is not looked into",
		Edits: []Edit{{"cluster/mind/looks.go",
			"\tfor _, change := range in.Changes {\n",
			"\tfor _, change := range in.Changes {\n" +
				"\t\tif change.Observation.Condition == \"\" {\n" +
				"\t\t\tcontinue\n" +
				"\t\t}\n"}}, Nets: first(Simulation), Faults: []string{"events lost"},
	},
	{
		Name: "failed-starts-are-final", Law: "L7", Broken: "a service that could be started nowhere is never tried again",
		Edits: []Edit{{up, ">= PauseStartRounds", "< 0"}}, Nets: first(Simulation),
		Faults: []string{"starts fail", "storage gone", "storage gone for all", "calls hang"},
	},
	{
		Name: "total-loss-is-final", Law: "L7",
		Broken: "a service whose start failed on more than two nodes is never tried again",
		Edits: []Edit{{up,
			"\tif p.view.Stuck[service.Spec.Name] >= PauseStartRounds ",
			"\tif p.view.Stuck[service.Spec.Name] >= PauseStartRounds && len(failedOn) < 3 "}}, Nets: first(Simulation),
		Faults: []string{"storage gone for all"},
	},
	{
		Name: "complete-copies-are-both-right", Law: "L5",
		Broken: "a complete copy at the target is resumed while the source is there, paused",
		Edits: []Edit{{settle,
			"\tcase copyAtTarget",
			"\tcase copyAtTarget && target == string(resources.Paused):\n" +
				"\t\treturn SettleResumeTarget\n" +
				"\tcase copyAtTarget"}}, Nets: first(Simulation), Faults: []string{"reply lost"},
	},
}

// networksAlone are breaks that only networks, boards, the log and people's
// orders to whole nodes can show.
var networksAlone = []Mutant{
	{
		Name: "hung-hypervisor-gets-vms", Law: "L7", Broken: "VMs are sent to a node whose hypervisor does not answer",
		Edits: []Edit{{"cluster/host.go",
			"\tif n.Hung.IsZero() || !service.Spec",
			"\tif n.Hung.IsZero() || n.ID > 0 || !service.Spec"}},
		Nets: []Net{Simulation, stories}, Faults: []string{"hypervisor hangs", "libvirt down"},
	},
	{
		Name: "heard-is-in-touch", Law: "L7",
		Broken: "a node of which the heartbeats pass and the log does not is given work",
		Edits:  []Edit{{"cluster/mind/deaf.go", "l.Still, l.Well = l.Still+since, 0", "l.Still, l.Well = 0, 0"}},
		Nets:   []Net{Simulation, stories}, Faults: []string{"deaf", "volume cannot be written"},
	},
	{
		Name: "sent-into-a-loop", Law: "L7",
		Broken: "a person's move to a node whose daemon does not stay up is tried",
		Edits: []Edit{{"cluster/rules/ask.go",
			"\tif n.Restarts.Lately(w.At) ",
			"\tif n.Restarts.Lately(w.At) && n.ID < 0 "}},
		Nets: []Net{tests("cluster", "^TestNobodySendsAServiceIntoALoop$")},
	},
	{
		Name: "restarts-are-forgotten", Law: "-",
		Broken: "a daemon that ends after each start is given work each time",
		Edits: []Edit{{"cluster/trouble.go",
			"func (r *Restarts) Loop() bool { return r != nil && r.Count > RestartsKnown",
			"func (r *Restarts) Loop() bool { return r != nil && r.Count > 1<<30"}},
		Nets: []Net{stories},
	},
	{
		Name: "deaf-has-no-grace", Law: "L8",
		Broken: "a node that takes nothing of the log is shot before a silent daemon would be",
		Edits: []Edit{{"cluster/log.go",
			"\treturn w.Log.Deaf && w.Silence < timing.Test && w.Log.Still >= timing.DeafFor()",
			"\treturn w.Log.Deaf && w.Silence < timing.Test && w.Log.Still >= timing.Deaf"}},
		Nets: []Net{Simulation, stories},
	},
	{
		Name: "deaf-flaps", Law: "L7", Broken: "a node that was deaf is given work with the first entry that it takes",
		Edits: []Edit{{"cluster/mind/deaf.go", "l.Well >= cluster.DeafBack {", "l.Well > 0 {"},
			{"cluster/mind/deaf.go", "l.Well < cluster.DeafBack)", "l.Well == 0)"}},
		Nets: []Net{tests("cluster/mind", "^TestADeafNodeIsBack")},
	},
	{
		Name: "no-way-is-off", Law: "L3", Broken: "a board that cannot be reached is read as: the machine has no power",
		Edits: []Edit{{shot,
			"\tif c.Result.Outcome != fence.Confirmed {\n\t\tif open.Drill",
			"\tif c.Result.Outcome != fence.Confirmed && !strings.Contains(evidence.String(), \"no way to\") {\n" +
				"\t\tif open.Drill"}}, Nets: first(Simulation), Faults: []string{"board network cut", "board shares power"},
	},
	{
		Name: "late-node-up-counts", Law: "L2",
		Broken: "a NodeUp that a dead daemon proposed puts an end to the one that lives",
		Edits: []Edit{{node,
			"if c.Previous != nil && *c.Previous != n.Incarnation {",
			"if c.Previous != nil && *c.Previous > n.Incarnation {"}}, Nets: first(Simulation),
		Faults: []string{"late entry", "limbo"},
	},
	{
		Name: "operators-shot-has-one-try", Law: "L3",
		Broken: "a fence intent that an operator began is given to nobody after its first attempt",
		Edits: []Edit{{shot,
			"\tif open.Fencer",
			"\tif open.By == \"root\" {\n" +
				"\t\treturn rules.Refuse(message.Words(\"an operator began it\"))\n" +
				"\t}\n" +
				"\tif open.Fencer"}}, Nets: first(Simulation), Faults: []string{"fence by hand"},
	},
	{
		Name: "word-for-any-boot", Law: "L3", Broken: "an administrator's word for one boot counts for another",
		Edits: []Edit{{"cluster/apply/fence.go",
			"\tif !known || open.Boot != c.Boot || n.Boot != c.Boot {",
			"\tif !known {"}}, Nets: first(Simulation), Faults: []string{"confirmation"},
	},
	{
		Name: "leaving-never-ends", Law: "L7", Broken: "a node that leaves is never marked as left",
		Edits: []Edit{{plan,
			"\t\tif held := w.HeldBy(n); len(held) >",
			"\t\tif held := w.HeldBy(n); len(held) >="}}, Nets: first(Simulation),
		Faults: []string{"evacuation", "node removed"},
	},
	{
		Name: "grace-is-forgotten", Law: "L8",
		Broken: "a node whose daemon restarts is shot at once, although its kernel answers",
		Edits: []Edit{{"cluster/view.go",
			"\tcase w.Verdict.Kernel == Answers && w.KernelOnly < timing.SilentGrace:",
			"\tcase w.Verdict.Kernel == Answers && w.KernelOnly < 0:"}}, Nets: []Net{Simulation, stories},
		// Whatever keeps a daemon busy for a moment shows it, so no faults are claimed.
	},
	{
		Name: "announced-stop-has-no-grace", Law: "L8",
		Broken: "a host whose daemon was stopped on purpose is shot as if it had died",
		Edits: []Edit{{"cluster/rules/stopping.go",
			"\tif n.Stopped && w.waitsForDaemon(n) == \"\" {",
			"\tif n.Stopped && n.Name == \"\" {"}},
		Nets: []Net{stories, Simulation}, Faults: []string{"daemon stopped"},
	},
	{
		Name: "announcement-outlives-its-daemon", Law: "L8",
		Broken: "a daemon that came back and then dies without a word still has the grace of its announced stop",
		Edits:  []Edit{{node, "\tn.Stopped = false\n", ""}}, Nets: []Net{tests("cluster", "^TestAnAnnouncement")},
	},
	{
		Name: "stragglers-are-shot", Law: "L8",
		Broken: "after a blackout a node that was not heard yet is given no longer than one that was",
		Edits:  []Edit{{"cluster/view.go", "\t\tlimit = timing.JoinGrace", "\t\tlimit = timing.Lost"}}, Nets: first(stories),
	},
}

// guestsAlone are breaks that only what happens to running guests can show.
func guestsAlone() []Mutant {
	return []Mutant{
		{
			Name: "restarts-at-full-speed", Law: "L7", Broken: "a guest that dies at each start is started as fast as it dies",
			Edits: []Edit{{up, "\tif p.restsInLoop(service) {\n", "\tif p.restsInLoop(service) && p == nil {\n"}},
			Nets:  first(Simulation), Faults: []string{"guest dies at each start"},
		},
		{
			Name: "overlay-is-left-behind", Law: "L9", Broken: "a VM comes back without what it wrote to a snapshot's overlay",
			Edits: []Edit{{"cluster/holders.go", "Said != \"\" || !s.Left().Loses()", "Index > 0"}},
			Nets:  first(Simulation), Faults: []string{"snapshot is left"},
		},
		{
			Name: "overlay-is-thrown-away", Law: "L9", Broken: "a VM is stopped that writes to an overlay nobody gave up",
			Edits: []Edit{{"cluster/holders.go", "Said != \"\" || !s.Left().Leaves()", "Index > 0"}},
			Nets:  first(Simulation), Faults: []string{"snapshot is left"},
		},
		{
			Name: "live-disks-are-no-news", Law: "L9", Broken: "a VM that runs on other disks is not told of",
			Edits: []Edit{{"cluster/mind/looks.go", "(len(o.Disks) > 0 &&", "(len(o.Disks) > 999 &&"}},
			Nets:  first(Simulation), Faults: []string{"snapshot is left", "disk is attached"},
		},
		{
			Name: "attached-disk-is-free", Law: "L9", Broken: "a disk that was attached by hand counts as nobody's",
			Edits: []Edit{{"cluster/holders.go", "h.Disks, h.Declared = resources.KeepKnown(live, h.Disks), nil\n",
				"h.Declared = nil\n"}},
			Nets: []Net{tests("cluster", "^TestALateTwinOfAnObservationCountsForNothing$")},
		},
		{
			Name: "what-lies-behind-is-free", Law: "L9", Broken: "the image under an overlay may be written by another service",
			Edits: []Edit{{"resources/spec.go", "(!left.mayWrite() && !right.mayWrite()) {",
				"!left.writes() || !right.writes() {"}},
			Nets: []Net{tests("resources", "^TestWhatLiesBehind")},
		},
		{
			Name: "hung-move-is-never-ended", Law: "L7", Broken: "a migration whose guest hangs is waited for for ever",
			Edits: []Edit{{"cluster/plan/down.go", "w.For < end.Patience ||", "w.For < 1_000*end.Patience ||"}},
			Nets:  first(Simulation), Faults: []string{"guest hangs"},
		},
		{
			Name: "unproven-end-is-an-end", Law: "L1", Broken: "of a migration that is being ended any result counts as the end",
			Edits: []Edit{{result, "\t\tif c.Result.Source == resources.Absent", "\t\tif c.Result.Source != \"\""}},
			Nets:  []Net{tests("cluster", "^TestOnlyAProvenEndOfAnEndedMigrationIsOne$")},
		},
		{
			Name: "loops-push-others-out", Law: "L7", Broken: "one subject that talks all the time fills the timeline alone",
			Edits: []Edit{{"cluster/event.go",
				"\t\tif excess > 0 && count[e.Subject] > eventShare",
				"\t\tif excess > 0 && count[e.Subject] > 2*MaxEvents"}},
			Nets: []Net{tests("cluster", "^TestTheTimelineKeepsRoomForOthers$")},
		},
	}
}

// peopleAlone are breaks that only what operators order, what becomes of single
// resources, and what a host lacks can show.
func peopleAlone() []Mutant {
	return []Mutant{
		{
			Name: "stopped-for-ever", Law: "L7", Broken: "a cluster that was stopped as a whole is never started again",
			Edits: []Edit{{"cluster/apply/orders.go",
				"\tt.Lock = nil\n",
				"\tif !t.Lock.Stop {\n\t\tt.Lock = nil\n\t}\n"}}, Nets: first(Simulation), Faults: []string{"locked"},
		},
		{
			Name: "maintained-for-ever", Law: "L7", Broken: "an order for maintenance is not taken back",
			Edits: []Edit{{nodeOrder,
				"n.Order = nil",
				"if kind != cluster.OrderMaintenance {\n\t\tn.Order = nil\n\t}"}}, Nets: first(Simulation),
			Faults: []string{"ordered away"},
		},
		{
			Name: "frozen-for-ever", Law: "L7", Broken: "a freeze that has an end is ended neither by it nor by a person",
			Edits: []Edit{
				{"cluster/plan/service.go",
					"p.reached(frozen.Until) {",
					"p.reached(frozen.Until) && name == \"\" {"},
				{"cluster/apply/ask.go",
					"\t\tservice.Flags &^= resources.Frozen",
					"\t\tif service.Freeze != nil && !service.Freeze.Until.IsZero() {\n" +
						"\t\t\tbreak\n" +
						"\t\t}\n" +
						"\t\tservice.Flags &^= resources.Frozen"},
			}, Nets: first(Simulation), Faults: []string{"frozen for a while"},
		},
		{
			Name: "failed-parts-are-ignored", Law: "L7", Broken: "a service whose resources failed stays where it is for ever",
			Edits: []Edit{{observe, "\tcase resources.Broken:\n", "\tcase resources.Condition(\"none\"):\n"}},
			Nets:  first(Simulation), Faults: []string{"parts fail", "declared anew", "configuration"},
		},
		{
			Name: "convalescence-is-not-begun", Law: "L7",
			Broken: "the wish to start what a service goes on without stays open for ever",
			Edits: []Edit{{service,
				"\t\treturn acting(cluster.Begin{Service: name, Intent: cluster.IntentConvalesce, Node: " +
					"service.Owner, By: wish.By,",
				"\t\treturn staying(message.Text{}, message.Text{})\n" +
					"\t\treturn acting(cluster.Begin{Service: name, Intent: cluster.IntentConvalesce, Node: " +
					"service.Owner, By: wish.By,"}}, Nets: first(Simulation), Faults: []string{"parts are dropped"},
		},
		{
			Name: "guard-that-never-was", Law: "L6", Broken: "a node counts as guarded although its watchdog could not be armed",
			Edits: []Edit{{ward,
				"known.Timeout == 0 && k.Armed && k.Timeout == wanted.Settings.Timeout {\n\t\tfresh.Timeout,",
				"known.Timeout == 0 && k.Seq > 0 && (k.Armed || len(wanted.Pills) == 0) {\n" +
					"\t\tk.Timeout = wanted.Settings.Timeout\n" +
					"\t\tfresh.Timeout,"}, {"cluster/host.go",
				"\tcase !k.Armed || newest.Policy == PetNever:",
				"\tcase newest.Policy == PetNever:"}}, Nets: first(Simulation), Faults: []string{"watchdog missing"},
		},
	}
}

// onlyFaults are breaks that one kind of fault alone can show, as those of
// hypervisorsAlone and networksAlone: without it, the simulation finds nothing in
// as many histories and more. So each of these kinds earns its place.
var onlyFaults = []Mutant{
	{
		Name: "pause-is-taken-for-silence", Law: "L8",
		Broken: "a leader that was paused takes its own pause for the others' silence",
		Edits: []Edit{{"cluster/mind/step.go",
			"func (n *Node) watch(now, elapsed time.Duration, in Input, out *Output) {\n" +
				"\ttick := min(elapsed, cluster.Tick)",
			"func (n *Node) watch(now, elapsed time.Duration, in Input, out *Output) {\n\ttick := elapsed"}},
		Nets: []Net{tests("cluster/mind", "^TestAPauseIsNotTakenForSilence$")},
	},
	{
		Name: "wall-clock-orders-events", Law: "L6",
		Broken: "a daemon whose start carries an older wall clock than its last one is not admitted",
		Edits: []Edit{{node,
			"\tif c.MaxLevel < t.Level {",
			"\tif t.At.Add(time.Minute).Before(n.SinceAt) {\n" +
				"\t\treturn rules.Refuse(message.NodeNotJoined.With(c.Node))\n" +
				"\t}\n" +
				"\tif c.MaxLevel < t.Level {"}}, Nets: first(Simulation), Faults: []string{"wall clock jumps"},
	},
	{
		Name: "crash-is-ignored", Law: "L7", Broken: "a guest that crashed stays where it is for ever",
		Edits: []Edit{{observe,
			"\tcase resources.Crashed:\n\t\tt.setService(t.afterFailure",
			"\tcase resources.Condition(\"none\"):\n\t\tt.setService(t.afterFailure"}}, Nets: first(Simulation),
		Faults: []string{"guest crashes"},
	},
	{
		Name: "leaver-goes-with-its-vms", Law: "L1", Broken: "a node that leaves is let go while it still holds services",
		Edits: []Edit{
			{node,
				"\tif held := t.HeldBy(n); len(held) > 0",
				"\tif held := t.HeldBy(n); len(held) > 1_000"},
			{plan,
				"\t\tif held := w.HeldBy(n); len(held) > 0",
				"\t\tif held := w.HeldBy(n); len(held) > 1_000"},
		}, Nets: first(stories),
	},
	{
		Name: "removed-with-its-vms", Law: "L1", Broken: "a node that may run services is taken out of the cluster",
		Edits: []Edit{{member,
			"\tif held := t.HeldBy(n); len(held) > 0",
			"\tif held := t.HeldBy(n); len(held) > 1_000"}}, Nets: first(Simulation), Faults: []string{"node removed"},
	},
	{
		Name: "replaced-with-its-vms", Law: "L1", Broken: "a machine takes the name of one that may run services",
		Edits: []Edit{{"cluster/rules/member.go",
			"\tif held := Of(s).HeldBy(n); len(held) > 0",
			"\tif held := Of(s).HeldBy(n); len(held) > 1_000"}}, Nets: first(Simulation), Faults: []string{"node replaced"},
	},
	{
		Name: "one-fencer-for-ever", Law: "L3", Broken: "a fence intent is never handed to another node",
		Edits: []Edit{{"fence/escalation.go", "Step{Fencer: fencers[position/a], Level: level}, true",
			"Step{Fencer: fencers[0*position/a], Level: level}, true"}}, Nets: []Net{tests("fence", "^Test")},
	},
	{
		Name: "frozen-is-moved", Law: "L7", Broken: "a frozen service is acted on",
		Edits: []Edit{
			{begin,
				"\tif service.Flags&resources.Frozen != 0 {",
				"\tif service.Flags&resources.Frozen != 0 && c.Node == \"\" {"},
			{service,
				"\tcase service.Flags&resources.Frozen != 0:\n",
				"\tcase service.Flags&resources.Frozen != 0 && service.Spec.Name == \"\":\n"},
		}, Nets: first(stories),
	},
}
