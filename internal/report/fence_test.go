package report

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// What makes a device useless for a node has words of its own, and a drill of
// yesterday says nothing about the board that answers today.
func TestWhyADeviceIsNotTrusted(t *testing.T) {
	const own, other, told = "4c4c4544-0034-5210-8052-b4c04f564d31", "4c4c4544-0034-5210-8052-b4c04f564d32",
		"4c4c4544-0034-5210-8052-b4c04f564d33"
	for _, c := range []struct {
		name    string
		device  fence.Device
		drilled bool
		twin    bool
		check   cluster.DeviceCheck
		want    string
	}{
		{name: "its own", check: cluster.DeviceCheck{Identity: own}},
		{name: "another board's too", twin: true, check: cluster.DeviceCheck{Identity: own}, want: "device bmc2 of " +
			"node node2 tells it too"},
		{name: "another board's too, and drilled", twin: true, drilled: true, check: cluster.DeviceCheck{Identity: own}},
		{name: "a problem", drilled: true, check: cluster.DeviceCheck{Problem: "it refuses the login"},
			want: "it refuses the login"},
		{name: "another's", check: cluster.DeviceCheck{Identity: other}, want: "it belongs to another machine"},
		{name: "another's since the drill", drilled: true, check: cluster.DeviceCheck{Identity: other},
			want: "it belongs to another machine"},
		{name: "silent about it", check: cluster.DeviceCheck{}, want: "does not tell whose it is"},
		{name: "silent and drilled", drilled: true, check: cluster.DeviceCheck{}},
		{name: "declared", device: fence.Device{Options: map[string]string{"identity": told}},
			check: cluster.DeviceCheck{Identity: told}, want: "tells the identity declared for it"},
		{name: "declared and drilled", drilled: true, device: fence.Device{Options: map[string]string{"identity": told}},
			check: cluster.DeviceCheck{Identity: told}},
		{name: "not the one declared", drilled: true, device: fence.Device{Options: map[string]string{"identity": told}},
			check: cluster.DeviceCheck{Identity: other}, want: "it belongs to another machine"},
		{name: "assumed", device: fence.Device{Driver: "agent", Options: map[string]string{"identity": "assumed"}}},
	} {
		root := &cluster.State{}
		n := cluster.Member{Name: "node1", HardwareUUID: own}
		root.Nodes.Set("node1", n)
		root.Document.Devices = map[string]fence.Device{"bmc": c.device}
		if c.drilled {
			root.Proven.Set("bmc", cluster.Proof{Node: "node1", Machine: n.Machine()})
		}
		if c.twin {
			root.Nodes.Set("node2", cluster.Member{Name: "node2"})
			root.Document.Nodes = map[string]cluster.NodeSpec{"node2": {Fence: []fence.Level{{Devices: []string{"bmc2"}}}}}
			root.Checks.Set("bmc2", cluster.DeviceCheck{Identity: own})
		}
		if why := Distrust(root, "node1", "bmc", c.check); (why == "") != (c.want == "") || !strings.Contains(why, c.want) {
			t.Errorf("%s: %q, want %q", c.name, why, c.want)
		}
	}
}

func TestANodeWhoseFenceHasProvenNothingIsUnprotected(t *testing.T) {
	root := &cluster.State{}
	root.Nodes.Set("node1", cluster.Member{Name: "node1"})
	root.Document.Nodes = map[string]cluster.NodeSpec{"node1": {Fence: []fence.Level{{Devices: []string{"pdu"}}}}}
	root.Document.Devices = map[string]fence.Device{"pdu": {Driver: "agent",
		Options: map[string]string{"identity": "assumed"}}}
	root.Checks.Set("pdu", cluster.DeviceCheck{})
	if why := Unprotected(root, "node1"); why != "" {
		t.Fatalf("it is unprotected before: %s", why)
	}
	root.Fences.Set("node1", cluster.Fence{Node: "node1", TriedTotal: 3,
		LastWhy: message.Words("the outlet did not switch")})
	want := "3 attempts to fence node1 have proven nothing, the last one: the outlet did not switch"
	if why := Unprotected(root, "node1"); why != want {
		t.Errorf("%q, want %q", why, want)
	}
}
