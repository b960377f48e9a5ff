package main

// peopleAlone are breaks that only what operators order, what becomes of single
// resources, and what a host lacks can show.
func peopleAlone() []mutant {
	return []mutant{
		{
			name: "stopped-for-ever", law: "L7", broken: "a cluster that was stopped as a whole is never started again",
			edits: []edit{{"cluster/apply/orders.go",
				"\tt.Lock = nil\n",
				"\tif !t.Lock.Stop {\n\t\tt.Lock = nil\n\t}\n"}}, nets: first(simulation), faults: []string{"locked"},
		},
		{
			name: "maintained-for-ever", law: "L7", broken: "an order for maintenance is not taken back",
			edits: []edit{{nodeOrder,
				"n.Order = nil",
				"if kind != cluster.OrderMaintenance {\n\t\tn.Order = nil\n\t}"}}, nets: first(simulation),
			faults: []string{"ordered away"},
		},
		{
			name: "frozen-for-ever", law: "L7", broken: "a freeze that has an end is ended neither by it nor by a person",
			edits: []edit{
				{"cluster/plan/service.go",
					"p.reached(frozen.Until) {",
					"p.reached(frozen.Until) && name == \"\" {"},
				{"cluster/apply/ask.go",
					"\t\tservice.Flags &^= resources.Frozen",
					"\t\tif service.Freeze != nil && !service.Freeze.Until.IsZero() {\n" +
						"\t\t\tbreak\n" +
						"\t\t}\n" +
						"\t\tservice.Flags &^= resources.Frozen"},
			}, nets: first(simulation), faults: []string{"frozen for a while"},
		},
		{
			name: "failed-parts-are-ignored", law: "L7", broken: "a service whose resources failed stays where it is for ever",
			edits: []edit{{observe, "\tcase resources.Broken:\n", "\tcase resources.Condition(\"none\"):\n"}},
			nets:  first(simulation), faults: []string{"parts fail", "declared anew", "configuration"},
		},
		{
			name: "convalescence-is-not-begun", law: "L7",
			broken: "the wish to start what a service goes on without stays open for ever",
			edits: []edit{{service,
				"\t\treturn acting(cluster.Begin{Service: name, Intent: cluster.IntentConvalesce, Node: " +
					"service.Owner, By: wish.By,",
				"\t\treturn staying(\"\", \"\")\n" +
					"\t\treturn acting(cluster.Begin{Service: name, Intent: cluster.IntentConvalesce, Node: " +
					"service.Owner, By: wish.By,"}}, nets: first(simulation), faults: []string{"parts are dropped"},
		},
		{
			name: "guard-that-never-was", law: "L6", broken: "a node counts as guarded although its watchdog could not be armed",
			edits: []edit{{ward,
				"known.Timeout == 0 && k.Armed && k.Timeout == wanted.Settings.Timeout {\n\t\tfresh.Timeout,",
				"known.Timeout == 0 && k.Seq > 0 && (k.Armed || len(wanted.Pills) == 0) {\n" +
					"\t\tk.Timeout = wanted.Settings.Timeout\n" +
					"\t\tfresh.Timeout,"}, {"cluster/host.go",
				"\tcase !k.Armed || newest.Policy == PetNever:",
				"\tcase newest.Policy == PetNever:"}}, nets: first(simulation), faults: []string{"watchdog missing"},
		},
	}
}
