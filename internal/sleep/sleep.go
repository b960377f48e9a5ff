// Package sleep has the one way in which a loop pauses.
package sleep

import (
	"context"
	"time"
)

// For waits, and returns false when the context ended first.
func For(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// burst is how long more a loop waits after a change, because entries of the log come in bursts.
const burst = 20 * time.Millisecond

// Until waits for a change, but no longer than a while, and returns false when the context ended
// first.
func Until(ctx context.Context, changed <-chan struct{}, longest time.Duration) bool {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
		return For(ctx, burst)
	case <-timer.C:
		return true
	}
}
