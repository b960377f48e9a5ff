package main

const (
	proof   = "cluster/rules/proof.go"
	ward    = "cluster/mind/guard.go"
	waited  = "cluster/mind/waited.go"
	proven  = "fence/proven.go"
	storage = "fence/scsi/proof.go"
)

func byTests(run string) []net { return []net{tests("cluster", "^"+run+"$")} }

func byMindTests(run string) []net { return []net{tests("cluster/mind", "^"+run+"$")} }

// guards are the breaks of what proves less than power: storage, watchdogs with
// their lease, messages on disks. Their names begin alike, so that all of them
// can be chosen.
func guards() []mutant { return append(append(storageBreaks, waitBreaks()...), leaseBreaks()...) }

var storageBreaks = []mutant{
	{
		name: "guard-storage-releases-any-disk", law: "L3",
		broken: "a service is let go although one of its disks is not under the reservation",
		edits: []edit{{proof,
			"\t\tcase !fence.LiesOn(disk.Identity, n.Cut.Disks):",
			"\t\tcase disk.Identity == \"\":"}, {proof,
			"\t\tcase !fence.LiesOn(disk.Identity, guard.Keys):",
			"\t\tcase disk.Identity == \"-\":"}},
		nets: []net{simulation, tests("cluster", "^TestStorageReleasesNoDiskThatIsNotUnderReservation$")},
	},
	{
		name: "guard-storage-releases-what-may-run-on", law: "L3",
		broken: "a service that does not allow it is let go although its old host may run on",
		edits: []edit{{proof,
			"\tcase !waited && !spec.StorageOnly:",
			"\tcase !waited && spec.StorageOnly && writable < 0:"}},
		nets: byTests("TestStorageReleasesOnlyWhatItCoversAndAllowsIt"),
	},
	{
		name: "guard-key-on-its-way-counts", law: "L3",
		broken: "storage releases what a boot held whose registration may still be on its way",
		edits: []edit{{proof,
			"\t\tcase !fence.LiesOn(disk.Identity, guard.Keys):",
			"\t\tcase disk.Identity == \"-\":"}},
		nets: byTests("TestStorageReleasesNothingOfABootWhoseRegistrationMayBeOnItsWay"),
	},
	{
		name: "guard-cut-off-is-off", law: "L3",
		broken: "a node that is cut off from its storage counts as one without power",
		edits: []edit{{shot,
			"\tif c.Result.Proven.By() == fence.ByStorage {",
			"\tif c.Result.Proven.By() == \"\" {"}}, nets: first(simulation),
	},
	{
		name: "guard-cut-boot-is-admitted", law: "L3", broken: "a boot that was cut off from its storage is taken in again",
		edits: []edit{{"cluster/holders.go",
			" return n.Cut != nil && n.Cut.Boot == boot && boot != \"\" ",
			"\n\treturn n.Cut == nil && n.Name == boot && n.Cut.Boot == boot && boot != \"\"\n"}},
		nets: []net{simulation, tests("cluster", "^TestABootThatWasCutOffIsNeverAdmitted$")},
	},
	{
		name: "guard-preempt-without-abort", law: "L3",
		broken: "a key that is gone counts although nobody proved that what was sent is aborted",
		edits:  []edit{{storage, "\tcase !cut.Aborted:", "\tcase !cut.Aborted && present:"}},
		nets:   []net{tests("fence/scsi", "^TestJudge$")},
	},
	{
		name: "guard-array-accepts-and-does-nothing", law: "L3",
		broken: "a removal is believed although the array's generation did not move",
		edits: []edit{{storage, "\tcase e.verdict == accepted && e.after.Generation == e.before.Generation:",
			"\tcase e.verdict == accepted && e.after.Generation > e.before.Generation+1000:"}},
		nets: []net{tests("fence/scsi", "^TestJudge$")},
	},
	{
		name: "guard-runs-before-it-is-known", law: "L3",
		broken: "a node is given work before its watchdog and its keys are known to be in place",
		edits: []edit{{proof,
			"\treturn fence.WantedBy(w.Document.Nodes[n.Name].Fence, " +
				"w.Document.Devices).Missing(n.GuardOf(n.Boot), n.Boot)",
			"\tif n.Name != \"\" {\n" +
				"\t\treturn \"\"\n" +
				"\t}\n" +
				"\treturn fence.WantedBy(w.Document.Nodes[n.Name].Fence, " +
				"w.Document.Devices).Missing(n.GuardOf(n.Boot), n.Boot)"}},
		nets: byTests("TestANodeRunsNothingBeforeItsGuardIsKnown"),
	},
}

