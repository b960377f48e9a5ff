package breaks

const (
	proof   = "cluster/rules/proof.go"
	ward    = "cluster/mind/guard.go"
	waited  = "cluster/mind/waited.go"
	proven  = "fence/proven.go"
	storage = "fence/scsi/proof.go"
)

func byTests(run string) []Net { return []Net{tests("cluster", "^"+run+"$")} }

func byMindTests(run string) []Net { return []Net{tests("cluster/mind", "^"+run+"$")} }

// guards are the breaks of what proves less than power: storage, watchdogs with
// their lease, messages on disks. Their names begin alike, so that all of them
// can be chosen.
func guards() []Mutant { return append(append(storageBreaks, waitBreaks()...), leaseBreaks()...) }

var storageBreaks = []Mutant{
	{
		Name: "guard-storage-releases-any-disk", Law: "L3",
		Broken: "a service is let go although one of its disks is not under the reservation",
		Edits: []Edit{{proof,
			"\t\tcase !fence.LiesOn(disk.Identity, n.Cut.Disks):",
			"\t\tcase disk.Identity == \"\":"}, {proof,
			"\t\tcase !fence.LiesOn(disk.Identity, guard.Keys):",
			"\t\tcase disk.Identity == \"-\":"}},
		Nets: []Net{Simulation, tests("cluster", "^TestStorageReleasesNoDiskThatIsNotUnderReservation$")},
	},
	{
		Name: "guard-storage-releases-what-may-run-on", Law: "L3",
		Broken: "a service that does not allow it is let go although its old host may run on",
		Edits: []Edit{{proof,
			"\tcase !waited && !spec.StorageOnly:",
			"\tcase !waited && spec.StorageOnly && writable < 0:"}},
		Nets: byTests("TestStorageReleasesOnlyWhatItCoversAndAllowsIt"),
	},
	{
		Name: "guard-key-on-its-way-counts", Law: "L3",
		Broken: "storage releases what a boot held whose registration may still be on its way",
		Edits: []Edit{{proof,
			"\t\tcase !fence.LiesOn(disk.Identity, guard.Keys):",
			"\t\tcase disk.Identity == \"-\":"}},
		Nets: byTests("TestStorageReleasesNothingOfABootWhoseRegistrationMayBeOnItsWay"),
	},
	{
		Name: "guard-cut-off-is-off", Law: "L3",
		Broken: "a node that is cut off from its storage counts as one without power",
		Edits: []Edit{{shot,
			"\tif c.Result.Proven.By() == fence.ByStorage {",
			"\tif c.Result.Proven.By() == \"\" {"}}, Nets: first(Simulation),
	},
	{
		Name: "guard-cut-boot-is-admitted", Law: "L3", Broken: "a boot that was cut off from its storage is taken in again",
		Edits: []Edit{{"cluster/holders.go",
			" return n.Cut != nil && n.Cut.Boot == boot && boot != \"\" ",
			"\n\treturn n.Cut == nil && n.Name == boot && n.Cut.Boot == boot && boot != \"\"\n"}},
		Nets: []Net{Simulation, tests("cluster", "^TestABootThatWasCutOffIsNeverAdmitted$")},
	},
	{
		Name: "guard-preempt-without-abort", Law: "L3",
		Broken: "a key that is gone counts although nobody proved that what was sent is aborted",
		Edits:  []Edit{{storage, "\tcase !cut.Aborted:", "\tcase !cut.Aborted && present:"}},
		Nets:   []Net{tests("fence/scsi", "^TestJudge$")},
	},
	{
		Name: "guard-array-accepts-and-does-nothing", Law: "L3",
		Broken: "a removal is believed although the array's generation did not move",
		Edits: []Edit{{storage, "\tcase e.verdict == accepted && e.after.Generation == e.before.Generation:",
			"\tcase e.verdict == accepted && e.after.Generation > e.before.Generation+1000:"}},
		Nets: []Net{tests("fence/scsi", "^TestJudge$")},
	},
	{
		Name: "guard-runs-before-it-is-known", Law: "L3",
		Broken: "a node is given work before its watchdog and its keys are known to be in place",
		Edits: []Edit{{proof,
			"\treturn fence.WantedBy(w.Document.Nodes[n.Name].Fence, " +
				"w.Document.Devices).Missing(n.GuardOf(n.Boot), n.Boot)",
			"\tif n.Name != \"\" {\n" +
				"\t\treturn \"\"\n" +
				"\t}\n" +
				"\treturn fence.WantedBy(w.Document.Nodes[n.Name].Fence, " +
				"w.Document.Devices).Missing(n.GuardOf(n.Boot), n.Boot)"}},
		Nets: byTests("TestANodeRunsNothingBeforeItsGuardIsKnown"),
	},
}

