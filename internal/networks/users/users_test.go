package users

import (
	"maps"
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// TestWhoUsesANetwork: every node where a guest may be talking, and those to which one is on its
// way.
func TestWhoUsesANetwork(t *testing.T) {
	on := func(nodes ...string) []cluster.Holder {
		var held []cluster.Holder
		for _, node := range nodes {
			held = append(held, cluster.Holder{Node: node})
		}
		return held
	}
	others := resources.Spec{Networks: []string{"green"}}
	started := []cluster.Holder{{Node: "node1", Networks: []string{"blue", "gone"}}}
	for _, tc := range []struct {
		name    string
		service cluster.Service
		grave   bool
		want    []string
	}{
		{"nobody", cluster.Service{}, false, nil},
		{"where it runs", cluster.Service{Holders: on("node2")}, false, []string{"node2"}},
		{"where it may run", cluster.Service{Holders: on("node3", "node1")}, false, []string{"node1", "node3"}},
		{"where it is starting", cluster.Service{Intent: &cluster.Intent{Kind: cluster.IntentStart, Node: "node1"}}, false,
			[]string{"node1"}},
		{"both ends of a move", cluster.Service{Holders: on("node1"),
			Intent: &cluster.Intent{Kind: cluster.IntentMigrate, Node: "node1", Target: "node2"}}, false,
			[]string{"node1", "node2"}},
		{"where it runs since before it was given others", cluster.Service{Spec: others, Holders: started}, false,
			[]string{"node1"}},
		{"where that is going", cluster.Service{Spec: others, Intent: &cluster.Intent{Kind: cluster.IntentMigrate,
			Node: "node1", Target: "node2", Source: &started[0]}}, false, []string{"node2"}},
		{"where a removed service may run on", cluster.Service{Holders: on("node1")}, true, []string{"node1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &cluster.State{}
			s.Document.Networks = map[string]resources.Network{"blue": {Name: "blue"}, "red": {Name: "red"}}
			if tc.service.Spec.Networks == nil {
				tc.service.Spec.Networks = []string{"blue", "gone"}
			}
			if tc.grave {
				s.Tombstones.Set("uuid", tc.service)
			} else {
				s.Services.Set("vm:web", tc.service)
			}
			used := Of(s)
			if !slices.Equal(used["blue"], tc.want) || len(used["red"]) != 0 {
				t.Errorf("used by %v, want %v of blue alone", used, tc.want)
			}
			if names := slices.Sorted(maps.Keys(used)); !slices.Equal(names, []string{"blue", "red"}) {
				t.Errorf("networks are %v", names)
			}
		})
	}
}
