package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// The times of the story's watchdog: short, so that it need not be waited for long.
const (
	dogLease   = 3 * time.Second
	dogTimeout = 5 * time.Second
)

// onlyAWatchdog takes node3's other devices away and cuts it off from everybody: nobody can
// switch it off, and nobody has to, because it resets itself.
func (f *fenceStory) onlyAWatchdog(ctx context.Context) error {
	f.headline("node3 has nothing but a watchdog now, and is cut off: it resets itself, and that is waited out")
	f.say("The watchdog is simulated; that it resets the host is not.")
	f.cluster.Plan.Levels["node3"] = "[[dog-node3]]"
	f.cluster.Plan.Devices = append(f.cluster.Plan.Devices,
		fmt.Sprintf("dog-node3: {driver: watchdog, options: {watchdog: %s, lease: %s, timeout: %s}}", lab.WatchdogPath,
			dogLease, dogTimeout))
	if err := f.cluster.Apply(ctx); err != nil {
		return err
	}
	_, err := f.readiness(ctx, func(s api.FenceStatus) bool {
		for _, n := range s.Nodes {
			if n.Node == "node3" {
				return n.Unprotected == "" && len(n.Devices) == 1
			}
		}
		return false
	})
	f.show(ctx, "node1", "clusterd", "fence", "status")
	f.checkNone(err, "node3 is protected: its watchdog is armed, and it is petted for as long as a majority answers")
	s, err := f.aim(ctx, "node3", "db")
	if err != nil {
		return err
	}
	if err := f.writesFrom(ctx, s); err != nil {
		return err
	}
	boot := f.lab.Host("node3").BootID()
	f.say("All its cables to the others are pulled. Its disks stay, and its guest writes on.")
	if err := f.lab.Host("node3").Cut(lab.Management, lab.BMC); err != nil {
		return err
	}
	events, err := f.recovered(ctx, s)
	if err != nil {
		return err
	}
	f.checkWaitedOut(events, s, boot)
	return f.comeBack(ctx)
}

// checkWaitedOut holds the wait against what the host and its disk did.
func (f *fenceStory) checkWaitedOut(events []cluster.Event, s shot, boot string) {
	begun := find(events, func(e cluster.Event) bool { return e.Subject == s.node && e.To == "fencing" })
	fenced := find(events, func(e cluster.Event) bool { return e.Subject == s.node && e.To == string(cluster.NodeFenced) })
	starting := find(events, func(e cluster.Event) bool { return e.Subject == s.service && e.To == "starting" })
	f.check(begun != nil && fenced != nil && starting != nil, "the timeline has the fence of %s and the start of %s",
		s.node, s.service)
	if begun == nil || fenced == nil || starting == nil {
		return
	}
	waited, needed := fenced.At.Sub(begun.At), fence.WaitOut(dogLease, dogTimeout)
	f.check(waited >= needed, "from the intent until it was let go %s were waited, and %s are needed: slower than a "+
		"BMC, and as safe", span(waited), span(needed))
	f.check(fenced.Index < starting.Index && starting.Node != s.node,
		"the wait was over (event %d) before the start of %s on %s was decided (event %d)", fenced.Index, s.service,
		starting.Node, starting.Index)
	f.check(strings.Contains(fenced.Why.String(), "waited out"), "the timeline says by what: %s", fenced.Why)
	f.check(f.lab.Host(s.node).BootID() != boot, "%s was reset by its own watchdog: it is another boot now", s.node)
	f.checkLastWrite(s, fenced.At)
	f.checkNone(f.cluster.CheckSingleWriter(lab.Guest{Name: s.guest}),
		"the witness saw one writer at a time on the disk of %s", s.guest)
}

// comeBack lets node3 take part again; its boot comes with cables of its own.
func (f *fenceStory) comeBack(ctx context.Context) error {
	if err := f.lab.Host("node3").Heal(lab.Management, lab.BMC); err != nil {
		return err
	}
	_, err := f.cluster.Wait(ctx, "node3 is back and all is at home", func(st api.Status) bool {
		return stage.AllStarted(st) && len(stage.OnlineNodes(st)) == 3 && stage.Owner(st, "vm:db") == "node3"
	})
	return err
}
