package assemble

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

const (
	// startedWell is how long a daemon has to run for its end to be no round of a loop: both the
	// host and the cluster call the same thing a loop.
	startedWell = cluster.RestartsApart
	// The pauses of a daemon that ends again and again: none after the first end, which is nearly
	// always the only one, and then longer each time. A pause takes from the time that a daemon may
	// be silent, and from a watchdog's lease; so the longest is a small part of both.
	shortestPause, longestPause = 400 * time.Millisecond, 3 * time.Second
)

// starts is what a daemon leaves for the next one, in the folder that a boot empties: it can be
// written where the data folder cannot.
type starts struct {
	// Began is when it began, and Ends how many before it ended soon after they did.
	Began time.Time `json:"began"`
	Ends  int       `json:"ends"`
}

func startsFile(runDir string) string { return filepath.Join(runDir, "starts.json") }

// PauseBefore says how long a daemon waits before it begins, because those before it ended soon and
// not on purpose. systemd learned growing pauses later than the oldest one that is supported, and
// never forgets a restart. What cannot be read or written makes no pause.
func PauseBefore(runDir string, now time.Time, logger *slog.Logger) time.Duration {
	var last, next starts
	text, err := os.ReadFile(startsFile(runDir))
	if err == nil && json.Unmarshal(text, &last) == nil {
		if ran := now.Sub(last.Began); ran >= 0 && ran < startedWell {
			next.Ends = last.Ends + 1
		}
	}
	pause := pauseAfter(next.Ends)
	next.Began = now.Add(pause)
	text, _ = json.Marshal(next)
	if err := os.WriteFile(startsFile(runDir), text, 0o600); err != nil {
		logger.Warn("the start of clusterd could not be noted; should it end soon, the next one makes no pause", "err", err)
	}
	if pause > 0 {
		logger.Warn("clusterd ended soon after each of its last starts, so it waits before this one; VMs run on",
			"ends", next.Ends, "pause", pause)
	}
	return pause
}

// pauseAfter is the pause after so many ends.
func pauseAfter(ends int) time.Duration {
	if ends < 2 {
		return 0
	}
	pause := shortestPause
	for range ends - 2 {
		if pause = min(2*pause, longestPause); pause == longestPause {
			break
		}
	}
	return pause
}

// EndsOnPurpose has the next daemon begin at once.
func EndsOnPurpose(runDir string) { _ = os.Remove(startsFile(runDir)) }

// Begin makes what a daemon runs by after a pause, unless it is told to end before that is made:
// then it ends on purpose, whatever it waits for.
func Begin[T any](runDir string, pause time.Duration, stopping <-chan os.Signal, begin func() (T, error)) (
	made T, ends bool, err error,
) {
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-stopping:
		EndsOnPurpose(runDir)
		return made, true, nil
	case <-wait.C:
	}
	type result struct {
		made T
		err  error
	}
	results := make(chan result, 1)
	go func() {
		made, err := begin()
		results <- result{made, err}
	}()
	select {
	case <-stopping:
		EndsOnPurpose(runDir)
		return made, true, nil
	case r := <-results:
		return r.made, false, r.err
	}
}
