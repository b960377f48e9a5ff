package main

// guestsAlone are breaks that only what happens to running guests can show.
func guestsAlone() []mutant {
	return []mutant{
		{
			name: "restarts-at-full-speed", law: "L7", broken: "a guest that dies at each start is started as fast as it dies",
			edits: []edit{{up, "\tif p.restsInLoop(service) {\n", "\tif p.restsInLoop(service) && p == nil {\n"}},
			nets:  first(simulation), faults: []string{"guest dies at each start"},
		},
		{
			name: "overlay-is-left-behind", law: "L9", broken: "a VM comes back without what it wrote to a snapshot's overlay",
			edits: []edit{{"cluster/holders.go", "Said != \"\" || !s.Left().Loses()", "Index > 0"}},
			nets:  first(simulation), faults: []string{"snapshot is left"},
		},
		{
			name: "overlay-is-thrown-away", law: "L9", broken: "a VM is stopped that writes to an overlay nobody gave up",
			edits: []edit{{"cluster/holders.go", "Said != \"\" || !s.Left().Leaves()", "Index > 0"}},
			nets:  first(simulation), faults: []string{"snapshot is left"},
		},
		{
			name: "live-disks-are-no-news", law: "L9", broken: "a VM that runs on other disks is not told of",
			edits: []edit{{"cluster/mind/looks.go", "(len(o.Disks) > 0 &&", "(len(o.Disks) > 999 &&"}},
			nets:  first(simulation), faults: []string{"snapshot is left", "disk is attached"},
		},
		{
			name: "attached-disk-is-free", law: "L9", broken: "a disk that was attached by hand counts as nobody's",
			edits: []edit{{"cluster/holders.go", "h.Disks, h.Declared = live, nil\n", "h.Declared = nil\n"}},
			nets:  first(simulation), faults: []string{"snapshot is left", "disk is attached"},
		},
		{
			name: "what-lies-behind-is-free", law: "L9", broken: "the image under an overlay may be written by another service",
			edits: []edit{{"resources/spec.go", "(!left.writes() && !right.writes()) {", "!left.writes() || !right.writes() {"}},
			nets:  []net{tests("resources", "^TestWhatLiesBehind")},
		},
		{
			name: "hung-move-is-never-ended", law: "L7", broken: "a migration whose guest hangs is waited for for ever",
			edits: []edit{{"cluster/plan/down.go", "w.For >= endPatience {", "w.For >= 1_000*endPatience {"}},
			nets:  first(simulation), faults: []string{"guest hangs"},
		},
		{
			name: "unproven-end-is-an-end", law: "L1", broken: "of a migration that is being ended any result counts as the end",
			edits: []edit{{result, "\t\tif c.Result.Source == resources.Absent", "\t\tif c.Result.Source != \"\""}},
			nets:  []net{tests("cluster", "^TestOnlyAProvenEndOfAnEndedMigrationIsOne$")},
		},
		{
			name: "loops-push-others-out", law: "L7", broken: "one subject that talks all the time fills the timeline alone",
			edits: []edit{{"cluster/event.go",
				"\t\tif excess > 0 && count[e.Subject] > eventShare",
				"\t\tif excess > 0 && count[e.Subject] > 2*MaxEvents"}},
			nets: []net{tests("cluster", "^TestTheTimelineKeepsRoomForOthers$")},
		},
	}
}
