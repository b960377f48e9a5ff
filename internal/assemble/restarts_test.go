package assemble

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

func TestADaemonThatEndsAgainAndAgainWaitsLongerEachTime(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	start := func() time.Duration {
		pause := PauseBefore(dir, now, slog.New(slog.DiscardHandler))
		now = now.Add(pause)
		return pause
	}
	begins := func(when string, want ...time.Duration) {
		t.Helper()
		for i, pause := range want {
			if got := start(); got != pause {
				t.Errorf("%s, start %d: it waits %s and not %s", when, i+1, got, pause)
			}
			now = now.Add(time.Second)
		}
	}
	begins("each ends after a second", 0, 0, 400*time.Millisecond, 800*time.Millisecond, 1600*time.Millisecond,
		longestPause, longestPause, longestPause)
	now = now.Add(startedWell)
	begins("one ran for long", 0, 0, 400*time.Millisecond)
	EndsOnPurpose(dir)
	begins("one was stopped on purpose", 0, 0, 400*time.Millisecond)
	now = now.Add(-time.Hour)
	begins("the clock was set back", 0)
	if err := os.WriteFile(startsFile(dir), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	begins("what the last one left cannot be read", 0, 0)
	dir = filepath.Join(dir, "none")
	begins("nothing can be left", 0, 0, 0)
}

// A pause leaves most of the time that a daemon may be silent, and of a watchdog's lease, to the
// start that it is made before.
func TestAPauseEndsLongBeforeTheHostIsLost(t *testing.T) {
	timing := cluster.TimingFor("")
	if grace := min(timing.SilentGrace, fence.DefaultLease); 3*longestPause > grace {
		t.Errorf("the longest pause is %s, where a host has %s", longestPause, grace)
	}
	if startedWell != cluster.RestartsApart {
		t.Errorf("a start is good after %s here and after %s in the cluster", startedWell, cluster.RestartsApart)
	}
}

// Whoever stops a daemon that pauses, or has not come up yet, stops it on purpose: the next start
// begins at once.
func TestADaemonThatIsStoppedBeforeItIsUpEndsOnPurpose(t *testing.T) {
	logger, now := slog.New(slog.DiscardHandler), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stopping, never := make(chan os.Signal, 1), make(chan struct{})
	defer close(never)
	for name, start := range map[string]struct {
		pause time.Duration
		begin func() (int, error)
	}{
		"while it pauses": {time.Hour, func() (int, error) {
			t.Error("it begins")
			return 0, nil
		}},
		"while it comes up": {0, func() (int, error) {
			stopping <- syscall.SIGTERM
			<-never // the hypervisor does not answer
			return 0, nil
		}},
	} {
		dir := t.TempDir()
		for range 2 {
			PauseBefore(dir, now, logger)
		}
		if start.pause > 0 {
			stopping <- syscall.SIGTERM
		}
		if _, ends, err := Begin(dir, start.pause, stopping, start.begin); !ends || err != nil {
			t.Errorf("%s: ends %t, %v", name, ends, err)
		}
		if pause := PauseBefore(dir, now, logger); pause > 0 {
			t.Errorf("%s: the next start waits for %s", name, pause)
		}
	}
	made, ends, err := Begin(t.TempDir(), 0, stopping, func() (int, error) { return 1, os.ErrNotExist })
	if made != 1 || ends || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nobody stops it: %d, %t, %v", made, ends, err)
	}
}
