package cluster_test

import (
	"slices"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"pgregory.net/rapid"
)

// TestAnExplanationHasTheReasonsOfThePlan: of States of any history and Views of any leader.
func TestAnExplanationHasTheReasonsOfThePlan(t *testing.T) {
	base := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	base.Running("vm:b", "node2")
	rapid.Check(t, func(t *rapid.T) {
		s := anyHistory(t, base.S)
		v := anyView(t, s)
		decision := plan.Plan(s, v)
		for _, name := range s.Services.Keys() {
			e, err := plan.Explain(s, v, name)
			notes := slices.DeleteFunc(slices.Clone(decision.Notes), func(n cluster.Note) bool { return n.Subject != name })
			if err != nil || !slices.Equal(e.Waits, notes) {
				t.Fatalf("of %s the plan says %+v, the explanation %+v (%v)", name, notes, e.Waits, err)
			}
		}
	})
}

// anyView is what a leader may have measured of a State.
func anyView(t *rapid.T, s *cluster.State) cluster.View {
	upTo := func(what string, most time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, what))
	}
	v := cluster.View{Self: "node1", Leading: true, Led: upTo("led", plan.SettlingTime),
		Contacts: map[string]cluster.Contactwatch{},
		Stuck:    map[string]time.Duration{}}
	v = v.On(s, 0)
	v.Quiet = upTo("quiet", time.Hour)
	for _, name := range s.Nodes.Keys() {
		n, _ := s.Nodes.Get(name)
		v.Contacts[name] = cluster.Contactwatch{Heard: rapid.Bool().Draw(t, "heard"), Incarnation: n.Incarnation,
			Silence: upTo("silence", 2*time.Second)}
	}
	for _, name := range s.Services.Keys() {
		v.Stuck[name] = upTo("stuck", time.Minute)
	}
	return v
}
