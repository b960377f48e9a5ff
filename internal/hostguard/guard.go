// Package hostguard looks after what makes this host prove its own end: the watchdog, petted
// only under a lease that a majority gave, its keys on shared storage, and the messages that
// others leave for it there.
package hostguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/watchdog"
	"github.com/clusterd/clusterd/internal/sleep"
)

// Host is this host's hands on its own watchdog and on its own keys.
type Host interface {
	// Clock is the clock that leases are counted on: it counts while the host
	// sleeps.
	Clock() time.Duration
	// Keeper asks the keeper how it stands; false where none runs.
	Keeper(ctx context.Context) (cluster.Keeper, bool)
	// Say tells the keeper a word, and starts it where none runs. The error is
	// watchdog.ErrStalePill where a message has to be cleared first.
	Say(ctx context.Context, wanted fence.Wanted, word cluster.Pet) (cluster.Keeper, error)
	// Clear wipes the messages for this node from a device's disks.
	Clear(ctx context.Context, device fence.Device) error
	// Register registers this boot on every disk of a device. It returns nil when
	// that is done and no registration is still on its way.
	Register(ctx context.Context, device fence.Device) error
	// CutOff reports whether this node's key is gone from a disk of a device on which
	// others hold a reservation.
	CutOff(ctx context.Context, device fence.Device) (bool, error)
}

const (
	guardPause = time.Second
	// guardLimit bounds one word or one look at the keys.
	guardLimit = 25 * time.Second
	// leaseLimit bounds the question for a lease.
	leaseLimit = 3 * time.Second
	keysPause  = 3 * time.Second
	yieldPause = 2 * time.Second
)

// Options are what a guard stands on. All but Host are required.
type Options struct {
	// Node is this node's name, Boot its boot id.
	Node, Boot string
	Logger     *slog.Logger
	// Host is the watchdog and the keys of this host; nil where there are none, and then no level
	// rests on them.
	Host Host
	// Agent ends what runs here when this host is cut off.
	Agent agents.Agent
	// Root is the newest State that this node has applied; Incarnation is this start of the daemon.
	Root        func() *cluster.State
	Incarnation func() uint64
	// InTouch asks a majority whether this node's State is the newest. An error says why not.
	InTouch func(ctx context.Context) error
	// Warn tells what is wrong with a subject; "" ends that.
	Warn func(subject, text string)
	// Hear puts something into the next step of the decision core.
	Hear func(put func(*mind.Input))
	// Go runs what the daemon waits for at its end.
	Go func(func())
}

// Guard carries out what the decision core says about its own host, and tells it how the host's
// guard stands.
type Guard struct {
	options Options

	mu     sync.Mutex
	newest cluster.Pet
	keeper cluster.Keeper
	said   bool
	woken  chan struct{}
	yields atomic.Bool
}

// New makes a guard. It does nothing by itself.
func New(options Options) *Guard { return &Guard{options: options, woken: make(chan struct{}, 1)} }

// tell takes the newest word.
func (w *Guard) tell(p cluster.Pet) {
	w.mu.Lock()
	news := w.newest != p
	w.newest = p
	w.mu.Unlock()
	if news {
		select {
		case w.woken <- struct{}{}:
		default:
		}
	}
}

func (w *Guard) word() cluster.Pet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

func (w *Guard) answered(k cluster.Keeper) {
	w.mu.Lock()
	w.keeper, w.said = k, true
	w.mu.Unlock()
}

