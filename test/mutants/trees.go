package main

const (
	treeStop  = "agents/ocf/stop.go"
	treeCall  = "agents/ocf/call.go"
	treeLook  = "agents/ocf/look.go"
	treeStart = "agents/ocf/start.go"
)

// trees are the breaks of what services made of resources rest on: when their
// agent may call them absent, and what it may start.
func trees() []mutant {
	return []mutant{
		{
			name: "failed-stop-of-a-resource-is-a-stop", law: "L1", broken: "a resource whose stop failed counts as stopped",
			edits: []edit{{treeStop, "\treturn \"its stop failed: \" + verdict.Why", "\treturn \"\""}},
			nets:  first(tests("agents/ocf", "^TestAStopThatFailsLeavesItBroken$")),
		},
		{
			name: "what-holds-others-up-is-stopped", law: "L1",
			broken: "a resource is stopped although one that depends on it may still be there",
			edits:  []edit{{treeStop, "\t\tif holds(stuck, p.Path) {", "\t\tif holds(stuck, p.Path) && p.Path == \"\" {"}},
			nets:   first(tests("agents/ocf", "^TestAStopThatFailsLeavesItBroken$")),
		},
		{
			name: "agent-at-work-is-forgotten", law: "L1",
			broken: "a start that outlives its daemon is forgotten: the next one looks while it still happens",
			edits: []edit{{treeCall, "\tif !ended.Left && !(ended.Overran && staysAlive(ctx, ended.Group)) {",
				"\tif ended.Left || !(ended.Overran && staysAlive(ctx, ended.Group)) {"}},
			nets: first(tests("agents/ocf", "^TestAStartThatOutlivesItsDaemonIsUnknownUntilItEnds$")),
		},
		{
			name: "no-answer-of-a-resource-is-absence", law: "L3",
			broken: "an agent that cannot tell counts as one that says no",
			edits: []edit{{treeLook, "\t\tdefault:\n\t\t\treturn unknown(spec, \"it is not known whether \"",
				"\t\tcase -1:\n\t\t\treturn unknown(spec, \"it is not known whether \""}},
			nets: first(tests("agents/ocf", "^TestAnAgentThatCannotTellProvesNothing$")),
		},
		{
			name: "records-outlive-the-boot", law: "L1", broken: "what was started on an earlier boot is taken for what runs",
			edits: []edit{{"agents/ocf/record.go", "\t\tif r.Boot != f.boot ||", "\t\tif r.Boot == \"\" ||"}},
			nets:  first(tests("agents/ocf", "^TestABootForgetsWhatWasStarted$")),
		},
		{
			name: "any-tree-is-started", law: "L9", broken: "a tree is started that is not the one the log names",
			edits: []edit{{treeStart, "hex.EncodeToString(sum[:]) != start.Spec.Definition {",
				"hex.EncodeToString(sum[:]) == \"\" {"}}, nets: first(tests("agents/ocf", "^TestAnotherDefinitionIsNotStarted$")),
		},
	}
}
