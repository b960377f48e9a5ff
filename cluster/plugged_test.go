package cluster_test

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// TestAPluggedDeviceIsToldAndRefusesNothing: an event for each change, none for a look that
// compared nothing, and a stop as ever.
func TestAPluggedDeviceIsToldAndRefusesNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	seen := func(plugged *resources.Plugged) []cluster.Event {
		return b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation,
			AsOf: b.S.Index, Observation: resources.Observation{Condition: resources.Running, Plugged: plugged,
				UUID: b.Service("vm:a").Spec.UUID}}).Events
	}
	names := []string{"network interface 52:54:00:aa:00:02"}
	told := seen(&resources.Plugged{Names: names})
	if len(told) != 1 || !told[0].Why.Is(message.VMPlugged) || told[0].Why.Arg("devices") != names[0] {
		t.Errorf("told %v", told)
	}
	for _, again := range []*resources.Plugged{{Names: names}, nil} {
		if told := seen(again); len(told) > 0 {
			t.Errorf("told again: %v", told)
		}
	}
	if h, _ := b.Service("vm:a").Holder("node1"); !slices.Equal(h.Plugged, names) {
		t.Errorf("kept are %v", h.Plugged)
	}
	noted := func(kind *message.Code) bool {
		notes := plan.Plan(b.S, cluster.View{Self: "node1"}).Notes
		return slices.ContainsFunc(notes, func(n cluster.Note) bool { return n.Why.Is(kind) })
	}
	if !noted(message.VMPlugged) || noted(message.VMPluggedThen) {
		t.Error("what was plugged in is not noted")
	}
	// Any edit of the definition: what was plugged in is still there, and nothing looks for it again.
	d := clustertest.Document("vm:a")
	edited := d.Services["vm:a"]
	edited.Definition = "edited"
	d.Services["vm:a"] = edited
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	if noted(message.VMPlugged) || !noted(message.VMPluggedThen) {
		t.Error("after an edit of the definition nothing is noted of what was plugged in")
	}
	b.Must(cluster.Ask{Request: "d", Op: cluster.OpDisable, Service: "vm:a"})
	if b.Service("vm:a").Wish == nil {
		t.Error("a device that was plugged in refuses a disable")
	}
	if told := seen(&resources.Plugged{}); len(told) != 1 || !told[0].Why.Is(message.VMUnplugged) {
		t.Errorf("told %v", told)
	}
}