// InForce reports whether what comes up on this host now ends with its guard.
func (w *Guard) InForce() bool {
	n, _ := w.options.Root().Nodes.Get(w.options.Node)
	if w.options.Host == nil || n.Guard == nil || n.Guard.Boot != w.options.Boot {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return cluster.InForce(*n.Guard, w.newest, w.keeper, w.options.Host.Clock())
}

// Guarded puts what the mind needs to know of its own host into an Input.
func (w *Guard) Guarded(in *mind.Input) {
	if w.options.Host != nil {
		in.Boot, in.Clock = w.options.Boot, w.options.Host.Clock()
	}
}

// Obey carries out what the mind says about its own host.
func (w *Guard) Obey(ctx context.Context, out mind.Output) {
	if w.options.Host == nil {
		return
	}
	if out.AskLease {
		w.options.Go(func() { w.askLease(ctx) })
	}
	if out.Pet != nil {
		w.tell(*out.Pet)
	}
	if w.yields.Swap(out.Yield) != out.Yield && out.Yield {
		w.options.Logger.Error("this host is cut off from its storage: it stops its VMs, and its watchdog is petted no more",
			"node", w.options.Node)
	}
}

// askLease asks a majority. Counted is from before the question was sent; what
// is read afterwards is not older than the question (law L6).
func (w *Guard) askLease(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, leaseLimit)
	defer cancel()
	sent := w.options.Host.Clock()
	err := w.options.InTouch(asking)
	if err == nil {
		err = cluster.MayLease(w.options.Root(), w.options.Node, w.options.Boot)
	}
	w.options.Warn("lease", reason("this node gets no lease, so its watchdog will reset it if that goes on: ", err))
	w.options.Hear(func(in *mind.Input) {
		in.Leased = append(in.Leased, cluster.Leased{Sent: sent, Granted: err == nil})
	})
}

func reason(what string, err error) string {
	if err == nil {
		return ""
	}
	return what + err.Error()
}

func (w *Guard) wanted() fence.Wanted {
	if n, _ := w.options.Root().Nodes.Get(w.options.Node); n.Witness {
		return fence.Wanted{} // it runs nothing, and need not reach the storage
	}
	document := w.options.Root().Document
	return fence.WantedBy(document.Nodes[w.options.Node].Fence, document.Devices)
}

// KeepKeeper tells the keeper the newest word, again until it has answered it.
func (w *Guard) KeepKeeper(ctx context.Context) {
	if w.options.Host == nil {
		return
	}
	if k, runs := w.options.Host.Keeper(ctx); runs {
		k.Seq = 0 // it answers nothing that this daemon has said
		w.answered(k)
		w.options.Hear(func(in *mind.Input) { in.Keeper = &k })
	}
	var done cluster.Pet
	for {
		word := w.word()
		if word.Policy != "" && word != done {
			err := w.sayTo(ctx, word)
			if err == nil {
				done = word
				continue
			}
			w.options.Warn("watchdog", reason("the watchdog is not as it should be: ", err))
		} else {
			w.options.Warn("watchdog", "")
		}
		select {
		case <-ctx.Done():
			return
		case <-w.woken:
		case <-time.After(guardPause):
		}
	}
}

func (w *Guard) sayTo(ctx context.Context, word cluster.Pet) error {
	ctx, cancel := context.WithTimeout(ctx, guardLimit)
	defer cancel()
	k, err := w.options.Host.Say(ctx, w.wanted(), word)
	if errors.Is(err, watchdog.ErrStalePill) {
		err = errors.Join(err, w.clearPills(ctx))
	}
	if err != nil {
		return err
	}
	w.answered(k)
	w.options.Hear(func(in *mind.Input) { in.Keeper = &k })
	return nil
}

