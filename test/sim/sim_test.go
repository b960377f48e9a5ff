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
