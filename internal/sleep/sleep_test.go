package sleep

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntilWaitsForAChangeAWhileOrTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		changes, ends time.Duration // 0: never
		want          bool
		took          time.Duration
	}{
		"a change":           {changes: time.Second, want: true, took: time.Second + burst},
		"nothing":            {want: true, took: time.Minute},
		"the end":            {ends: 3 * time.Second, took: 3 * time.Second},
		"the end in a burst": {changes: time.Second, ends: time.Second + burst/2, took: time.Second + burst/2},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			changed := make(chan struct{})
			if c.changes > 0 {
				time.AfterFunc(c.changes, func() { close(changed) })
			}
			if c.ends > 0 {
				time.AfterFunc(c.ends, cancel)
			}
			began := time.Now()
			if got := Until(ctx, changed, time.Minute); got != c.want || time.Since(began) != c.took {
				t.Errorf("%s: %t after %s, want %t after %s", name, got, time.Since(began), c.want, c.took)
			}
		})
	}
}
