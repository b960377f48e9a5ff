package placing

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// nodesCalled are n1, n2 and so on.
func nodesCalled(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%d", i+1))
	}
	return names
}

func groupsOf(crowds []Crowd) (groups [][][]string) {
	for _, c := range crowds {
		groups = append(groups, c.Groups)
	}
	return groups
}

func TestTooMany(t *testing.T) {
	one, pair := []string{"n1"}, []string{"n1", "n2"}
	for name, c := range map[string]struct {
		services map[string]Service
		want     [][][]string
	}{
		"more than are declared": {map[string]Service{"a": {Apart: []string{"b", "c", "d"}},
			"b": {Apart: []string{"c", "d"}}, "c": {Apart: []string{"d"}}, "d": {}},
			[][][]string{{{"a"}, {"b"}, {"c"}, {"d"}}}},
		"as many as are declared": {map[string]Service{"a": {Apart: []string{"b", "c"}}, "b": {Apart: []string{"c"}},
			"c": {}}, nil},
		"where the first that fits leads nowhere": {map[string]Service{"a": {Nodes: pair, Apart: []string{"b", "c", "d"}},
			"b": {Nodes: pair}, "c": {Nodes: pair, Apart: []string{"d"}}, "d": {Nodes: pair}},
			[][][]string{{{"a"}, {"c"}, {"d"}}}},
		"where the first that fits leads in a ring": {map[string]Service{
			"a": {Nodes: pair, Apart: []string{"b", "c", "d", "f"}}, "b": {Nodes: pair, Apart: []string{"e"}},
			"c": {Nodes: pair, Apart: []string{"d"}}, "d": {Nodes: pair}, "e": {Nodes: pair, Apart: []string{"f"}},
			"f": {Nodes: pair}}, [][][]string{{{"a"}, {"c"}, {"d"}}}},
		"by way of who it runs together with": {map[string]Service{"a": {Nodes: one, Together: []string{"b"}},
			"b": {}, "c": {Nodes: one, Apart: []string{"b"}}}, [][][]string{{{"a", "b"}, {"c"}}}},
		"only the members that matter": {map[string]Service{"a": {Nodes: one, Together: []string{"b", "x", "y"}},
			"b": {}, "x": {}, "y": {Nodes: pair}, "c": {Nodes: one, Apart: []string{"b"}}},
			[][][]string{{{"a", "b"}, {"c"}}}},
		"the smaller of two": {map[string]Service{"a": {Apart: []string{"b", "c", "d"}}, "b": {Apart: []string{"c", "d"}},
			"c": {Nodes: one, Apart: []string{"d"}}, "d": {Nodes: one}}, [][][]string{{{"c"}, {"d"}}}},
		"exclusive ones and another": {map[string]Service{"a": {Exclusive: true}, "b": {Exclusive: true},
			"c": {Exclusive: true}, "d": {}}, [][][]string{{{"a"}, {"b"}, {"c"}, {"d"}}}},
	} {
		crowds, whole := New(nodesCalled(3), c.services).TooMany()
		if got := groupsOf(crowds); !reflect.DeepEqual(got, c.want) || !whole {
			t.Errorf("%s: %v, whole: %v", name, got, whole)
		}
	}
	services := map[string]Service{"a": {Apart: []string{"b"}}, "b": {}}
	if crowds, _ := New(nil, services).TooMany(); crowds != nil {
		t.Errorf("without declared nodes: %v", crowds)
	}
}

// Deletion alone would keep a, b and c: without any of them there is a node.
func TestTheFewestDomainsWithoutACommonNode(t *testing.T) {
	rules := New(nodesCalled(3), map[string]Service{
		"a": {Nodes: []string{"n1", "n2"}, Together: []string{"b", "c", "m", "z"}}, "b": {Nodes: []string{"n2", "n3"}},
		"c": {Nodes: []string{"n1", "n3"}}, "m": {Nodes: []string{"n1"}}, "z": {Nodes: []string{"n2"}}})
	if got := rules.Disjoint(); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("%v", got)
	}
}

// random are few services on few nodes with many rules.
func random(r *rand.Rand) (nodes []string, services map[string]Service) {
	nodes, services = nodesCalled(1+r.IntN(4)), map[string]Service{}
	names := []string{"a", "b", "c", "d", "e", "f", "g"}[:2+r.IntN(6)]
	some := func(all []string, share float64) (list []string) {
		for _, one := range all {
			if r.Float64() < share {
				list = append(list, one)
			}
		}
		return list
	}
	density := 0.1 + 0.6*r.Float64()
	for i, name := range names {
		s := Service{Apart: some(names[i+1:], density), Together: some(names[i+1:], 0.06), Exclusive: r.IntN(12) == 0}
		if domain := some(nodes, 0.6); len(domain) > 0 && r.IntN(2) == 0 {
			s.Nodes = domain
		}
		services[name] = s
	}
	return nodes, services
}

