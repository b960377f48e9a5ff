package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// TestALevelIsThatOfWhatACommandSays: what older members read, and would make something else of,
// waits like a command that they cannot read; what all make the same of does not.
func TestALevelIsThatOfWhatACommandSays(t *testing.T) {
	ofRules := func(c cluster.Configure) int {
		for _, spec := range c.Document.Services {
			if spec.Exclusive {
				return clustertest.NextLevel
			}
		}
		return 0
	}
	release := cluster.Current.With(clustertest.NextLevel, cluster.RowOf("configure", cluster.CurrentLevel,
		func(cluster.Configure) string { return "" }, ofRules))
	document := func(rules resources.Rules) cluster.Configure {
		return cluster.Configure{Document: cluster.Document{
			Services: map[string]resources.Spec{"vm:a": {Name: "vm:a", Rules: rules}}}}
	}
	s := &cluster.State{ID: "id", Level: cluster.CurrentLevel}
	if why := release.PrematureFor(s, document(resources.Rules{Priority: 1})); !why.IsZero() {
		t.Errorf("a document that all know is refused: %s", why)
	}
	needs := document(resources.Rules{Exclusive: true})
	if why := release.PrematureFor(s, needs); !why.Is(message.VersionNeeded) || why.Arg("version") != "2" {
		t.Errorf("a document that older members would read otherwise is let in: %q", why)
	}
	if s.Level++; !release.PrematureFor(s, needs).IsZero() {
		t.Errorf("it is refused although the level is in force")
	}
}

// TestEveryCommandOfThisReleaseIsOfItsLevels: a level beyond the newest one would never come into
// force.
func TestEveryCommandOfThisReleaseIsOfItsLevels(t *testing.T) {
	for _, c := range everyCommand() {
		if level := cluster.LevelOf(c); level < 1 || level > cluster.CurrentLevel {
			t.Errorf("%s is of level %d", cluster.KindOf(c), level)
		}
	}
}
