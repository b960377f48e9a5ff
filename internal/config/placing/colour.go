package placing

import "slices"

const (
	// mostColoured is how many groups are looked at together, of those that could not all be placed
	// one after the other.
	mostColoured = 64
	// mostWork bounds the whole search for a document, in numbers and sets of nodes that are looked
	// at: a fraction of a second on a slow host.
	mostWork = 40_000_000
	// mostWorkAt is what of that is spent on the places of services that hang together, so that a
	// riddle does not hide what stands beside it.
	mostWorkAt = 4_000_000
	// mostPeeled bounds how often all groups are looked through for those that always find a node.
	mostPeeled = 100
	// mostTurned is how often a contradiction is made smaller from another end.
	mostTurned = 16
)

// Squeezed returns services that could not all be placed although there are nodes enough for each
// crowd of them: five in a ring, each kept apart from the next, have no places on two nodes. What
// lies beside a crowd that was told is left out. As far as the bound goes, none of a
// contradiction's services can be spared. whole is false when services were left out for another
// reason than that: there are too many together, their search ended at its bound, or there are
// more contradictions than are told.
func (r *Rules) Squeezed(told []Crowd) (found []Crowd, whole bool) {
	c := r.colouring()
	return c.search(told), !c.cut
}

// colouring is a search for places, of which each group's nodes are the colours.
type colouring struct {
	*hunt
	// left is what may be spent on the document, here what of that may be spent on the present
	// question; cut says that some services were not searched to the end.
	left, here int
	cut        bool
}

func (r *Rules) colouring() *colouring {
	return &colouring{hunt: r.hunt(0), left: mostWork, here: mostWork}
}

// charge is asked before any work is done, and reports whether it may be: what is left is never
// exceeded.
func (c *colouring) charge(work int) bool {
	if work > c.left || work > c.here {
		c.here = 0
		return false
	}
	c.left -= work
	c.here -= work
	return true
}

// search judges everything before it makes anything smaller, so that no sentence is made shorter at
// the price of another that is not told.
func (c *colouring) search(told []Crowd) (found []Crowd) {
	r, named := c.rules, map[string]bool{}
	for _, one := range told {
		for _, name := range slices.Concat(one.Groups...) {
			named[name] = true
		}
	}
	var rings [][]int
	for _, component := range c.components(c.kernel()) {
		var all []int
		for _, g := range component {
			all = append(all, r.groups[g].members...)
		}
		if slices.ContainsFunc(all, func(i int) bool { return named[r.names[i]] }) {
			continue
		}
		if len(component) > mostColoured || len(rings) == mostTold {
			c.cut = true
			continue
		}
		slices.Sort(all)
		c.here = mostWorkAt
		squeezed, whole := c.squeezed(all)
		c.cut = c.cut || !whole
		if squeezed {
			rings = append(rings, all)
		}
	}
	for i, all := range rings {
		c.here = c.left / (len(rings) - i)
		found = append(found, r.crowdOf(c.smallest(all)))
	}
	return found
}

