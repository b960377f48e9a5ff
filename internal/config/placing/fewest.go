package placing

import "slices"

const (
	// mostTold bounds how many contradictions of one kind are told: as many as a reader is
	// shown faults.
	mostTold = 50
	// mostCovered bounds the search for the fewest domains without a common node.
	mostCovered = 100_000
	// mostTried bounds how many services are looked at while it is tried what a contradiction can
	// spare.
	mostTried = 2_000_000
)

// Disjoint returns, of each group that no node could run, the fewest services whose domains have
// no node in common.
func (r *Rules) Disjoint() [][]string {
	var found [][]string
	for _, g := range r.groups {
		if !g.restricted || g.nodes.size() > 0 || len(found) == mostTold {
			continue
		}
		if fewest := r.disjoint(g); len(fewest) > 1 {
			found = append(found, r.named(fewest))
		}
	}
	return found
}

func (r *Rules) disjoint(g group) []int {
	var kinds []int // a service for each domain: the others add nothing
	for _, i := range g.members {
		same := func(other int) bool { return slices.Equal(r.services[i].nodes, r.services[other].nodes) }
		if r.services[i].restricted && !slices.ContainsFunc(kinds, same) {
			kinds = append(kinds, i)
		}
	}
	all := r.setOf(r.nodes)
	for most, steps := 1, mostCovered; most < len(kinds) && steps > 0; most++ {
		if fewest := r.cover(kinds, all, most, &steps); fewest != nil {
			slices.Sort(fewest)
			return fewest
		}
	}
	left := mostTried
	return minimal(kinds, &left, func(some []int) bool {
		left := all
		for _, i := range some {
			left = left.and(r.services[i].nodes)
		}
		return left.size() == 0
	})
}

// cover chooses services, no more than so many, so that each node that is left is forbidden to one
// of them.
func (r *Rules) cover(kinds []int, left set, most int, steps *int) []int {
	node := left.first()
	if node < 0 {
		return []int{}
	}
	for _, i := range kinds {
		if *steps--; most == 0 || *steps < 0 {
			return nil
		}
		if r.services[i].nodes.has(node) {
			continue
		}
		if rest := r.cover(kinds, left.and(r.services[i].nodes), most-1, steps); rest != nil {
			return append(rest, i)
		}
	}
	return nil
}

// minimal leaves out of a list what a property of it does not need, larger pieces first. What
// it returns has the property, and none of it could be spared where left, which counts what is
// looked at, was enough.
func minimal(list []int, left *int, holds func([]int) bool) []int {
	for piece := (len(list) + 1) / 2; piece > 0; {
		before := len(list)
		for at := 0; at < len(list) && *left > 0; {
			rest := slices.Delete(slices.Clone(list), at, min(at+piece, len(list)))
			if *left -= len(list); len(rest) > 0 && holds(rest) {
				list = rest
			} else {
				at += piece
			}
		}
		if piece > 1 || len(list) == before {
			piece /= 2 // one that was required may be spared now, so single ones are tried again
		}
	}
	return list
}

// crowd names the fewest services of some groups that make them too many for so many nodes, or
// of which so many are just enough.
func (r *Rules) crowd(groups []int, limit int, enough bool) Crowd {
	var all []int
	for _, g := range groups {
		all = append(all, r.groups[g].members...)
	}
	if len(all) > len(groups) {
		slices.Sort(all)
		left := mostTried
		all = minimal(all, &left, func(some []int) bool {
			parts := r.parts(some)
			if enough {
				return len(parts) == len(groups) && r.reach(parts).size() == limit && r.clashing(parts)
			}
			return len(parts) > r.reach(parts).size() && r.clashing(parts)
		})
	}
	return r.crowdOf(all)
}

// crowdOf names some services by who runs together with whom, and the nodes that they may have.
func (r *Rules) crowdOf(all []int) Crowd {
	parts := r.parts(all)
	c := Crowd{Nodes: r.namesOf(r.reach(parts))}
	for _, part := range parts {
		c.Groups = append(c.Groups, r.named(part))
		restricted := func(i int) bool { return r.services[i].restricted }
		c.Anywhere = c.Anywhere || !slices.ContainsFunc(part, restricted)
	}
	slices.SortFunc(c.Groups, func(a, b []string) int { return slices.Compare(a, b) })
	return c
}

// parts are the groups of some services, by the rules between these alone.
func (r *Rules) parts(some []int) [][]int {
	fresh := make([]bool, len(r.services))
	for _, i := range some {
		fresh[i] = true
	}
	var parts [][]int
	for _, i := range some {
		if !fresh[i] {
			continue
		}
		fresh[i] = false
		part := []int{i}
		for at := 0; at < len(part); at++ {
			for _, other := range r.services[part[at]].together {
				if fresh[other] {
					fresh[other] = false
					part = append(part, other)
				}
			}
		}
		slices.Sort(part)
		parts = append(parts, part)
	}
	return parts
}

// reach are the nodes that some groups may have, each by its own domains alone.
func (r *Rules) reach(parts [][]int) set {
	all := r.setOf(nil)
	for _, part := range parts {
		nodes, restricted := r.anywhere, false
		for _, i := range part {
			s := r.services[i]
			switch {
			case s.restricted && restricted:
				nodes = nodes.and(s.nodes)
			case s.restricted:
				nodes, restricted = s.nodes, true
			}
		}
		all = all.or(nodes)
	}
	return all
}

// clashing reports whether no two of some groups may share a node.
func (r *Rules) clashing(parts [][]int) bool {
	at, exclusive, pairs := map[int]int{}, map[int]bool{}, map[[2]int]bool{}
	for p, part := range parts {
		for _, i := range part {
			at[i] = p
			exclusive[p] = exclusive[p] || r.services[i].exclusive
		}
	}
	for i, p := range at {
		for _, j := range r.services[i].apart {
			if q, inside := at[j]; inside && p < q {
				pairs[[2]int{p, q}] = true
			}
		}
	}
	for p := range parts {
		for q := p + 1; q < len(parts); q++ {
			if !pairs[[2]int{p, q}] && !exclusive[p] && !exclusive[q] {
				return false
			}
		}
	}
	return true
}
