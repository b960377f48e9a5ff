package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
)

func TestWhoIsLookedForElsewhere(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	other := b.Node("node3").Address
	b.Refused(cluster.SetAddress{Node: "node9", Address: "a:1"}, "no node node9")
	b.Refused(cluster.SetAddress{Node: "node2", Address: "a:1", By: "root"}, "is in touch at")
	b.Must(cluster.SetAddress{Node: "node2", Address: "a:0"}) // some hear it, and the leader does not
	b.Lose("node2")
	b.Refused(cluster.SetAddress{Node: "node2", Address: "a b"}, "is no address")
	b.Refused(cluster.SetAddress{Node: "node2"}, "is empty")
	if other != "" {
		b.Refused(cluster.SetAddress{Node: "node2", Address: other}, "is the address of node3")
	}
	before := len(b.S.Timeline)
	b.Must(cluster.SetAddress{Node: "node2", Address: "a:1"})
	b.Must(cluster.SetAddress{Node: "node2", Address: "a:1"})
	if b.Node("node2").Address != "a:1" || len(b.S.Timeline) != before+1 {
		t.Errorf("%q after %d events", b.Node("node2").Address, len(b.S.Timeline)-before)
	}
}

// TestAnAddressGoesToWhoIsThere: a node that is lost does not keep another one out, and one that is
// in touch does.
func TestAnAddressGoesToWhoIsThere(t *testing.T) {
	up := func(b *clustertest.Book, node, address string) cluster.NodeUp {
		return cluster.NodeUp{Node: node, Fingerprint: "key-" + node, Boot: node + "-again", Address: address,
			MaxLevel: b.S.Level, Session: node + address}
	}
	b := clustertest.NewBook(t, 3)
	b.Up("node3", "node3-2")
	b.Refused(up(b, "node2", "NODE3"), "which is that of node3")
	b.Must(up(b, "node3", "node3"))
	b.Lose("node2")
	b.Refused(up(b, "node2", "node3"), "which is that of node3") // it looks what runs on it
	b.Refused(cluster.SetAddress{Node: "node2", Address: "node3"}, "is the address of node3")

	b = clustertest.NewBook(t, 3)
	b.Up("node2", "node2-2")
	b.Up("node3", "node3-2")
	b.Lose("node3")
	b.Lose("node2")
	b.Refused(cluster.SetAddress{Node: "node2", Address: "node3", By: "root"}, "is the address of node3")
	b.Must(cluster.SetAddress{Node: "node2", Address: "node3"})
	if b.Node("node2").Address != "node3" || b.Node("node3").Address != "" {
		t.Errorf("%q and %q", b.Node("node2").Address, b.Node("node3").Address)
	}
	b.Must(up(b, "node3", "node2"), up(b, "node2", "node3"))
	if b.Node("node2").Address != "node3" || b.Node("node3").Address != "node2" {
		t.Errorf("%q and %q", b.Node("node2").Address, b.Node("node3").Address)
	}
}
