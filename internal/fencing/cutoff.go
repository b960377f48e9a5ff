package fencing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/sleep"
)

const (
	cutPause = 3 * time.Second
	// surveyLimit bounds one look at the keys on a device, and cutting off again.
	surveyLimit = 25 * time.Second
)

// WatchCut looks, on the leader, whether a boot that was cut off is registered
// again: nothing in the storage stops it. It is told loudly, and cut off again.
func (d *Desk) WatchCut(ctx context.Context) {
	for sleep.For(ctx, cutPause) {
		if !d.Log.Leading() {
			continue
		}
		root := d.Log.Root()
		for _, name := range root.Nodes.Keys() {
			n, _ := root.Nodes.Get(name)
			if n.Cut == nil || n.State != cluster.NodeCut || root.Fences.Has(name) {
				continue
			}
			for _, device := range n.Cut.Devices {
				if declared, still := root.Document.Devices[device]; still {
					d.watchKeys(ctx, n, declared)
				}
			}
		}
	}
}

func (d *Desk) watchKeys(ctx context.Context, n cluster.Member, device fence.Device) {
	storage, able := d.Drivers[device.Driver].(fence.Registrar)
	if !able {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, surveyLimit)
	defer cancel()
	findings, err := storage.Survey(ctx, device)
	if err != nil {
		return
	}
	for _, f := range findings {
		if !f.Read || !slices.Contains(f.Nodes, n.Name) {
			continue
		}
		again := d.Drivers[device.Driver].Fence(ctx, fence.Request{
			Act: fmt.Sprintf("%d.%d", d.Log.Root().Generation, n.Cut.Index), Device: device,
			Target:      fence.Target{Node: n.Name, HardwareUUID: n.HardwareUUID, Boot: n.Cut.Boot},
			StillWanted: func() error { return d.stillCut(ctx, n) }, SignOfLife: func() bool { return false },
		})
		d.Logger.Error("a node that was cut off is registered again", "node", n.Name, "disk", f.Device, "cut off again",
			again.Outcome == fence.Confirmed)
		_, _ = d.Log.Propose(ctx, cluster.KeyBack{Node: n.Name, Boot: n.Cut.Boot, Disk: f.Device, By: d.Node,
			Again: again.Outcome == fence.Confirmed})
		return
	}
}

// stillCut asks the whole cluster whether that boot is still the one to be kept
// out: its next one registers rightly.
func (d *Desk) stillCut(ctx context.Context, n cluster.Member) error {
	if err := d.Log.Verify(ctx); err != nil {
		return err
	}
	now, _ := d.Log.Root().Nodes.Get(n.Name)
	if now.Cut == nil || now.State != cluster.NodeCut || now.Cut.Boot != n.Cut.Boot {
		return fmt.Errorf("boot %.8s of %s is no longer to be kept out", n.Cut.Boot, n.Name)
	}
	return nil
}

// drillsEvery is how often the schedule of drills is looked at.
const drillsEvery = time.Minute

// KeepDrills begins, on the leader, the drills that the document asks for. That
// the clock is read here and not in the log is why it is not the mind's.
func (d *Desk) KeepDrills(ctx context.Context) {
	for sleep.For(ctx, drillsEvery) {
		if !d.Log.Leading() {
			continue
		}
		due, found := rules.DueDrill(d.Log.Root(), time.Now())
		if !found {
			continue
		}
		if refused, err := d.Log.Propose(ctx, due); err != nil {
			d.Logger.Warn("a drill by schedule did not begin", "node", due.Node, "error", err)
		} else if why := refused[0]; !why.IsZero() {
			d.Logger.Info("a drill by schedule waits", "node", due.Node, "why", why)
		}
	}
}
