package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// scheduled is a cluster of three whose document wants a drill every month, at night.
func scheduled(t *testing.T) *clustertest.Book {
	b := clustertest.NewBook(t, 3)
	d := clustertest.Document()
	for _, gone := range []string{"node4", "node5"} {
		delete(d.Nodes, gone)
	}
	d.Fencing.Drills = cluster.Drills{Every: 30 * 24 * time.Hour, From: 22 * 60, To: 4 * 60}
	b.Must(clustertest.Configure(d, b.S.Config.Version))
	return b
}

// drilled brings one drill to its end.
func drilled(b *clustertest.Book, c cluster.BeginDrill) {
	b.T.Helper()
	b.Must(c)
	b.Must(cluster.Leave{Node: c.Node, By: c.By})
	b.Must(cluster.NodeGone{Node: c.Node, Incarnation: b.Node(c.Node).Incarnation})
	fencer := "node1"
	if c.Node == fencer {
		fencer = "node2"
	}
	b.Must(cluster.BeginFence{Node: c.Node, Boot: b.Node(c.Node).Boot, Fencer: fencer, By: c.By,
		Why:      message.Words("a drill"),
		Override: true, Drill: true, Level: c.Level})
	b.Must(b.Shot(c.Node, fence.Confirmed))
	asked, _ := b.S.PowerOns.Get(c.Node)
	b.Must(cluster.PowerOnDone{Node: c.Node, Act: asked.Index, Fencer: asked.Fencer, Incarnation: asked.Incarnation})
	b.Up(c.Node, c.Node+"-after-"+b.At.String())
	b.Must(cluster.EndDrill{Node: c.Node, Act: b.S.Drill.Index, OK: true, Why: message.Words("it came back")})
}

func TestTheScheduleDrillsOneNodeAfterTheOther(t *testing.T) {
	b := scheduled(t)
	night := time.Date(2026, 1, 6, 23, 0, 0, 0, time.UTC)
	if _, due := rules.DueDrill(b.S, night.Add(-2*time.Hour)); due {
		t.Error("a drill by day")
	}
	for _, want := range []string{"node1", "node2", "node3"} {
		c, due := rules.DueDrill(b.S, night)
		if !due || c.Node != want || !c.Scheduled {
			t.Fatalf("due is %+v, want %s", c, want)
		}
		b.At = night
		drilled(b, c)
		if c, due := rules.DueDrill(b.S, b.At.Add(time.Minute)); due {
			t.Fatalf("%s is due right after %s", c.Node, want)
		}
		night = night.Add(time.Hour)
	}
	if c, due := rules.DueDrill(b.S, night); due {
		t.Errorf("%s is due again after an hour", c.Node)
	}
	if c, due := rules.DueDrill(b.S, night.Add(30*24*time.Hour)); !due || c.Node != "node1" {
		t.Errorf("after a month %+v is due", c)
	}
}

// Without a person nothing is switched off while anything else is not well.
func TestTheScheduleWaitsWhileAnythingIsNotWell(t *testing.T) {
	night := time.Date(2026, 1, 6, 23, 0, 0, 0, time.UTC)
	for what, break_ := range map[string]func(b *clustertest.Book){
		"a node is lost": func(b *clustertest.Book) { b.Lose("node3") },
		"fencing is disarmed": func(b *clustertest.Book) {
			b.At = night
			b.Must(cluster.Disarm{For: time.Hour, By: "root"})
		},
		"the last drill failed": func(b *clustertest.Book) {
			b.Must(cluster.BeginDrill{Node: "node2", By: "root"})
			b.Must(cluster.EndDrill{Node: "node2", Act: b.S.Drill.Index, Why: message.Words("as tested")})
		},
	} {
		b := scheduled(t)
		break_(b)
		if c, due := rules.DueDrill(b.S, night); due {
			t.Errorf("%s, and %s is due", what, c.Node)
		}
	}
	b := scheduled(t)
	b.Lose("node3")
	b.Refused(cluster.BeginDrill{Node: "node1", By: "schedule", Scheduled: true}, "node3 is lost")
	b.Must(cluster.BeginDrill{Node: "node1", By: "root"})
	b.Refused(cluster.BeginDrill{Node: "node2", By: "root"}, "one at a time")
}

// A drill that is not the one under way cuts nothing, whoever asks for it.
func TestAScheduledDrillKeepsToTheBrake(t *testing.T) {
	b := scheduled(t)
	b.Must(cluster.BeginDrill{Node: "node2", By: "schedule", Scheduled: true})
	other := drillOf(b, "node3")
	b.Refused(other, "a drill of node2 is under way")
	b.Must(cluster.Leave{Node: "node2"})
	b.Must(cluster.NodeGone{Node: "node2", Incarnation: b.Node("node2").Incarnation})
	b.Lose("node3")
	byHand := b.Shoot("node3", "node1")
	b.Must(byHand)
	b.Must(b.Shot("node3", fence.Confirmed))
	b.Refused(drillOf(b, "node2"), "half of them or more")
}

func TestTheHistoryTellsHowAnIntentWasClosed(t *testing.T) {
	b := clustertest.NewBook(t, 5, "vm:a")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node5"))
	b.Must(b.Shot("node1", fence.Unknown))
	b.Must(cluster.AssignFence{Node: "node1", Fencer: "node4"})
	b.Must(b.Shot("node1", fence.Confirmed))
	b.Lose("node2")
	b.Must(b.Shoot("node2", "node5"))
	b.Must(b.Shot("node2", fence.Unknown))
	b.Must(cluster.ConfirmFence{Node: "node2", Boot: b.Node("node2").Boot, By: "root", Why: "I pulled the plug"})
	if len(b.S.FenceHistory) != 2 {
		t.Fatalf("the history holds %d", len(b.S.FenceHistory))
	}
	first, second := b.S.FenceHistory[0], b.S.FenceHistory[1]
	if first.Ending != cluster.EndedConfirmed || first.Fencer != "node4" || first.Attempts != 2 || first.Took() <= 0 ||
		strings.Join(first.Devices, "") != "bmc-node1" || first.Evidence != message.Words("as tested") {
		t.Errorf("the first is told as %+v", first)
	}
	if second.Ending != cluster.EndedByWord ||
		second.Evidence != message.FenceConfirmedByHand.With("root", "I pulled the plug") {
		t.Errorf("the second is told as %+v", second)
	}
}

// Power is asked for by who confirmed off, once, and never after a new boot.
func TestPowerIsAskedForAfterAReboot(t *testing.T) {
	b := clustertest.NewBook(t, 5)
	reboot := cluster.BeginFence{Node: "node2", Boot: b.Node("node2").Boot, Fencer: "node1", By: "root",
		Why:      message.Words("by hand"),
		Override: true, Reboot: true}
	b.Must(reboot)
	b.Must(b.Shot("node2", fence.Confirmed))
	duties := cluster.Work(b.S, "node1")
	if len(duties) != 1 || duties[0].Kind != cluster.DutyPowerOn || len(duties[0].Devices) != 1 {
		t.Fatalf("node1 is handed %+v", duties)
	}
	if err := cluster.StillWanted(b.S, "node1", duties[0]); err != nil {
		t.Error(err)
	}
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", MaxLevel: cluster.CurrentLevel})
	if len(cluster.Work(b.S, "node1")) != 0 {
		t.Error("power is asked for although it booted")
	}
	b.Refused(cluster.PowerOnDone{Node: "node2", Act: duties[0].Index, Fencer: "node1",
		Incarnation: duties[0].Incarnation}, "nothing waits for")
}
