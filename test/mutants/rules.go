package main

const (
	rules     = "cluster/document.go"
	depend    = "cluster/rules/depend.go"
	order     = "cluster/plan/order.go"
	lock      = "cluster/rules/lock.go"
	nodeOrder = "cluster/apply/orders.go"
)

var unjoined = edit{begin,
	"\tif why := w.ObjectionsTo(service).Why[n.Name]; !why.IsZero() ",
	"\tif why := w.ObjectionsTo(service).Why[n.Name]; !why.IsZero() && n.Name == \"\" "}
var unbarred = edit{"cluster/rules/place.go", "return p.objections.Why[p.node]", "return p.objections.Why[\"\"]"}
var groundless = edit{begin,
	"\tif refused := w.MayJoin(service, n); refused != Accepted {\n" +
		"\t\treturn refused\n" +
		"\t}\n" +
		"\tif why := w.Lacks(service); !why.IsZero() {\n" +
		"\t\treturn RefuseAs(cluster.CodeDependency, why)\n" +
		"\t}\n" +
		"\tfor _, h := range service.Holders {",
	"\tif refused := w.MayJoin(service, n); refused != Accepted {\n" +
		"\t\treturn refused\n" +
		"\t}\n" +
		"\tif why := w.Lacks(service); !why.IsZero() && c.Node == \"\" {\n" +
		"\t\treturn RefuseAs(cluster.CodeDependency, why)\n" +
		"\t}\n" +
		"\tfor _, h := range service.Holders {"}
var early = edit{"cluster/plan/depend.go",
	"\t\tif needed.Up() && p.ready(needed) {",
	"\t\tif needed.Up() || p.ready(needed) {"}

