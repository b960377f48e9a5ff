package placing

import (
	"maps"
	"slices"
)

// Service is what is declared of one service.
type Service struct {
	// Nodes are those of its restricted domain; nil where it may run anywhere.
	Nodes []string
	// Together and Apart hold in both directions, whoever says so.
	Together, Apart []string
	// Exclusive shares its node with nobody.
	Exclusive bool
}

// Rules are a document's rules, ready to be asked. Services are numbered by name.
type Rules struct {
	names    []string
	services []service
	groups   []group
	nodes    []string
	// anywhere are the nodes that are declared.
	anywhere set
}

// service is a Service with numbers for names.
type service struct {
	group           int
	together, apart []int
	restricted      bool
	exclusive       bool
	nodes           set
}

// group is what runs together, and so needs a node that all of it may have.
type group struct {
	members    []int
	restricted bool
	exclusive  bool
	nodes      set
}

// New takes the declared nodes and services in. Names that are not declared are left out: they
// are faults of their own.
func New(nodes []string, services map[string]Service) *Rules {
	r := &Rules{names: slices.Sorted(maps.Keys(services)), nodes: slices.Clone(nodes)}
	for _, s := range services {
		r.nodes = append(r.nodes, s.Nodes...)
	}
	slices.Sort(r.nodes)
	r.nodes = slices.Compact(r.nodes)
	r.anywhere = r.setOf(nodes)
	number := make(map[string]int, len(r.names))
	for i, name := range r.names {
		number[name] = i
	}
	r.services = make([]service, len(r.names))
	for i, name := range r.names {
		declared, s := services[name], &r.services[i]
		s.exclusive, s.restricted, s.nodes = declared.Exclusive, declared.Nodes != nil, r.anywhere
		if s.restricted {
			s.nodes = r.setOf(declared.Nodes)
		}
		r.link(i, declared.Together, number, func(s *service) *[]int { return &s.together })
		r.link(i, declared.Apart, number, func(s *service) *[]int { return &s.apart })
	}
	for i := range r.services {
		s := &r.services[i]
		slices.Sort(s.together)
		slices.Sort(s.apart)
		s.together, s.apart = slices.Compact(s.together), slices.Compact(s.apart)
	}
	r.gather()
	return r
}

// link enters a rule at both of its services.
func (r *Rules) link(one int, names []string, number map[string]int, list func(*service) *[]int) {
	for _, name := range names {
		other, declared := number[name]
		if !declared || other == one {
			continue
		}
		here, there := list(&r.services[one]), list(&r.services[other])
		*here, *there = append(*here, other), append(*there, one)
	}
}

// gather finds the groups. Each member has its group's nodes: what one of them may not have, none
// of them can use.
func (r *Rules) gather() {
	for i := range r.services {
		r.services[i].group = -1
	}
	for i := range r.services {
		if r.services[i].group >= 0 {
			continue
		}
		g := group{members: []int{i}, nodes: r.anywhere}
		r.services[i].group = len(r.groups)
		for at := 0; at < len(g.members); at++ {
			s := &r.services[g.members[at]]
			g.exclusive = g.exclusive || s.exclusive
			switch {
			case s.restricted && g.restricted:
				g.nodes = g.nodes.and(s.nodes)
			case s.restricted:
				g.nodes, g.restricted = s.nodes, true
			}
			for _, other := range s.together {
				if r.services[other].group < 0 {
					r.services[other].group = len(r.groups)
					g.members = append(g.members, other)
				}
			}
		}
		slices.Sort(g.members)
		r.groups = append(r.groups, g)
	}
}

// Bound are the services with restricted domains of one group, and the nodes that all of these
// allow.
type Bound struct {
	Services, Nodes []string
}

// Bound returns those of each group in which there are several.
func (r *Rules) Bound() []Bound {
	var all []Bound
	for _, g := range r.groups {
		bound := slices.DeleteFunc(slices.Clone(g.members), func(i int) bool { return !r.services[i].restricted })
		if len(bound) > 1 {
			all = append(all, Bound{Services: r.named(bound), Nodes: r.namesOf(g.nodes)})
		}
	}
	return all
}

// Parted are two services that shall be apart and run together by way of others.
type Parted struct {
	One, Other string
	// By are the services in between, the fewest there are.
	By []string
}

// Parted returns all such pairs; mostTold at most.
func (r *Rules) Parted() []Parted {
	var found []Parted
	for one := range r.services {
		for _, other := range r.services[one].apart {
			if other < one || r.services[one].group != r.services[other].group ||
				slices.Contains(r.services[one].together, other) {
				continue
			}
			if len(found) == mostTold {
				return found
			}
			way := r.way(one, other)
			found = append(found, Parted{One: r.names[one], Other: r.names[other], By: r.named(way)})
		}
	}
	return found
}

// way is the shortest chain between two services of a group, without its ends.
func (r *Rules) way(from, to int) []int {
	came := make([]int, len(r.services))
	for i := range came {
		came[i] = -1
	}
	came[from] = from
	for queue := []int{from}; len(queue) > 0 && came[to] < 0; queue = queue[1:] {
		for _, next := range r.services[queue[0]].together {
			if came[next] < 0 {
				came[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	var way []int
	for at := came[to]; at != from; at = came[at] {
		way = append(way, at)
	}
	slices.Reverse(way)
	return way
}

func (r *Rules) named(numbers []int) []string {
	names := make([]string, 0, len(numbers))
	for _, i := range numbers {
		names = append(names, r.names[i])
	}
	return names
}
