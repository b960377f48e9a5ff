package mind

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
)

func check(device, by, problem string) cluster.CheckFrom {
	return cluster.CheckFrom{Device: device, By: by, Check: fence.Check{Power: fence.PowerOn, Identity: "hardware-node1",
		Problem: problem}}
}

// A device is as good as the best answer it gives; a dead one is two lines in the
// timeline, whatever the number of nodes that ask it.
func TestEachNodesCheckIsKept(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	events := func(c cluster.CheckFrom) int { return len(b.Must(c).Events) }
	if events(check("bmc-node1", "node2", "")) != 0 {
		t.Error("a device that answers is news")
	}
	if events(check("bmc-node1", "node3", "no answer")) != 1 {
		t.Error("the first problem is no news")
	}
	if known, _ := b.S.Checks.Get("bmc-node1"); known.Problem != "" || known.By != "node2" {
		t.Errorf("a device that node2 can use counts as %+v", known)
	}
	if events(check("bmc-node1", "node2", "no answer")) != 1 {
		t.Error("that nobody can use it any more is no news")
	}
	if known, _ := b.S.Checks.Get("bmc-node1"); known.Problem == "" {
		t.Error("a device that nobody can use counts as good")
	}
	if events(check("bmc-node1", "node2", "")) != 0 || events(check("bmc-node1", "node3", "")) != 1 {
		t.Error("the return is told more than once, or not at all")
	}
	b.Refused(check("nowhere", "node2", ""), "no fence device")
	b.Refused(check("bmc-node1", "nobody", ""), "no node")
	b.Must(cluster.RemoveNode{Node: "node3"})
	if len(b.S.ReachOf("bmc-node1")) != 1 {
		t.Error("a removed node is still asked about")
	}
}

// Only what changes enters the log, and a problem in ever new words does not.
// Of the nodes that are not the leader, only those are heard that find it
// otherwise.
func TestChecksDoNotFloodTheLog(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	minds := map[string]*Node{"node2": NewNode("node2"), "node3": NewNode("node3")}
	for i, step := range []struct {
		by      string
		problem string
		want    bool
	}{
		{"node2", "", true}, {"node2", "", false}, {"node3", "", false},
		{"node3", "no answer", true}, {"node3", "no answer again", false}, {"node3", "", true}, {"node3", "", false},
		{"node2", "no answer 1", true}, {"node2", "no answer 2", false}, {"node3", "no answer", true}, {"node3", "", true},
		{"node2", "", true}, {"node2", "", false}, {"node3", "", false},
	} {
		command := minds[step.by].checkCommand(0, b.S, check("bmc-node1", step.by, step.problem), step.by == "node2")
		if command != nil {
			b.Must(command)
		}
		if (command != nil) != step.want {
			t.Errorf("check %d (%s finds %q) enters the log: %t", i, step.by, step.problem, command != nil)
		}
	}
	// The leader does not ask its own device; another node tells of it, once.
	if minds["node3"].checkCommand(0, b.S, check("bmc-node2", "node3", ""), false) == nil {
		t.Error("nobody tells of the leader's own device")
	}
	b.Must(check("bmc-node2", "node3", ""))
	if NewNode("node1").checkCommand(0, b.S, check("bmc-node2", "node1", ""), false) != nil {
		t.Error("the leader's own device is told of by every node")
	}
	// What a lost node was told says nothing about now.
	b.Lose("node3")
	b.Must(check("bmc-node2", "node1", "no answer"))
	if known, _ := b.S.Checks.Get("bmc-node2"); known.Problem == "" {
		t.Error("a dead device counts as good because a lost node reached it once")
	}
	n := minds["node2"]
	b.Must(check("bmc-node1", "node2", "no answer"))
	if n.checkCommand(pauseBetweenWords, b.S, check("bmc-node1", "node2", "the login is refused"), true) == nil {
		t.Error("another problem is never told")
	}
}

// A changed password leaves no gap: the old one is kept until the device has
// taken the new one, and no longer.
func TestAnOldLoginIsKeptUntilTheNewOneWorks(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	first := fence.Secret(fence.Reference(strings.Repeat("1", 32)))
	second := fence.Secret(fence.Reference(strings.Repeat("2", 32)))
	change := func(password fence.Secret) {
		d := clustertest.Document()
		device := d.Devices["bmc-node1"]
		device.Password = password
		d.Devices["bmc-node1"] = device
		b.Must(clustertest.Configure(d, b.S.Config.Version))
	}
	change(first)
	b.S.OldLogins.Delete("bmc-node1")
	change("mistyped")
	change(second)
	old, kept := b.S.WithOldLogin(b.S.Document.Devices["bmc-node1"])
	if !kept || old.Password != first || old.Address != "node1" {
		t.Fatalf("kept is %q", string(old.Password))
	}
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	duties := cluster.Work(b.S, "node2")
	if len(duties) != 1 || len(duties[0].OldLogins) != 1 || duties[0].Devices[0].Password != second {
		t.Fatalf("node2 is handed %+v", duties)
	}
	works := check("bmc-node1", "node2", "")
	works.OldLogin = true
	b.Must(works)
	if !b.S.OldLogins.Has("bmc-node1") {
		t.Error("the login that works was forgotten")
	}
	// What both nodes see need not change for the new login to be news.
	if command := NewNode("node2").checkCommand(0, b.S, check("bmc-node1", "node2", ""), false); command == nil {
		t.Error("that the new login works does not reach the log")
	}
	b.Must(check("bmc-node1", "node2", ""))
	if b.S.OldLogins.Has("bmc-node1") {
		t.Error("the old login outlived the new one's first success")
	}
}
