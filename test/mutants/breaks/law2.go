package breaks

var (
	voidsNothing = Edit{node, "\tt.voidIntentsOf(n, message.NodeRestarted.With(n.Name))\n", ""}
	anyResult    = Edit{result, "|| n.Incarnation != c.Incarnation || n.Ended() ", ""}
	anyExecutor  = Edit{result,
		"\tif intent.Node != c.Node || intent.Incarnation != c.Incarnation {",
		"\tif intent.Node != c.Node {"}
	anyAnswer  = Edit{observe, "|| n.Incarnation != c.Incarnation || n.Ended() ", ""}
	fencedBoot = Edit{node, "c.Boot && n.Boot != ", ""}
)

// incarnations are the breaks of L2: look before you act.
func incarnations() []Mutant {
	return []Mutant{
		{
			Name: "old-results-count", Law: "L2",
			Broken: "the result of an older incarnation counts, and so does one of a boot that is confirmed off",
			Edits:  []Edit{anyResult, anyExecutor},
			Nets: []Net{Simulation,
				tests("cluster", "TestResultsOfOldIncarnationsAreRefused|TestNothingSaidByADeadBootCounts")},
		},
		{
			Name: "old-results-count-and-acts-live-on", Law: "L2",
			Broken: "a restarted daemon keeps its old acts and their results count: it may do again what a hung call still does",
			Edits:  []Edit{voidsNothing, anyResult, anyExecutor}, Nets: first(Simulation),
		},
		{
			Name: "acts-live-on", Law: "L2", Broken: "an act outlives the incarnation it was given to, so nobody ever ends it",
			Edits: []Edit{voidsNothing}, Nets: first(Simulation),
			Faults: []string{"daemon dies", "strikes", "power loss", "blackout", "upgrade", "downgrade", "daemon stopped",
				"log lost", "log cut", "old folder", "node replaced", "key rotated", "daemon does not stay up",
				"address late", "address changes", "addresses change"},
		},
		{
			Name: "work-before-inventory", Law: "L2", Broken: "a node is given work before it has told what runs on it",
			Edits: []Edit{{node,
				"n = t.setNodeState(n, cluster.NodeLooking",
				"n.Boot = c.Boot\n\tn = t.setNodeState(n, cluster.NodeOnline"}}, Nets: first(Simulation),
		},
		{
			Name: "admitted-while-being-fenced", Law: "L2",
			Broken: "a machine comes in although a committed shot at it is on its way",
			Edits:  []Edit{{node, "boot || (open.Fencer != \"\" && rules.MayHitNewBoot(t.State, open))", "\"\""}},
			Nets:   []Net{Simulation, tests("cluster", "TestAdmissionNeedsAnInventoryAndNoOpenFence")},
		},
		{
			Name: "fenced-boot-is-admitted", Law: "L2", Broken: "a boot that was confirmed off is taken in again",
			Edits: []Edit{fencedBoot}, Nets: []Net{tests("cluster", "^TestAdmissionNeedsAnInventoryAndNoOpenFence$")},
		},
		{
			Name: "old-answers-count", Law: "L2", Broken: "what an older incarnation answered to a look counts",
			Edits: []Edit{anyAnswer}, Nets: []Net{tests("cluster", "^TestAnAnswerOfAnOldIncarnationCountsForNothing$")},
		},
		{
			Name: "planned-restart-is-a-round", Law: "L2",
			Broken: "a daemon that somebody stops and starts is taken for one that does not stay up, and its host is shot",
			Edits: []Edit{{"cluster/trouble.go",
				"\tif n.Stopped {\n\t\treturn nil",
				"\tif n.Stopped && n.ID < 0 {\n\t\treturn nil"}},
			Nets: []Net{stories},
		},
	}
}
