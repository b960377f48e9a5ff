package breaks

// All are the mutants, by law; R are the rules between services and the orders.
func All() []Mutant {
	list := guestsAlone()
	for _, of := range [][]Mutant{holders, incarnations(), unknowns, majority(), migrations, oldLeaders,
		acknowledged(), staying, lostLogs(), worthless(), elsewhere(), otherLogs(), boards(), brake(), loops(), disks(),
		ranOn, trees(), between, levels(), guards(), onlyFaults, hypervisorsAlone, networksAlone, peopleAlone(), places, keys,
		strangers, ports,
		admitted, entrances, guestNetworks,
		documents, imports, commands} {
		list = append(list, of...)
	}
	return list
}

const (
	begin   = "cluster/rules/begin.go"
	observe = "cluster/apply/observe.go"
	result  = "cluster/apply/result.go"
	node    = "cluster/apply/node.go"
	member  = "cluster/apply/member.go"
	shot    = "cluster/apply/fence.go"
	plan    = "cluster/plan/plan.go"
	service = "cluster/plan/service.go"
	up      = "cluster/plan/up.go"
	settle  = "cluster/move.go"
	work    = "cluster/work.go"
	outbox  = "cluster/mind/outbox.go"
	state   = "cluster/state.go"
	attempt = "fence/proof/attempt.go"
)

// blind makes the State's own check see nothing, so that a break has to show in
// the world: in what runs where.
var blind = Edit{"cluster/rules/check.go",
	"\tvar wrong []string\n\tcomplain :=",
	"\tvar wrong []string\n\tif s.Level > 0 {\n\t\treturn nil\n\t}\n\tcomplain :="}

func first(n Net) []Net { return []Net{n} }
