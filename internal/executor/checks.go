package executor

import (
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/sleep"
)

// How often a node asks each fence device a harmless question. The leader, which
// fences first, asks often; the others ask seldom, each at a time of its own: a
// BMC has few sessions, and a large cluster must not use them up. A device whose
// login has just changed is asked often by everybody.
const (
	checkEvery  = 30 * time.Second
	checkSeldom = 5 * time.Minute
	checkSpread = 10 * time.Second
	// CheckTimeout bounds one question to a device that answers at once.
	CheckTimeout     = 10 * time.Second
	checksAtOnce     = 8
	checkGranularity = time.Second
)

// checkBook keeps when each device was last asked by this node, and what came.
type checkBook struct {
	mu   sync.Mutex
	last map[string]checkEntry
	// busy are the devices that are being asked.
	busy map[string]bool
}

// begin reports whether a device may be asked: it is not being asked already.
func (b *checkBook) begin(device string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy[device] {
		return false
	}
	if b.busy == nil {
		b.busy = map[string]bool{}
	}
	b.busy[device] = true
	return true
}

func (b *checkBook) end(device string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.busy, device)
}

type checkEntry struct {
	check    fence.Check
	oldLogin bool
	at       time.Time
}

func (b *checkBook) record(device string, entry checkEntry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		b.last = map[string]checkEntry{}
	}
	b.last[device] = entry
}

// keep forgets all devices but those still declared.
func (b *checkBook) keep(devices map[string]fence.Device) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.last, func(name string, _ checkEntry) bool {
		_, declared := devices[name]
		return !declared
	})
}

func (b *checkBook) get(device string) (checkEntry, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry, found := b.last[device]
	return entry, found
}

// CheckDevices asks the fence devices that this node may have to use whether
// they could be used, until the context ends.
func (x *Executor) CheckDevices(ctx context.Context) {
	due := map[string]time.Time{}
	slots := make(chan struct{}, checksAtOnce)
	var version uint64
	leading := false
	for {
		root, now := x.options.Root(), time.Now()
		x.checks.keep(root.Document.Devices)
		maps.DeleteFunc(due, func(name string, _ time.Time) bool {
			_, declared := root.Document.Devices[name]
			return !declared
		})
		if lead := x.options.Leading(); root.Config.Version != version || (lead && !leading) {
			clear(due) // what is new is asked at once, and by a new leader all
			version, leading = root.Config.Version, lead
		} else {
			leading = lead
		}
		for _, name := range x.devicesToCheck(root) {
			if _, planned := due[name]; !planned {
				due[name] = now.Add(x.firstCheck(name, leading))
			}
			if now.Before(due[name]) {
				continue
			}
			due[name] = now.Add(checkPause(root, name, leading))
			device := root.Document.Devices[name]
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			x.options.Go(func() {
				defer func() { <-slots }()
				x.checkDevice(ctx, root, device)
			})
		}
		if !sleep.For(ctx, checkGranularity) {
			return
		}
	}
}

// devicesToCheck are those that this node may have to use.
func (x *Executor) devicesToCheck(root *cluster.State) []string {
	own := map[string]bool{}
	if root.Nodes.Len() > 1 {
		for _, level := range root.Document.Nodes[x.options.Node].Fence {
			for _, name := range level.Devices {
				own[name] = !root.Document.Devices[name].Shared()
			}
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(root.Document.Devices)), func(name string) bool { return own[name] })
}

// firstCheck spreads the nodes' first questions, so that a device is not asked
// by all at once.
func (x *Executor) firstCheck(device string, leading bool) time.Duration {
	if leading {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(x.options.Node + "/" + device))
	return time.Duration(h.Sum32()) * time.Second % checkSpread
}

func checkPause(root *cluster.State, device string, leading bool) time.Duration {
	if leading || root.OldLogins.Has(device) {
		return checkEvery
	}
	return checkSeldom
}

// checkDevice asks one device, with the login of the document first and then,
// while the two differ, with the one before it.
func (x *Executor) checkDevice(ctx context.Context, root *cluster.State, device fence.Device) {
	driver, err := x.options.Driver(device)
	if err != nil {
		return
	}
	if !x.checks.begin(device.Name) {
		return // it is slower than the pause between two questions
	}
	defer x.checks.end(device.Name)
	ctx, cancel := context.WithTimeout(ctx, questionLimit(device))
	defer cancel()
	ctx, leave, entered := x.gates.enter(ctx, device, false)
	if !entered {
		return // it is being used right now, which says more than a check
	}
	defer leave()
	entry := checkEntry{check: driver.Check(ctx, device)}
	if ctx.Err() != nil && entry.check.Problem == "" {
		return
	}
	if old, kept := root.WithOldLogin(device); kept && entry.check.Problem != "" && ctx.Err() == nil {
		if again := driver.Check(ctx, old); again.Problem == "" {
			entry.check, entry.oldLogin = again, true
		}
	}
	if context.Cause(ctx) == errGaveWay {
		return
	}
	entry.at = time.Now()
	x.checks.record(device.Name, entry)
	x.options.Checked(cluster.CheckFrom{Device: device.Name, Check: entry.check, OldLogin: entry.oldLogin,
		By: x.options.Node})
}

// Asked is what a device answered last, and when.
type Asked struct {
	Check fence.Check
	// OldLogin: it took the login of the document before the present one.
	OldLogin bool
	At       time.Time
}

// LastCheck is what a device answered this node last; false where it was not asked.
func (x *Executor) LastCheck(device string) (Asked, bool) {
	entry, asked := x.checks.get(device)
	return Asked{Check: entry.check, OldLogin: entry.oldLogin, At: entry.at}, asked
}
