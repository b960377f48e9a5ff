package apply

import (
	"maps"
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
)

// TestEveryCommandThatIsReadIsApplied: a kind that only one of the two lists knows would end
// every member.
func TestEveryCommandThatIsReadIsApplied(t *testing.T) {
	if applied := slices.Sorted(maps.Keys(appliers)); !slices.Equal(applied, cluster.Kinds()) {
		t.Errorf("there are rules for\n%q\nand in the log there may be\n%q", applied, cluster.Kinds())
	}
}
