package main

// onlyFaults are breaks that one kind of fault alone can show, as those of
// hypervisorsAlone and networksAlone: without it, the simulation finds nothing in
// as many histories and more. So each of these kinds earns its place.
var onlyFaults = []mutant{
	{
		name: "pause-is-taken-for-silence", law: "L8",
		broken: "a leader that was paused takes its own pause for the others' silence",
		edits: []edit{{"cluster/mind/step.go",
			"func (n *Node) watch(now, elapsed time.Duration, in Input, out *Output) {\n" +
				"\ttick := min(elapsed, cluster.Tick)",
			"func (n *Node) watch(now, elapsed time.Duration, in Input, out *Output) {\n\ttick := elapsed"}},
		nets: []net{tests("cluster/mind", "^TestAPauseIsNotTakenForSilence$")},
	},
	{
		name: "wall-clock-orders-events", law: "L6",
		broken: "a daemon whose start carries an older wall clock than its last one is not admitted",
		edits: []edit{{node,
			"\tif c.MaxLevel < t.Level {",
			"\tif t.At.Add(time.Minute).Before(n.SinceAt) {\n" +
				"\t\treturn rules.Refuse(message.NodeNotJoined.With(c.Node))\n" +
				"\t}\n" +
				"\tif c.MaxLevel < t.Level {"}}, nets: first(simulation), faults: []string{"wall clock jumps"},
	},
	{
		name: "crash-is-ignored", law: "L7", broken: "a guest that crashed stays where it is for ever",
		edits: []edit{{observe,
			"\tcase resources.Crashed:\n\t\tt.setService(t.afterFailure",
			"\tcase resources.Condition(\"none\"):\n\t\tt.setService(t.afterFailure"}}, nets: first(simulation),
		faults: []string{"guest crashes"},
	},
	{
		name: "leaver-goes-with-its-vms", law: "L1", broken: "a node that leaves is let go while it still holds services",
		edits: []edit{
			{node,
				"\tif held := t.HeldBy(n); len(held) > 0",
				"\tif held := t.HeldBy(n); len(held) > 1_000"},
			{plan,
				"\t\tif held := w.HeldBy(n); len(held) > 0",
				"\t\tif held := w.HeldBy(n); len(held) > 1_000"},
		}, nets: first(stories),
	},
	{
		name: "removed-with-its-vms", law: "L1", broken: "a node that may run services is taken out of the cluster",
		edits: []edit{{member,
			"\tif held := t.HeldBy(n); len(held) > 0",
			"\tif held := t.HeldBy(n); len(held) > 1_000"}}, nets: first(simulation), faults: []string{"node removed"},
	},
	{
		name: "replaced-with-its-vms", law: "L1", broken: "a machine takes the name of one that may run services",
		edits: []edit{{"cluster/rules/member.go",
			"\tif held := Of(s).HeldBy(n); len(held) > 0",
			"\tif held := Of(s).HeldBy(n); len(held) > 1_000"}}, nets: first(simulation), faults: []string{"node replaced"},
	},
	{
		name: "one-fencer-for-ever", law: "L3", broken: "a fence intent is never handed to another node",
		edits: []edit{{"fence/escalation.go", "Step{Fencer: fencers[position/a], Level: level}, true",
			"Step{Fencer: fencers[0*position/a], Level: level}, true"}}, nets: []net{tests("fence", "^Test")},
	},
	{
		name: "frozen-is-moved", law: "L7", broken: "a frozen service is acted on",
		edits: []edit{
			{begin,
				"\tif service.Flags&resources.Frozen != 0 {",
				"\tif service.Flags&resources.Frozen != 0 && c.Node == \"\" {"},
			{service,
				"\tcase service.Flags&resources.Frozen != 0:\n",
				"\tcase service.Flags&resources.Frozen != 0 && service.Spec.Name == \"\":\n"},
		}, nets: first(stories),
	},
}
