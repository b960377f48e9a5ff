package networks

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

func TestWishesNameWhoIsReachedWhere(t *testing.T) {
	s := &cluster.State{}
	s.Document.Networks = map[string]resources.Network{"blue": {Name: "blue"}, "red": {Name: "red"}}
	web := &cluster.Service{Spec: resources.Spec{Networks: []string{"blue"}}, Holders: []cluster.Holder{{Node: "node1"}},
		Intent: &cluster.Intent{Kind: cluster.IntentMigrate, Node: "node1", Target: "node2"}}
	s.Services.Set("vm:web", *web)
	addresses := map[string]string{"node1": "10.0.0.1:7440", "node2": "[fd00::2]:7440", "node3": "host.example:7440"}
	for _, tc := range []struct {
		name, self string
		besides    []string
		blue       []string
		fault      string
	}{
		{"the source reaches the target", "node1", nil, []string{"fd00::2"}, ""},
		{"the target reaches the source", "node2", nil, []string{"10.0.0.1"}, ""},
		{"who has no part in it has no network", "node3", nil, nil, ""},
		{"who only asks is told all the same", "node3", []string{"blue"}, []string{"10.0.0.1", "fd00::2"},
			`"host.example" is a name`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wishes, err := Wishes(s, tc.self, addresses[tc.self], addresses, tc.besides...)
			if (err != nil) != (tc.fault != "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("error %v, want %q", err, tc.fault)
			}
			if len(tc.blue) == 0 {
				if len(wishes) != 0 {
					t.Errorf("wished for %v", wishes)
				}
				return
			}
			if len(wishes) != 1 || wishes[0].Name != "blue" {
				t.Fatalf("wished for %v", wishes)
			}
			var peers []string
			for _, peer := range wishes[0].Peers {
				peers = append(peers, peer.String())
			}
			if !slices.Equal(peers, tc.blue) {
				t.Errorf("peers are %v, want %v", peers, tc.blue)
			}
			if own, _, _ := strings.Cut(addresses[tc.self], ":"); tc.self == "node1" &&
				wishes[0].Local != netip.MustParseAddr(own) {
				t.Errorf("own address is %v", wishes[0].Local)
			}
		})
	}
}
