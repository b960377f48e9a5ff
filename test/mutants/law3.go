package main

var proofTests = tests("fence/proof", "^TestWhat|^TestTheReadingsThatCountAreApart$")

// unknowns are the breaks of L3: unknown is not off, and not stopped.
var unknowns = []mutant{
	{
		name: "unknown-fence-is-off", law: "L3", broken: "an attempt to fence that proved nothing counts as off",
		edits: []edit{{shot,
			"\tif c.Result.Outcome != fence.Confirmed {",
			"\tif c.Result.Outcome == fence.Refuted {"}}, nets: first(simulation),
	},
	{
		name: "refuted-fence-is-off", law: "L3", broken: "the BMC says that the power is on, and the machine counts as off",
		edits: []edit{{shot,
			"\tif c.Result.Outcome != fence.Confirmed {",
			"\tif c.Result.Outcome == fence.Unknown {"}}, nets: first(simulation), faults: []string{"BMC"},
	},
	{
		name: "lost-is-off", law: "L3", broken: "a node out of contact counts as off at once",
		edits: []edit{{node,
			"\t\tt.setNodeState(n, c.State, \"\", c.Why, cluster.Phase{What: \"last heard\", At: " +
				"n.LastHeard},",
			"\t\tt.releaseBoot(n, t.index, message.Words(\"it is silent\"))\n" +
				"\t\tt.setNodeState(n, c.State, \"\", c.Why, cluster.Phase{What: \"last heard\", At: " +
				"n.LastHeard},"}}, nets: first(simulation),
	},
	{
		name: "unknown-vm-is-absent", law: "L3", broken: "a hypervisor that does not answer is read as: the VM is not there",
		edits: []edit{
			{observe,
				"\tcase o.Condition == resources.Absent && held:",
				"\tcase (o.Condition == resources.Absent || o.Condition == resources.Unknown) && held:"},
		}, nets: first(simulation),
		faults: []string{"libvirt down", "calls hang", "host hangs", "hypervisor hangs", "guest hangs"},
	},
	{
		name: "unproven-stop-is-a-stop", law: "L3", broken: "a stop that proved nothing lets its holder go",
		edits: []edit{{result,
			"\tif !c.Result.OK || c.Result.Source != resources.Absent {",
			"\tif c.Result.Source == resources.Running {"}}, nets: first(simulation),
		faults: []string{"stops fail", "libvirt down", "calls hang", "hypervisor hangs", "guest hangs"},
	},
	{
		name: "unknown-look-is-an-answer", law: "L3", broken: "a look that proved nothing is reported as absence",
		edits: []edit{{"cluster/mind/looks.go",
			"\tif d.Asked {\n\t\tif unsettled {",
			"\tif d.Asked {\n" +
				"\t\tif unsettled && o.Condition == resources.Unknown {\n" +
				"\t\t\to.Condition = resources.Absent\n" +
				"\t\t} else if unsettled {"}}, nets: first(simulation),
	},
	{
		name: "one-reading-is-off", law: "L3", broken: "a single off reading is believed",
		edits: []edit{{attempt, "\t\ta.phase(\"first off reading\")\n\t\treturn false\n",
			"\t\ta.phase(\"first off reading\")\n"}, {attempt, "\tif asked.Sub(a.firstOff) < Between {",
			"\tif asked.Sub(a.firstOff) < -Between {"}},
		nets: first(proofTests),
	},
	{
		name: "off-without-our-command", law: "L3",
		broken: "a machine that reads off is believed without an off command of our own",
		edits: []edit{{attempt, "\t\tif a.mustSend() && !a.send(ctx) {",
			"\t\tif a.accepted.IsZero() {\n\t\t\tif p, _ := a.device.Power(ctx); p == fence.PowerOff " +
				"{\n\t\t\t\ta.accepted = a.clock.Now()\n\t\t\t}\n\t\t}\n\t\tif a.mustSend() && !a.send(ctx) {"}},
		nets: first(proofTests),
	},
	{
		name: "sign-of-life-is-ignored", law: "L3", broken: "off is confirmed although the machine was heard from",
		edits: []edit{{attempt, "\tif a.request.SignOfLife() {", "\tif a.request.SignOfLife() && a.sent == 0 {"}},
		nets:  first(proofTests),
	},
	{
		name: "power-cycle-is-off", law: "L3",
		broken: "a reading that says on again does not make the off readings start anew",
		edits:  []edit{{attempt, "\ta.firstOff = time.Time{}\n\tif a.suspected", "\tif a.suspected"}},
		nets:   first(proofTests),
	},
	{
		name: "nothing-sent-is-our-command", law: "L3",
		broken: "a repeated off that may have sent nothing counts as our own command",
		edits:  []edit{{attempt, "sent.Doubtful && !steady", "sent.Doubtful && !steady && a.accepted.IsZero()"}},
		nets:   first(proofTests),
	},
	{
		name: "word-for-a-machine-that-lives", law: "L3",
		broken: "an administrator's word counts for a machine that shows life",
		edits:  []edit{{"cluster/apply/fence.go", "\tif showsLife(n) {", "\tif n.State == cluster.NodeJoining {"}},
		nets:   first(stories),
	},
	{
		name: "word-for-another-boot", law: "L3", broken: "an administrator's word for one boot counts for another",
		edits: []edit{{"cluster/apply/fence.go",
			"\tif !known || open.Boot != c.Boot || n.Boot != c.Boot {",
			"\tif !known {"}}, nets: first(stories),
	},
	{
		name: "twins-are-told-apart", law: "L3",
		broken: "a board is believed although the board of another node tells the same hardware UUID",
		edits: []edit{{"cluster/device.go",
			"\t\tif device := s.boardTelling(n, other); device != \"\" {",
			"\t\tif device := s.boardTelling(n, other); device == node {"}},
		nets: first(simulation), faults: []string{"twin identities"},
	},
	{
		name: "any-bmc-will-do", law: "L3", broken: "off is sent to, and believed of, the BMC of another machine",
		edits: []edit{{"fence/power/owner.go", "\treturn a.owns(told)\n",
			"\tanyones := a.owns(told)\n\tanyones.Fit = true\n\treturn anyones\n"}},
		nets: []net{tests("fence/power", "^TestFenceNeverSendsOffToAnotherMachine$")},
	},
}
