package sim

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestSim runs random histories. SEEDS=n runs n of them, SEED=x replays one
// with its whole timeline (with -v).
func TestSim(t *testing.T) {
	if text := os.Getenv("SEED"); text != "" {
		seed, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("SEED=%s is no number", text)
		}
		w := History(seed, func(line string) { t.Log(line) })
		for _, violation := range w.Violations {
			t.Error(violation)
		}
		return
	}
	seeds := int64(300)
	if text := os.Getenv("SEEDS"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("SEEDS=%s is no number", text)
		}
		seeds = n
	}
	const shards = 4
	for shard := range int64(shards) {
		t.Run("shard", func(t *testing.T) {
			t.Parallel()
			for seed := 1 + shard; seed <= seeds; seed += shards {
				if w := History(seed, nil); len(w.Violations) > 0 {
					t.Errorf("SEED=%d: %s", seed, strings.Join(w.Violations, "\n"))
				}
			}
		})
	}
}

// TestOneSeedIsOneHistory runs a history twice.
func TestOneSeedIsOneHistory(t *testing.T) {
	histories := make([]string, 2)
	for i := range histories {
		var lines strings.Builder
		History(7, func(line string) { lines.WriteString(line + "\n") })
		histories[i] = lines.String()
	}
	if histories[0] != histories[1] {
		t.Error("seed 7 gave two different histories")
	}
	if strings.Count(histories[0], "\n") < 100 {
		t.Error("hardly anything happened in seed 7")
	}
}

// TestHistoriesAreEventful: a simulation in which nothing happens finds nothing.
func TestHistoriesAreEventful(t *testing.T) {
	wanted := map[string]int{
		"confirmed off by": 0, "fence attempt by": 0, "booted anew": 0, "moved live": 0, "did not end clean": 0,
		"both ends of the migration are asked": 0, "is out of the migration": 0, "the migration is undone": 0, "start failed": 0, "the guest crashed": 0,
		"disappeared from": 0, "fails back live": 0, "what became of the start": 0, "what became of the stop": 0, "leaves": 0, "does not answer": 0,
	}
	for seed := int64(1001); seed <= 1040; seed++ {
		History(seed, func(line string) {
			for text := range wanted {
				if strings.Contains(line, text) {
					wanted[text]++
				}
			}
		})
	}
	for text, count := range wanted {
		if count == 0 {
			t.Errorf("in no history anything was %q", text)
		}
	}
}
