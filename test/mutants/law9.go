package main

// disks are the breaks of L9: one writer per disk, by what was started.
func disks() []mutant {
	diskTests := tests("cluster",
		"^TestTheSameWritableDiskIsStartedOnce$|^TestARemovedServiceKeepsItsDisks|^TestADefinitionThatIsNotInForce")
	return []mutant{
		{
			name: "disk-started-twice", law: "L9", broken: "a service is started whose disk another one may be writing",
			edits: []edit{{begin,
				"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {",
				"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 1_000 {"}},
			nets: first(diskTests),
		},
		{
			name: "disk-declared-twice", law: "L9",
			broken: "a document is taken in that gives a disk in use to a second service",
			edits: []edit{{"cluster/apply/cluster.go",
				"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 0 {",
				"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 1_000 {"}}, nets: first(diskTests),
		},
		{
			name: "removed-is-forgotten", law: "L9",
			broken: "a service that is removed leaves nothing behind, although it may still run",
			edits: []edit{{"cluster/apply/cluster.go",
				"\t\tif len(service.Holders) > 0 {\n\t\t\tt.Tombstones.Set",
				"\t\tif len(service.Holders) > 1_000 {\n\t\t\tt.Tombstones.Set"}}, nets: first(diskTests),
		},
		{
			name: "any-definition-is-started", law: "L9", broken: "a start goes by other content than the intent's",
			edits: []edit{{begin,
				"\tif c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition) {",
				"\tif c.Definition == \"\" {"}}, nets: first(diskTests),
		},
		{
			name: "left-gets-new-disks", law: "L9",
			broken: "a start that was interrupted goes on with the disks of then, and those of now count",
			edits:  []edit{{"cluster/holders.go", "resources.DriftOf(spec.Disks, h.Disks).None()", "true"}},
			nets:   []net{simulation, tests("cluster", "^TestAnInterruptedStartWithOtherDisksIsRemoved$")},
		},
		{
			name: "disk-declared-and-started-twice", law: "L9",
			broken: "neither the document nor the start looks whose disk it is",
			edits: []edit{
				{begin,
					"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {",
					"\t\t\tif disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 1_000 {"},
				{"cluster/apply/cluster.go",
					"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 0 {",
					"\t\t\tif disks := resources.Conflicts(h.Disks, spec.Disks); len(disks) > 1_000 {"},
			}, nets: first(simulation), faults: []string{"configuration", "declared anew"},
		},
		{
			name: "a-copys-disks-are-forgotten", law: "L9",
			broken: "what a copy ran on that was moved by hand is forgotten when its host dies",
			edits: []edit{{"cluster/apply/settle.go",
				"if !service.Spec.Traits().Drifts || service.Astray != nil ||",
				"if service.Spec.Traits().Drifts || service.Astray != nil ||"}},
			nets: first(tests("cluster", "^TestWhatACopyWroteGoesIntoNoOlderStart$")),
		},
	}
}