// between are the breaks of rules between services and of standing orders.
var between = []mutant{
	{
		name: "rules-are-forgotten", law: "R",
		broken: "exclusive services and services that are kept apart meet on one node",
		edits:  []edit{unjoined, unbarred}, nets: []net{simulation, stories},
	},
	{
		name: "rules-are-forgotten-by-the-plan", law: "R",
		broken: "the plan puts services where a rule forbids it; Apply refuses",
		edits:  []edit{unbarred}, nets: first(stories),
	},
	{
		name: "exclusive-in-one-direction", law: "R", broken: "an exclusive service gets company from others",
		edits: []edit{{rules, "\tcase other.Exclusive:", "\tcase other.Exclusive && other.Name == \"\":"}},
		nets:  []net{simulation, stories},
	},
	{
		name: "started-before-its-parent", law: "R", broken: "a service starts before what it depends on",
		edits: []edit{groundless, early}, nets: []net{simulation, stories},
	},
	{
		name: "parent-goes-alone", law: "R", broken: "a service stays up when what it needs hard goes down",
		edits: []edit{{depend, "\t\tcase w.down(needed):\n", "\t\tcase w.down(needed) && name == \"\":\n"}, {depend,
			"\t\tcase needed.Going() != \"\"",
			"\t\tcase needed.Going() != \"\" && name == \"\""}}, nets: first(stories),
	},
	{
		name: "lock-holds-nothing", law: "R", broken: "services start although the cluster is locked",
		edits: []edit{{lock,
			"\tcase w.Lock() == nil:\n\t\treturn message.Text{}\n\tcase w.Lock().Stop:",
			"\tcase w.Lock() == nil || !w.Lock().Stop:\n\t\treturn message.Text{}\n\tcase w.Lock().Stop:"}},
		nets: []net{simulation, stories},
	},
	{
		name: "orders-hold-nothing", law: "R", broken: "services are brought to nodes on standby",
		edits: []edit{{begin, "\tcase n.Order != nil:\n", "\tcase n.Order != nil && n.Name == \"\":\n"},
			{"cluster/rules/place.go",
				"\tcase n.Order != nil",
				"\tcase n.Order != nil && name == \"\""}}, nets: []net{simulation, stories},
	},
	{
		name: "dependents-stay-up-meanwhile", law: "R",
		broken: "a service is moved by stop and start while what needs it hard runs on",
		edits: []edit{{"cluster/plan/depend.go",
			"\treturn p.afterDependents(service)\n}",
			"\treturn p.afterDependents(service) && c.Node == \"\"\n}"}}, nets: first(stories),
	},
	{
		name: "a-change-has-no-end", law: "L7",
		broken: "a service that has taken its changed declaration in does so again, and again",
		edits: []edit{{"cluster/apply/begin.go",
			"h.Definition, h.Reason, service.Behind = intent.Definition, \"\", nil",
			"h.Reason, service.Behind = \"\", nil"}}, nets: first(simulation),
	},
	{
		name: "a-change-leaves-new-disks-free", law: "L9",
		broken: "a service that changes while it runs holds the disks that it was started with, and no others",
		edits: []edit{{"cluster/apply/begin.go",
			"\t\tif !slices.Contains(h.Disks, disk) {",
			"\t\tif !slices.Contains(h.Disks, disk) && disk.Identity == \"\" {"}},
		nets: first(tests("cluster", "^TestAChangeIsWithinTheLaws$")),
	},
	{
		name: "half-a-change-is-whole", law: "R", broken: "a service whose change ended in the middle is called whole",
		edits: []edit{{"agents/ocf/reconfigure.go",
			"\tif len(delta.Stop)+len(delta.Start) > 0 {\n\t\ts.record.Stage = starting\n",
			"\tif len(delta.Stop)+len(delta.Start) < 0 {\n\t\ts.record.Stage = starting\n"},
			{"agents/ocf/reconfigure.go", "return wanted(change) }); err != nil {\n\t\ts.record.Stage = starting\n",
				"return wanted(change) }); err != nil {\n"}},
		nets: first(tests("agents/ocf", "^TestAChangeThat")),
	},
	{
		name: "together-takes-turns", law: "R",
		broken: "a service is moved to one that is stopped for the move, again and again",
		edits: []edit{{"cluster/plan/move.go",
			"p.restsOn(newest, name, map[string]bool{}) {",
			"p.restsOn(newest, name, map[string]bool{}) && target == \"\" {"}}, nets: first(stories),
	},
	{
		name: "maintenance-spares-what-holds", law: "R",
		broken: "a node in maintenance that holds something is not fenced when it dies",
		edits: []edit{{"cluster/rules/target.go",
			"|| n.Order.Empty == 0 {\n\t\treturn false\n\t}\n\tfor",
			"{\n\t\treturn false\n\t}\n\tfor"}, {"cluster/rules/target.go",
			"(h.Condition != \"\" || h.Creating)",
			"h.Condition == n.Name"}}, nets: first(stories),
	},
	{
		name: "tiers-do-not-wait", law: "R", broken: "later tiers start with the first",
		edits: []edit{{order, "\tif tier == 0 {\n", "\tif tier >= 0 {\n"}},
		nets:  first(stories),
	},
	{
		name: "all-start-at-once", law: "R", broken: "start_at_once is not kept",
		edits: []edit{{order, "most > 0 && p.starting >= most", "most > 0 && p.starting >= most+1000"}},
		nets:  first(stories),
	},
	{
		name: "freeze-never-ends", law: "R", broken: "a freeze does not end when its time is over",
		edits: []edit{{"cluster/plan/service.go",
			"!frozen.Until.IsZero() && p.reached(frozen.Until)",
			"frozen.Until.IsZero() && p.reached(frozen.Until)"}}, nets: first(stories),
	},
	{
		name: "whoever-fails-to-stop-is-shot", law: "R",
		broken: "a node is fenced for a failed stop that a person asked for",
		edits: []edit{{"cluster/rules/target.go",
			"byItself &&\n\t\th.Condition == string(resources.Unknown",
			"(byItself || held"}}, nets: first(stories),
	},
}
