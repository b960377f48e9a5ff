package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// TestRulesBetweenServicesNeedLevelTwo: an older binary would start what the
// rules forbid.
func TestRulesBetweenServicesNeedLevelTwo(t *testing.T) {
	for name, rules := range map[string]resources.Rules{
		"exclusive": {Exclusive: true}, "depend": {Depend: []resources.Dependency{{Service: "vm:b", Mode: resources.Soft}}},
		"together": {Together: []string{"vm:b"}},
		"apart":    {Apart: []string{"vm:b"}}, "tier": {Tier: 1}, "priority": {Priority: 1},
		"stop_failure": {StopFailure: resources.LeaveFailed},
	} {
		d := cluster.Document{Services: map[string]resources.Spec{"vm:a": {Name: "vm:a", Rules: rules}}}
		if cluster.LevelOf(cluster.Configure{Document: d}) != cluster.LevelTwo {
			t.Errorf("a document with %s is let into a log of level one", name)
		}
	}
	if cluster.LevelOf(cluster.Configure{Document: cluster.Document{StartAtOnce: 1}}) != cluster.LevelTwo {
		t.Error("a document with start_at_once is let into a log of level one")
	}
	if cluster.LevelOf(cluster.Configure{Document: cluster.Document{Services: map[string]resources.Spec{"vm:a": {Name: "vm:a"}}}}) != cluster.LevelOne {
		t.Error("a document without rules needs level two")
	}
}
