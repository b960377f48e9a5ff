package config

import (
	"maps"
	"slices"

	"github.com/clusterd/clusterd/resources"
)

// mostSets bounds the sets of nodes that are looked through for services that cannot all
// have a node of their own.
const mostSets = 256

// placing is what a document says about where services may run, for faults that only
// several of its sentences make together.
type placing struct {
	services map[string]resources.Spec
	// allowed are the nodes of services with a restricted domain; all others may run
	// anywhere.
	allowed map[string][]string
}

// checkPlaces finds services that could never all run by the rules. Each contradiction
// is told once, with the fewest services that make it.
func (p *parser) checkPlaces() {
	t := p.placing()
	p.checkGroups(t)
	p.checkCrowds(t)
}

// checkGroups: what runs together needs a node that all of it may have, and may not be
// kept apart by way of others.
func (p *parser) checkGroups(t placing) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.services)) {
		if seen[name] {
			continue
		}
		group := t.group(name)
		for _, member := range group {
			seen[member] = true
		}
		if set := t.disjoint(group); set != nil {
			p.Fault(p.places.services[set[0]],
				"services %s run together, and their restricted domains have no node in common: they could never all run",
				joinNames(set))
		}
		for i, one := range group {
			for _, other := range group[i+1:] {
				direct := slices.Contains(t.services[one].Together, other) || slices.Contains(t.services[other].Together, one)
				if way := t.way(one, other); !direct && t.apart(one, other) {
					p.Fault(p.places.services[one], "service %s shall be apart from %s, and runs together with it by way of %s", one,
						other,
						joinNames(way[1:len(way)-1]))
				}
			}
		}
	}
}

// neighbours are the services that one runs together with, as it says or they do.
func (t placing) neighbours(name string) []string {
	list := slices.Clone(t.services[name].Together)
	for other, spec := range t.services {
		if slices.Contains(spec.Together, name) {
			list = append(list, other)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// group is everything that runs together with a service, and itself, by name.
func (t placing) group(name string) []string {
	group := []string{name}
	for i := 0; i < len(group); i++ {
		for _, other := range t.neighbours(group[i]) {
			if _, declared := t.services[other]; declared && !slices.Contains(group, other) {
				group = append(group, other)
			}
		}
	}
	slices.Sort(group)
	return group
}

// way is the shortest chain from one service of a group to another.
func (t placing) way(from, to string) []string {
	ways := [][]string{{from}}
	seen := map[string]bool{from: true}
	for i := 0; i < len(ways); i++ {
		for _, next := range t.neighbours(ways[i][len(ways[i])-1]) {
			if seen[next] {
				continue
			}
			seen[next] = true
			way := append(slices.Clone(ways[i]), next)
			if next == to {
				return way
			}
			ways = append(ways, way)
		}
	}
	return []string{from, to}
}

func (t placing) apart(one, other string) bool {
	a, b := t.services[one], t.services[other]
	return slices.Contains(a.Apart, other) || slices.Contains(b.Apart, one)
}

// clashes reports whether two services may not share a node.
func (t placing) clashes(one, other string) bool {
	return t.services[one].Exclusive || t.services[other].Exclusive || t.apart(one, other)
}

// disjoint are the fewest services of a group that have no node in common; nil if all
// have one.
func (t placing) disjoint(group []string) []string {
	set := slices.DeleteFunc(slices.Clone(group), func(name string) bool { return t.allowed[name] == nil })
	if len(set) == 0 || len(t.common(set)) > 0 {
		return nil
	}
	for i := 0; i < len(set); {
		if rest := slices.Delete(slices.Clone(set), i, i+1); len(rest) > 0 && len(t.common(rest)) == 0 {
			set = rest
		} else {
			i++
		}
	}
	return set
}

func (t placing) common(set []string) []string {
	common := slices.Clone(t.allowed[set[0]])
	for _, name := range set[1:] {
		common = slices.DeleteFunc(common, func(node string) bool { return !slices.Contains(t.allowed[name], node) })
	}
	return common
}

// checkCrowds: services of which no two share a node need as many nodes as they are.
func (p *parser) checkCrowds(t placing) {
	told := map[string]bool{}
	for _, nodes := range t.sets() {
		var inside []string
		for _, name := range slices.Sorted(maps.Keys(t.allowed)) {
			if !slices.ContainsFunc(t.allowed[name], func(node string) bool { return !slices.Contains(nodes, node) }) {
				inside = append(inside, name)
			}
		}
		for i := range inside {
			crowd := []string{inside[i]}
			for _, other := range inside[i+1:] {
				clash := func(name string) bool { return !t.clashes(name, other) }
				if len(crowd) <= len(nodes) && !slices.ContainsFunc(crowd, clash) {
					crowd = append(crowd, other)
				}
			}
			if key := joinNames(crowd); len(crowd) > len(nodes) && !told[key] {
				told[key] = true
				p.Fault(p.places.services[crowd[0]],
					"services %s may run on %s only, and no two of them on one node: they could never all run", key,
					joinNames(nodes))
				break
			}
		}
	}
}

// sets are the sets of nodes that restricted domains allow, the smallest first, and
// what two of them allow together.
func (t placing) sets() [][]string {
	var sets [][]string
	add := func(set []string) {
		slices.Sort(set)
		set = slices.Compact(set)
		if len(sets) < mostSets && !slices.ContainsFunc(sets, func(other []string) bool { return slices.Equal(set, other) }) {
			sets = append(sets, set)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.allowed)) {
		add(slices.Clone(t.allowed[name]))
	}
	for i, single := 0, len(sets); i < single; i++ {
		for j := i + 1; j < single; j++ {
			add(slices.Concat(sets[i], sets[j]))
		}
	}
	slices.SortStableFunc(sets, func(a, b []string) int { return len(a) - len(b) })
	return sets
}

// joinNames writes names as a sentence has them.
func joinNames(names []string) string {
	text := ""
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " and "
		default:
			text += ", "
		}
		text += name
	}
	return text
}
