package cluster

import (
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// A daemon that was killed may have looked before a call of its own came about;
// so only its successor can answer, even though the question is the same one.
func TestAnAnswerOfAnOldIncarnationCountsForNothing(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.must(b.startOf("vm:a", "node1"))
	b.must(b.done("vm:a", "node1", resources.Result{Source: resources.Unknown, Why: "out of time"}))
	stale := b.looked("vm:a", "node1", resources.Absent)
	b.must(NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: CurrentLevel})
	b.refused(stale, "older incarnation")
	b.is("vm:a", resources.Recovering, "", "node1")
}
