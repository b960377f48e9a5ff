package breaks

var proofTests = tests("fence/proof", "^TestWhat|^TestTheReadingsThatCountAreApart$")

// unknowns are the breaks of L3: unknown is not off, and not stopped.
var unknowns = []Mutant{
	{
		Name: "unknown-fence-is-off", Law: "L3", Broken: "an attempt to fence that proved nothing counts as off",
		Edits: []Edit{{shot,
			"\tif c.Result.Outcome != fence.Confirmed {",
			"\tif c.Result.Outcome == fence.Refuted {"}}, Nets: first(Simulation),
	},
	{
		Name: "refuted-fence-is-off", Law: "L3", Broken: "the BMC says that the power is on, and the machine counts as off",
		Edits: []Edit{{shot,
			"\tif c.Result.Outcome != fence.Confirmed {",
			"\tif c.Result.Outcome == fence.Unknown {"}}, Nets: first(Simulation), Faults: []string{"BMC"},
	},
	{
		Name: "lost-is-off", Law: "L3", Broken: "a node out of contact counts as off at once",
		Edits: []Edit{{node,
			"\t\tt.setNodeState(n, c.State, \"\", c.Why, cluster.Phase{What: \"last heard\", At: " +
				"n.LastHeard},",
			"\t\tt.releaseBoot(n, t.index, c.Why)\n" +
				"\t\tt.setNodeState(n, c.State, \"\", c.Why, cluster.Phase{What: \"last heard\", At: " +
				"n.LastHeard},"}}, Nets: first(Simulation),
	},
	{
		Name: "unknown-vm-is-absent", Law: "L3", Broken: "a hypervisor that does not answer is read as: the VM is not there",
		Edits: []Edit{
			{observe,
				"\tcase o.Condition == resources.Absent && held:",
				"\tcase (o.Condition == resources.Absent || o.Condition == resources.Unknown) && held:"},
		}, Nets: first(Simulation),
		Faults: []string{"libvirt down", "calls hang", "host hangs", "hypervisor hangs", "guest hangs"},
	},
	{
		Name: "unproven-stop-is-a-stop", Law: "L3", Broken: "a stop that proved nothing lets its holder go",
		Edits: []Edit{{result,
			"\tif !c.Result.OK || c.Result.Source != resources.Absent {",
			"\tif c.Result.Source == resources.Running {"}}, Nets: first(Simulation),
		Faults: []string{"stops fail", "libvirt down", "calls hang", "hypervisor hangs", "guest hangs", "board may not"},
	},
	{
		Name: "unknown-look-is-an-answer", Law: "L3", Broken: "a look that proved nothing is reported as absence",
		Edits: []Edit{{"cluster/mind/looks.go",
			"\tif d.Asked {\n\t\tif unsettled {",
			"\tif d.Asked {\n" +
				"\t\tif unsettled && o.Condition == resources.Unknown {\n" +
				"\t\t\to.Condition = resources.Absent\n" +
				"\t\t} else if unsettled {"}}, Nets: first(Simulation),
	},
	{
		Name: "one-reading-is-off", Law: "L3", Broken: "a single off reading is believed",
		Edits: []Edit{{attempt, "\t\ta.phase(\"first off reading\")\n\t\treturn false\n",
			"\t\ta.phase(\"first off reading\")\n"}, {attempt, "\tif asked.Sub(a.firstOff) < Between {",
			"\tif asked.Sub(a.firstOff) < -Between {"}},
		Nets: first(proofTests),
	},
	{
		Name: "off-without-our-command", Law: "L3",
		Broken: "a machine that reads off is believed without an off command of our own",
		Edits: []Edit{{attempt, "\t\tif a.mustSend() && !a.send(ctx) {",
			"\t\tif a.accepted.IsZero() {\n\t\t\tif p, _ := a.device.Power(ctx); p == fence.PowerOff " +
				"{\n\t\t\t\ta.accepted = a.clock.Now()\n\t\t\t}\n\t\t}\n\t\tif a.mustSend() && !a.send(ctx) {"}},
		Nets: first(proofTests),
	},
	{
		Name: "sign-of-life-is-ignored", Law: "L3", Broken: "off is confirmed although the machine was heard from",
		Edits: []Edit{{attempt, "\tif a.request.SignOfLife() {", "\tif a.request.SignOfLife() && a.sent == 0 {"}},
		Nets:  first(proofTests),
	},
	{
		Name: "power-cycle-is-off", Law: "L3",
		Broken: "a reading that says on again does not make the off readings start anew",
		Edits:  []Edit{{attempt, "\ta.firstOff = time.Time{}\n\tif a.suspected", "\tif a.suspected"}},
		Nets:   first(proofTests),
	},
	{
		Name: "nothing-sent-is-our-command", Law: "L3",
		Broken: "a repeated off that may have sent nothing counts as our own command",
		Edits:  []Edit{{attempt, "sent.Doubtful && !steady", "sent.Doubtful && !steady && a.accepted.IsZero()"}},
		Nets:   first(proofTests),
	},
	{
		Name: "word-for-a-machine-that-lives", Law: "L3",
		Broken: "an administrator's word counts for a machine that shows life",
		Edits:  []Edit{{"cluster/apply/fence.go", "\tif showsLife(n) {", "\tif n.State == cluster.NodeJoining {"}},
		Nets:   first(stories),
	},
	{
		Name: "word-for-another-boot", Law: "L3", Broken: "an administrator's word for one boot counts for another",
		Edits: []Edit{{"cluster/apply/fence.go",
			"\tif !known || open.Boot != c.Boot || n.Boot != c.Boot {",
			"\tif !known {"}}, Nets: first(stories),
	},
	{
		Name: "twins-are-told-apart", Law: "L3",
		Broken: "a board is believed although the board of another node tells the same hardware UUID",
		Edits: []Edit{{"cluster/device.go",
			"\t\tif device := s.boardTelling(n, other); device != \"\" {",
			"\t\tif device := s.boardTelling(n, other); device == node {"}},
		Nets: first(Simulation), Faults: []string{"twin identities"},
	},
	{
		Name: "silent-twin-is-forgotten", Law: "L3",
		Broken: "a board that does not answer takes back what it told of its host",
		Edits: []Edit{{"cluster/apply/reach.go", "cmp.Or(c.Check.Identity, last.Identity)",
			"cmp.Or(c.Check.Identity, last.Identity[:0])"}},
		Nets:   []Net{Simulation, tests("cluster", "^TestATwinThatFallsSilentIsATwinStill$")},
		Faults: []string{"twin identities"},
	},
	{
		Name: "a-password-hides-a-twin", Law: "L3", Broken: "a UUID that has a password in it is told in part",
		Edits: []Edit{{"internal/vault/drivers.go", "if fence.NamesNoMachine(check.Identity) {",
			"if check.Identity != \"\" {"}},
		Nets: []Net{tests("internal/vault", "^TestAPasswordHidesNoUUID$")},
	},
	{
		Name: "a-folder-is-cut-off-with-a-disk", Law: "L3",
		Broken: "storage fencing releases a VM that goes on writing to a folder of its host",
		Edits:  []Edit{{"cluster/rules/proof.go", "\t\tcase disk.ReadOnly:\n", "\t\tcase disk.ReadOnly || disk.Shared:\n"}},
		Nets:   []Net{tests("cluster", "^TestStorageReleasesNoFolder$")},
	},
	{
		Name: "a-folder-is-no-disk", Law: "L3", Broken: "nothing is known of the folder of its host that a VM writes to",
		Edits: []Edit{{"internal/domainxml/storage.go", "if disk := folder.disk(); disk.Identity != \"\" {",
			"if disk := folder.disk(); disk.Identity == \"-\" {"}},
		Nets: []Net{tests("internal/domainxml", "^TestStorageThatIsNoDiskInTheXMLIsOne$")},
	},
	{
		Name: "any-bmc-will-do", Law: "L3", Broken: "off is sent to, and believed of, the BMC of another machine",
		Edits: []Edit{{"fence/power/owner.go", "\treturn a.owns(told)\n",
			"\tanyones := a.owns(told)\n\tanyones.Fit = true\n\treturn anyones\n"}},
		Nets: []Net{tests("fence/power", "^TestFenceNeverSendsOffToAnotherMachine$")},
	},
}

