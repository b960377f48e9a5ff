package cluster_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// wired declares vm:a on some of the networks blue and green.
func wired(attached ...string) cluster.Document {
	d := clustertest.Document("vm:a")
	d.Networks = map[string]resources.Network{}
	for i, name := range []string{"blue", "green"} {
		d.Networks[name] = resources.Network{Name: name, VLAN: 20 + i, Over: resources.OverVXLAN, Bridge: "br-" + name}
	}
	spec := d.Services["vm:a"]
	spec.Networks = attached
	d.Services["vm:a"] = spec
	return d
}

// rewired is the document with blue as told; without one it has no blue.
func rewired(d cluster.Document, blue ...resources.Network) cluster.Document {
	d.Networks = maps.Clone(d.Networks)
	delete(d.Networks, "blue")
	for _, network := range blue {
		d.Networks["blue"] = network
	}
	return d
}

// TestARunningGuestKeepsItsNetworks: it has those that it was started with until it ends, wherever
// it goes, and they stay as they are.
func TestARunningGuestKeepsItsNetworks(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(clustertest.Configure(wired("blue"), 1))
	b.Running("vm:a", "node1")
	b.Must(clustertest.Configure(wired("green"), 2))
	for _, change := range []func(*resources.Network){
		func(n *resources.Network) { n.VLAN = 30 },
		func(n *resources.Network) { n.Bridge = "br0" },
		func(n *resources.Network) { n.Over = "gre" },
	} {
		blue := wired().Networks["blue"]
		change(&blue)
		b.Refused(clustertest.Configure(rewired(wired("green"), blue), 3),
			"vlan, over and bridge of network blue cannot change: vm:a may be running with it on node1")
	}
	b.Refused(clustertest.Configure(rewired(wired("green")), 3),
		"network blue cannot be taken out: vm:a may be running with it on node1")
	larger := wired().Networks["blue"]
	larger.MTU = 1400
	b.Must(clustertest.Configure(rewired(wired("green"), larger), 3))

	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"})
	if d := cluster.Work(b.S, "node2")[0]; !slices.Equal(d.Spec.Networks, []string{"blue"}) {
		t.Errorf("the target of the move is to have %v", d.Spec.Networks)
	}
	b.Ready("vm:a")
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	b.Refused(clustertest.Configure(rewired(wired("green")), 4),
		"network blue cannot be taken out: vm:a may be running with it on node2")

	b.Must(cluster.Ask{Request: "r", Op: cluster.OpStop, Service: "vm:a"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node2"})
	b.Must(b.Done("vm:a", "node2", resources.Result{OK: true, Source: resources.Absent}))
	b.Must(clustertest.Configure(rewired(wired("green")), 4))
}

// TestARemovedServiceKeepsItsNetworks: nobody manages what it may be running, and that talks on.
func TestARemovedServiceKeepsItsNetworks(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(clustertest.Configure(wired("blue"), 1))
	b.Must(b.StartOf("vm:a", "node1"))
	b.Lose("node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpDisable, Service: "vm:a"})
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: "key-node1", Boot: "node1-boot-1", MaxLevel: cluster.CurrentLevel})
	gone := wired()
	delete(gone.Services, "vm:a")
	b.Refused(clustertest.Configure(rewired(gone), 2), "network blue cannot be taken out")
	b.Must(clustertest.Configure(gone, 2))
	b.Refused(clustertest.Configure(rewired(gone), 3), "network blue cannot be taken out: vm:a may be running")
}

// TestABackupHoldsNetworksInDoubt: what was started when it was made may be running, or what was
// declared then.
func TestABackupHoldsNetworksInDoubt(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Must(clustertest.Configure(wired("blue"), 1))
	b.Running("vm:a", "node1")
	b.Must(clustertest.Configure(wired("green"), 2))
	fresh := clustertest.NewBook(t, 1)
	fresh.Must(cluster.Restore{State: json.RawMessage(bytesOf(t, b.S)), Node: "node1", By: "root"})
	if h, _ := fresh.Service("vm:a").Holder("node2"); !slices.Equal(h.Networks, []string{"blue", "green"}) {
		t.Errorf("a holder that nobody asked has %v", h.Networks)
	}
}
