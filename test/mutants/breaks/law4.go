package breaks

// majority are the breaks of L4: only what a majority has committed is done. The
// simulation's log commits by construction, so the nets are the daemon and the
// log with real Raft.
func majority() []Mutant {
	return append(alone, []Mutant{
		{
			Name: "leader-without-barrier", Law: "L4",
			Broken: "a new leader plans before it has applied what its predecessor committed",
			Edits: []Edit{{"quorum/propose.go", "\tif err := l.passBarrier(ctx, term); err != nil {",
				"\tif err := ctx.Err(); err != nil {"}},
			Nets: []Net{tests("quorum", "^TestAFreshLeaderHasAppliedAllBeforeItVerifies$")},
		},
		{
			Name: "cut-off-fencer-shoots", Law: "L4", Broken: "a fencer does not ask the majority before it sends a packet",
			Edits: []Edit{{"internal/executor/fencing.go", "\tif err := x.options.InTouch(ctx); err != nil {",
				"\tif err := ctx.Err(); err != nil {"}},
			Nets: []Net{tests("internal/daemon", "^TestAFencerThatIsCutOffShootsNobody$")},
		},
	}...)
}

const rule, applied, shell, files, back = "cluster/alone.go", "cluster/apply/member.go",
	"internal/membership/pair/alone.go", "internal/membership/pair/files.go", "internal/membership/returning/rejoin.go"

// alone are the breaks of L4's exception: one of two nodes goes on by itself.
var alone = []Mutant{
	{
		Name: "both-shoot-at-once", Law: "L4", Broken: "the node that is not favoured does not wait for its turn",
		Edits: []Edit{{rule,
			"\t\tif !w.Favoured {\n\t\t\tfrom += 2 * quarter",
			"\t\tif begin < 0 {\n\t\t\tfrom += 2 * quarter"}},
		Nets: []Net{twoNodes, tests("cluster", "^TestTheTurnsNeverMeet$")},
	},
	{
		Name: "boots-alone-and-goes-on", Law: "L4", Broken: "a warrant outlives the boot that got it",
		Edits: []Edit{{rule, "\tswitch {\n\tcase w.Boot != a.Boot:", "\tswitch {\n\tcase w.Boot == \"\":"}},
		Nets: []Net{tests("cluster", "^TestWhoHasNotBeenInQuorum"),
			tests("internal/daemon", "^TestANodeThatBootsAloneWaits$")},
	},
	{
		Name: "goes-on-without-a-confirmed-fence", Law: "L4", Broken: "any end of an attempt lets a node go on alone",
		Edits: []Edit{{rule,
			"\tif result.Outcome != fence.Confirmed || result.Proven.By() != fence.ByPower {\n" +
				"\t\treturn p, false",
			"\tif result.Outcome == \"\" {\n\t\treturn p, false"}},
		Nets: []Net{twoNodes, tests("cluster", "^TestAloneGoesStepByStep$")},
	},
	{
		Name: "the-log-takes-any-result", Law: "L4", Broken: "Apply lets a node go on alone without a confirmed fence",
		Edits: []Edit{{applied,
			"\tif c.Result.Outcome != fence.Confirmed || c.Result.Proven.By() != fence.ByPower {",
			"\tif c.Result.Outcome == \"never\" {"}},
		Nets: first(tests("cluster", "^TestGoingOnAloneNeedsAConfirmedFence$")),
	},
	{
		Name: "back-before-its-shot-arrived", Law: "L4", Broken: "a node that shot and booted is in quorum again at once",
		Edits: []Edit{{rule,
			"\tcase w.Boot != a.Boot && (p.Result != nil || a.Rested >= w.Delay/2):",
			"\tcase w.Boot != a.Boot:"}}, Nets: []Net{tests("cluster", "^TestAloneGoesStepByStep$"),
			tests("internal/daemon", "^TestAHostThatBootsAfterItsDecision")},
	},
	{
		Name: "turns-shift-with-a-pause", Law: "L4",
		Broken: "a host that stood still takes the quorum it remembers for one of now",
		Edits:  []Edit{{shell, "\t\ts.doubtUntil = now + doubtFor", "\t\ts.doubtUntil = now"}},
		Nets:   first(tests("internal/daemon", "^TestAHostThatStoodStill")),
	},
	{
		Name: "goes-on-alone-unwritten", Law: "L4", Broken: "the decision is not on disk before the first shot",
		Edits: []Edit{{shell, "\tif err := s.Folder.Write(membership.PartingFile, parting); err != nil {",
			"\tif err := s.Folder.Remove(membership.PartingFile); err != nil {"}},
		Nets: first(tests("internal/daemon", "^TestHeardBeforeItIsWrittenDownIsSpared$")),
	},
	{
		Name: "leads-before-it-is-alone", Law: "L4", Broken: "a node that took its log over decides before the log says so",
		Edits: []Edit{{"internal/daemon/ears.go", "!now.leading && d.admission.Begun() && d.passTerm",
			"!now.leading && d.passTerm"}},
		Nets: first(tests("internal/daemon", "^TestNothingIsDecidedBeforeTheNewGeneration$")),
	},
	{
		Name: "left-behind-keeps-its-log", Law: "L4", Broken: "an expelled node comes back with the log it had",
		Edits: []Edit{{"internal/membership/folder.go",
			"\tif err := os.Rename(f.LogDir(), f.AsideDir()); err != nil {",
			"\tif err := os.MkdirAll(f.AsideDir(), 0o700); err != nil {"}},
		Nets: first(tests("internal/daemon", "^TestOneOfTwoGoesOnAloneAndTheOtherComesBack$")),
	},
	{
		Name: "a-late-word-names-the-old-log", Law: "L4",
		Broken: "the last word of a daemon whose log was set aside names that log, and bars the new one",
		Edits: []Edit{{"cluster/apply/member.go", "\tn.Incarnation = t.index\n\tt.Nodes.Set(c.Node, n)\n",
			"\tt.Nodes.Set(c.Node, n)\n"}},
		Nets: first(tests("cluster", "^TestAnExpelledNodeIsReadmitted")),
	},
	{
		Name: "expelled-is-let-in", Law: "L4", Broken: "Apply admits a node that has not set its log aside",
		Edits: []Edit{{"cluster/apply/node.go",
			"\tif why := n.BarredByGeneration(); !why.IsZero()",
			"\tif why := n.BarredByGeneration(); why.Code() == \"never\""}},
		Nets: first(tests("cluster", "^TestAnExpelledNodeIsReadmitted")),
	},
	{
		Name: "an-older-warrant-decides", Law: "L4",
		Broken: "a warrant is given out before the other one is known to have the same document",
		Edits: []Edit{{"cluster/rules/alone.go",
			"\tcase at.PeerApplied < s.Config.Index:",
			"\tcase at.PeerApplied < 0*s.Config.Index:"}}, Nets: []Net{tests("cluster", "^TestWhoHasNotBeenInQuorum")},
	},
	{
		Name: "the-log-went-on-and-is-taken-over", Law: "L4", Broken: "entries that came after the decision do not stop it",
		Edits: []Edit{{files, "\tcase position.LastIndex != parting.Through:",
			"\tcase position.LastIndex < parting.Through:"}},
		Nets: first(tests("internal/daemon", "^TestALogThatWentOnIsNotTakenOver$")),
	},
}
