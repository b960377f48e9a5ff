package fence

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawFencers(t *rapid.T) []string {
	var fencers []string
	for i := range rapid.IntRange(1, 5).Draw(t, "fencers") {
		fencers = append(fencers, fmt.Sprintf("node%d", i+1))
	}
	return fencers
}

func TestNextVisitsEveryFencerOnEveryLevelAndThenEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fencers, levels := drawFencers(t), rapid.IntRange(1, 4).Draw(t, "levels")
		visits := map[Step]int{}
		var tried []Attempt
		for {
			step, more := Next(levels, fencers, tried)
			if !more {
				break
			}
			visits[step]++
			if n := len(tried); n > 0 && step.Level < tried[n-1].Level && step.Level != 0 {
				t.Fatalf("level %d follows level %d", step.Level, tried[n-1].Level)
			}
			tried = append(tried, Attempt{Fencer: step.Fencer, Level: step.Level, Outcome: Unknown})
			if len(tried) > 1000 {
				t.Fatal("never ends")
			}
		}
		for _, fencer := range fencers {
			for level := range levels {
				if got := visits[Step{Fencer: fencer, Level: level}]; got != triesPerFencer*Rounds {
					t.Fatalf("%s tried level %d %d times, want %d", fencer, level, got, triesPerFencer*Rounds)
				}
			}
		}
		if len(visits) != len(fencers)*levels {
			t.Fatalf("visited %v", visits)
		}
	})
}

func TestNextTriesTheFirstLevelFromEveryNodeBeforeTheSecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fencers, levels := drawFencers(t), rapid.IntRange(2, 4).Draw(t, "levels")
		var tried []Attempt
		for range len(fencers) * triesPerFencer {
			step, _ := Next(levels, fencers, tried)
			if step.Level != 0 {
				t.Fatalf("level %d after %d tries", step.Level, len(tried))
			}
			tried = append(tried, Attempt{Fencer: step.Fencer, Level: step.Level})
		}
		if step, _ := Next(levels, fencers, tried); step != (Step{Fencer: fencers[0], Level: 1}) {
			t.Fatalf("after the first level: %+v", step)
		}
	})
}

func TestNextWithNothingToTry(t *testing.T) {
	if _, more := Next(0, []string{"node1"}, nil); more {
		t.Error("a try without a level")
	}
	if _, more := Next(1, nil, nil); more {
		t.Error("a try without a fencer")
	}
}

func drawUUID(t *rapid.T) string {
	digits := rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "uuid")
	if NamesNoMachine(digits) {
		t.Skip("a blank")
	}
	return digits
}

func TestSamePlatformKnowsEveryByteOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := drawUUID(t)
		dashed := strings.ToUpper(digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" +
			digits[20:])
		for _, other := range append(byteOrders(digits), dashed) {
			if !SamePlatform(dashed, other) || !SamePlatform(other, dashed) {
				t.Fatalf("%s and %s are the same machine", dashed, other)
			}
		}
	})
}

func TestSamePlatformTellsMachinesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := drawUUID(t)
		at := rapid.IntRange(0, 31).Draw(t, "at")
		other := []byte(digits)
		other[at] = "123456789abcdef0"[strings.IndexByte("0123456789abcdef", digits[at])]
		if SamePlatform(digits, string(other)) {
			t.Fatalf("%s and %s are two machines", digits, other)
		}
	})
}

func TestABlankIsNobodysIdentity(t *testing.T) {
	for _, blank := range []string{
		"", "unknown", "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
		"03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009",
		"12345678-1234-5678-90AB-CDDEEFAABBCC", "fefefefe-fefe-fefe-fefe-fefefefefefe",
	} {
		if SamePlatform(blank, blank) || !NamesNoMachine(blank) {
			t.Errorf("%q was taken for an identity", blank)
		}
	}
}

func TestASecretNeverPrintsItself(t *testing.T) {
	device := Device{Name: "bmc1", Username: "admin", Password: "hunter22"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(format, device); strings.Contains(text, "hunter22") ||
			strings.Contains(text, fmt.Sprintf("%x", "hunter22")) {
			t.Errorf("%s prints %s", format, text)
		}
		if text := fmt.Sprintf(format, device.Password); strings.Contains(text, "hunter22") {
			t.Errorf("%s prints %s", format, text)
		}
	}
}

func TestActNamesTheIntent(t *testing.T) {
	if got := Act(2, 1041, 3); got != "2.1041.3" {
		t.Errorf("act %s", got)
	}
}
