package placing

import "slices"

const (
	// mostSteps bounds a search for crowds: so many comparisons of two groups, a fraction of a second
	// on a slow host. Documents that people write take some thousands of them.
	mostSteps = 5_000_000
	// mostStepsFrom bounds what is spent on crowds with one and the same first group, so that a
	// thicket does not hide what stands beside it.
	mostStepsFrom = 200_000
	// mostStepsMore is what is left of that after a crowd of nodes that were told already.
	mostStepsMore = 2000
)

// Crowd are groups of services of which no two may share a node.
type Crowd struct {
	// Groups are the services of each that make it a crowd, those that run together in one.
	Groups [][]string
	// Nodes are all those that they may have.
	Nodes []string
	// Anywhere says that some of them may run anywhere: Nodes are all that are declared.
	Anywhere bool
}

// TooMany returns crowds that are larger than the number of their nodes, smallest first, and each
// service in no more than one. whole is false when the search ended at its bound.
func (r *Rules) TooMany() (crowds []Crowd, whole bool) {
	h := r.hunt(0)
	h.run()
	return h.crowds, !h.cut
}

// JustEnough returns crowds that need every node they may have, one for each set of nodes.
func (r *Rules) JustEnough() []Crowd {
	h := r.hunt(1)
	h.run()
	return h.crowds
}

// hunt is a search for crowds, by their size.
type hunt struct {
	rules *Rules
	// apart are, for each group, those that it is kept apart from; alone are those that clash with
	// every other, and stand in no such list.
	apart [][]int
	alone []int
	// spare is 0 where there are to be fewer nodes than groups, 1 where there are to be as many.
	spare, size int
	// alive are the groups that may still be in a crowd, gone those that were told.
	alive []int
	gone  []bool
	told  []set
	// steps is what may be spent, from what may be spent with the present first group; cut says that
	// this was not enough.
	steps, from int
	cut         bool
	crowds      []Crowd
}

func (r *Rules) hunt(spare int) *hunt {
	h := &hunt{rules: r, apart: make([][]int, len(r.groups)), spare: spare, gone: make([]bool, len(r.groups)),
		steps: mostSteps}
	for i := range r.groups {
		if r.groups[i].exclusive {
			h.alone = append(h.alone, i)
		}
		// A group without a node is a contradiction of its own. Where no node is declared, nothing
		// is known of services that may run anywhere.
		if r.groups[i].nodes.size() > 0 {
			h.alive = append(h.alive, i)
		}
	}
	for i := range r.services {
		one := r.services[i].group
		for _, j := range r.services[i].apart {
			other := r.services[j].group
			if one != other && !r.groups[one].exclusive && !r.groups[other].exclusive {
				h.apart[one] = append(h.apart[one], other)
			}
		}
	}
	for i := range h.apart {
		slices.Sort(h.apart[i])
		h.apart[i] = slices.Compact(h.apart[i])
	}
	return h
}

func (h *hunt) run() {
	rank := h.rank()
	for h.size = 2; h.limit() <= len(h.rules.nodes) && h.steps > 0; h.size++ {
		h.alive = slices.DeleteFunc(h.alive, func(i int) bool { return h.gone[i] || rank[i] < h.size })
		if len(h.alive) < h.size {
			break // nor is there a larger one
		}
		h.level(slices.DeleteFunc(slices.Clone(h.alive), func(i int) bool {
			return h.rules.groups[i].nodes.size() > h.limit()
		}))
	}
	h.cut = h.cut || h.steps <= 0
}

// level looks for crowds of the present size among the groups that have no more nodes than that.
func (h *hunt) level(pool []int) {
	for ; len(pool) >= h.size && h.steps > 0 && len(h.crowds) < mostTold; pool = pool[1:] {
		first := pool[0]
		h.from = mostStepsFrom
		if list := h.with(first, pool[1:]); !h.gone[first] && len(list) >= h.size-1 {
			h.grow([]int{first}, h.rules.groups[first].nodes, list)
		}
	}
}

// limit is how many nodes a crowd of the present size may have.
func (h *hunt) limit() int { return h.size - 1 + h.spare }

// spend counts comparisons, and reports whether there may be more.
func (h *hunt) spend(steps int) bool {
	h.steps -= steps
	h.from -= steps
	h.cut = h.cut || h.from <= 0
	return h.steps > 0 && h.from > 0
}

