package breaks

// disks are the breaks of L9: one writer per disk, by what was started.
func disks() []Mutant {
	diskTests := tests("cluster",
		"^TestTheSameWritableDiskIsStartedOnce$|^TestARemovedServiceKeepsItsDisks|^TestADefinitionThatIsNotInForce")
	return []Mutant{
		{
			Name: "disk-started-twice", Law: "L9", Broken: "a service is started whose disk another one may be writing",
			Edits: []Edit{{begin,
				"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {",
				"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 1_000 {"}},
			Nets: first(diskTests),
		},
		{
			Name: "disk-declared-twice", Law: "L9",
			Broken: "a document is taken in that gives a disk in use to a second service",
			Edits: []Edit{{"cluster/apply/cluster.go",
				"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 0 {",
				"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 1_000 {"}}, Nets: first(diskTests),
		},
		{
			Name: "removed-is-forgotten", Law: "L9",
			Broken: "a service that is removed leaves nothing behind, although it may still run",
			Edits: []Edit{{"cluster/apply/cluster.go",
				"\t\tif len(service.Holders) > 0 {\n\t\t\tt.Tombstones.Set",
				"\t\tif len(service.Holders) > 1_000 {\n\t\t\tt.Tombstones.Set"}}, Nets: first(diskTests),
		},
		{
			Name: "any-definition-is-started", Law: "L9", Broken: "a start goes by other content than the intent's",
			Edits: []Edit{{begin,
				"\tif c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition) {",
				"\tif c.Definition == \"\" {"}}, Nets: first(diskTests),
		},
		{
			Name: "left-gets-new-disks", Law: "L9",
			Broken: "a start that was interrupted goes on with the disks of then, and those of now count",
			Edits:  []Edit{{"cluster/holders.go", "resources.DriftOf(spec.Disks, h.Disks).None()", "true"}},
			Nets:   []Net{Simulation, tests("cluster", "^TestAnInterruptedStartWithOtherDisksIsRemoved$")},
		},
		{
			Name: "disk-declared-and-started-twice", Law: "L9",
			Broken: "neither the document nor the start looks whose disk it is",
			Edits: []Edit{
				{begin,
					"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {",
					"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 1_000 {"},
				{"cluster/apply/cluster.go",
					"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 0 {",
					"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 1_000 {"},
			}, Nets: first(Simulation), Faults: []string{"configuration", "declared anew"},
		},
	}
}

