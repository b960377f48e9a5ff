package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

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
