package placing

import (
	"fmt"
	"maps"
	"testing"
)

// ringOf are services that are each kept apart from the next; nodes is nil for all.
func ringOf(prefix string, of int, nodes []string) map[string]Service {
	services := map[string]Service{}
	for i := range of {
		services[fmt.Sprintf("%s%02d", prefix, i)] = Service{Nodes: nodes,
			Apart: []string{fmt.Sprintf("%s%02d", prefix, (i+1)%of)}}
	}
	return services
}

// riddle are services without three that must not meet each other, that need more nodes than the
// turns of Mycielski's construction: to see that so many are too few takes a search without end.
func riddle(prefix string, turns int) map[string]Service {
	pairs, n := [][2]int{{0, 1}}, 2
	for range turns - 1 {
		next := pairs
		for _, p := range pairs {
			next = append(next, [2]int{p[0], n + p[1]}, [2]int{p[1], n + p[0]})
		}
		for i := range n {
			next = append(next, [2]int{n + i, 2 * n})
		}
		pairs, n = next, 2*n+1
	}
	services := map[string]Service{}
	name := func(i int) string { return fmt.Sprintf("%s%03d", prefix, i) }
	for i := range n {
		services[name(i)] = Service{}
	}
	for _, p := range pairs {
		s := services[name(p[0])]
		s.Apart = append(s.Apart, name(p[1]))
		services[name(p[0])] = s
	}
	return services
}

// What could not be searched to the end is never passed over in silence, and does not hide what
// stands beside it.
func TestARingBesideWhatIsNotSearched(t *testing.T) {
	pair := []string{"n1", "n2"}
	many := map[string]Service{}
	for i := range mostTold {
		maps.Copy(many, ringOf(fmt.Sprintf("r%02d-", i), 3+2*(i%3), pair))
	}
	more := maps.Clone(many)
	maps.Copy(more, ringOf("s", 5, pair))
	for what, c := range map[string]struct {
		services map[string]Service
		found    int
		whole    bool
	}{
		"a riddle":              {riddle("a", 5), 0, false},
		"a large one":           {riddle("a", 6), 0, false},
		"a long ring":           {ringOf("a", 67, pair), 0, false},
		"as many as are told":   {many, mostTold, true},
		"one more":              {more, mostTold, false},
		"an easy one":           {riddle("a", 3), 0, true},
		"services without rule": {map[string]Service{"a": {}, "b": {}}, 0, true},
	} {
		alone := New(nodesCalled(5), c.services)
		if rings, whole := alone.Squeezed(nil); len(rings) != c.found || whole != c.whole {
			t.Errorf("%s: %d rings, whole: %v", what, len(rings), whole)
		}
		both := maps.Clone(c.services)
		maps.Copy(both, ringOf("z", 5, pair))
		rings, whole := New(nodesCalled(5), both).Squeezed(nil)
		if want := min(c.found+1, mostTold); len(rings) != want || whole != (c.whole && c.found < mostTold) {
			t.Errorf("%s beside a ring: %d rings, whole: %v", what, len(rings), whole)
		}
	}
}

// However many services hang together, what is looked at has one bound: what is counted is counted
// before it is done, and nothing that grows with the document is done uncounted.
func TestTheSearchForRingsIsBounded(t *testing.T) {
	name := func(chain, i int) string { return fmt.Sprintf("c%02d-%03d", chain, i) }
	chains, stars, alone := map[string]Service{}, map[string]Service{}, map[string]Service{}
	const of, long = 63, 158
	for chain := range of {
		for i := range long {
			s := Service{Together: []string{name(chain, (i + 1))}}
			if i == long-1 {
				s = Service{Apart: []string{name((chain+1)%of, 0)}}
			}
			chains[name(chain, i)] = s
			s = Service{Together: []string{name(chain, 0)}}
			if i == 0 {
				s = Service{Apart: []string{name((chain+1)%of, 0)}}
			}
			stars[name(chain, i)] = s
		}
	}
	for i := range 9999 {
		alone[name(i/100, i%100)] = Service{Exclusive: true}
	}
	for what, c := range map[string]struct {
		services map[string]Service
		rings    int
	}{"chains": {chains, 1}, "stars": {stars, 1}, "alone": {alone, 0}, "a riddle": {riddle("a", 5), 1}} {
		rules := New(nodesCalled(2), c.services)
		var search *colouring
		var found []Crowd
		made := testing.AllocsPerRun(1, func() {
			search = rules.colouring()
			found = search.search(nil)
		})
		t.Logf("figure: rules=%q work=%d allocations=%.0f", what, mostWork-search.left, made)
		if search.left < 0 || made > 1_000_000 {
			t.Errorf("%s: %d steps, %.0f allocations", what, mostWork-search.left, made)
		}
		if len(found) != c.rings {
			t.Errorf("%s: %d rings", what, len(found))
		}
	}
}
