package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
)

// KeeperOptions are what a keeper is started with. They travel on its command
// line; nothing of them is secret.
type KeeperOptions struct {
	// Socket is where it listens, in a folder that only root may enter.
	Socket string `json:"socket"`
	// Device is the watchdog, for example /dev/watchdog.
	Device  string        `json:"device"`
	Timeout time.Duration `json:"timeout"`
	// NoWayOut refuses a watchdog that could be disarmed.
	NoWayOut bool `json:"noWayOut,omitempty"`
	// LongestLease bounds a lease from now on, so that no fault of the daemon
	// makes one that never ends.
	LongestLease time.Duration `json:"longestLease"`
	// Node and Disks, one or three, are for the poison pill.
	Node  string   `json:"node,omitempty"`
	Disks []string `json:"disks,omitempty"`
}

func (o KeeperOptions) check() error {
	switch {
	case o.Socket == "" || o.Device == "" || o.Timeout <= 0 || o.LongestLease <= 0:
		return errors.New("a watchdog keeper needs socket, device, timeout and longest lease")
	case len(o.Disks) != 0 && len(o.Disks) != 1 && len(o.Disks) != 3:
		return fmt.Errorf("%d disks for fence messages; name one or three, since of two neither may fail and "+
			"neither may decide", len(o.Disks))
	case len(o.Disks) != 0 && o.Node == "":
		return errors.New("disks for fence messages need the node's name")
	}
	return nil
}

// world is what a keeper touches; tests have another one.
type world struct {
	arm armTimer
	now func() time.Duration
	// reset ends this host at once. It may fail: the watchdog comes after it.
	reset func(Command)
	log   *slog.Logger
}

// asked is a word that waits for its answer.
type asked struct {
	word   word
	answer chan tellBack
}

// keeper owns the watchdog. One goroutine runs it and owns all its fields.
type keeper struct {
	options  KeeperOptions
	world    world
	words    chan asked
	looks    chan look
	policy   policy
	timer    timer
	warnings []string
	// silent is why it does not pet, as it was logged last.
	silent string
}

const (
	// mostWords bounds the words that wait.
	mostWords = 16
	// petsPerTimeout is how often a watchdog is petted within its timeout.
	petsPerTimeout = 8
	longestPause   = time.Second
)

func newKeeper(o KeeperOptions, w world) *keeper {
	return &keeper{options: o, world: w, words: make(chan asked, mostWords), looks: make(chan look, 3)}
}

// run pets while it may, until it has disarmed the watchdog or, when it is not
// armed, the context ends. When the context ends while the node may hold
// services it goes on: a shutdown that leaves a VM behind is a case for the
// watchdog.
func (k *keeper) run(ctx context.Context) error {
	watchers, stopWatchers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatchers()
	pause := time.NewTicker(min(k.options.Timeout/petsPerTimeout, longestPause))
	defer pause.Stop()
	ended := ctx.Done()
	for {
		select {
		case q := <-k.words:
			err := k.obey(watchers, q.word)
			q.answer <- problemOf(k.state(), err)
			if q.word.Kind == wordStop && err == nil {
				return nil
			}
		case l := <-k.looks:
			if command := k.policy.take(l, k.world.log); command != Empty {
				go k.world.reset(command)
			}
		case <-ended:
			if k.stop() == nil {
				return nil
			}
			ended = nil
		case <-pause.C:
		}
		k.petOrNot()
	}
}

func (k *keeper) petOrNot() {
	if k.timer == nil {
		return
	}
	may, why := k.policy.mayPet(k.world.now())
	if may {
		if err := k.timer.pet(); err != nil {
			why = "the watchdog does not take it: " + err.Error()
		}
	}
	if (why == "") != (k.silent == "") {
		k.world.log.Warn("watchdog", "petting", why == "", "why", why)
	}
	k.silent = why
}

func (k *keeper) obey(ctx context.Context, w word) error {
	if k.policy.pill != Empty && w.Kind != wordState {
		return ErrPilled
	}
	switch w.Kind {
	case wordState:
		return nil
	case wordStop:
		return k.stop()
	case wordFree:
		if k.policy.yielded {
			return ErrYielded
		}
		if err := k.arm(ctx); err != nil {
			return err
		}
		k.policy.free, k.policy.until = true, 0
		return nil
	case wordYield:
		k.policy.free, k.policy.until, k.policy.yielded = false, 0, true
		return nil
	case wordLease:
		return k.lease(ctx, w.Until)
	}
	return fmt.Errorf("there is no word %q", w.Kind)
}

func (k *keeper) lease(ctx context.Context, until time.Duration) error {
	now := k.world.now()
	switch {
	case k.policy.yielded:
		return ErrYielded
	case until <= now:
		return fmt.Errorf("the lease ended %v ago", now-until)
	case until > now+k.options.LongestLease:
		return fmt.Errorf("a lease of %v is longer than the longest, %v", until-now, k.options.LongestLease)
	}
	if err := k.arm(ctx); err != nil {
		return err
	}
	k.policy.free, k.policy.until = false, until
	return nil
}

// arm arms the watchdog with the first word that needs it.
func (k *keeper) arm(ctx context.Context) error {
	if k.policy.refused != "" {
		return fmt.Errorf("%w: %s", ErrNotAsAsked, k.policy.refused)
	}
	if k.timer != nil {
		return nil
	}
	watchers, err := openWatchers(ctx, k.options.Disks, k.options.Node, k.options.Timeout, k.world.now)
	if err != nil {
		return err
	}
	k.timer, err = k.world.arm(k.options.Device, k.options.Timeout, k.options.NoWayOut)
	if err != nil {
		for _, s := range watchers {
			s.disk.close()
		}
		if k.timer != nil {
			k.policy.refused = err.Error()
		}
		return err
	}
	k.policy.disks = make([]time.Duration, len(watchers))
	for _, s := range watchers {
		// Prepared a moment ago: that was a good look.
		k.policy.disks[s.number], k.policy.fresh = k.world.now(), s.header.fresh()
		go s.run(ctx, k.world.now, k.looks)
	}
	k.world.log.Info("the watchdog is armed", "device", k.options.Device, "identity", k.timer.info().Identity, "timeout",
		k.timer.info().Timeout)
	return nil
}

// stop disarms: only on a node that holds nothing.
func (k *keeper) stop() error {
	switch {
	case k.timer == nil:
		return nil
	case k.policy.pill != Empty:
		return ErrPilled
	case !k.policy.free && k.policy.refused == "":
		return ErrHolding
	}
	if err := k.timer.disarm(); err != nil {
		return err
	}
	k.timer = nil
	k.world.log.Info("the watchdog is disarmed")
	return nil
}

func (k *keeper) state() State {
	s := State{Armed: k.timer != nil, Free: k.policy.free, Until: k.policy.until, Disks: slices.Clone(k.options.Disks),
		Warnings: k.warnings, PID: os.Getpid()}
	if k.timer != nil {
		s.Info = k.timer.info()
		s.Petting, s.Why = k.policy.mayPet(k.world.now())
	}
	if k.policy.refused != "" {
		s.Why = k.policy.refused
	}
	return s
}
