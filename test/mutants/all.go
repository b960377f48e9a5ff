package main

// all are the mutants, by law; R are the rules between services and the orders.
func all() []mutant {
	list := guestsAlone()
	for _, of := range [][]mutant{holders(), incarnations(), unknowns(), majority(), migrations(), oldLeaders(),
		acknowledged(), lostLogs(), brake(), disks(), trees(), between(), levels(), guards(), onlyFaults(),
		hypervisorsAlone(), networksAlone(), peopleAlone(), places(), keys(), strangers(), admitted()} {
		list = append(list, of...)
	}
	return list
}

const (
	begin   = "cluster/apply_begin.go"
	observe = "cluster/apply_observe.go"
	result  = "cluster/apply_result.go"
	node    = "cluster/apply_node.go"
	member  = "cluster/apply_member.go"
	shot    = "cluster/apply_fence.go"
	plan    = "cluster/plan.go"
	service = "cluster/plan_service.go"
	up      = "cluster/plan_up.go"
	settle  = "cluster/settle.go"
	work    = "cluster/work.go"
	outbox  = "cluster/outbox.go"
	state   = "cluster/state.go"
	power   = "fence/power/attempt.go"
)

// blind makes the State's own check see nothing, so that a break has to show in
// the world: in what runs where.
var blind = edit{"cluster/check.go", "\tvar wrong []string\n\tcomplain :=", "\tvar wrong []string\n\tif s.Level > 0 {\n\t\treturn nil\n\t}\n\tcomplain :="}

func first(n net) []net { return []net{n} }
