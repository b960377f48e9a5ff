package stage

import (
	"fmt"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents/simulated"
	"github.com/clusterd/clusterd/test/lab"
)

// simulatedWatch reads the record of the simulated hypervisor; there is no guest that could be
// asked.
type simulatedWatch struct {
	world, uuid string

	mu    sync.Mutex
	since time.Time
}

// Reset implements Watch.
func (w *simulatedWatch) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = time.Now()
}

// Stop implements Watch.
func (w *simulatedWatch) Stop() {}

// Seen implements Watch. The guest is silent where no run covers the time.
func (w *simulatedWatch) Seen() Seen {
	w.mu.Lock()
	since := w.since
	w.mu.Unlock()
	runs, err := simulated.Runs(w.world)
	if err != nil {
		return Seen{}
	}
	now, covered := time.Now(), since
	var seen Seen
	instances := map[string]time.Time{}
	for _, run := range runs {
		if run.UUID != w.uuid {
			continue
		}
		until := run.To
		if until.IsZero() {
			until = now
		}
		if until.Before(since) {
			continue
		}
		if _, known := instances[run.Instance]; !known {
			instances[run.Instance] = run.From
		}
		seen.Answers, seen.Nonce = true, run.Instance
		seen.Silence = max(seen.Silence, run.From.Sub(covered))
		if until.After(covered) {
			covered = until
		}
		// The pretended guest counts from the beginning of its life, wherever it lives.
		seen.Tick = uint64(until.Sub(instances[run.Instance]).Milliseconds() / 100)
	}
	seen.Runs, seen.RunSince = len(instances), instances[seen.Nonce]
	seen.SilentFor = now.Sub(covered)
	seen.Silence = max(seen.Silence, seen.SilentFor)
	return seen
}

// Record implements World.
func (s *Simulated) Record(guest lab.Guest) ([]string, error) {
	runs, err := simulated.Runs(s.world())
	var lines []string
	for _, run := range runs {
		if run.UUID != guest.UUID() {
			continue
		}
		end := "now"
		if !run.To.IsZero() {
			end = run.To.Format("15:04:05.000")
		}
		lines = append(lines, fmt.Sprintf("%s  %s to %s  run %.8s", run.Node, run.From.Format("15:04:05.000"), end,
			run.Instance))
	}
	return lines, err
}

func guestName(run simulated.Run) string {
	if len(run.Service) > 3 && run.Service[:3] == "vm:" {
		return run.Service[3:]
	}
	return run.Service
}
