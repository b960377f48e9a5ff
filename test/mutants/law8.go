package main

// brake are the breaks of L8: how many shots, and at whom.
func brake() []mutant {
	return []mutant{
		{
			name: "several-shots-at-once", law: "L8", broken: "nodes are shot without waiting for the shot before",
			edits: []edit{
				{shot, "\tif t.Fences.Len() > 0 {", "\tif t.Fences.Len() > 1_000 {"},
				{plan, "\t\tif first, shot := c.(BeginFence); shot {", "\t\tif first, shot := c.(BeginFence); shot && first.Node == n.Name {"},
			}, nets: []net{simulation, stories},
		},
		{
			name: "half-of-the-nodes-are-shot", law: "L8", broken: "half of the nodes and more are shot without an operator",
			edits: []edit{{shot, "\tif 2*down >= t.Nodes.Len() {", "\tif down > t.Nodes.Len() {"}}, nets: []net{simulation, tests("cluster", "^TestTheBrake")},
		},
		{
			name: "shots-are-not-counted", law: "L8", broken: "any number of shots goes in ten minutes",
			edits: []edit{{shot, "\tif recent >= brakeShots {", "\tif recent >= maxShots {"}}, nets: []net{tests("cluster", "^TestTheBrake")},
		},
		{
			name: "node-in-touch-is-shot", law: "L8", broken: "a node that its peers reach is taken for lost",
			edits: []edit{{"cluster/view.go", "\tcase w.Verdict.Daemon == Answers:", "\tcase w.Verdict.Daemon == Answers && w.Silence == 0:"}, {"cluster/view.go", "\tcase w.Verdict.Kernel == Answers && w.KernelOnly < timing.SilentGrace:", "\tcase w.Verdict.Kernel == Answers && w.KernelOnly < 0:"}}, nets: []net{simulation, stories}, faults: []string{"link cut", "link cut one way"},
		},
	}
}
