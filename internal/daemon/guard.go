package daemon

import (
	"context"
	"errors"
	"fmt"
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
)

// Guard is this host's hands on its own watchdog and on its own keys.
type Guard interface {
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

// ward is what the loop and the guard's goroutines share.
type ward struct {
	mu     sync.Mutex
	newest cluster.Pet
	keeper cluster.Keeper
	said   bool
	woken  chan struct{}
	yields atomic.Bool
}

func newWard() *ward { return &ward{woken: make(chan struct{}, 1)} }

// tell takes the newest word.
func (w *ward) tell(p cluster.Pet) {
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

func (w *ward) word() cluster.Pet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest
}

func (w *ward) answered(k cluster.Keeper) {
	w.mu.Lock()
	w.keeper, w.said = k, true
	w.mu.Unlock()
}

// inForce reports whether what comes up on this host now ends with its guard.
func (d *Daemon) inForce() bool {
	n, _ := d.replica.Root().Nodes.Get(d.name)
	if d.options.Guard == nil || n.Guard == nil || n.Guard.Boot != d.boot {
		return true
	}
	d.ward.mu.Lock()
	defer d.ward.mu.Unlock()
	return cluster.InForce(*n.Guard, d.ward.newest, d.ward.keeper, d.options.Guard.Clock())
}

// guarded puts what the mind needs to know of its own host into an Input.
func (d *Daemon) guarded(in *mind.Input) {
	if d.options.Guard != nil {
		in.Boot, in.Clock = d.boot, d.options.Guard.Clock()
	}
}

// obeyGuard carries out what the mind says about its own host.
func (d *Daemon) obeyGuard(ctx context.Context, out mind.Output) {
	if d.options.Guard == nil {
		return
	}
	if out.AskLease {
		d.work.Go(func() { d.askLease(ctx) })
	}
	if out.Pet != nil {
		d.ward.tell(*out.Pet)
	}
	if d.ward.yields.Swap(out.Yield) != out.Yield && out.Yield {
		d.logger.Error("this host is cut off from its storage: it stops its VMs, and its watchdog is petted no more",
			"node", d.name)
	}
}

// askLease asks a majority. Counted is from before the question was sent; what
// is read afterwards is not older than the question (law L6).
func (d *Daemon) askLease(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, leaseLimit)
	defer cancel()
	sent := d.options.Guard.Clock()
	err := d.log.Verify(asking)
	if err == nil {
		err = cluster.MayLease(d.replica.Root(), d.name, d.boot)
	}
	d.warnings.set("lease", reason("this node gets no lease, so its watchdog will reset it if that goes on: ", err))
	d.box.add(func(in *mind.Input) {
		in.Leased = append(in.Leased, cluster.Leased{Sent: sent, Granted: err == nil})
	})
}

func reason(what string, err error) string {
	if err == nil {
		return ""
	}
	return what + err.Error()
}

func (d *Daemon) wanted() fence.Wanted {
	if n, _ := d.replica.Root().Nodes.Get(d.name); n.Witness {
		return fence.Wanted{} // it runs nothing, and need not reach the storage
	}
	document := d.replica.Root().Document
	return fence.WantedBy(document.Nodes[d.name].Fence, document.Devices)
}

// keepKeeper tells the keeper the newest word, again until it has answered it.
func (d *Daemon) keepKeeper(ctx context.Context) {
	if d.options.Guard == nil {
		return
	}
	if k, runs := d.options.Guard.Keeper(ctx); runs {
		k.Seq = 0 // it answers nothing that this daemon has said
		d.ward.answered(k)
		d.box.add(func(in *mind.Input) { in.Keeper = &k })
	}
	var done cluster.Pet
	for {
		word := d.ward.word()
		if word.Mood != "" && word != done {
			err := d.sayTo(ctx, word)
			if err == nil {
				done = word
				continue
			}
			d.warnings.set("watchdog", reason("the watchdog is not as it should be: ", err))
		} else {
			d.warnings.set("watchdog", "")
		}
		select {
		case <-ctx.Done():
			return
		case <-d.ward.woken:
		case <-time.After(guardPause):
		}
	}
}

func (d *Daemon) sayTo(ctx context.Context, word cluster.Pet) error {
	ctx, cancel := context.WithTimeout(ctx, guardLimit)
	defer cancel()
	k, err := d.options.Guard.Say(ctx, d.wanted(), word)
	if errors.Is(err, watchdog.ErrStalePill) {
		err = errors.Join(err, d.clearPills(ctx))
	}
	if err != nil {
		return err
	}
	d.ward.answered(k)
	d.box.add(func(in *mind.Input) { in.Keeper = &k })
	return nil
}

