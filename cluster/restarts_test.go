package cluster

import (
	"testing"
	"time"
)

func TestStartsInARowAreALoop(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var r *Restarts
	told := 0
	for round := 1; round <= 20; round++ {
		r = r.another(at)
		if r.loop() != (round > restartsKnown) {
			t.Errorf("after %d starts: loop %v", round, r.loop())
		}
		if r.told() {
			told++
		}
		at = at.Add(restartsApart)
	}
	if told != 6 { // the 1st to 4th, the 8th and the 16th
		t.Errorf("%d of 20 rounds are told", told)
	}
	if r = r.another(at.Add(time.Second)); r.Count != 1 {
		t.Error("a daemon that ran for longer than that is still in its loop")
	}
	if r = r.another(at.Add(-time.Hour)); r.Count != 1 || r.loop() {
		t.Error("a clock that was set back makes a loop")
	}
}
