package main

// brakes is where L8 is.
const brakes = "cluster/rules/brake.go"

// brake are the breaks of L8: how many shots, and at whom.
func brake() []mutant {
	return []mutant{
		{
			name: "several-shots-at-once", law: "L8", broken: "nodes are shot without waiting for the shot before",
			edits: []edit{
				{brakes, "len(busy) >= limits.AtOnce {", "len(busy) >= 1_000 {"},
			}, nets: []net{simulation, stories},
		},
		{
			name: "half-of-the-nodes-are-shot", law: "L8", broken: "half of the nodes and more are shot without an operator",
			edits: []edit{{brakes,
				"\tif 2*down >= w.Nodes.Len() && !exception {",
				"\tif down > w.Nodes.Len() && !exception {"}}, nets: []net{simulation, tests("cluster", "^TestTheBrake")},
		},
		{
			name: "shots-are-not-counted", law: "L8", broken: "any number of shots goes in ten minutes",
			edits: []edit{{brakes, "limits.Shots", "cluster.MaxShots"}}, nets: []net{tests("cluster", "^TestTheBrake")},
		},
		{
			name: "dead-device-holds-up-others", law: "L8", broken: "a shot whose device is dead lets no other node be shot",
			edits: []edit{{brakes, "open.TriedTotal == 0 {", "open.Node != \"\" {"}},
			nets:  []net{tests("cluster", "^TestAShotThatIsStuck"), stories},
		},
		{
			name: "shot-while-disarmed", law: "L8", broken: "nodes are shot although fencing is disarmed",
			edits: []edit{{"cluster/rules/brake.go",
				"if w.Disarmed() == nil || !at.Before(w.Disarmed().Until) {",
				"if w.Disarmed() == nil || at.Before(w.Disarmed().Until) {"}},
			nets: []net{tests("cluster", "^TestNothingIsShotWhile"), stories},
		},
		{
			name: "drill-while-not-well", law: "L8", broken: "the schedule switches a node off while another one is lost",
			edits: []edit{{"cluster/device.go",
				"if n, _ := s.Nodes.Get(name); n.State != NodeOnline {",
				"if n, _ := s.Nodes.Get(name); n.State == NodeSilent {"}}, nets: []net{tests("cluster", "^TestTheSchedule")},
		},
		{
			name: "node-in-touch-is-shot", law: "L8", broken: "a node that its peers reach is taken for lost",
			edits: []edit{{"cluster/view.go",
				"\tcase w.Verdict.Daemon == Answers:",
				"\tcase w.Verdict.Daemon == Answers && w.Silence == 0:"}, {"cluster/view.go",
				"\tcase w.Verdict.Kernel == Answers && w.KernelOnly < timing.SilentGrace:",
				"\tcase w.Verdict.Kernel == Answers && w.Verdict.Daemon != Answers && w.KernelOnly < " +
					"timing.SilentGrace:"}}, nets: []net{simulation, stories},
			faults: []string{"link cut", "link cut one way", "daemon dies", "daemon pauses", "leader pauses", "host hangs",
				"strikes", "upgrade", "downgrade", "mute", "deaf"},
		},
	}
}
