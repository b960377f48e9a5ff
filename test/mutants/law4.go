package main

// majority are the breaks of L4: only what a majority has committed is done. The
// simulation's log commits by construction, so the nets are the daemon and the
// log with real Raft.
func majority() []mutant {
	return append(alone, []mutant{
		{
			name: "leader-without-barrier", law: "L4",
			broken: "a new leader plans before it has applied what its predecessor committed",
			edits: []edit{{"quorum/propose.go", "\tif err := l.passBarrier(ctx, term); err != nil {",
				"\tif err := ctx.Err(); err != nil {"}},
			nets: []net{tests("quorum", "^TestAFreshLeaderHasAppliedAllBeforeItVerifies$")},
		},
		{
			name: "cut-off-fencer-shoots", law: "L4", broken: "a fencer does not ask the majority before it sends a packet",
			edits: []edit{{"internal/executor/fencing.go", "\tif err := x.options.InTouch(ctx); err != nil {",
				"\tif err := ctx.Err(); err != nil {"}},
			nets: []net{tests("internal/daemon", "^TestAFencerThatIsCutOffShootsNobody$")},
		},
	}...)
}

const rule, applied, shell, files, back = "cluster/alone.go", "cluster/apply/member.go", "internal/daemon/alone.go",
	"internal/daemon/alonefiles.go", "internal/daemon/rejoin.go"

// alone are the breaks of L4's exception: one of two nodes goes on by itself.
var alone = []mutant{
	{
		name: "both-shoot-at-once", law: "L4", broken: "the node that is not favoured does not wait for its turn",
		edits: []edit{{rule,
			"\t\tif !w.Favoured {\n\t\t\tfrom += 2 * quarter",
			"\t\tif begin < 0 {\n\t\t\tfrom += 2 * quarter"}},
		nets: []net{twoNodes, tests("cluster", "^TestTheTurnsNeverMeet$")},
	},
	{
		name: "boots-alone-and-goes-on", law: "L4", broken: "a warrant outlives the boot that got it",
		edits: []edit{{rule, "\tswitch {\n\tcase w.Boot != a.Boot:", "\tswitch {\n\tcase w.Boot == \"\":"}},
		nets: []net{tests("cluster", "^TestWhoHasNotBeenInQuorum"),
			tests("internal/daemon", "^TestANodeThatBootsAloneWaits$")},
	},
	{
		name: "goes-on-without-a-confirmed-fence", law: "L4", broken: "any end of an attempt lets a node go on alone",
		edits: []edit{{rule,
			"\tif result.Outcome != fence.Confirmed || result.Proven.By() != fence.ByPower {\n" +
				"\t\treturn p, false",
			"\tif result.Outcome == \"\" {\n\t\treturn p, false"}},
		nets: []net{twoNodes, tests("cluster", "^TestAloneGoesStepByStep$")},
	},
	{
		name: "the-log-takes-any-result", law: "L4", broken: "Apply lets a node go on alone without a confirmed fence",
		edits: []edit{{applied,
			"\tif c.Result.Outcome != fence.Confirmed || c.Result.Proven.By() != fence.ByPower {",
			"\tif c.Result.Outcome == \"never\" {"}},
		nets: first(tests("cluster", "^TestGoingOnAloneNeedsAConfirmedFence$")),
	},
	{
		name: "back-before-its-shot-arrived", law: "L4", broken: "a node that shot and booted is in quorum again at once",
		edits: []edit{{rule,
			"\tcase w.Boot != a.Boot && (p.Result != nil || a.Rested >= w.Delay/2):",
			"\tcase w.Boot != a.Boot:"}}, nets: []net{tests("cluster", "^TestAloneGoesStepByStep$"),
			tests("internal/daemon", "^TestAHostThatBootsAfterItsDecision")},
	},
	{
		name: "turns-shift-with-a-pause", law: "L4",
		broken: "a host that stood still takes the quorum it remembers for one of now",
		edits:  []edit{{shell, "\t\ts.doubtUntil = now + doubtFor", "\t\ts.doubtUntil = now"}},
		nets:   first(tests("internal/daemon", "^TestAHostThatStoodStill")),
	},
	{
		name: "goes-on-alone-unwritten", law: "L4", broken: "the decision is not on disk before the first shot",
		edits: []edit{{shell, "\tif err := d.options.Folder.Write(membership.PartingFile, parting); err != nil {",
			"\tif err := d.options.Folder.Remove(membership.PartingFile); err != nil {"}},
		nets: first(tests("internal/daemon", "^TestHeardBeforeItIsWrittenDownIsSpared$")),
	},
	{
		name: "leads-before-it-is-alone", law: "L4", broken: "a node that took its log over decides before the log says so",
		edits: []edit{{"internal/daemon/ears.go", "!now.leading && d.begun.Load() && d.passTerm",
			"!now.leading && d.passTerm"}},
		nets: first(tests("internal/daemon", "^TestNothingIsDecidedBeforeTheNewGeneration$")),
	},
	{
		name: "left-behind-keeps-its-log", law: "L4", broken: "an expelled node comes back with the log it had",
		edits: []edit{{"internal/membership/folder.go",
			"\tif err := os.Rename(f.LogDir(), f.AsideDir()); err != nil {",
			"\tif err := os.MkdirAll(f.AsideDir(), 0o700); err != nil {"}},
		nets: first(tests("internal/daemon", "^TestOneOfTwoGoesOnAloneAndTheOtherComesBack$")),
	},
	{
		name: "expelled-is-let-in", law: "L4", broken: "Apply admits a node that has not set its log aside",
		edits: []edit{{"cluster/apply/node.go",
			"\tif why := n.BarredByGeneration(); !why.IsZero()",
			"\tif why := n.BarredByGeneration(); why.Code() == \"never\""}},
		nets: first(tests("cluster", "^TestAnExpelledNodeIsReadmitted")),
	},
	{
		name: "an-older-warrant-decides", law: "L4",
		broken: "a warrant is given out before the other one is known to have the same document",
		edits: []edit{{"cluster/rules/alone.go",
			"\tcase at.PeerApplied < s.Config.Index:",
			"\tcase at.PeerApplied < 0*s.Config.Index:"}}, nets: []net{tests("cluster", "^TestWhoHasNotBeenInQuorum")},
	},
	{
		name: "the-log-went-on-and-is-taken-over", law: "L4", broken: "entries that came after the decision do not stop it",
		edits: []edit{{files, "\tcase position.LastIndex != parting.Through:",
			"\tcase position.LastIndex < parting.Through:"}},
		nets: first(tests("internal/daemon", "^TestALogThatWentOnIsNotTakenOver$")),
	},
}
