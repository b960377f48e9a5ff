package main

// majority are the breaks of L4: only what a majority has committed is done. The
// simulation's log commits by construction, so the nets are the daemon and the
// log with real Raft.
func majority() []mutant {
	return []mutant{
		{
			name: "leader-without-barrier", law: "L4", broken: "a new leader plans before it has applied what its predecessor committed",
			edits: []edit{{"quorum/propose.go", "\tif err := l.passBarrier(ctx, term); err != nil {", "\tif err := ctx.Err(); err != nil {"}},
			nets:  []net{tests("quorum", "^TestAFreshLeaderHasAppliedAllBeforeItVerifies$")},
		},
		{
			name: "cut-off-fencer-shoots", law: "L4", broken: "a fencer does not ask the majority before it sends a packet",
			edits: []edit{{"internal/daemon/fencing.go", "\tif err := d.log.Verify(ctx); err != nil {", "\tif err := ctx.Err(); err != nil {"}}, nets: []net{tests("internal/daemon", "^TestAFencerThatIsCutOffShootsNobody$")},
		},
	}
}
