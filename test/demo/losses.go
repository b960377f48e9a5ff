package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// deadBMC cuts the power of a host and takes its BMC along, as a real loss of power does.
func (f *fenceStory) deadBMC(ctx context.Context) error {
	f.headline("node2 loses its power, and its BMC with it: the second level has to confirm")
	s, err := f.aim(ctx, "node2", "web")
	if err != nil {
		return err
	}
	if err := f.lab.Host("node2").BMC.SetFault(lab.Dead); err != nil {
		return err
	}
	f.say("The power goes now, and the BMC answers nobody any more.")
	if err := f.cluster.CutPower("node2"); err != nil {
		return err
	}
	events, err := f.recovered(ctx, s)
	if err != nil {
		return err
	}
	if fenced := f.checkShot(events, s); fenced != nil {
		f.check(strings.Contains(fenced.Why.String(), "pdu-node2-a") && strings.Contains(fenced.Why.String(), "pdu-node2-b"),
			"both outlets of node2 confirmed it")
	}
	history, err := f.history(ctx, "node2")
	if err != nil {
		return err
	}
	last := history[len(history)-1]
	f.check(last.Level == 1 && last.Attempts >= 2 && last.Ending == cluster.EndedConfirmed,
		"level 2 confirmed, at attempt %d, after %s", last.Attempts, span(last.Took()))
	unproven := 0
	for _, a := range last.Tried {
		if a.Level == 0 && a.Outcome == fence.Unknown {
			unproven++
		}
	}
	f.check(unproven == last.Attempts-1, "the dead BMC proved nothing %d times: unknown, and never taken for off",
		unproven)
	f.check(last.Took() < time.Duration(last.Attempts)*levelDeadline,
		"no attempt at level 1 outlived its deadline of %s", span(levelDeadline))
	f.say("  vm:web runs again %s after the power cut.", span(time.Since(s.at)))
	return f.giveBack(ctx, "node2")
}

func (f *fenceStory) history(ctx context.Context, node string) ([]cluster.FenceRecord, error) {
	client, err := f.cluster.Client("node1")
	if err != nil {
		return nil, err
	}
	defer client.Close()
	history, err := client.FenceHistory(ctx, node)
	if err == nil && len(history.Records) == 0 {
		err = fmt.Errorf("the history does not tell of %s", node)
	}
	return history.Records, err
}

// giveBack mends a host: its BMC, its outlets, its power.
func (f *fenceStory) giveBack(ctx context.Context, node string) error {
	f.say("\n%s gets its power back.", node)
	if err := f.lab.Host(node).BMC.SetFault(lab.Healthy); err != nil {
		return err
	}
	for _, side := range []string{"-a", "-b"} {
		if on, _ := f.strip.On(node + side); !on {
			if err := f.strip.Switch(node+side, true); err != nil {
				return err
			}
		}
	}
	if err := f.cluster.Boot(ctx, node); err != nil {
		return err
	}
	_, err := f.cluster.Wait(ctx, node+" is online and all is at home", func(st api.Status) bool {
		return stage.AllStarted(st) && len(stage.OnlineNodes(st)) == 3 && stage.Owner(st, "vm:web") == "node2" &&
			stage.Owner(st, "vm:db") == "node3"
	})
	return err
}

// twoSupplies drills the second level: off, off, and then on, on.
func (f *fenceStory) twoSupplies(ctx context.Context) error {
	f.headline("A drill of node3's two power supplies: off, off, then on, on")
	before := len(f.strip.Record())
	result := f.show(ctx, "node1", "clusterd", "fence", "test", "node3", "--level", "2", "--yes")
	f.check(result.OK(), "the drill succeeded, with exit code 0")
	var switched []string
	for _, s := range f.strip.Record()[before:] {
		switched = append(switched, fmt.Sprintf("%s %s", s.Outlet, map[bool]string{true: "on", false: "off"}[s.On]))
	}
	f.say("The strip's own record: %s.", strings.Join(switched, ", "))
	offs := 0
	for _, s := range switched {
		if strings.HasSuffix(s, " off") {
			offs++
		}
	}
	inOrder := len(switched) == 4 && offs == 2 && strings.HasSuffix(switched[0], "off") &&
		strings.HasSuffix(switched[1], "off")
	f.check(inOrder, "both outlets went off before either came on again")
	_, err := f.cluster.Wait(ctx, "all is at home again", func(st api.Status) bool {
		return stage.AllStarted(st) && len(stage.OnlineNodes(st)) == 3 && stage.Owner(st, "vm:db") == "node3"
	})
	return err
}

