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
	b.Refused(cluster.SetAddress{Node: "node2", Address: "a:1"}, "is in touch at")
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
