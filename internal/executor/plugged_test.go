package executor

import (
	"context"
	"slices"
	"testing"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// sees is an agent whose looks find always the same.
type sees struct {
	agents.Agent
	seen resources.Observation
}

func (s sees) Look(context.Context, resources.Spec) resources.Observation { return s.seen }

// TestALookTellsWhatTheNextStartIsWithout once, by the definitions that the log has.
func TestALookTellsWhatTheNextStartIsWithout(t *testing.T) {
	const nic = "<interface><mac address='52:54:00:aa:00:02'/></interface>"
	of := func(devices string) string { return "<domain><devices>" + devices + "</devices></domain>" }
	name := []string{"network interface 52:54:00:aa:00:02"}
	for _, c := range []struct {
		name      string
		condition resources.Condition
		live      string
		declared  string
		known     []string
		want      *resources.Plugged
	}{
		{"plugged in", resources.Running, nic, "", nil, &resources.Plugged{Names: name}},
		{"plugged in while paused", resources.Paused, nic, "", nil, &resources.Plugged{Names: name}},
		{"known", resources.Running, nic, "", name, nil},
		{"declared since", resources.Running, nic, nic, name, &resources.Plugged{}},
		{"unplugged", resources.Running, "", "", name, &resources.Plugged{}},
		{"nothing", resources.Running, "", "", nil, nil},
		{"nobody knows", resources.Unknown, "", "", name, nil},
	} {
		root := &cluster.State{}
		root.Blobs.Set("started", of(""))
		root.Blobs.Set("declared", of(c.declared))
		root.Services.Set("vm:a", cluster.Service{Spec: resources.Spec{Name: "vm:a", Definition: "declared"},
			Holders: []cluster.Holder{{Node: "node1", Definition: "started", Plugged: c.known}}})
		x := New(Options{Node: "node1", Root: func() *cluster.State { return root },
			Agent: sees{seen: resources.Observation{Condition: c.condition, Devices: agents.DevicesOf(of(c.live))}}})
		result, _ := x.carryOut(t.Context(), cluster.Duty{Kind: cluster.DutyLook, Service: "vm:a"})
		got := result.Observation.Plugged
		if (got == nil) != (c.want == nil) || (got != nil && !slices.Equal(got.Names, c.want.Names)) {
			t.Errorf("%s: told is %+v, want %+v", c.name, got, c.want)
		}
	}
}
