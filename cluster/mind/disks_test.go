package mind

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// TestWhatIsKeptOfTheDisksIsNoNews: the State knows more of the disks than a look that cannot name
// them all. The same look again is not another entry, and one that names them is.
func TestWhatIsKeptOfTheDisksIsNoNews(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	declared := b.Service("vm:a").Spec.Disks
	seen := resources.Observation{Condition: resources.Running,
		Disks: []resources.Disk{{Identity: resources.Unnamed + "u/definition"}}}
	if !differs(b.S, "node1", "vm:a", seen) {
		t.Error("a disk that cannot be named is no news")
	}
	b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: seen})
	if differs(b.S, "node1", "vm:a", seen) {
		t.Error("the same look is news for ever")
	}
	if seen.Disks = declared; !differs(b.S, "node1", "vm:a", seen) {
		t.Error("that all of them can be named again is no news")
	}
}
