package cluster

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAnExplanationHasTheReasonsOfThePlan: of States of any history and Views of any leader.
func TestAnExplanationHasTheReasonsOfThePlan(t *testing.T) {
	base := newBook(t, 3, "vm:a", "vm:b")
	base.running("vm:b", "node2")
	rapid.Check(t, func(t *rapid.T) {
		s := anyHistory(t, base.s)
		v := anyView(t, s)
		decision := Plan(s, v)
		for _, name := range s.Services.Keys() {
			e, err := Explain(s, v, name)
			notes := slices.DeleteFunc(slices.Clone(decision.Notes), func(n Note) bool { return n.Subject != name })
			if err != nil || !slices.Equal(e.Waits, notes) {
				t.Fatalf("of %s the plan says %+v, the explanation %+v (%v)", name, notes, e.Waits, err)
			}
		}
	})
}

// anyView is what a leader may have measured of a State.
func anyView(t *rapid.T, s *State) View {
	upTo := func(what string, most time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, what))
	}
	v := View{Self: "node1", Leading: true, Led: upTo("led", settlingTime), Contacts: map[string]Contactwatch{},
		Stuck: map[string]time.Duration{}}
	v = v.On(s, 0)
	v.Quiet = upTo("quiet", time.Hour)
	for _, name := range s.Nodes.Keys() {
		n, _ := s.Nodes.Get(name)
		v.Contacts[name] = Contactwatch{Heard: rapid.Bool().Draw(t, "heard"), Incarnation: n.Incarnation,
			Silence: upTo("silence", 2*time.Second)}
	}
	for _, name := range s.Services.Keys() {
		v.Stuck[name] = upTo("stuck", time.Minute)
	}
	return v
}
