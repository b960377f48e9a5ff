package cluster_test

import (
	"maps"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// twinned is a book whose first two boards tell the UUID of the first node.
func twinned(t *testing.T) *clustertest.Book {
	b := clustertest.NewBook(t, 3, "vm:a")
	n := b.Node("node1")
	n.HardwareUUID = uuidOne
	b.S.Nodes.Set("node1", n)
	b.Must(cluster.CheckFrom{Device: "bmc-node1", By: "node3", Check: fence.Check{Identity: uuidOne}},
		cluster.CheckFrom{Device: "bmc-node2", By: "node3", Check: fence.Check{Identity: uuidTurned}})
	return b
}

func TestAUUIDThatTwoBoardsTellIdentifiesNobody(t *testing.T) {
	b := twinned(t)
	if why := b.S.Claimed("node1"); why != message.UUIDOfOtherDevice.With("bmc-node2", "node2") {
		t.Errorf("node1 is claimed by %q", why)
	}
	if why := b.S.Claimed("node2"); !why.IsZero() {
		t.Errorf("node2 is claimed by %q", why)
	}
	open := cluster.Fence{Node: "node1", Boot: "b"}
	confirmed := fence.Result{Outcome: fence.Confirmed}
	weigh := func(open cluster.Fence) fence.Outcome {
		weighed, _ := rules.Weighed(b.S, b.Node("node1"), open, confirmed)
		return weighed.Outcome
	}
	if got := weigh(open); got != fence.Unknown {
		t.Errorf("the board's word is %s", got)
	}
	if got := weigh(cluster.Fence{Node: "node1", Boot: "b", Drill: true}); got != fence.Confirmed {
		t.Errorf("the drill, which shows whose it is, is %s", got)
	}
	b.S.Proven.Set("bmc-node1", cluster.Proof{Node: "node1", Machine: b.Node("node1").Machine()})
	if got := weigh(open); got != fence.Confirmed {
		t.Errorf("after the drill it is %s", got)
	}
	b.Must(cluster.CheckFrom{Device: "bmc-node2", By: "node3",
		Check: fence.Check{Identity: "4c4c4544-0038-5910-8052-b7c04f4e3299"}})
	b.S.Proven.Delete("bmc-node1")
	if got := weigh(open); got != fence.Confirmed {
		t.Errorf("once the boards are told apart it is %s", got)
	}
}

// TestATwinThatFallsSilentIsATwinStill: two boards tell one UUID. The other node's board answers no
// more, or tells no identity: that takes back nothing of what it told, until it is declared anew.
func TestATwinThatFallsSilentIsATwinStill(t *testing.T) {
	for what, check := range map[string]fence.Check{
		"it does not answer":    {Problem: "no answer from 10.0.0.2", Power: fence.PowerUnknown},
		"it tells no identity":  {Power: fence.PowerOn},
		"its rights do not do":  {Power: fence.PowerOn, Problem: "its account may not switch power"},
		"it does not tell both": {},
	} {
		for _, by := range []string{"node3", "node1"} {
			b := twinned(t)
			b.Must(cluster.CheckFrom{Device: "bmc-node2", By: by, Check: check})
			if why := b.S.Claimed("node1"); why != message.UUIDOfOtherDevice.With("bmc-node2", "node2") {
				t.Errorf("%s, asked by %s: node1 is claimed by %q", what, by, why)
			}
		}
	}
	b := twinned(t)
	document := b.S.Document
	document.Devices = maps.Clone(document.Devices)
	anew := document.Devices["bmc-node2"]
	anew.Address = "10.0.9.9"
	document.Devices["bmc-node2"] = anew
	c := cluster.Configure{Base: b.S.Config.Version, Document: document, Blobs: map[string]string{}}
	for _, spec := range document.Services {
		c.Blobs[spec.Definition] = "<domain/>"
	}
	b.Must(c)
	if why := b.S.Claimed("node1"); !why.IsZero() {
		t.Errorf("declared anew, node1 is claimed by %q", why)
	}
}

func TestOneDeviceOfTwoNodesIsNotDeclared(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	document := b.S.Document
	document.Devices = map[string]fence.Device{}
	for name, device := range b.S.Document.Devices {
		device.Address = "10.0.0.1"
		document.Devices[name] = device
	}
	c := cluster.Configure{Base: b.S.Config.Version, Document: document}
	for _, spec := range document.Services {
		c.Blobs = map[string]string{spec.Definition: "<domain/>"}
	}
	b.Refused(c, "would be shot for the other")
}