// satisfiable tries every node for every service that is named.
func (r *Rules) satisfiable(some []int) bool {
	on := map[int]int{}
	var place func(at int) bool
	place = func(at int) bool {
		if at == len(some) {
			return true
		}
		s := r.services[some[at]]
		for node := range r.nodes {
			fits := s.nodes.has(node)
			for other, there := range on {
				clash := slices.Contains(s.apart, other) || s.exclusive || r.services[other].exclusive
				together := slices.Contains(s.together, other)
				fits = fits && !(clash && there == node) && !(together && there != node)
			}
			if !fits {
				continue
			}
			on[some[at]] = node
			if place(at + 1) {
				return true
			}
			delete(on, some[at])
		}
		return false
	}
	return place(0)
}

// smallest is the number of groups of the smallest crowd that is larger than the number of its
// nodes, by trying all; 0 if there is none.
func (r *Rules) smallest() int {
	best := 0
	for mask := range 1 << len(r.groups) {
		if mask == 0 {
			continue
		}
		var some []int
		nodes, one := r.setOf(nil), false
		for g := range r.groups {
			if mask&(1<<g) != 0 {
				some = append(some, r.groups[g].members...)
				nodes, one = nodes.or(r.groups[g].nodes), one || r.groups[g].nodes.size() == 0
			}
		}
		size := bits.OnesCount(uint(mask))
		if !one && size > nodes.size() && r.clashing(r.parts(some)) && (best == 0 || size < best) {
			best = size
		}
	}
	return best
}

func (r *Rules) numbers(names []string) (list []int) {
	for _, name := range names {
		i, _ := slices.BinarySearch(r.names, name)
		list = append(list, i)
	}
	return list
}

// What is told is true, needs all that it names, and is the smallest crowd there is.
func TestWhatIsToldOfRandomRules(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(3000) {
		nodes, services := random(rand.New(rand.NewPCG(seed, 1)))
		rules := New(nodes, services)
		crowds, whole := rules.TooMany()
		for _, c := range crowds {
			kinds["a crowd"]++
			checkCrowd(t, seed, rules, c)
		}
		// Of a group that is parted a piece may do, so that fewer groups are told.
		smallest := 0
		if len(crowds) > 0 {
			smallest = len(crowds[0].Groups)
		}
		if want := rules.smallest(); !whole || smallest != want && (len(rules.Parted()) == 0 || smallest == 0) {
			t.Errorf("seed %d: the smallest crowd told has %d groups, there is one of %d", seed, smallest, want)
		}
		for _, pair := range rules.Parted() {
			kinds["a parted pair"]++
			if all := append([]string{pair.One, pair.Other}, pair.By...); rules.satisfiable(rules.numbers(all)) {
				t.Errorf("seed %d: %v are parted, and could all run", seed, all)
			}
		}
		checkOthers(t, seed, rules, kinds)
		checkSqueezed(t, seed, rules, crowds, kinds)
	}
	for kind, least := range map[string]int{"a crowd": 30, "a parted pair": 30, "disjoint": 30, "just enough": 30,
		"squeezed": 10} {
		if kinds[kind] < least {
			t.Errorf("%s was met %d times only", kind, kinds[kind])
		}
	}
}

// checkCrowd: the services of a crowd cannot all run, and without any of them it is none.
func checkCrowd(t *testing.T, seed uint64, rules *Rules, c Crowd) {
	names := slices.Concat(c.Groups...)
	if rules.satisfiable(rules.numbers(names)) {
		t.Errorf("seed %d: %v are a crowd, and could all run", seed, c.Groups)
	}
	for i := range names {
		rest := rules.parts(rules.numbers(slices.Delete(slices.Clone(names), i, i+1)))
		if len(rest) > rules.reach(rest).size() && rules.clashing(rest) {
			t.Errorf("seed %d: %v does not need %s", seed, c.Groups, names[i])
		}
	}
}

func checkOthers(t *testing.T, seed uint64, rules *Rules, kinds map[string]int) {
	for _, names := range rules.Disjoint() {
		kinds["disjoint"]++
		left := rules.setOf(rules.nodes)
		for _, i := range rules.numbers(names) {
			left = left.and(rules.services[i].nodes)
		}
		if left.size() > 0 {
			t.Errorf("seed %d: %v have a node in common", seed, names)
		}
	}
	for _, c := range rules.JustEnough() {
		kinds["just enough"]++
		parts := rules.parts(rules.numbers(slices.Concat(c.Groups...)))
		if len(parts) != len(c.Nodes) || !slices.Equal(rules.namesOf(rules.reach(parts)), c.Nodes) ||
			!rules.clashing(parts) {
			t.Errorf("seed %d: %v do not need all of %v", seed, c.Groups, c.Nodes)
		}
	}
}

