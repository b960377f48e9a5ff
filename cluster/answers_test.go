package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// A daemon that was killed may have looked before a call of its own came about;
// so only its successor can answer, even though the question is the same one.
func TestAnAnswerOfAnOldIncarnationCountsForNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(b.StartOf("vm:a", "node1"))
	b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Unknown, Why: "out of time"}))
	stale := b.Looked("vm:a", "node1", resources.Absent)
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: cluster.CurrentLevel})
	b.Refused(stale, "older incarnation")
	b.Is("vm:a", resources.Recovering, "", "node1")
}
