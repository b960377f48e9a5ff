package cluster_test

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// TestAVMThatIsTakenInIsOnTheDisksItIsSeenOn: it was moved by hand while it wrote to an overlay.
// Where it belonged to another node that was no news, so it has to be when it is taken in: else
// its next start would pass the overlay over.
func TestAVMThatIsTakenInIsOnTheDisksItIsSeenOn(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	overlay := []resources.Disk{{Identity: "overlay"}, {Identity: "disk-vm:a", Behind: "overlay"}}
	seen := func(node string, o resources.Observation) cluster.Observed {
		o.Service, o.UUID = "vm:a", b.Service("vm:a").Spec.UUID
		return cluster.Observed{Service: "vm:a", Node: node, Incarnation: b.Node(node).Incarnation, Observation: o,
			AsOf: b.S.Index}
	}
	b.Must(seen("node2", resources.Observation{Condition: resources.Running, Disks: overlay}))
	b.Up("node1", "another boot") // it runs there no more
	b.Is("vm:a", resources.Started, "node2", "node2")
	if a := b.Service("vm:a").Astray; a == nil || a.Drift.None() {
		t.Fatalf("what it runs on is not told: %+v", a)
	}
	if why := b.Service("vm:a").ThrowsAway(); why.IsZero() {
		t.Error("it may be stopped without a word")
	}
}

// TestWhatACopyWroteGoesIntoNoOlderStart: it was moved by hand while the hypervisor of its node did
// not answer, and both machines booted anew before that was settled. The overlay was known of the
// copy alone, which is gone.
func TestWhatACopyWroteGoesIntoNoOlderStart(t *testing.T) {
	for _, c := range []struct {
		name  string
		owner resources.Condition
		copy  resources.Condition
		held  bool
	}{
		{"the owner does not answer", resources.Unknown, resources.Running, true},
		{"the same, and the copy crashed", resources.Unknown, resources.Crashed, true},
		{"the owner is seen running it", resources.Running, resources.Running, false},
	} {
		b := clustertest.NewBook(t, 3, "vm:a")
		b.Running("vm:a", "node1")
		seen := func(node string, o resources.Observation) {
			o.Service, o.UUID = "vm:a", b.Service("vm:a").Spec.UUID
			b.Must(cluster.Observed{Service: "vm:a", Node: node, Incarnation: b.Node(node).Incarnation, Observation: o,
				AsOf: b.S.Index})
		}
		seen("node1", resources.Observation{Condition: c.owner})
		seen("node2", resources.Observation{Condition: c.copy,
			Disks: []resources.Disk{{Identity: "overlay"}, {Identity: "disk-vm:a", Behind: "overlay"}}})
		b.Up("node2", "another boot")
		if a := b.Service("vm:a"); (a.Astray != nil) != c.held {
			t.Errorf("%s: once the copy is gone, what it ran on is %+v", c.name, a.Astray)
		}
		told := b.S.Timeline[len(b.S.Timeline)-2].Why
		if strings.Contains(told.String(), "ran on other disks") != c.held {
			t.Errorf("%s: told is %q", c.name, told)
		}
		b.Up("node1", "another boot")
		if a := b.Service("vm:a"); a.HoldsBack().IsZero() == c.held || a.State != resources.Recovering {
			t.Errorf("%s: it is %s and held back by %q", c.name, a.State, a.HoldsBack())
		}
	}
}

// TestWhatIsNotToStartByItselfRunsOnWhereItRuns: with autostart false a service is declared that
// nobody may start. Where it runs it is taken in as one that is to run; where it is down it stays
// down.
func TestWhatIsNotToStartByItselfRunsOnWhereItRuns(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	d := clustertest.Document("vm:up", "vm:down")
	for name, spec := range d.Services {
		spec.Autostart = false
		d.Services[name] = spec
	}
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	b.Must(b.Looked("vm:up", "node2", resources.Running))
	for _, node := range []string{"node1", "node2", "node3"} {
		b.Must(b.Looked("vm:down", node, resources.Absent))
	}
	b.Is("vm:up", resources.Started, "node2", "node1", "node2", "node3")
	b.Is("vm:down", resources.Disabled, "")
	if up, down := b.Service("vm:up").Enabled, b.Service("vm:down").Enabled; !up || down {
		t.Errorf("what runs is to run: %t, and what is down: %t", up, down)
	}
}
