package watchdog

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Now reads CLOCK_BOOTTIME, the clock of leases: it counts while the host is
// suspended, and nobody can set it.
func Now() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic("fence/watchdog: this kernel has no CLOCK_BOOTTIME: " + err.Error())
	}
	return time.Duration(now.Nano())
}

// longestNap bounds one sleep, because a sleep itself does not count while the
// host is suspended.
const longestNap = 200 * time.Millisecond

// sleepUntil returns nil once the clock shows the instant.
func sleepUntil(ctx context.Context, now func() time.Duration, instant time.Duration) error {
	for {
		left := instant - now()
		if left <= 0 {
			return nil
		}
		nap := time.NewTimer(min(left, longestNap))
		select {
		case <-ctx.Done():
			nap.Stop()
			return ctx.Err()
		case <-nap.C:
		}
	}
}
