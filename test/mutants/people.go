package main

// peopleAlone are breaks that only what operators order, what becomes of single
// resources, and what a host lacks can show.
func peopleAlone() []mutant {
	return []mutant{
		{
			name: "stopped-for-ever", law: "L7", broken: "a cluster that was stopped as a whole is never started again",
			edits: []edit{{"cluster/lock.go", "\tt.Lock = nil\n", "\tif !t.Lock.Stop {\n\t\tt.Lock = nil\n\t}\n"}}, nets: first(simulation), faults: []string{"locked"},
		},
		{
			name: "maintained-for-ever", law: "L7", broken: "an order for maintenance is not taken back",
			edits: []edit{{nodeOrder, "\tn.Order = nil\n", "\tif kind != OrderMaintenance {\n\t\tn.Order = nil\n\t}\n"}}, nets: first(simulation), faults: []string{"ordered away"},
		},
		{
			name: "frozen-for-ever", law: "L7", broken: "a freeze that has an end is ended neither by it nor by a person",
			edits: []edit{
				{"cluster/freeze.go", "p.reached(frozen.Until) {", "p.reached(frozen.Until) && name == \"\" {"},
				{"cluster/apply_ask.go", "\tcase OpUnfreeze:\n\t\tservice.Flags", "\tcase OpUnfreeze:\n\t\tif service.Freeze != nil && !service.Freeze.Until.IsZero() {\n\t\t\tbreak\n\t\t}\n\t\tservice.Flags"},
			}, nets: first(simulation), faults: []string{"frozen for a while"},
		},
		{
			name: "failed-parts-are-ignored", law: "L7", broken: "a service whose resources failed stays where it is for ever",
			edits: []edit{{observe, "\tcase resources.Broken:\n", "\tcase resources.Condition(\"none\"):\n"}}, nets: first(simulation), faults: []string{"parts fail", "declared anew"},
		},
		{
			name: "convalescence-is-not-begun", law: "L7", broken: "the wish to start what a service goes on without stays open for ever",
			edits: []edit{{service, "\tcase OpConvalesce:\n\t\treturn acting(", "\tcase OpConvalesce:\n\t\treturn staying(\"\", \"\")\n\t\treturn acting("}}, nets: first(simulation), faults: []string{"parts are dropped"},
		},
		{
			name: "guard-that-never-was", law: "L6", broken: "a node counts as guarded although its watchdog could not be armed",
			edits: []edit{{ward, "known.Timeout == 0 && k.Armed && k.Timeout == wanted.Settings.Timeout {\n\t\tfresh.Timeout,", "known.Timeout == 0 && k.Seq > 0 && (k.Armed || len(wanted.Pills) == 0) {\n\t\tk.Timeout = wanted.Settings.Timeout\n\t\tfresh.Timeout,"}, {ward, "\tcase !k.Armed || newest.Mood == PetNever:", "\tcase newest.Mood == PetNever:"}}, nets: first(simulation), faults: []string{"watchdog missing"},
		},
	}
}
