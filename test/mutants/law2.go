package main

var (
	voidsNothing = edit{node, "\tt.voidIntentsOf(n, message.NodeRestarted.With(n.Name))\n", ""}
	anyResult    = edit{result, "|| n.Incarnation != c.Incarnation || n.Ended() ", ""}
	anyExecutor  = edit{result,
		"\tif intent.Node != c.Node || intent.Incarnation != c.Incarnation {",
		"\tif intent.Node != c.Node {"}
	anyAnswer  = edit{observe, "|| n.Incarnation != c.Incarnation || n.Ended() ", ""}
	fencedBoot = edit{node, "c.Boot && n.Boot != ", ""}
)

// incarnations are the breaks of L2: look before you act.
func incarnations() []mutant {
	return []mutant{
		{
			name: "old-results-count", law: "L2",
			broken: "the result of an older incarnation counts, and so does one of a boot that is confirmed off",
			edits:  []edit{anyResult, anyExecutor},
			nets: []net{simulation,
				tests("cluster", "TestResultsOfOldIncarnationsAreRefused|TestNothingSaidByADeadBootCounts")},
		},
		{
			name: "old-results-count-and-acts-live-on", law: "L2",
			broken: "a restarted daemon keeps its old acts and their results count: it may do again what a hung call still does",
			edits:  []edit{voidsNothing, anyResult, anyExecutor}, nets: first(simulation),
		},
		{
			name: "acts-live-on", law: "L2", broken: "an act outlives the incarnation it was given to, so nobody ever ends it",
			edits: []edit{voidsNothing}, nets: first(simulation),
			faults: []string{"daemon dies", "strikes", "power loss", "blackout", "upgrade", "downgrade", "daemon stopped",
				"log lost", "log cut", "old folder"},
		},
		{
			name: "work-before-inventory", law: "L2", broken: "a node is given work before it has told what runs on it",
			edits: []edit{{node,
				"n = t.setNodeState(n, cluster.NodeLooking",
				"n.Boot = c.Boot\n\tn = t.setNodeState(n, cluster.NodeOnline"}}, nets: first(simulation),
		},
		{
			name: "admitted-while-being-fenced", law: "L2",
			broken: "a machine comes in although a committed shot at it is on its way",
			edits:  []edit{{node, "boot || (open.Fencer != \"\" && rules.MayHitNewBoot(t.State, open))", "\"\""}},
			nets:   []net{simulation, tests("cluster", "TestAdmissionNeedsAnInventoryAndNoOpenFence")},
		},
		{
			name: "fenced-boot-is-admitted", law: "L2", broken: "a boot that was confirmed off is taken in again",
			edits: []edit{fencedBoot}, nets: []net{tests("cluster", "^TestAdmissionNeedsAnInventoryAndNoOpenFence$")},
		},
		{
			name: "old-answers-count", law: "L2", broken: "what an older incarnation answered to a look counts",
			edits: []edit{anyAnswer}, nets: []net{tests("cluster", "^TestAnAnswerOfAnOldIncarnationCountsForNothing$")},
		},
	}
}