// grow completes a crowd with groups of a list, and reports whether its first group has been dealt
// with. nodes are those the crowd has so far.
func (h *hunt) grow(crowd []int, nodes set, list []int) bool {
	if len(crowd) == h.size {
		return h.found(crowd, nodes)
	}
	for i, next := range list {
		switch {
		case len(crowd)+len(list)-i < h.size || !h.spend(1):
			return h.from <= 0 || h.steps <= 0
		case i == 1 && !h.colours(list[i:], h.size-len(crowd)):
			// Only what the shortest way did not find is worth this look ahead.
			return false
		case nodes.sizeWith(h.rules.groups[next].nodes) > h.limit():
			continue
		}
		if h.grow(append(crowd, next), nodes.or(h.rules.groups[next].nodes), h.with(next, list[i+1:])) {
			return true
		}
	}
	return false
}

// found keeps a crowd, and reports whether the search goes on with another first group.
func (h *hunt) found(crowd []int, nodes set) bool {
	if h.spare > 0 {
		same := func(other set) bool { return slices.Equal(other, nodes) }
		if nodes.size() != h.size || slices.ContainsFunc(h.told, same) {
			h.from = min(h.from, mostStepsMore) // what follows is mostly more of the same
			return false
		}
		h.told = append(h.told, nodes)
		h.crowds = append(h.crowds, h.rules.crowd(crowd, h.limit(), true))
		return len(h.crowds) == mostTold
	}
	for _, i := range crowd {
		h.gone[i] = true
	}
	h.crowds = append(h.crowds, h.rules.crowd(crowd, h.limit(), false))
	return true
}

// clash reports whether two groups may not share a node.
func (h *hunt) clash(one, other int) bool {
	_, apart := slices.BinarySearch(h.apart[one], other)
	return apart || h.rules.groups[one].exclusive || h.rules.groups[other].exclusive
}

// with are those of a sorted list that clash with a group.
func (h *hunt) with(one int, list []int) []int {
	near := list
	if few := slices.Concat(h.apart[one], h.alone); !h.rules.groups[one].exclusive && len(few) < len(list)/8 {
		slices.Sort(few)
		near = few
	}
	h.spend(len(near))
	var some []int
	for _, other := range near {
		if _, listed := slices.BinarySearch(list, other); listed && !h.gone[other] && h.clash(one, other) {
			some = append(some, other)
		}
	}
	return some
}

// colours reports whether so many groups of a list could all clash with each other: they cannot
// where fewer colours are enough to give no two that clash the same one.
func (h *hunt) colours(list []int, least int) bool {
	colour, most := map[int]int{}, 0
	for _, one := range list {
		if h.rules.groups[one].exclusive {
			least-- // it has a colour of its own
			continue
		}
		taken := map[int]bool{}
		for _, other := range h.apart[one] {
			if c, has := colour[other]; has {
				taken[c] = true
			}
		}
		for colour[one] = 0; taken[colour[one]]; {
			colour[one]++
		}
		most = max(most, colour[one]+1)
		if !h.spend(1 + len(h.apart[one])) {
			return true
		}
	}
	return most >= least
}

// rank says of each group in how large a crowd it could be at most: it would have to clash with so
// many others that clash with as many themselves. (Those that are alone are in all of them.)
func (h *hunt) rank() []int {
	degree, byDegree, most := make([]int, len(h.apart)), map[int][]int{}, 0
	for i, apart := range h.apart {
		degree[i] = len(apart)
		byDegree[len(apart)] = append(byDegree[len(apart)], i)
		most = max(most, len(apart))
		h.steps -= 1 + len(apart)
	}
	rank, done := make([]int, len(h.apart)), make([]bool, len(h.apart))
	for least, core := 0, 0; least <= most; {
		if len(byDegree[least]) == 0 {
			least++
			continue
		}
		list := byDegree[least]
		i := list[len(list)-1]
		byDegree[least] = list[:len(list)-1]
		if done[i] || degree[i] != least {
			continue // it stands in another list by now
		}
		core = max(core, least)
		done[i], rank[i] = true, core+len(h.alone)+1
		for _, other := range h.apart[i] {
			if !done[other] {
				degree[other]--
				byDegree[degree[other]] = append(byDegree[degree[other]], other)
				least = min(least, degree[other])
			}
		}
	}
	for _, i := range h.alone {
		rank[i] = len(h.apart)
	}
	return rank
}
