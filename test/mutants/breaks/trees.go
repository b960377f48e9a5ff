package breaks

const (
	treeStop  = "agents/ocf/stop.go"
	treeCall  = "agents/ocf/call.go"
	treeLook  = "agents/ocf/look.go"
	treeStart = "agents/ocf/start.go"
)

// trees are the breaks of what services made of resources rest on: when their
// agent may call them absent, and what it may start.
func trees() []Mutant {
	return []Mutant{
		{
			Name: "failed-stop-of-a-resource-is-a-stop", Law: "L1", Broken: "a resource whose stop failed counts as stopped",
			Edits: []Edit{{treeStop, "\treturn \"its stop failed: \" + verdict.Why", "\treturn \"\""}},
			Nets:  first(tests("agents/ocf", "^TestAStopThatFailsLeavesItBroken$")),
		},
		{
			Name: "what-holds-others-up-is-stopped", Law: "L1",
			Broken: "a resource is stopped although one that depends on it may still be there",
			Edits:  []Edit{{treeStop, "\t\tif holds(stuck, p.Path) {", "\t\tif holds(stuck, p.Path) && p.Path == \"\" {"}},
			Nets:   first(tests("agents/ocf", "^TestAStopThatFailsLeavesItBroken$")),
		},
		{
			Name: "agent-at-work-is-forgotten", Law: "L1",
			Broken: "a start that outlives its daemon is forgotten: the next one looks while it still happens",
			Edits: []Edit{{treeCall, "\tif !ended.Left && !(ended.Overran && staysAlive(ctx, ended.Group)) {",
				"\tif ended.Left || !(ended.Overran && staysAlive(ctx, ended.Group)) {"}},
			Nets: first(tests("agents/ocf", "^TestAStartThatOutlivesItsDaemonIsUnknownUntilItEnds$")),
		},
		{
			Name: "no-answer-of-a-resource-is-absence", Law: "L3",
			Broken: "an agent that cannot tell counts as one that says no",
			Edits: []Edit{{treeLook, "\t\tdefault:\n\t\t\treturn unknown(spec, \"it is not known whether \"",
				"\t\tcase -1:\n\t\t\treturn unknown(spec, \"it is not known whether \""}},
			Nets: first(tests("agents/ocf", "^TestAnAgentThatCannotTellProvesNothing$")),
		},
		{
			Name: "records-outlive-the-boot", Law: "L1", Broken: "what was started on an earlier boot is taken for what runs",
			Edits: []Edit{{"agents/ocf/record.go", "\t\tif r.Boot != f.boot ||", "\t\tif r.Boot == \"\" ||"}},
			Nets:  first(tests("agents/ocf", "^TestABootForgetsWhatWasStarted$")),
		},
		{
			Name: "any-tree-is-started", Law: "L9", Broken: "a tree is started that is not the one the log names",
			Edits: []Edit{{treeStart, "hex.EncodeToString(sum[:]) != start.Spec.Definition {",
				"hex.EncodeToString(sum[:]) == \"\" {"}}, Nets: first(tests("agents/ocf", "^TestAnotherDefinitionIsNotStarted$")),
		},
	}
}
