package cluster_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// statesOf are the changes of a node's state as the timeline tells them.
func statesOf(node string, events []cluster.Event) (told []string) {
	for _, e := range events {
		if e.Subject == node && e.From != e.To {
			told = append(told, e.From+" -> "+e.To)
		}
	}
	return told
}

// A node that is fenced goes on from "fencing", which was the last thing the timeline told of it.
func TestTheTimelineOfAFenceHasNoGap(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Lose("node1")
	told := statesOf("node1", b.Must(b.Shoot("node1", "node2")).Events)
	told = append(told, statesOf("node1", b.Must(b.Shot("node1", fence.Confirmed)).Events)...)
	if want := []string{"lost -> fencing", "fencing -> fenced"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// Whoever says goodbye twice is told what became of the first time.
func TestASecondLeaveSaysWhatBecameOfTheFirst(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.Must(cluster.Leave{Node: "node1"})
	b.Refused(cluster.Leave{Node: "node1"}, message.LeaveUnderWay.With("node1").String())
	b.Must(cluster.NodeGone{Node: "node1", Incarnation: b.Node("node1").Incarnation})
	b.Refused(cluster.Leave{Node: "node1"}, message.LeaveOver.With("node1").String())
}

// The founder had no token: there was nobody to make one.
func TestOnlyWhoShowedATokenJoinedWithOne(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	for _, e := range b.S.Timeline {
		if e.To == string(cluster.NodeJoining) && strings.Contains(e.Why.String(), "token") != (e.Node != "node1") {
			t.Errorf("%s: %s", e.Node, e.Why)
		}
	}
}

// `virsh migrate` towards a node is told of the live move that clusterd makes.
func TestTheDoorSaysHowAVMThatRunsElsewhereIsMoved(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	says := func(node, want string) {
		t.Helper()
		if _, may, why := cluster.Passable(b.S, node, "uuid-vm:a"); may || !strings.Contains(why.String(), want) {
			t.Errorf("%s may bring it up: %t, %s; want %s", node, may, why, want)
		}
	}
	says("node1", "clusvcadm -e vm:a -m node1")
	says("node2", "clusvcadm -e vm:a -m node2")
	b.Running("vm:a", "node1")
	says("node2", "clusvcadm -M vm:a -m node2")
}
