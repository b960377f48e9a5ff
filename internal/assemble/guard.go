package assemble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/scsi"
	"github.com/clusterd/clusterd/fence/watchdog"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/hostguard"
)

// The hidden commands by which this program runs as a process of its own: a call
// that hangs in the kernel must not take the daemon along, and the keeper of the
// watchdog outlives it.
const (
	StorageHelper = "storage-helper"
	PillHelper    = "pill-helper"
	KeeperCommand = "watchdog-keeper"
)

// Helper is this program as a helper is called.
func Helper(command string) []string {
	self, err := os.Executable()
	if err != nil {
		self = "/proc/self/exe"
	}
	return []string{self, command}
}

// addGuard gives the host its guard and the drivers that go with it. root tells
// the newest State; it is asked at each use.
func addGuard(host *daemon.Host, node nodefile.Node, clusterID string, logger *slog.Logger,
	root func() *cluster.State,
) {
	g := &hostguard.Real{
		Node: node.Name, Socket: filepath.Join(node.RunDir, "watchdog", "keeper.sock"),
		KeeperCommand: Helper(KeeperCommand), StorageHelper: StorageHelper,
	}
	storage := scsi.New(scsi.Options{
		Cluster: clusterID, Node: node.Name, Helper: Helper(StorageHelper), Logger: logger,
		Nodes: func() []string { return root().Nodes.Keys() },
	})
	pills := watchdog.New(watchdog.Options{
		Node: node.Name, Helper: Helper(PillHelper), Logger: logger,
		Armed: func(target fence.Target, disks []string) error { return watched(root(), target, disks) },
	})
	g.Storage, g.Pills = storage, pills
	host.Guard = g
	host.Drivers[fence.DriverStorage] = storage
	host.Drivers[fence.DriverPill] = pills
	host.Drivers[fence.DriverWatchdog] = watchdogLevel{}
}

// watched reports whether a boot is known to watch disks for messages.
func watched(s *cluster.State, target fence.Target, disks []string) error {
	n, _ := s.Nodes.Get(target.Node)
	if n.Guard == nil || n.Guard.Boot != target.Boot || n.Guard.Timeout == 0 {
		return fmt.Errorf("boot %.8s has not reported an armed watchdog", target.Boot)
	}
	for _, disk := range disks {
		if !slices.Contains(n.Guard.Pills, disk) {
			return fmt.Errorf("boot %.8s does not watch %s", target.Boot, disk)
		}
	}
	return nil
}

// watchdogLevel is the driver of what needs no hand on the fencer's side: the mind
// waits, and each node looks after its own watchdog.
type watchdogLevel struct{}

// Validate implements fence.Driver.
func (watchdogLevel) Validate(device fence.Device) error {
	_, err := device.Settings()
	return err
}

// Check implements fence.Driver: whether a node's watchdog is armed is known from
// what the node reported, not from here.
func (watchdogLevel) Check(context.Context, fence.Device) fence.Check {
	return fence.Check{Power: fence.PowerUnknown}
}

// Fence implements fence.Driver. It proves nothing: the waiting is the mind's.
func (watchdogLevel) Fence(context.Context, fence.Request) fence.Result {
	return fence.Result{Outcome: fence.Unknown, Evidence: []string{"a watchdog is waited out, not commanded"}}
}

// PowerOn implements fence.Driver.
func (watchdogLevel) PowerOn(context.Context, fence.Device) error {
	return errors.New("a watchdog switches no power on; the node comes back by itself after a reset")
}
