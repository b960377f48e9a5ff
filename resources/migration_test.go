package resources

import (
	"strings"
	"testing"
	"time"
)

func TestLimitsAreReadAsTheyAreWritten(t *testing.T) {
	want := Migration{AutoConverge: true, Compression: true, Bandwidth: 200, Downtime: 300 * time.Millisecond}
	var got Migration
	for _, word := range strings.Fields(want.String()) {
		if err := got.Set(word); err != nil {
			t.Fatal(err)
		}
	}
	if got != want {
		t.Errorf("%q is read as %+v", want, got)
	}
	if (Migration{}).String() != "" {
		t.Error("what sets nothing is written as something")
	}
}

func TestBadLimitsAreToldWithTheRightForm(t *testing.T) {
	for word, says := range map[string]string{
		"bandwidth":           "KEY=VALUE",
		"bandwidth=200MiB":    "a number of MiB/s",
		"bandwidth=-1":        "from 1 to",
		"bandwidth=999999999": "from 1 to",
		"downtime=2":          "such as 300ms",
		"downtime=3h":         "from 1ms to",
		"auto_converge=si":    "with true",
		"compression=false":   "as it is declared",
		"speed=3":             `there is no "speed"`,
	} {
		var m Migration
		if err := m.Set(word); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func TestWhatOneMoveSetsComesBeforeWhatIsDeclared(t *testing.T) {
	declared := Migration{AutoConverge: true, Bandwidth: 100, Downtime: time.Second}
	if got := declared.With(Migration{Bandwidth: 400}); got != (Migration{AutoConverge: true, Bandwidth: 400,
		Downtime: time.Second}) {
		t.Errorf("%+v", got)
	}
}
