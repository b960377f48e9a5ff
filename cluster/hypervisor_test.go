package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// TestANodeThatStandsByIsAskedForNothing: its State is the wrong one, so what it is given to do
// would never end. A fence that it was to carry out is somebody else's.
func TestANodeThatStandsByIsAskedForNothing(t *testing.T) {
	b := clustertest.NewBook(t, 4, "vm:a", "service:b")
	says := func(why message.Text) cluster.NodeHypervisor {
		return cluster.NodeHypervisor{Node: "node2", Incarnation: b.Node("node2").Incarnation, Why: why}
	}
	b.Running("vm:a", "node1")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Refused(cluster.AssignFence{Node: "node1", Fencer: "node3"}, "node2")
	if told := b.Must(says(message.NodeStandsBy.With())).Events; len(told) != 1 {
		t.Errorf("told %v", told)
	}
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node3"})
	b.Must(b.Shot("node1", fence.Confirmed))
	for _, service := range []string{"vm:a", "service:b"} {
		b.Refused(b.StartOf(service, "node2"), "not what the other nodes agreed upon")
	}
	b.Refused(cluster.BeginFence{Node: "node4", Boot: b.Node("node4").Boot, Fencer: "node2", Why: message.Words("w"),
		Override: true}, "not what the other nodes agreed upon")
	if told := b.Must(says(message.Text{})).Events; len(told) != 1 || !told[0].Why.Is(message.NodeAgrees) {
		t.Errorf("told %v", told)
	}
	b.Must(b.StartOf("vm:a", "node2"))
}

func TestAHungHypervisorTakesNoVM(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	up := b.Node("node1").Incarnation
	says := func(incarnation uint64, why string) cluster.NodeHypervisor {
		return cluster.NodeHypervisor{Node: "node1", Incarnation: incarnation, Why: message.Words(why)}
	}
	b.Refused(says(up-1, "no answer"), "older incarnation")
	if told := b.Must(says(up, "no answer")).Events; len(told) != 1 {
		t.Errorf("told %v", told)
	}
	if told := b.Must(says(up, "other words")).Events; len(told) != 0 {
		t.Errorf("the same was told again: %v", told)
	}
	b.Refused(b.StartOf("vm:a", "node1"), "does not answer")
	w := rules.Of(b.S)
	for _, v := range domain.Rank(nil, w.Candidates(b.Service("vm:a"))) {
		if v.Legal != (v.Node != "node1") {
			t.Errorf("%s is legal: %v (%s)", v.Node, v.Legal, v.Why)
		}
	}
	made := cluster.Service{Spec: resources.Spec{Name: "service:web"}}
	if why := w.MayRun(made, b.Node("node1")); !why.IsZero() {
		t.Errorf("a service made of resources needs no hypervisor: %s", why)
	}
	b.Must(cluster.NodeHypervisor{Node: "node1", Incarnation: up})
	b.Must(b.StartOf("vm:a", "node1"))
}