// hungHost freezes every process of a host, its guests too, while its kernel answers.
func (f *fenceStory) hungHost(ctx context.Context) error {
	f.headline("node3 hangs: its kernel answers, nothing else does. It is shot after its grace")
	s, err := f.aim(ctx, "node3", "db")
	if err != nil {
		return err
	}
	if err := f.writesFrom(ctx, s); err != nil {
		return err
	}
	if err := f.lab.Host("node3").Freeze(); err != nil {
		return err
	}
	events, err := f.recovered(ctx, s)
	if err != nil {
		return err
	}
	silent := find(events, func(e cluster.Event) bool {
		return e.Subject == "node3" &&
			e.To == string(cluster.NodeSilent)
	})
	f.check(silent != nil, "it was called silent first, because its kernel answered")
	fenced := f.checkShot(events, s)
	if fenced == nil {
		return nil
	}
	f.check(strings.Contains(fenced.Why.String(), "bmc-node3"), "its BMC confirmed it")
	f.checkLastWrite(s, lastPhase(*fenced))
	return f.giveBack(ctx, "node3")
}

// writesFrom waits until the guest has written from where it runs now, so that
// there is something to stop.
func (f *fenceStory) writesFrom(ctx context.Context, s shot) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) &&
		ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		writes, err := f.lab.Writers(s.guest)
		if err != nil {
			return err
		}
		if n := len(writes); n > 0 && writes[n-1].Host == s.node && writes[n-1].Count > 3 &&
			time.Since(writes[n-1].Until) < time.Second {
			return nil
		}
	}
	return fmt.Errorf("the guest %s does not write from %s", s.guest, s.node)
}

// checkLastWrite asks the block server when the lost host wrote last.
func (f *fenceStory) checkLastWrite(s shot, confirmed time.Time) {
	writes, err := f.lab.Writers(s.guest)
	f.checkNone(err, "the record of %s is complete", s.guest)
	var last time.Time
	for _, w := range writes {
		// Writes after it came back belong to another shot of the story.
		if w.Host == s.node && w.At.Before(confirmed) {
			last = w.Until
		}
	}
	f.check(!last.IsZero() && last.Before(confirmed),
		"the last write of %s to the disk of %s was %s before off was confirmed; none came after", s.node, s.guest,
		span(confirmed.Sub(last)))
}

// disarmed shows that nothing is shot while somebody works on the switches.
func (f *fenceStory) disarmed(ctx context.Context) error {
	f.headline("Fencing is disarmed for work on the switch; a host is lost meanwhile")
	s, err := f.aim(ctx, "node2", "web")
	if err != nil {
		return err
	}
	result := f.show(ctx, "node1", "clusterd", "fence", "disarm", "--for", "10m", "--reason", "switch 3 is replaced")
	f.check(result.OK(), "fencing was disarmed")
	if err := f.cluster.CutPower("node2"); err != nil {
		return err
	}
	_, err = f.cluster.Wait(ctx, "the notes say that node2 is not fenced", func(st api.Status) bool {
		return slices.ContainsFunc(st.Notes, func(n cluster.Note) bool {
			return n.Subject == "node2" &&
				strings.Contains(n.Why.String(), "disarmed")
		})
	})
	if err != nil {
		return err
	}
	result = f.show(ctx, "node1", "clustat")
	f.check(strings.Contains(result.Output, "FENCING IS DISARMED"), "clustat says so, and node2 is lost and not shot")
	result = f.show(ctx, "node1", "clusterd", "fence", "node", "node2", "--off")
	f.check(result.Code == 1, "an administrator is refused as well, with exit code %d", result.Code)
	result = f.show(ctx, "node1", "clusterd", "fence", "arm")
	f.check(result.OK(), "fencing was armed again")
	events, err := f.recovered(ctx, s)
	if err != nil {
		return err
	}
	f.checkShot(events, s)
	return f.giveBack(ctx, "node2")
}
