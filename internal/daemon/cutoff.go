package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/scsi"
)

// cutter is what a driver for storage can do besides.
type cutter interface {
	CutOff(ctx context.Context, request fence.Request, provenBefore func(string) bool) ([]scsi.Cut, fence.Result)
	Survey(ctx context.Context, device fence.Device) ([]scsi.Finding, error)
}

// cutOff cuts a node off from every disk of a device, and says of which it is
// proven.
func cutOff(ctx context.Context, driver fence.Driver, request fence.Request) fence.Result {
	storage, able := driver.(cutter)
	if !able {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{"this clusterd cannot cut anybody off from storage"}}
	}
	cuts, result := storage.CutOff(ctx, request, nil)
	result.Outcome = fence.Confirmed
	for _, cut := range cuts {
		switch {
		case cut.Back:
			result.Outcome = fence.Refuted
		case !cut.Proven && result.Outcome == fence.Confirmed:
			result.Outcome = fence.Unknown
		case cut.Proven:
			result.Proven.Disks = append(result.Proven.Disks, cut.Device)
		}
	}
	if len(cuts) == 0 {
		result.Outcome = fence.Unknown
	}
	return result
}

const cutPause = 3 * time.Second

// watchCut looks, on the leader, whether a boot that was cut off is registered
// again: nothing in the storage stops it. It is told loudly, and cut off again.
func (d *Daemon) watchCut(ctx context.Context) {
	for sleep(ctx, cutPause) {
		if !d.role.Load().leading {
			continue
		}
		root := d.replica.Root()
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

func (d *Daemon) watchKeys(ctx context.Context, n cluster.Member, device fence.Device) {
	storage, able := d.drivers[device.Driver].(cutter)
	if !able {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, guardLimit)
	defer cancel()
	findings, err := storage.Survey(ctx, device)
	if err != nil {
		return
	}
	for _, f := range findings {
		if !f.Read || !slices.Contains(f.Nodes, n.Name) {
			continue
		}
		again := cutOff(ctx, d.drivers[device.Driver], fence.Request{
			Act: fmt.Sprintf("%d.%d", d.replica.Root().Generation, n.Cut.Index), Device: device,
			Target:      fence.Target{Node: n.Name, HardwareUUID: n.HardwareUUID, Boot: n.Cut.Boot},
			StillWanted: func() error { return d.stillCut(ctx, n) }, SignOfLife: func() bool { return false },
		})
		d.logger.Error("a node that was cut off is registered again", "node", n.Name, "disk", f.Device, "cut off again",
			again.Outcome == fence.Confirmed)
		_, _ = d.propose(ctx, cluster.KeyBack{Node: n.Name, Boot: n.Cut.Boot, Disk: f.Device, By: d.name,
			Again: again.Outcome == fence.Confirmed})
		return
	}
}

// stillCut asks the whole cluster whether that boot is still the one to be kept
// out: its next one registers rightly.
func (d *Daemon) stillCut(ctx context.Context, n cluster.Member) error {
	if err := d.log.Verify(ctx); err != nil {
		return err
	}
	now, _ := d.replica.Root().Nodes.Get(n.Name)
	if now.Cut == nil || now.State != cluster.NodeCut || now.Cut.Boot != n.Cut.Boot {
		return fmt.Errorf("boot %.8s of %s is no longer to be kept out", n.Cut.Boot, n.Name)
	}
	return nil
}