// However rules are woven, the search ends, and a crowd that the eye sees is found all the same.
func TestTheSearchIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	thicket := map[string]Service{}
	name := func(kind string, i int) string { return fmt.Sprintf("%s%05d", kind, i) }
	for i := range 3000 {
		s := Service{}
		for range 64 {
			s.Apart = append(s.Apart, name("s", i/200*200+r.IntN(200)))
		}
		thicket[name("s", i)] = s
	}
	plain := map[string]Service{}
	for i := range 9999 {
		plain[name("s", i)] = Service{Apart: []string{name("s", i^1)}}
	}
	plain["x"] = Service{Exclusive: true}
	large := map[string]Service{}
	for i := range 257 {
		large[name("s", i)] = Service{Exclusive: true}
	}
	for what, c := range map[string]struct {
		nodes    int
		services map[string]Service
		size     int
		whole    bool
	}{
		"a thicket":         {14, thicket, 0, false},
		"pairs":             {3, plain, 0, true},
		"pairs on two":      {2, plain, 3, true},
		"as large as it is": {256, large, 257, true},
	} {
		rules := New(nodesCalled(c.nodes), c.services)
		h := rules.hunt(0)
		h.run()
		t.Logf("figure: rules=%q steps=%d", what, mostSteps-h.steps)
		if h.steps < -mostSteps {
			t.Errorf("%s: %d steps", what, mostSteps-h.steps)
		}
		size := 0
		if len(h.crowds) > 0 {
			size = len(h.crowds[0].Groups)
		}
		if h.cut == c.whole || size != c.size {
			t.Errorf("%s: a crowd of %d, cut: %v", what, size, h.cut)
		}
		rules.JustEnough()
	}
}

// checkSqueezed: what is told is true and needs all that it names, and what has no places at all is
// told in one way or another.
func checkSqueezed(t *testing.T, seed uint64, rules *Rules, crowds []Crowd, kinds map[string]int) {
	rings, whole := rules.Squeezed(crowds)
	if !whole {
		t.Errorf("seed %d: a few services were not searched to the end", seed)
	}
	for _, ring := range rings {
		kinds["squeezed"]++
		names := slices.Concat(ring.Groups...)
		if rules.satisfiable(rules.numbers(names)) {
			t.Errorf("seed %d: %v are squeezed, and could all run", seed, ring.Groups)
		}
		c := rules.colouring()
		for i := range names {
			if needless, _ := c.squeezed(rules.numbers(slices.Delete(slices.Clone(names), i, i+1))); needless {
				t.Errorf("seed %d: %v does not need %s", seed, ring.Groups, names[i])
			}
		}
	}
	all := make([]int, len(rules.names))
	for i := range all {
		all[i] = i
	}
	for _, g := range rules.groups {
		if g.exclusive && len(g.members) > 1 || g.nodes.size() == 0 {
			return // contradictions of their own
		}
	}
	for _, s := range rules.services {
		if slices.ContainsFunc(s.apart, func(other int) bool { return slices.Contains(s.together, other) }) {
			return
		}
	}
	if len(crowds)+len(rings)+len(rules.Parted()) == 0 && !rules.satisfiable(all) {
		t.Errorf("seed %d: nothing is told of rules by which not all could run", seed)
	}
}

// A ring of an odd number on two nodes has no places, one of an even number has; of two rings that
// share services the shorter one is told.
func TestRingsOnTwoNodes(t *testing.T) {
	ring := func(of int) map[string]Service {
		services := map[string]Service{}
		for i := range of {
			services[fmt.Sprintf("s%02d", i)] = Service{Apart: []string{fmt.Sprintf("s%02d", (i+1)%of)}}
		}
		return services
	}
	for _, of := range []int{4, 5, 6, 7, 20, 21} {
		want := of % 2
		got, whole := New(nodesCalled(2), ring(of)).Squeezed(nil)
		if !whole || len(got) != want || want > 0 && len(got[0].Groups) != of {
			t.Errorf("a ring of %d: %v", of, got)
		}
	}
	chord := ring(9)
	chord["s00"] = Service{Apart: []string{"s01", "s04"}}
	if got, _ := New(nodesCalled(2), chord).Squeezed(nil); len(got) != 1 || len(got[0].Groups) != 5 {
		t.Errorf("a ring of nine with one of five in it: %v", got)
	}
}
