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
