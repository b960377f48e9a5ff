package watchdog

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var silentLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// kennel is a keeper in virtual time, with a watchdog that bites.
type kennel struct {
	t      *testing.T
	keeper *keeper
	start  time.Time
	ended  chan error
	resets chan Command
	cancel context.CancelFunc
	// lastPet is when it was petted last, zero before it was armed; mu guards it.
	mu       sync.Mutex
	lastPet  time.Duration
	disarmed bool
	noWayOut bool
	armError error
	// half arms and still reports armError.
	half bool
	// orders are done on the keeper's own goroutine, when it next tells its state.
	orders chan func()
}

func (k *kennel) now() time.Duration { return time.Since(k.start) + time.Hour }

func (k *kennel) info() Info {
	for len(k.orders) > 0 {
		(<-k.orders)()
	}
	return Info{Device: "/dev/watchdog", Timeout: 4 * time.Second, NoWayOut: k.noWayOut}
}

func (k *kennel) pet() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lastPet = k.now()
	return nil
}

func (k *kennel) petted() time.Duration {
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lastPet
}

func (k *kennel) disarm() error {
	if k.noWayOut {
		return ErrNoWayOut
	}
	k.disarmed = true
	return nil
}

// newKennel runs a keeper inside a synctest bubble.
func newKennel(t *testing.T, prepare func(*kennel)) *kennel {
	t.Helper()
	k := &kennel{t: t, start: time.Now(), ended: make(chan error, 1), resets: make(chan Command, 4),
		orders: make(chan func(), 1)}
	if prepare != nil {
		prepare(k)
	}
	arm := func(string, time.Duration, bool) (timer, error) {
		if k.armError != nil && !k.half {
			return nil, k.armError
		}
		return k, errors.Join(k.pet(), k.armError)
	}
	options := KeeperOptions{Socket: "x", Device: "/dev/watchdog", Timeout: 4 * time.Second,
		LongestLease: 20 * time.Second}
	k.keeper = newKeeper(options, world{arm: arm, now: k.now, reset: func(c Command) { k.resets <- c }, log: silentLog})
	ctx, cancel := context.WithCancel(t.Context())
	k.cancel = cancel
	go func() { k.ended <- k.keeper.run(ctx) }()
	return k
}

func (k *kennel) say(kind wordKind, until time.Duration) tellBack {
	q := asked{word: word{kind, until}, answer: make(chan tellBack, 1)}
	k.keeper.words <- q
	return <-q.answer
}

// bitten reports whether the host would have been reset by now.
func (k *kennel) bitten() bool {
	last := k.petted()
	return last != 0 && k.now()-last > 4*time.Second
}

func (k *kennel) must(answer tellBack) {
	k.t.Helper()
	if err := answer.err(); err != nil {
		k.t.Fatal(err)
	}
}

// do changes an armed keeper from inside.
func (k *kennel) do(order func()) {
	k.orders <- order
	k.say(wordState, 0)
}

// watch gives it disks, whose looks the test sends.
func (k *kennel) watch(disks int, fresh time.Duration) {
	k.do(func() {
		k.keeper.policy.disks, k.keeper.policy.fresh = make([]time.Duration, disks), fresh
		for disk := range disks {
			k.keeper.policy.disks[disk] = k.now()
		}
	})
}

// finish ends a keeper that is armed, so that the bubble can close.
func (k *kennel) finish() {
	k.do(func() { k.noWayOut, k.keeper.policy = false, policy{free: true} })
	k.cancel()
	if err := <-k.ended; err != nil {
		k.t.Error(err)
	}
}

func TestLeaseRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		time.Sleep(time.Minute)
		if k.bitten() || k.say(wordState, 0).State.Armed {
			t.Fatal("armed before the first word")
		}
		end := k.now() + 10*time.Second
		k.must(k.say(wordLease, end))
		time.Sleep(9 * time.Second)
		if k.bitten() || !k.say(wordState, 0).State.Petting {
			t.Fatal("not petted within the lease")
		}
		time.Sleep(5*time.Second + 10*time.Millisecond)
		if !k.bitten() || k.petted() >= end {
			t.Errorf("lease until %v, last pet %v, now %v: the host lives", end, k.petted(), k.now())
		}
		if s := k.say(wordState, 0).State; s.Petting || s.Why == "" {
			t.Errorf("state %+v", s)
		}
		k.finish()
	})
}

func TestRenewedLeaseAndFreeNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		for range 30 {
			k.must(k.say(wordLease, k.now()+3*time.Second))
			time.Sleep(2 * time.Second)
			if k.bitten() {
				t.Fatal("bitten although renewed")
			}
		}
		if err := k.say(wordStop, 0).err(); !errors.Is(err, ErrHolding) {
			t.Errorf("stop while holding: %v", err)
		}
		k.must(k.say(wordFree, 0))
		// The daemon may be away as long as it likes now.
		time.Sleep(time.Hour)
		if k.bitten() {
			t.Fatal("a free node was reset")
		}
		k.must(k.say(wordLease, k.now()+time.Second))
		time.Sleep(6 * time.Second)
		if !k.bitten() {
			t.Error("free outlived the lease that followed")
		}
		k.finish()
	})
}

func TestCleanStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		k.must(k.say(wordFree, 0))
		k.must(k.say(wordStop, 0))
		if err := <-k.ended; err != nil || !k.disarmed {
			t.Errorf("ended with %v, disarmed %v", err, k.disarmed)
		}
	})
}

func TestShutdownOfAHolderLeavesItArmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		end := k.now() + 5*time.Second
		k.must(k.say(wordLease, end))
		k.cancel()
		time.Sleep(4 * time.Second)
		if k.bitten() || k.disarmed {
			t.Error("the lease was cut short")
		}
		time.Sleep(6 * time.Second)
		if !k.bitten() {
			t.Error("it was petted beyond the lease")
		}
		k.must(k.say(wordFree, 0))
		k.must(k.say(wordStop, 0))
		<-k.ended
	})
}

func TestRefusedWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, func(k *kennel) { k.noWayOut = true })
		for _, until := range []time.Duration{0, k.now() - 1, k.now(), k.now() + 21*time.Second} {
			if k.say(wordLease, until).err() == nil {
				t.Errorf("a lease until %v was taken at %v", until, k.now())
			}
		}
		if k.say("dance", 0).err() == nil {
			t.Error("an unknown word was taken")
		}
		if k.say(wordState, 0).State.Armed {
			t.Error("a refused word armed the watchdog")
		}
		k.must(k.say(wordFree, 0))
		if err := k.say(wordStop, 0).err(); !errors.Is(err, ErrNoWayOut) {
			t.Errorf("stop: %v", err)
		}
		time.Sleep(time.Minute)
		if k.bitten() {
			t.Error("bitten after a stop that was refused")
		}
		k.finish()
	})
}

func TestNotAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, func(k *kennel) { k.armError = ErrNotAsAsked })
		if err := k.say(wordFree, 0).err(); !errors.Is(err, ErrNotAsAsked) {
			t.Errorf("free: %v", err)
		}
		k.armError = nil
		k.must(k.say(wordFree, 0))
		k.finish()
	})
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, func(k *kennel) { k.armError, k.half, k.noWayOut = ErrNotAsAsked, true, true })
		for range 2 {
			if err := k.say(wordLease, k.now()+time.Second).err(); !errors.Is(err, ErrNotAsAsked) {
				t.Errorf("lease: %v", err)
			}
		}
		time.Sleep(time.Minute)
		if k.bitten() {
			t.Error("a watchdog that protects nobody reset the host")
		}
		k.finish()
	})
}

func TestPillEndsPetting(t *testing.T) {
	for _, c := range []struct {
		message Command
		ends    bool
	}{{Reset, true}, {Off, true}, {CrashDump, true}, {Command(77), true}, {Test, false}, {Exit, false}, {Empty, false}} {
		synctest.Test(t, func(t *testing.T) {
			k := newKennel(t, nil)
			k.must(k.say(wordFree, 0))
			k.watch(1, time.Hour)
			k.keeper.looks <- look{began: k.now(), mail: Mail{c.message, "b"}}
			time.Sleep(5 * time.Second)
			if k.bitten() != c.ends {
				t.Errorf("%s: bitten %v", c.message, !c.ends)
			}
			if c.ends {
				if got := <-k.resets; got != c.message {
					t.Errorf("reset by %s", got)
				}
				// An empty mailbox afterwards takes nothing back, nor does a word.
				k.keeper.looks <- look{began: k.now()}
				for _, kind := range []wordKind{wordFree, wordLease, wordStop} {
					if err := k.say(kind, k.now()+time.Second).err(); !errors.Is(err, ErrPilled) {
						t.Errorf("%s after a pill: %v", kind, err)
					}
				}
			}
			k.finish()
		})
	}
}

func TestDisksMustBeReadByMajority(t *testing.T) {
	for _, c := range []struct {
		disks, good int
		ends        bool
	}{{1, 1, false}, {1, 0, true}, {3, 3, false}, {3, 2, false}, {3, 1, true}, {3, 0, true}} {
		synctest.Test(t, func(t *testing.T) {
			k := newKennel(t, nil)
			k.must(k.say(wordFree, 0))
			k.watch(c.disks, 2*time.Second)
			for range 10 {
				time.Sleep(time.Second)
				for disk := range c.disks {
					l := look{disk: disk, began: k.now()}
					if disk >= c.good {
						l.err = errors.New("I/O error")
					}
					k.keeper.looks <- l
				}
			}
			if k.bitten() != c.ends {
				t.Errorf("%d of %d disks readable: bitten %v", c.good, c.disks, !c.ends)
			}
			k.finish()
		})
	}
}

func TestWaitOut(t *testing.T) {
	if got := WaitOut(10*time.Second, 5*time.Second); got < 16*time.Second || got > 17*time.Second {
		t.Errorf("%v", got)
	}
}