// clearPills wipes what an earlier fence has left for this node, when no fence of
// it is open and this boot was admitted: then nobody waits for it.
func (w *Guard) clearPills(ctx context.Context) error {
	if err := w.options.InTouch(ctx); err != nil {
		return err
	}
	if why := w.mayRegister(); why != "" {
		return errors.New(why)
	}
	root := w.options.Root()
	for _, name := range slices.Sorted(maps.Keys(root.Document.Devices)) {
		if device := root.Document.Devices[name]; device.Effect() == fence.ByPill {
			if err := w.options.Host.Clear(ctx, device); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayRegister says why this boot must not register, or clear a message, now: a
// fence of it is open, it was cut off, or it was not admitted.
func (w *Guard) mayRegister() string {
	root := w.options.Root()
	n, known := root.Nodes.Get(w.options.Node)
	switch {
	case !known || n.Incarnation != w.options.Incarnation() || n.Boot != w.options.Boot || !n.Reachable():
		return w.options.Node + " is not admitted"
	case root.Fences.Has(w.options.Node):
		return w.options.Node + " is being fenced"
	}
	return ""
}

// KeepKeys registers this boot on the disks that its levels name, once, and looks
// from then on whether it is still registered.
func (w *Guard) KeepKeys(ctx context.Context) {
	if w.options.Host == nil {
		return
	}
	var told cluster.Keys
	for {
		now := cluster.Keys{Registered: slices.Clone(told.Registered)}
		var problems []error
		for _, device := range w.wanted().Storage {
			registered, cutOff, err := w.keysOf(ctx, device, told.Registered)
			problems = append(problems, err)
			now.CutOff = now.CutOff || cutOff
			if registered {
				now.Registered = append(now.Registered, device.Disks()...)
			}
		}
		slices.Sort(now.Registered)
		now.Registered = slices.Compact(now.Registered)
		w.options.Warn("storage keys", reason("", errors.Join(problems...)))
		if now.CutOff != told.CutOff || len(now.Registered) != len(told.Registered) {
			told = now
			w.options.Hear(func(in *mind.Input) { in.Keys = &now })
		}
		if !sleep.For(ctx, keysPause) {
			return
		}
	}
}

// keysOf looks after one device. One registration for each boot: what was told
// once is only looked at, because a key that is gone then was taken away.
func (w *Guard) keysOf(ctx context.Context, device fence.Device, registered []string) (done, cutOff bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, guardLimit)
	defer cancel()
	n, _ := w.options.Root().Nodes.Get(w.options.Node)
	known := fence.Guard{}
	if n.Guard != nil && n.Guard.Boot == w.options.Boot {
		known = *n.Guard
	}
	all := func(keys []string) bool {
		return !slices.ContainsFunc(device.Disks(), func(disk string) bool { return !slices.Contains(keys, disk) })
	}
	if all(known.Keys) || all(registered) {
		cutOff, err = w.options.Host.CutOff(ctx, device)
		return true, cutOff, err
	}
	if err := w.options.InTouch(ctx); err != nil {
		return false, false, fmt.Errorf("fence device %s: not registered yet: %w", device.Name, err)
	}
	if why := w.mayRegister(); why != "" {
		return false, false, nil
	}
	// Only where it is not known to be registered: a second registration that hangs
	// could come after somebody has cut this boot off.
	missing := slices.DeleteFunc(device.Disks(), func(disk string) bool { return slices.Contains(known.Keys, disk) })
	device.Options = maps.Clone(device.Options)
	device.Options[fence.OptionDevices] = strings.Join(missing, " ")
	if err := w.options.Host.Register(ctx, device); err != nil {
		return false, false, err
	}
	w.options.Logger.Info("this boot is registered with the storage", "device", device.Name, "node", w.options.Node)
	return true, false, nil
}

// KeepYield ends every managed VM here for as long as this host is cut off. It
// asks nobody: whoever cut it off starts them elsewhere.
func (w *Guard) KeepYield(ctx context.Context) {
	for sleep.For(ctx, yieldPause) {
		if !w.yields.Load() {
			continue
		}
		here, err := w.options.Agent.Inventory(ctx)
		if err != nil {
			w.options.Logger.Error("this host is cut off, and what runs here cannot be seen", "why", err)
			continue
		}
		for _, o := range here {
			if name := w.options.Root().ServiceOf(o.UUID); name != "" {
				service, _ := w.options.Root().Services.Get(name)
				bounded, cancel := context.WithTimeout(ctx, cluster.ActMargin)
				result := w.options.Agent.Do(bounded, agents.Act{Verb: agents.VerbStop, ID: "cut-off",
					Spec: service.Spec.WithDefaults(), Kill: true})
				cancel()
				w.options.Logger.Warn("stopped, because this host is cut off from its storage", "service", name, "ok",
					result.OK, "why", result.Why)
			}
		}
	}
}