// boards are the breaks of what is believed of a board that answers and could not switch its
// machine off.
func boards() []Mutant {
	return []Mutant{
		{
			Name: "given-up-for-nothing", Law: "L3",
			Broken: "a node is fenced for a stop that failed although its board has said that it may not do that",
			Edits: []Edit{{"cluster/plan/trouble.go", "works = works && check.Problem == \"\"",
				"works = works && check.Problem != \"-\""}},
			Nets: first(stories),
		},
		{
			Name: "hand-without-a-right-is-ready", Law: "L3",
			Broken: "a board that offers no off, or not to this account, passes its check",
			Edits: []Edit{{"fence/power/redfish_systems.go", "if err := found.offers(resetOff); err != nil {",
				"if err := found.offers(resetOff); err != nil && ctx == nil {"}},
			Nets: first(tests("fence/power", "^TestRedfishCheckSaysWhatToDoNext$")),
		},
		{
			Name: "one-board-of-two-machines-is-declared", Law: "L3",
			Broken: "a board that stands in the document twice, as that of two machines, is taken",
			Edits: []Edit{{"cluster/device.go", "if other.node != node && other.device.Name != name && !fence.ToldApart",
				"if other.node == node && other.device.Name != name && !fence.ToldApart"}},
			Nets: []Net{tests("internal/config", "^TestFaults$"),
				tests("cluster", "^TestOneDeviceOfTwoNodesIsNotDeclared$")},
		},
		{
			Name: "open-fence-is-ready", Law: "L3",
			Broken: "a node can be fenced, it is said, while an open fence has proven nothing",
			Edits: []Edit{{"internal/report/fence.go", "fencing && open.TriedTotal > 0 {",
				"fencing && open.TriedTotal < 0 {"}},
			Nets: []Net{stories, tests("internal/report", "^TestANodeWhoseFenceHasProvenNothingIsUnprotected$")},
		},
	}
}