func waitBreaks() []Mutant {
	return []Mutant{
		{
			Name: "guard-acts-after-the-lease", Law: "L6",
			Broken: "a lost node's services are let go when its lease is over, before its watchdog is",
			Edits: []Edit{{proven, "\treturn lease + lease/100 + timeout + timeout/100 + granularity",
				"\treturn lease + lease/100"}}, Nets: first(Simulation),
		},
		{
			Name: "guard-short-wait-counts", Law: "L6", Broken: "Apply takes a wait that was too short",
			Edits: []Edit{{"cluster/rules/proof.go", "\t\tif p.Waited < limit {", "\t\tif p.Waited < 0*limit {"}},
			Nets:  byTests("TestAWatchdogIsWaitedOutInFull"),
		},
		{
			Name: "guard-stopwatch-goes-on", Law: "L6",
			Broken: "a fencer's stopwatch goes on from an earlier intent instead of beginning at zero",
			Edits:  []Edit{{waited, "w = cluster.Waited{Intent: open.Index}", "w.Intent = open.Index"}},
			Nets:   byMindTests("TestAFencerWaitsByItsOwnStopwatch"),
		},
		{
			Name: "guard-pause-is-waiting", Law: "L6", Broken: "a pause of the fencer counts as having waited",
			Edits: []Edit{{"cluster/mind/step.go",
				"\tn.waitOut(tick, in)\n",
				"\tn.waitOut(max(tick, elapsed), in)\n"}}, Nets: byMindTests("TestAFencerWaitsByItsOwnStopwatch"),
		},
		{
			Name: "guard-waits-for-nothing", Law: "L3",
			Broken: "a node that never armed a watchdog is waited out and taken for reset",
			Edits:  []Edit{{"cluster/rules/proof.go", "\t\tif !guarded {\n", "\t\tif !guarded && p.Waited == 0 {\n"}},
			Nets:   byTests("TestWaitingProvesNothingOfABootWithoutAnArmedWatchdog"),
		},
		{
			Name: "guard-life-after-the-wait", Law: "L3",
			Broken: "a boot that is heard after its watchdog should have reset it counts as reset",
			Edits:  []Edit{{waited, "\tif w.Heard && w.Silence < cluster", "\tif w.Heard && w.Silence < 0*cluster"}},
			Nets:   byMindTests("TestAWatchdogThatDoesNotWorkProvesNothing"),
		},
		{
			Name: "guard-pill-nobody-watches", Law: "L3",
			Broken: "a message on a disk counts for a node that does not look there",
			Edits:  []Edit{{"cluster/rules/proof.go", "== 0 || !words.ContainsAll(guard.Pills, device.Disks())", "< 0"}},
			Nets:   byTests("TestAPillCountsOnlyWhereItIsWatchedFor"),
		},
		{
			Name: "guard-is-loosened", Law: "L6",
			Broken: "a node's lease may become longer within a boot, while somebody waits the shorter one out",
			Edits:  []Edit{{"cluster/apply/proof.go", "\tcase old.Timeout > 0 && (", "\tcase old.Timeout < 0 && ("}},
			Nets:   byTests("TestAGuardIsNotLoosenedWithinABoot"),
		},
	}
}

func leaseBreaks() []Mutant {
	return []Mutant{
		{
			Name: "guard-petted-without-a-lease", Law: "L6", Broken: "a node that holds something is petted without a lease",
			Edits: []Edit{{ward, "\tcase current && !n.mayHold(in, me):", "\tcase current:"}, {"cluster/host.go",
				"\treturn newest.Policy == PetLeased && k.Seq == newest.Seq && !k.Free && clock < k.Until",
				"\treturn k.Seq == newest.Seq"}}, Nets: first(Simulation),
		},
		{
			Name: "guard-lease-counts-from-its-answer", Law: "L6",
			Broken: "a lease is counted from when it was granted and not from when it was asked for",
			Edits: []Edit{{ward,
				"n.hostGuard.until = max(n.hostGuard.until, l.Sent+n.leaseOf(in, me))",
				"n.hostGuard.until = max(n.hostGuard.until, in.Clock+n.leaseOf(in, me))"}},
			Nets: byMindTests("TestALeaseIsCountedFromWhenItWasAskedFor"),
		},
		{
			Name: "guard-lease-for-whom-it-may-concern", Law: "L6",
			Broken: "a node gets a lease although its fence is in the log",
			Edits: []Edit{{"cluster/host.go",
				"\tcase Condemned(s, n, boot)",
				"\tcase Condemned(s, n, boot) && boot == \"\""}, {ward, "\tif lease > 0 && !condemned {", "\tif lease > 0 {"},
				{ward, "\tcase ends", "\tcase ends && !leased"}}, Nets: byMindTests("TestABootThatIsToEndIsPettedNoMore"),
		},
		{
			Name: "guard-starts-before-the-lease", Law: "L6",
			Broken: "a VM is started before the keeper has answered that it pets no longer than the lease",
			Edits:  []Edit{{ward, "!cluster.InForce(guard, n.hostGuard.pet, n.hostGuard.keeper, in.Clock)", "false"}},
			Nets:   byMindTests("TestAStartWaitsUntilTheKeeperHasAnsweredALease"),
		},
		{
			Name: "guard-new-daemon-frees", Law: "L6",
			Broken: "a daemon that is not admitted yet frees the watchdog of a host whose VMs it does not know",
			Edits: []Edit{{ward,
				"\tcurrent := in.Incarnation != 0 && me.Incarnation == in.Incarnation\n",
				"\tcurrent := me.Name != \"\" || in.Incarnation == me.Incarnation\n"}},
			Nets: byMindTests("TestANewDaemonDoesNotFreeWhatItDoesNotKnowYet"),
		},
	}
}
