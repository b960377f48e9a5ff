package e2e

import (
	"context"
	"fmt"
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
// when it fails, while it is fresh.
func timed(t *testing.T, ctx context.Context, name string, limit time.Duration, tell func(*testing.T),
	do func(*testing.T, context.Context)) bool {
	t.Helper()
	return t.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%q took longer than %s", name, limit))
		defer cancel()
		ended := make(chan struct{})
		// In a goroutine of its own, so that what heeds no context cannot keep this from failing.
		go func() {
			defer close(ended)
			do(t, ctx)
		}()
		select {
		case <-ended:
		case <-time.After(limit + stepGrace):
			tell(t)
			t.Fatalf("it hangs: %s after its deadline it has not ended", stepGrace)
		}
		if ctx.Err() != nil {
			t.Errorf("it was ended: %v", context.Cause(ctx))
		}
		if t.Failed() {
			tell(t)
		}
	})
}

// step is that for a cluster of three, which is told of once.
func (f *fixture) step(t *testing.T, ctx context.Context, name string, limit time.Duration,
	do func(*testing.T, context.Context)) bool {
	t.Helper()
	return timed(t, ctx, name, limit, f.tellFailureOnce, do)
}

func (f *fixture) tellFailureOnce(t *testing.T) {
	if !f.failureTold.Swap(true) {
		f.tellFailure(t)
	}
}