// clearPills wipes what an earlier fence has left for this node, when no fence of
// it is open and this boot was admitted: then nobody waits for it.
func (d *Daemon) clearPills(ctx context.Context) error {
	if err := d.log.Verify(ctx); err != nil {
		return err
	}
	if why := d.mayRegister(); why != "" {
		return errors.New(why)
	}
	root := d.replica.Root()
	for _, name := range sortedNames(root.Document.Devices) {
		if device := root.Document.Devices[name]; device.Nature() == fence.ByPill {
			if err := d.options.Guard.Clear(ctx, device); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayRegister says why this boot must not register, or clear a message, now: a
// fence of it is open, it was cut off, or it was not admitted.
func (d *Daemon) mayRegister() string {
	root := d.replica.Root()
	n, known := root.Nodes.Get(d.name)
	switch {
	case !known || n.Incarnation != d.incarnation.Load() || n.Boot != d.boot || !n.Reachable():
		return d.name + " is not admitted"
	case root.Fences.Has(d.name):
		return d.name + " is being fenced"
	}
	return ""
}

// keepKeys registers this boot on the disks that its levels name, once, and looks
// from then on whether it is still registered.
func (d *Daemon) keepKeys(ctx context.Context) {
	if d.options.Guard == nil {
		return
	}
	var told cluster.Keys
	for {
		now := cluster.Keys{Registered: slices.Clone(told.Registered)}
		var problems []error
		for _, device := range d.wanted().Storage {
			registered, cutOff, err := d.keysOf(ctx, device, told.Registered)
			problems = append(problems, err)
			now.CutOff = now.CutOff || cutOff
			if registered {
				now.Registered = append(now.Registered, device.Disks()...)
			}
		}
		slices.Sort(now.Registered)
		now.Registered = slices.Compact(now.Registered)
		d.warnings.set("storage keys", reason("", errors.Join(problems...)))
		if now.CutOff != told.CutOff || len(now.Registered) != len(told.Registered) {
			told = now
			d.box.add(func(in *mind.Input) { in.Keys = &now })
		}
		if !sleep(ctx, keysPause) {
			return
		}
	}
}

// keysOf looks after one device. One registration for each boot: what was told
// once is only looked at, because a key that is gone then was taken away.
func (d *Daemon) keysOf(ctx context.Context, device fence.Device, registered []string) (done, cutOff bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, guardLimit)
	defer cancel()
	n, _ := d.replica.Root().Nodes.Get(d.name)
	known := fence.Guard{}
	if n.Guard != nil && n.Guard.Boot == d.boot {
		known = *n.Guard
	}
	all := func(keys []string) bool {
		return !slices.ContainsFunc(device.Disks(), func(disk string) bool { return !slices.Contains(keys, disk) })
	}
	if all(known.Keys) || all(registered) {
		cutOff, err = d.options.Guard.CutOff(ctx, device)
		return true, cutOff, err
	}
	if err := d.log.Verify(ctx); err != nil {
		return false, false, fmt.Errorf("fence device %s: not registered yet: %w", device.Name, err)
	}
	if why := d.mayRegister(); why != "" {
		return false, false, nil
	}
	// Only where it is not known to be registered: a second registration that hangs
	// could come after somebody has cut this boot off.
	missing := slices.DeleteFunc(device.Disks(), func(disk string) bool { return slices.Contains(known.Keys, disk) })
	device.Options = maps.Clone(device.Options)
	device.Options[fence.OptionDevices] = strings.Join(missing, " ")
	if err := d.options.Guard.Register(ctx, device); err != nil {
		return false, false, err
	}
	d.logger.Info("this boot is registered with the storage", "device", device.Name, "node", d.name)
	return true, false, nil
}

// keepYield ends every managed VM here for as long as this host is cut off. It
// asks nobody: whoever cut it off starts them elsewhere.
func (d *Daemon) keepYield(ctx context.Context) {
	for sleep(ctx, yieldPause) {
		if !d.ward.yields.Load() {
			continue
		}
		here, err := d.agent.Inventory(ctx)
		if err != nil {
			d.logger.Error("this host is cut off, and what runs here cannot be seen", "why", err)
			continue
		}
		for _, o := range here {
			if name := serviceOf(d.replica.Root(), o.UUID); name != "" {
				service, _ := d.replica.Root().Services.Get(name)
				bounded, cancel := context.WithTimeout(ctx, cluster.ActMargin)
				result := d.agent.Stop(bounded, agents.Stop{Act: "cut-off", Spec: service.Spec.WithDefaults(), Kill: true})
				cancel()
				d.logger.Warn("stopped, because this host is cut off from its storage", "service", name, "ok", result.OK, "why",
					result.Why)
			}
		}
	}
}