// kernel are the groups for which it matters where the others are: any other has more nodes than
// there are groups that it must not meet, so that one is left whatever becomes of these. Where
// the bound ends the peeling, some are looked at that need not be.
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
			if !c.charge(1 + len(c.apart[g])) {
				break
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

// components parts groups by who must not meet whom. One that is alone on its node must meet none
// of the others, so that all hang together.
func (c *colouring) components(groups []int) [][]int {
	if slices.ContainsFunc(groups, func(g int) bool { return c.rules.groups[g].exclusive }) {
		return [][]int{groups}
	}
	var components [][]int
	fresh := make([]bool, len(c.apart))
	for _, g := range groups {
		fresh[g] = true
	}
	for _, first := range groups {
		if !fresh[first] {
			continue
		}
		fresh[first] = false
		component := []int{first}
		for at := 0; at < len(component); at++ {
			for _, other := range c.apart[component[at]] {
				if fresh[other] {
					fresh[other] = false
					component = append(component, other)
				}
			}
		}
		components = append(components, component)
	}
	return components
}

// squeezed reports whether some services are known to have no places together, by the rules
// between these alone. whole is false when that was not found out.
func (c *colouring) squeezed(some []int) (squeezed, whole bool) {
	r := c.rules
	work, words := len(r.services), len(r.anywhere)
	for _, i := range some {
		work += 2 + words + len(r.services[i].together) + len(r.services[i].apart)
	}
	if !c.charge(work) {
		return false, false
	}
	parts := r.parts(some)
	meets, known := c.meetings(parts)
	if !known || !c.charge(len(parts)*words) {
		return false, false
	}
	free := make([]set, len(parts))
	for i := range parts {
		free[i] = r.reach(parts[i : i+1])
	}
	free, meets = knot(free, meets)
	if len(free) > mostColoured {
		return false, false
	}
	placed, whole := c.place(free, meets, make([]bool, len(free)))
	return whole && !placed, whole
}

// meetings are, for each of some parts, those that it must not meet.
func (c *colouring) meetings(parts [][]int) (meets [][]int, known bool) {
	services := c.rules.services
	at, alone := make([]int, len(services)), make([]bool, len(parts))
	for p, part := range parts {
		for _, i := range part {
			at[i] = p + 1
			alone[p] = alone[p] || services[i].exclusive
		}
	}
	meets = make([][]int, len(parts))
	for p, part := range parts {
		for _, i := range part {
			for _, j := range services[i].apart {
				if q := at[j] - 1; q >= 0 && q != p {
					meets[p] = append(meets[p], q)
				}
			}
		}
		if !alone[p] {
			continue
		}
		if !c.charge(len(parts)) {
			return nil, false
		}
		for q := range parts {
			if q != p {
				meets[p], meets[q] = append(meets[p], q), append(meets[q], p)
			}
		}
	}
	for p := range meets {
		slices.Sort(meets[p])
		meets[p] = slices.Compact(meets[p])
	}
	return meets, true
}

// knot leaves out, one after the other, what always finds a node: it has more than there are
// others that it must not meet.
func knot(free []set, meets [][]int) ([]set, [][]int) {
	degree, out := make([]int, len(free)), make([]bool, len(free))
	var loose []int
	check := func(i int) {
		if !out[i] && degree[i] < free[i].size() {
			out[i] = true
			loose = append(loose, i)
		}
	}
	for i := range free {
		degree[i] = len(meets[i])
		check(i)
	}
	for ; len(loose) > 0; loose = loose[1:] {
		for _, other := range meets[loose[0]] {
			degree[other]--
			check(other)
		}
	}
	var tied []set
	number := make([]int, len(free))
	for i := range free {
		if number[i] = len(tied); !out[i] {
			tied = append(tied, free[i])
		}
	}
	var knots [][]int
	for i := range free {
		if out[i] {
			continue
		}
		var others []int
		for _, other := range meets[i] {
			if !out[other] {
				others = append(others, number[other])
			}
		}
		knots = append(knots, others)
	}
	return tied, knots
}

// place gives a node to the group that has the fewest left, and then to the others. whole is false
// when the search ended at its bound.
func (c *colouring) place(free []set, meets [][]int, done []bool) (placed, whole bool) {
	words := len(c.rules.anywhere)
	if !c.charge(len(free)*words + len(c.rules.nodes)) {
		return false, false
	}
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
		if !c.charge(len(free) + len(meets[next])*words) {
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
// depends on where one begins. All of them share what may be spent.
func (c *colouring) smallest(all []int) []int {
	best, left := all, mostTried
	holds := func(some []int) bool {
		squeezed, _ := c.squeezed(some)
		return squeezed
	}
	for turn := range min(len(all), mostTurned) {
		at := turn * len(all) / min(len(all), mostTurned)
		if some := minimal(slices.Concat(all[at:], all[:at]), &left, holds); len(some) < len(best) {
			best = some
		}
	}
	slices.Sort(best)
	return best
}
