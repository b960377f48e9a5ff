package hostguard

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/fence"
)

// TestABootRegistersOnlyWhileItIsAdmittedAndNotFenced: a key that comes after somebody cut this
// boot off would let it write again.
func TestABootRegistersOnlyWhileItIsAdmittedAndNotFenced(t *testing.T) {
	online := cluster.Member{Name: "node1", Incarnation: 7, Boot: "boot-1", State: cluster.NodeOnline}
	for _, c := range []struct {
		name   string
		change func(root *cluster.State, n *cluster.Member)
		want   string
	}{
		{"admitted", func(*cluster.State, *cluster.Member) {}, ""},
		{"an older start", func(_ *cluster.State, n *cluster.Member) { n.Incarnation = 6 }, "not admitted"},
		{"another boot", func(_ *cluster.State, n *cluster.Member) { n.Boot = "boot-0" }, "not admitted"},
		{"lost", func(_ *cluster.State, n *cluster.Member) { n.State = cluster.NodeLost }, "not admitted"},
		{"unknown", func(_ *cluster.State, n *cluster.Member) { n.Name = "node2" }, "not admitted"},
		{"being fenced", func(root *cluster.State, _ *cluster.Member) {
			root.Fences.Set("node1", cluster.Fence{Node: "node1", Boot: "boot-1"})
		}, "being fenced"},
	} {
		root, n := &cluster.State{}, online
		c.change(root, &n)
		root.Nodes.Set(n.Name, n)
		w := New(Options{Node: "node1", Boot: "boot-1", Root: func() *cluster.State { return root },
			Incarnation: func() uint64 { return 7 }})
		if why := w.mayRegister(); (why == "") != (c.want == "") || !strings.Contains(why, c.want) {
			t.Errorf("%s: %q, want %q", c.name, why, c.want)
		}
	}
}

// TestWithoutAGuardNothingIsAskedOfTheHost: no level rests on it then, and what comes up needs
// none.
func TestWithoutAGuardNothingIsAskedOfTheHost(t *testing.T) {
	root := &cluster.State{}
	root.Nodes.Set("node1", cluster.Member{Name: "node1", Guard: &fence.Guard{Boot: "boot-1", Timeout: time.Second}})
	w := New(Options{Node: "node1", Boot: "boot-1", Root: func() *cluster.State { return root }})
	w.Obey(t.Context(), mind.Output{AskLease: true, Pet: &cluster.Pet{}, Yield: true})
	var in mind.Input
	if w.Guarded(&in); in.Boot != "" || in.Clock != 0 {
		t.Errorf("the decision core is told of a clock: %+v", in)
	}
	if !w.InForce() {
		t.Error("what comes up waits for a guard that is not there")
	}
}