func waitBreaks() []mutant {
	return []mutant{
		{
			name: "guard-acts-after-the-lease", law: "L6",
			broken: "a lost node's services are let go when its lease is over, before its watchdog is",
			edits: []edit{{proven, "\treturn lease + lease/100 + timeout + timeout/100 + granularity",
				"\treturn lease + lease/100"}}, nets: first(simulation),
		},
		{
			name: "guard-short-wait-counts", law: "L6", broken: "Apply takes a wait that was too short",
			edits: []edit{{"cluster/rules/proof.go", "\t\tif p.Waited < limit {", "\t\tif p.Waited < 0*limit {"}},
			nets:  byTests("TestAWatchdogIsWaitedOutInFull"),
		},
		{
			name: "guard-stopwatch-goes-on", law: "L6",
			broken: "a fencer's stopwatch goes on from an earlier intent instead of beginning at zero",
			edits:  []edit{{waited, "w = cluster.Waited{Intent: open.Index}", "w.Intent = open.Index"}},
			nets:   byMindTests("TestAFencerWaitsByItsOwnStopwatch"),
		},
		{
			name: "guard-pause-is-waiting", law: "L6", broken: "a pause of the fencer counts as having waited",
			edits: []edit{{"cluster/mind/step.go",
				"\tn.waitOut(tick, in)\n",
				"\tn.waitOut(max(tick, elapsed), in)\n"}}, nets: byMindTests("TestAFencerWaitsByItsOwnStopwatch"),
		},
		{
			name: "guard-waits-for-nothing", law: "L3",
			broken: "a node that never armed a watchdog is waited out and taken for reset",
			edits:  []edit{{"cluster/rules/proof.go", "\t\tif !guarded {\n", "\t\tif !guarded && p.Waited == 0 {\n"}},
			nets:   byTests("TestWaitingProvesNothingOfABootWithoutAnArmedWatchdog"),
		},
		{
			name: "guard-life-after-the-wait", law: "L3",
			broken: "a boot that is heard after its watchdog should have reset it counts as reset",
			edits:  []edit{{waited, "\tif w.Heard && w.Silence < cluster", "\tif w.Heard && w.Silence < 0*cluster"}},
			nets:   byMindTests("TestAWatchdogThatDoesNotWorkProvesNothing"),
		},
		{
			name: "guard-pill-nobody-watches", law: "L3",
			broken: "a message on a disk counts for a node that does not look there",
			edits:  []edit{{"cluster/rules/proof.go", "== 0 || !words.ContainsAll(guard.Pills, device.Disks())", "< 0"}},
			nets:   byTests("TestAPillCountsOnlyWhereItIsWatchedFor"),
		},
		{
			name: "guard-is-loosened", law: "L6",
			broken: "a node's lease may become longer within a boot, while somebody waits the shorter one out",
			edits:  []edit{{"cluster/apply/proof.go", "\tcase old.Timeout > 0 && (", "\tcase old.Timeout < 0 && ("}},
			nets:   byTests("TestAGuardIsNotLoosenedWithinABoot"),
		},
	}
}

func leaseBreaks() []mutant {
	return []mutant{
		{
			name: "guard-petted-without-a-lease", law: "L6", broken: "a node that holds something is petted without a lease",
			edits: []edit{{ward, "\tcase current && !n.mayHold(in, me):", "\tcase current:"}, {"cluster/host.go",
				"\treturn newest.Policy == PetLeased && k.Seq == newest.Seq && !k.Free && clock < k.Until",
				"\treturn k.Seq == newest.Seq"}}, nets: first(simulation),
		},
		{
			name: "guard-lease-counts-from-its-answer", law: "L6",
			broken: "a lease is counted from when it was granted and not from when it was asked for",
			edits: []edit{{ward,
				"n.hostGuard.until = max(n.hostGuard.until, l.Sent+n.leaseOf(in, me))",
				"n.hostGuard.until = max(n.hostGuard.until, in.Clock+n.leaseOf(in, me))"}},
			nets: byMindTests("TestALeaseIsCountedFromWhenItWasAskedFor"),
		},
		{
			name: "guard-lease-for-whom-it-may-concern", law: "L6",
			broken: "a node gets a lease although its fence is in the log",
			edits: []edit{{"cluster/host.go",
				"\tcase Condemned(s, n, boot)",
				"\tcase Condemned(s, n, boot) && boot == \"\""}, {ward, "\tif lease > 0 && !condemned {", "\tif lease > 0 {"},
				{ward, "\tcase ends", "\tcase ends && !leased"}}, nets: byMindTests("TestABootThatIsToEndIsPettedNoMore"),
		},
		{
			name: "guard-starts-before-the-lease", law: "L6",
			broken: "a VM is started before the keeper has answered that it pets no longer than the lease",
			edits:  []edit{{ward, "!cluster.InForce(guard, n.hostGuard.pet, n.hostGuard.keeper, in.Clock)", "false"}},
			nets:   byMindTests("TestAStartWaitsUntilTheKeeperHasAnsweredALease"),
		},
		{
			name: "guard-new-daemon-frees", law: "L6",
			broken: "a daemon that is not admitted yet frees the watchdog of a host whose VMs it does not know",
			edits: []edit{{ward,
				"\tcurrent := in.Incarnation != 0 && me.Incarnation == in.Incarnation\n",
				"\tcurrent := me.Name != \"\" || in.Incarnation == me.Incarnation\n"}},
			nets: byMindTests("TestANewDaemonDoesNotFreeWhatItDoesNotKnowYet"),
		},
	}
}
