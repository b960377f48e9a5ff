package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// scheduled is a cluster of three whose document wants a drill every month, at night.
func scheduled(t *testing.T) *book {
	b := newBook(t, 3)
	d := document()
	for _, gone := range []string{"node4", "node5"} {
		delete(d.Nodes, gone)
	}
	d.Fencing.Drills = Drills{Every: 30 * 24 * time.Hour, From: 22 * 60, To: 4 * 60}
	b.must(configure(d, b.s.Config.Version))
	return b
}

// drilled brings one drill to its end.
func (b *book) drilled(c BeginDrill) {
	b.t.Helper()
	b.must(c)
	b.must(Leave{Node: c.Node, By: c.By})
	b.must(NodeGone{Node: c.Node, Incarnation: b.node(c.Node).Incarnation})
	fencer := "node1"
	if c.Node == fencer {
		fencer = "node2"
	}
	b.must(BeginFence{Node: c.Node, Boot: b.node(c.Node).Boot, Fencer: fencer, Why: "a drill", By: c.By, Override: true, Drill: true, Level: c.Level})
	b.must(b.shot(c.Node, fence.Confirmed))
	asked, _ := b.s.PowerOns.Get(c.Node)
	b.must(PowerOnDone{Node: c.Node, Act: asked.Index, Fencer: asked.Fencer, Incarnation: asked.Incarnation})
	b.up(c.Node, c.Node+"-after-"+b.at.String())
	b.must(EndDrill{Node: c.Node, Act: b.s.Drill.Index, OK: true, Why: "it came back"})
}

func TestTheScheduleDrillsOneNodeAfterTheOther(t *testing.T) {
	b := scheduled(t)
	night := time.Date(2026, 1, 6, 23, 0, 0, 0, time.UTC)
	if _, due := DueDrill(b.s, night.Add(-2*time.Hour)); due {
		t.Error("a drill by day")
	}
	for _, want := range []string{"node1", "node2", "node3"} {
		c, due := DueDrill(b.s, night)
		if !due || c.Node != want || !c.Scheduled {
			t.Fatalf("due is %+v, want %s", c, want)
		}
		b.at = night
		b.drilled(c)
		if c, due := DueDrill(b.s, b.at.Add(time.Minute)); due {
			t.Fatalf("%s is due right after %s", c.Node, want)
		}
		night = night.Add(time.Hour)
	}
	if c, due := DueDrill(b.s, night); due {
		t.Errorf("%s is due again after an hour", c.Node)
	}
	if c, due := DueDrill(b.s, night.Add(30*24*time.Hour)); !due || c.Node != "node1" {
		t.Errorf("after a month %+v is due", c)
	}
}

// Without a person nothing is switched off while anything else is not well.
func TestTheScheduleWaitsWhileAnythingIsNotWell(t *testing.T) {
	night := time.Date(2026, 1, 6, 23, 0, 0, 0, time.UTC)
	for what, break_ := range map[string]func(b *book){
		"a node is lost":      func(b *book) { b.lose("node3") },
		"fencing is disarmed": func(b *book) { b.at = night; b.must(Disarm{For: time.Hour, By: "root"}) },
		"the last drill failed": func(b *book) {
			b.must(BeginDrill{Node: "node2", By: "root"})
			b.must(EndDrill{Node: "node2", Act: b.s.Drill.Index, Why: "as tested"})
		},
	} {
		b := scheduled(t)
		break_(b)
		if c, due := DueDrill(b.s, night); due {
			t.Errorf("%s, and %s is due", what, c.Node)
		}
	}
	b := scheduled(t)
	b.lose("node3")
	b.refused(BeginDrill{Node: "node1", By: "schedule", Scheduled: true}, "node3 is lost")
	b.must(BeginDrill{Node: "node1", By: "root"})
	b.refused(BeginDrill{Node: "node2", By: "root"}, "one at a time")
}

// A drill that is not the one under way cuts nothing, whoever asks for it.
func TestAScheduledDrillKeepsToTheBrake(t *testing.T) {
	b := scheduled(t)
	b.must(BeginDrill{Node: "node2", By: "schedule", Scheduled: true})
	other := drillOf(b, "node3")
	b.refused(other, "a drill of node2 is under way")
	b.must(Leave{Node: "node2"})
	b.must(NodeGone{Node: "node2", Incarnation: b.node("node2").Incarnation})
	b.lose("node3")
	byHand := b.shoot("node3", "node1")
	b.must(byHand)
	b.must(b.shot("node3", fence.Confirmed))
	b.refused(drillOf(b, "node2"), "half of them or more")
}

func TestTheHistoryTellsHowAnIntentWasClosed(t *testing.T) {
	b := newBook(t, 5, "vm:a")
	b.lose("node1")
	b.must(b.shoot("node1", "node5"))
	b.must(b.shot("node1", fence.Unknown))
	b.must(AssignFence{Node: "node1", Fencer: "node4"})
	b.must(b.shot("node1", fence.Confirmed))
	b.lose("node2")
	b.must(b.shoot("node2", "node5"))
	b.must(b.shot("node2", fence.Unknown))
	b.must(ConfirmFence{Node: "node2", Boot: b.node("node2").Boot, By: "root", Why: "I pulled the plug"})
	if len(b.s.FenceHistory) != 2 {
		t.Fatalf("the history holds %d", len(b.s.FenceHistory))
	}
	first, second := b.s.FenceHistory[0], b.s.FenceHistory[1]
	if first.Ending != EndedConfirmed || first.Fencer != "node4" || first.Attempts != 2 || first.Took() <= 0 || strings.Join(first.Devices, "") != "bmc-node1" || first.Evidence != "as tested" {
		t.Errorf("the first is told as %+v", first)
	}
	if second.Ending != EndedByWord || !strings.Contains(second.Evidence, "root: I pulled the plug") {
		t.Errorf("the second is told as %+v", second)
	}
}

// Power is asked for by who confirmed off, once, and never after a new boot.
func TestPowerIsAskedForAfterAReboot(t *testing.T) {
	b := newBook(t, 5)
	reboot := BeginFence{Node: "node2", Boot: b.node("node2").Boot, Fencer: "node1", Why: "by hand", By: "root", Override: true, Reboot: true}
	b.must(reboot)
	b.must(b.shot("node2", fence.Confirmed))
	duties := Work(b.s, "node1")
	if len(duties) != 1 || duties[0].Kind != DutyPowerOn || len(duties[0].Devices) != 1 {
		t.Fatalf("node1 is handed %+v", duties)
	}
	if err := StillWanted(b.s, "node1", duties[0]); err != nil {
		t.Error(err)
	}
	b.must(NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", MaxLevel: CurrentLevel})
	if len(Work(b.s, "node1")) != 0 {
		t.Error("power is asked for although it booted")
	}
	b.refused(PowerOnDone{Node: "node2", Act: duties[0].Index, Fencer: "node1", Incarnation: duties[0].Incarnation}, "no longer waited for")
}