// ranOn are the breaks of L9 in what a guest ran on, where that differs from its declaration.
var ranOn = []Mutant{
	{
		Name: "a-copys-disks-are-forgotten", Law: "L9",
		Broken: "what a copy ran on that was moved by hand is forgotten when its host dies",
		Edits: []Edit{{"cluster/apply/settle.go",
			"if !service.Spec.Traits().Drifts || service.Astray != nil ||",
			"if service.Spec.Traits().Drifts || service.Astray != nil ||"}},
		Nets: first(tests("cluster", "^TestWhatACopyWroteGoesIntoNoOlderStart$")),
	},
	{
		Name: "restored-as-declared-then", Law: "L9",
		Broken: "after a restore a VM holds the disks of its declaration, and not those that it ran on",
		Edits: []Edit{{"cluster/apply/cluster.go", "for _, last := range service.Holders {",
			"for _, last := range service.Holders[:0] {"}},
		Nets: first(tests("cluster", "^TestARestoredServiceHoldsWhatItMayRunOn$")),
	},
	{
		Name: "variables-are-no-disk", Law: "L9",
		Broken: "two VMs write to one file of firmware variables, or one to what is the other's disk",
		Edits: []Edit{{domainXML, "found.OS.NVRAM.identity(); variables != \"\" {",
			"found.OS.NVRAM.identity(); variables == \"-\" {"}},
		Nets: first(tests("internal/domainxml", "^TestTheFirmwaresVariablesAreWritten$")),
	},
	{
		Name: "nvme-disks-have-no-address", Law: "L9",
		Broken: "NVMe disks go by their namespace alone, so what is one disk and what is another is not known",
		Edits:  []Edit{{domainXML, "return \"nvme:\" + address + \"/\" +", "return \"nvme:\" + address[:0] + \"/\" +"}},
		Nets:   first(kindsOfDisk),
	},
	{
		Name: "sockets-of-disks-are-files", Law: "L9",
		Broken: "a disk behind a socket of vhost-user is not known by its socket",
		Edits:  []Edit{{domainXML, "named(\"vhostuser:\", s.Path)", "named(\"vhostuser:\", s.File+\"-\")"}},
		Nets:   first(kindsOfDisk),
	},
	{
		Name: "folders-as-disks-are-one", Law: "L9",
		Broken: "a folder that a VM sees as a disk is not known by its path",
		Edits:  []Edit{{domainXML, "named(\"dir:\", s.Dir)", "named(\"dir:\", s.File+\"-\")"}},
		Nets:   first(kindsOfDisk),
	},
	{
		Name: "a-hosts-own-disk-moves-live", Law: "L9",
		Broken: "a VM on its host's own NVMe device is sent to a host that has another one",
		Edits: []Edit{{"internal/domainxml/bonds.go", "return \"the host's NVMe device \" + name, true",
			"return \"the host's NVMe device \" + name, false"}},
		Nets: first(tests("internal/domainxml", "^TestWhatTiesAVMToItsHost$")),
	},
	{
		Name: "a-units-disk-is-declared-twice", Law: "L9",
		Broken: "a unit that two VMs have as a device of their host is nobody's disk",
		Edits: []Edit{{"internal/domainxml/storage.go", "return h.Type == \"scsi\" || h.Type == \"scsi_host\"",
			"return h.Type == \"scsi_host\""}},
		Nets: first(tests("internal/config", "^TestFaults$")),
	},
	{
		Name: "a-plugged-unit-is-no-disk", Law: "L9",
		Broken: "a unit that was plugged into a VM that runs as a device is nobody's disk",
		Edits:  []Edit{{"agents/vm/definition.go", "\tcase d.Type != \"scsi\":", "\tcase d.Type != \"\":"}},
		Nets:   first(tests("agents/vm", "^TestStorageThatIsNoDiskInTheXMLIsOne$")),
	},
	{
		Name: "one-disk-hides-the-others", Law: "L9",
		Broken: "a disk that was plugged in and cannot be named hides what else a VM writes",
		Edits:  []Edit{{"agents/vm/definition.go", "\t\t\tread = append(read, one)\n", "\t\t\treturn nil\n"}},
		Nets:   first(tests("agents/vm", "^TestADiskThatCannotBeNamedHidesNoOther$")),
	},
	{
		Name: "what-lies-behind-the-nameless-is-free", Law: "L9",
		Broken: "the images behind a disk that cannot be named are nobody's",
		Edits:  []Edit{{"agents/vm/definition.go", "nameless := len(read) == 0\n", "nameless := len(read) < 0\n"}},
		Nets:   first(tests("agents/vm", "^TestADiskThatCannotBeNamedHidesNoOther$")),
	},
	{
		Name: "the-nameless-leaves-a-base-free", Law: "L9",
		Broken: "what a VM may write by a name that nobody knows can be the base of another VM's overlay",
		Edits:  []Edit{{"resources/drift.go", "return d.writes() || d.Kept }", "return d.writes() }"}},
		Nets:   first(tests("resources", "^TestWhatCannotBeNamedFreesNothing$")),
	},
	{
		Name: "the-nameless-frees-the-known", Law: "L9",
		Broken: "a look that cannot name what a VM writes frees the disks that it had",
		Edits: []Edit{{"cluster/holders.go", "= resources.KeepKnown(live, h.Disks), nil\n",
			"= resources.KeepKnown(live, nil), nil\n"}},
		Nets: first(tests("cluster", "^TestADiskWithoutANameFreesNoOther$")),
	},
	{
		Name: "what-moves-is-disabled-without-a-word", Law: "L9",
		Broken: "a VM that writes to an overlay is disabled without a word because it happens to move",
		Edits: []Edit{{observe, "service.State == resources.Started || (moves && c.Op == cluster.OpDisable) {",
			"service.State == resources.Started {"}},
		Nets: first(tests("cluster", "^TestAMoveIsNotEndedBesideAnOverlay$")),
	},
	{
		Name: "an-overlay-ends-with-its-move", Law: "L9",
		Broken: "a move is destroyed at both ends although its guest writes to an overlay, and nobody gave that up",
		Edits:  []Edit{{"cluster/apply/settle.go", "} else if !end.Keeps.IsZero() {", "} else if false {"}},
		Nets:   first(tests("cluster", "^TestAMoveIsNotEndedBesideAnOverlay$")),
	},
	{
		Name: "a-deadline-gives-an-overlay-up", Law: "L9",
		Broken: "the deadline of a drain counts as the word that what a guest wrote may be left",
		Edits: []Edit{{"cluster/moveend.go", "Patience: overduePatience,\n\t\tKeeps: service.ThrowsAway()}",
			"Patience: overduePatience}"}},
		Nets: first(stories),
	},
}

const domainXML = "internal/domainxml/definition.go"

// kindsOfDisk is the test of how disks are known.
var kindsOfDisk = tests("internal/domainxml", "^TestEveryKindOfDiskHasAnIdentity$")
