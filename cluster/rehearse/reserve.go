package rehearse

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
)

// MostLost is how many hosts may be asked about at most: the sets of more are too many to try.
const MostLost = 3

// Reserve says how many hosts may be lost at once, up to most, by trying every set of them with
// WhatIf. Votes reports whether those who vote are enough without some hosts. More reports whether
// there is time for another set; what is not tried is never claimed.
func Reserve(s *cluster.State, v cluster.View, most int, votes func(lost []string) bool, more func() bool,
) cluster.Reserve {
	out := cluster.Reserve{Asked: most}
	var hosts []string
	for _, n := range s.Nodes.Rows() {
		if n.Reachable() {
			hosts = append(hosts, n.Name)
		}
	}
	for out.Hosts < min(most, len(hosts)) {
		whole := sets(hosts, out.Hosts+1, func(lost []string) bool {
			if out.Bounded = !more(); out.Bounded {
				return false
			}
			out.Sets++
			out.Minority = !votes(lost)
			if out.Short = shortWithout(s, v, lost); len(out.Short) > 0 || out.Minority {
				out.Lost = slices.Clone(lost)
				return false
			}
			return true
		})
		if !whole {
			break
		}
		out.Hosts++
	}
	return out
}

// shortWithout are the services that would not come up without some hosts.
func shortWithout(s *cluster.State, v cluster.View, lost []string) (short []cluster.WhatIfStep) {
	what, err := WhatIf(s, v, lost, "")
	if err != nil { // nobody would be left: what runs is short of everything
		for _, name := range s.Services.Keys() {
			if service, _ := s.Services.Get(name); service.Owner != "" {
				short = append(short, cluster.WhatIfStep{Service: name, From: service.Owner, Method: cluster.MethodStays})
			}
		}
		return short
	}
	for _, step := range what.Steps {
		if step.Method == cluster.MethodStays {
			short = append(short, step)
		}
	}
	return short
}

// sets visits every choice of so many names, in their order, until visit does not want more; it
// reports whether it visited all.
func sets(names []string, size int, visit func([]string) bool) bool {
	var choose func(chosen []string, from int) bool
	choose = func(chosen []string, from int) bool {
		if len(chosen) == size {
			return visit(chosen)
		}
		for i := from; i <= len(names)-(size-len(chosen)); i++ {
			if !choose(append(chosen, names[i]), i+1) {
				return false
			}
		}
		return true
	}
	return choose(make([]string, 0, size), 0)
}
