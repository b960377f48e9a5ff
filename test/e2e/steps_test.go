package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// stepLimit is how long one step of a test in the lab may take on a slow machine, and storyLimit
// how long a whole story with a host that is lost and boots again. What hangs is then told by its
// name, with what the cluster says; the limit of the whole run names nothing.
const (
	stepLimit  = 150 * time.Second
	storyLimit = 240 * time.Second
	// foundLimit is for the build, the boot of the hosts and the first rest.
	foundLimit = 6 * time.Minute
)

// stepGrace is for what does not heed its context at once.
const stepGrace = 20 * time.Second

// timed runs a part of a test with a deadline of its own, and has the cluster's own account told
// when it fails, while it is fresh. What hangs has its world taken away.
func timed(t *testing.T, ctx context.Context, name string, limit time.Duration, tell func(*testing.T),
	tearDown func() error, do func(*testing.T, context.Context)) bool {
	t.Helper()
	return t.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%q took longer than %s", name, limit))
		defer cancel()
		part := begin(func() { do(t, ctx) })
		if !part.endsWithin(limit + stepGrace) {
			tell(t)
			cancel()
			part.abandon(t, stepGrace, tearDown)
			t.Fatalf("it hangs: %s after its deadline it had not ended", stepGrace)
		}
		if ctx.Err() != nil {
			t.Errorf("it was ended: %v", context.Cause(ctx))
		}
		if t.Failed() {
			tell(t)
		}
	})
}

// part is a part of a test, in a goroutine of its own, so that what heeds no context cannot keep
// the test from failing.
type part struct {
	ended chan struct{}
	late  atomic.Bool
}

func begin(do func()) *part {
	p := &part{ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		defer func() {
			// Whoever logs when its test is over ends the whole process by that, before the lab's hosts
			// are gone.
			if p.late.Load() {
				if said := recover(); said != nil {
					fmt.Fprintln(os.Stderr, "a step that hung says late:", said)
				}
			}
		}()
		do()
	}()
	return p
}

func (p *part) endsWithin(limit time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// abandon waits once more for a part that was cancelled. Then its world goes, here and not in a
// cleanup that may never come, and what the part says is heard no longer.
func (p *part) abandon(t *testing.T, grace time.Duration, tearDown func() error) {
	t.Helper()
	if p.endsWithin(grace) {
		return
	}
	p.late.Store(true)
	if err := tearDown(); err != nil {
		t.Errorf("take down the world of a step that hangs: %v", err)
	}
}

// step is that for a cluster of three, which is told of once.
func (f *fixture) step(t *testing.T, ctx context.Context, name string, limit time.Duration,
	do func(*testing.T, context.Context)) bool {
	t.Helper()
	return timed(t, ctx, name, limit, f.tellFailureOnce, f.world.Close, do)
}

func (f *fixture) tellFailureOnce(t *testing.T) {
	if !f.failureTold.Swap(true) {
		f.tellFailure(t)
	}
}

// TestAStepThatHangsTakesNothingDown: it may fail as late as it likes.
func TestAStepThatHangsTakesNothingDown(t *testing.T) {
	release, down := make(chan struct{}), false
	hanging := begin(func() {
		<-release
		panic("Fail in goroutine after its test has completed")
	})
	hanging.abandon(t, time.Millisecond, func() error {
		down = true
		return nil
	})
	if !down {
		t.Error("its world is left")
	}
	close(release)
	<-hanging.ended

	heeding := begin(func() {})
	heeding.abandon(t, time.Minute, func() error { return errors.New("the world of a step that ended goes") })
}
