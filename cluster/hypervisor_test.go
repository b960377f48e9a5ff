package cluster

import (
	"testing"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

func TestAHungHypervisorTakesNoVM(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	up := b.node("node1").Incarnation
	b.refused(NodeHypervisor{Node: "node1", Incarnation: up - 1, Why: "no answer"}, "older incarnation")
	if told := b.must(NodeHypervisor{Node: "node1", Incarnation: up, Why: "no answer"}).Events; len(told) != 1 {
		t.Errorf("told %v", told)
	}
	if told := b.must(NodeHypervisor{Node: "node1", Incarnation: up, Why: "other words"}).Events; len(told) != 0 {
		t.Errorf("the same was told again: %v", told)
	}
	b.refused(b.startOf("vm:a", "node1"), "does not answer")
	w := b.s.world()
	for _, v := range domain.Rank(nil, w.candidates(b.service("vm:a"))) {
		if v.Legal != (v.Node != "node1") {
			t.Errorf("%s is legal: %v (%s)", v.Node, v.Legal, v.Why)
		}
	}
	made := Service{Spec: resources.Spec{Name: "service:web"}}
	if why := w.mayRun(made, b.node("node1")); why != "" {
		t.Errorf("a service made of resources needs no hypervisor: %s", why)
	}
	b.must(NodeHypervisor{Node: "node1", Incarnation: up})
	b.must(b.startOf("vm:a", "node1"))
}
