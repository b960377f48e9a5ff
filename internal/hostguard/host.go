package hostguard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/watchdog"
)

// Real is this host's real watchdog and its keys: what a daemon uses on a
// machine of its own.
type Real struct {
	// Node is this node's name, Socket where its keeper listens, in a folder that
	// only root may enter.
	Node, Socket string
	// KeeperCommand starts a keeper. StorageHelper is the word by which a process of
	// this program that carries out one reservation command is recognised.
	KeeperCommand []string
	StorageHelper string
	Storage       fence.Registrar
	Pills         fence.Messenger

	mu     sync.Mutex
	client *watchdog.Client
}

var _ Host = (*Real)(nil)

// Clock implements Host.
func (g *Real) Clock() time.Duration { return watchdog.Now() }

// Keeper implements Host.
func (g *Real) Keeper(ctx context.Context) (cluster.Keeper, bool) {
	client, state, err := watchdog.Find(ctx, g.Socket)
	if err != nil {
		return cluster.Keeper{}, false
	}
	g.mu.Lock()
	g.client = client
	g.mu.Unlock()
	return keeperOf(state, 0), true
}

func keeperOf(s watchdog.State, seq uint64) cluster.Keeper {
	return cluster.Keeper{Seq: seq, Armed: s.Armed, Timeout: s.Info.Timeout, Pills: s.Disks, Free: s.Free, Until: s.Until}
}

// Say implements Host. A keeper that is armed is used as it is: the times
// of a boot do not change. One that is not armed makes room for one that is as
// the document asks.
func (g *Real) Say(ctx context.Context, wanted fence.Wanted, word cluster.Pet) (cluster.Keeper, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	client, state, err := watchdog.Find(ctx, g.Socket)
	if g.client = client; err == nil && !state.Armed {
		_ = client.Stop(ctx)
		g.client = nil
	}
	if g.client == nil {
		if err := os.MkdirAll(filepath.Dir(g.Socket), 0o700); err != nil {
			return cluster.Keeper{}, err
		}
		if g.client, err = watchdog.Start(ctx, g.settings(wanted), g.KeeperCommand); err != nil {
			return cluster.Keeper{}, err
		}
	}
	switch word.Policy {
	case cluster.PetFree:
		err = g.client.Free(ctx)
	case cluster.PetLeased:
		err = g.client.Lease(ctx, word.Until)
	case cluster.PetNever:
		err = g.client.Yield(ctx)
	}
	if err != nil && (word.Policy != cluster.PetNever || !errors.Is(err, watchdog.ErrPilled)) {
		return cluster.Keeper{}, err
	}
	state, err = g.client.State(ctx)
	return keeperOf(state, word.Seq), err
}

func (g *Real) settings(wanted fence.Wanted) watchdog.KeeperOptions {
	return watchdog.KeeperOptions{
		Socket: g.Socket, Device: wanted.Settings.Device, Timeout: wanted.Settings.Timeout, NoWayOut: len(wanted.Pills) > 0,
		LongestLease: max(wanted.Settings.Lease, time.Second), Node: g.Node, Disks: wanted.Pills,
	}
}

// Clear implements Host.
func (g *Real) Clear(ctx context.Context, device fence.Device) error {
	return g.Pills.Clear(ctx, device, g.Node)
}

// Register implements Host. A helper of an earlier try, or of an earlier
// daemon, may still hang in the kernel with a registration that comes later; as
// long as one is there, nothing counts as registered.
func (g *Real) Register(ctx context.Context, device fence.Device) error {
	if err := g.Storage.Unfence(ctx, device); err != nil {
		return err
	}
	for {
		hangs, err := helpersOf(g.StorageHelper)
		if err == nil && hangs == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("fence device %s: registered, but %d reservation commands have not come back, and one of "+
				"them may register again later; look at the storage, then restart this host", device.Name, hangs)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// helpersOf counts the processes of this program that run a helper.
func helpersOf(command string) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	count := 0
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if words := bytes.Split(line, []byte{0}); err == nil && len(words) > 1 && string(words[1]) == command {
			count++
		}
	}
	return count, nil
}

// CutOff implements Host.
func (g *Real) CutOff(ctx context.Context, device fence.Device) (bool, error) {
	findings, err := g.Storage.Survey(ctx, device)
	if err != nil {
		return false, err
	}
	var problems []error
	cut := false
	for _, f := range findings {
		switch {
		case f.Read && !f.Registered && f.Reserved:
			cut = true
		case f.Problem != "":
			problems = append(problems, errors.New(f.Problem))
		}
	}
	return cut, errors.Join(problems...)
}
