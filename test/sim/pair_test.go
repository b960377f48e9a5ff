package sim

import (
	"strings"
	"testing"
)

// TestPair runs some histories of two nodes; `make sim WORLD=two-node` runs many.
func TestPair(t *testing.T) {
	// In 112 and 478 the other one comes back while a person's recovery is on its way to the log.
	// In 3445 and 5302 a leader was taken back to an older folder, and in 2097 a start was told late.
	seeds := []int64{112, 478, 3445, 5302, 2097}
	for seed := int64(1); seed <= 25; seed++ {
		seeds = append(seeds, seed)
	}
	for _, seed := range seeds {
		if w := WritePairScript(seed).Play(nil, false); len(w.Violations) > 0 {
			t.Errorf("WORLD=two-node SEED=%d: %s", seed, strings.Join(w.Violations, "\n"))
		}
	}
}

// TestPairHistoriesAreEventful: all steps of going on alone happen, and each kind of
// fault.
func TestPairHistoriesAreEventful(t *testing.T) {
	wanted := map[string]bool{}
	for _, text := range []string{
		"writes down that it goes on alone", "takes the log over", "goes on without", "sets its log aside", "votes again",
		"does not go on alone after all",
		"is heard again, and nothing came", "has booted since it decided", "confirmed off by",
	} {
		wanted[text] = false
	}
	for kind := range pairWeights {
		wanted[": "+kind+" "] = false
	}
	left := len(wanted)
	for seed := int64(1); seed <= 400 && left > 0; seed++ {
		WritePairScript(seed).Play(func(line string) {
			for text, seen := range wanted {
				if !seen && strings.Contains(line, text) {
					wanted[text] = true
					left--
				}
			}
		}, false)
	}
	for text, seen := range wanted {
		if !seen {
			t.Errorf("in no history anything was %q", text)
		}
	}
}

// TestTheWeightsNameFaults: a fault that is not known would never happen.
func TestTheWeightsNameFaults(t *testing.T) {
	known := map[string]bool{}
	for _, k := range append(faultKinds(), pairFaults()...) {
		known[k.name] = true
	}
	for kind := range pairWeights {
		if !known[kind] {
			t.Errorf("there is no fault %q", kind)
		}
	}
}
