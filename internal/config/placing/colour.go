package placing

import "slices"

const (
	// mostColoured is how many groups are looked at together, of those that could not all be placed
	// one after the other.
	mostColoured = 64
	// mostColourings bounds how often a group is tried on a node, for a whole document.
	mostColourings = 500_000
	// mostPeeled bounds how often all groups are looked through for those that always find a node.
	mostPeeled = 100
	// mostTurned is how often a contradiction is made smaller from another end.
	mostTurned = 16
)

// Squeezed returns services that could not all be placed although there are nodes enough for each
// crowd of them: five in a ring, each kept apart from the next, have no places on two nodes. What
// lies beside a crowd that was told is left out. None of a contradiction's services can be spared.
func (r *Rules) Squeezed(told []Crowd) []Crowd {
	named := map[string]bool{}
	for _, c := range told {
		for _, name := range slices.Concat(c.Groups...) {
			named[name] = true
		}
	}
	c := colouring{hunt: r.hunt(0), left: mostColourings}
	var found []Crowd
	for _, component := range c.components(c.kernel()) {
		var all []int
		for _, g := range component {
			all = append(all, r.groups[g].members...)
		}
		known := func(i int) bool { return named[r.names[i]] }
		if len(component) > mostColoured || slices.ContainsFunc(all, known) || len(found) == mostTold {
			continue
		}
		slices.Sort(all)
		if c.squeezed(all) {
			found = append(found, r.crowdOf(c.smallest(all)))
		}
	}
	return found
}

// colouring is a search for places, of which each group's nodes are the colours.
type colouring struct {
	*hunt
	left int
}

// kernel are the groups for which it matters where the others are: any other has more nodes than
// there are groups that it must not meet, so that one is left whatever becomes of these.
func (c *colouring) kernel() []int {
	inside, exclusive := map[int]bool{}, 0
	for _, g := range c.alive {
		inside[g] = true
		if c.rules.groups[g].exclusive {
			exclusive++
		}
	}
	for changed, pass := true, 0; changed && pass < mostPeeled; pass++ {
		changed = false
		for _, g := range c.alive {
			if !inside[g] {
				continue
			}
			group := c.rules.groups[g]
			meets := len(inside) - 1
			if !group.exclusive {
				meets = exclusive
				for _, other := range c.apart[g] {
					if inside[other] {
						meets++
					}
				}
			}
			if meets < group.nodes.size() {
				delete(inside, g)
				changed = true
				if group.exclusive {
					exclusive--
				}
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(c.alive), func(g int) bool { return !inside[g] })
}

// components parts groups by who must not meet whom, as far as that can be searched.
func (c *colouring) components(groups []int) [][]int {
	var components [][]int
	seen := map[int]bool{}
	for _, first := range groups {
		if seen[first] {
			continue
		}
		seen[first] = true
		component := []int{first}
		for at := 0; at < len(component); at++ {
			for _, other := range c.with(component[at], groups) {
				if !seen[other] {
					seen[other] = true
					component = append(component, other)
				}
			}
		}
		components = append(components, component)
	}
	return components
}

// squeezed reports whether some services are known to have no places together, by the rules
// between these alone.
func (c *colouring) squeezed(some []int) bool {
	r := c.rules
	parts := r.parts(some)
	free, meets := make([]set, len(parts)), make([][]int, len(parts))
	for i := range parts {
		free[i] = r.reach(parts[i : i+1])
		for j := range parts {
			if i != j && r.clashing([][]int{parts[i], parts[j]}) {
				meets[i] = append(meets[i], j)
			}
		}
	}
	placed, whole := c.place(free, meets, make([]bool, len(parts)))
	return whole && !placed
}

// place gives a node to the group that has the fewest left, and then to the others. whole is false
// when the search ended at its bound.
func (c *colouring) place(free []set, meets [][]int, done []bool) (placed, whole bool) {
	next := -1
	for i := range free {
		if !done[i] && (next < 0 || free[i].size() < free[next].size()) {
			next = i
		}
	}
	if next < 0 {
		return true, true
	}
	done[next] = true
	defer func() { done[next] = false }()
	for node := range c.rules.nodes {
		if !free[next].has(node) {
			continue
		}
		if c.left--; c.left < 0 {
			return false, false
		}
		rest := slices.Clone(free)
		for _, other := range meets[next] {
			rest[other] = rest[other].without(node)
		}
		if placed, whole := c.place(rest, meets, done); placed || !whole {
			return placed, whole
		}
	}
	return false, true
}

// smallest leaves out what a contradiction does not need, from several ends, since what is left
// depends on where one begins.
func (c *colouring) smallest(all []int) []int {
	best := all
	for turn := range min(len(all), mostTurned) {
		at := turn * len(all) / min(len(all), mostTurned)
		if some := minimal(slices.Concat(all[at:], all[:at]), c.squeezed); len(some) < len(best) {
			best = some
		}
	}
	slices.Sort(best)
	return best
}
