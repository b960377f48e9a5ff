package main

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// TestWhatWouldHappenIsTold: who goes where, who cannot and why, what is left of each node, and
// whether anybody could decide it.
func TestWhatWouldHappenIsTold(t *testing.T) {
	reply := api.WhatIfReply{Votes: 1, Voters: 3, WhatIf: cluster.WhatIf{Others: 2, Steps: []cluster.WhatIfStep{
		{Service: "vm:a", From: "node1", To: "node2", Method: cluster.MethodLive},
		{Service: "vm:b", To: "node2", Method: cluster.MethodCold},
		{Service: "vm:c", From: "node1", Method: cluster.MethodStays, Why: message.Words("no node may run it"),
			Next: message.DoBringBack.With("node1")},
	}, Rooms: []cluster.WhatIfRoom{{Node: "node2", Memory: 32 * resources.GiB, Free: resources.GiB}}}}
	const want = `1 of 3 voters would be left: without a majority nothing is decided before one is back.
With a majority:
vm:a, now on node1: moves live to node2
vm:b: is started on node2
vm:c, now on node1: has no other place: no node may run it
    it would fit on node1 once that is back
2 services are not affected.
node2 would have 1 GiB of memory free of 32 GiB.
`
	if got := whatIfText(reply); got != want {
		t.Errorf("told is\n%s\nwant\n%s", got, want)
	}
	if got := whatIfText(api.WhatIfReply{Votes: 2, Voters: 3}); got != "Nothing would happen to any service.\n" {
		t.Errorf("told is %q", got)
	}
	two := api.WhatIfReply{Votes: 1, Voters: 2, Alone: true}
	if got := whatIfText(two); got != "Nothing would happen to any service.\n" {
		t.Errorf("of one of two that may go on alone is told %q", got)
	}
}

// TestTheReserveIsTold: how many hosts may be lost, and what one more would cost.
func TestTheReserveIsTold(t *testing.T) {
	for want, reply := range map[string]cluster.Reserve{
		"1 host may be lost, whichever it is: everything that runs comes up on the others.\n" +
			"Without node1 and node2:\n" +
			"  too few voters would be left; nothing is decided before one is back.\n" +
			"  vm:a, now on node1: no node may run it\n" +
			"      it would fit on node1 once that is back\n": {Hosts: 1, Asked: 2, Lost: []string{"node1", "node2"},
			Minority: true, Short: []cluster.WhatIfStep{{Service: "vm:a", From: "node1", Method: cluster.MethodStays,
				Why: message.Words("no node may run it"), Next: message.DoBringBack.With("node1")}}},
		"No host is in touch, so nothing can be said.\n": {Asked: 1},
		"2 hosts may be lost at once, whichever they are: everything that runs comes up on the others.\n": {Hosts: 2,
			Asked: 2},
		"No host may be lost.\nWithout node1:\n  vm:a, now on node1: no host would be left\n": {Asked: 1,
			Lost: []string{"node1"}, Short: []cluster.WhatIfStep{{Service: "vm:a", From: "node1"}}},
		"1 host may be lost, whichever it is: everything that runs comes up on the others.\n" +
			"There was no time to try every set of 2; 40 sets were tried.\n": {Hosts: 1, Asked: 2, Sets: 40, Bounded: true},
	} {
		if got := reserveText(api.ReserveReply{Reserve: reply}); got != want {
			t.Errorf("told is\n%s\nwant\n%s", got, want)
		}
	}
}
