package main

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/watchdog"
	"github.com/clusterd/clusterd/internal/hostguard"
)

// guard is the daemon's own hands on this host: "guard register DISK", "guard
// cutoff DISK", or "guard free|leased|never LEASE TIMEOUT".
func (n *node) guard(ctx context.Context, words []string) (any, error) {
	g := &hostguard.Real{
		Node: n.name, Socket: "/run/guard/keeper.sock", KeeperCommand: []string{self, "watchdog-keeper"},
		StorageHelper: "scsi-helper",
		Storage:       n.storage(nil), Pills: n.messages(),
	}
	switch words[0] {
	case "register":
		return nil, g.Register(ctx, shared(words[1]))
	case "cutoff":
		return g.CutOff(ctx, shared(words[1]))
	}
	options := map[string]string{fence.OptionLease: words[1], fence.OptionTimeout: words[2]}
	device := fence.Device{Name: "wd", Driver: fence.DriverWatchdog, Options: options}
	settings, err := device.Settings()
	if err != nil {
		return nil, err
	}
	word := cluster.Pet{Seq: uint64(time.Now().UnixNano()), Policy: cluster.PetPolicy(words[0])}
	if word.Policy == cluster.PetLeased {
		word.Until = watchdog.Now() + settings.Lease
	}
	k, err := g.Say(ctx, fence.Wanted{Watchdog: true, Settings: settings}, word)
	if err == nil && (k.Seq != word.Seq || !k.Armed || k.Timeout != settings.Timeout) {
		err = fmt.Errorf("the keeper answers %+v", k)
	}
	return k, err
}
