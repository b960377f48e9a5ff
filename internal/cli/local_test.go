package cli

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// TestTimesInSentencesAreTheReaders: "until 10:40 UTC" beside a clock of another zone is read as
// that zone's.
func TestTimesInSentencesAreTheReaders(t *testing.T) {
	zone := time.FixedZone("CEST", 2*60*60)
	for said, want := range map[string]string{
		"disarmed until 10:40:00 UTC by root":         "disarmed until 12:40:00 CEST by root",
		"until 2026-07-01 23:10:05 UTC":               "until 2026-07-02 01:10:05 CEST",
		"since 2026-07-01 09:05 UTC, then 09:06 UTC.": "since 2026-07-01 11:05 CEST, then 11:06 CEST.",
		"the clock says 99:40:00 UTC":                 "the clock says 99:40:00 UTC",
		"at 10:40:00, and UTCx":                       "at 10:40:00, and UTCx",
		"":                                            "",
	} {
		got := textIn(said, time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC), zone)
		if got != want || textIn(got, time.Time{}, zone) != got {
			t.Errorf("%q becomes %q, want %q", said, got, want)
		}
		if utc := textIn(said, time.Time{}, time.UTC); utc != said {
			t.Errorf("%q becomes %q in UTC", said, utc)
		}
	}
}

// TestLocalTextsReachesTheArguments: of a text with a code the sentence is made of them anew.
func TestLocalTextsReachesTheArguments(t *testing.T) {
	before := time.Local
	time.Local = time.FixedZone("CEST", 2*60*60)
	defer func() { time.Local = before }()
	notes := []cluster.Note{{Why: message.DisarmedUntil.With("10:40:00 UTC", "root", "switch 3")}}
	LocalTexts(&notes)
	if want := message.DisarmedUntil.With("12:40:00 CEST", "root", "switch 3"); !notes[0].Why.Equal(want) {
		t.Errorf("%s, want %s", notes[0].Why, want)
	}
}
