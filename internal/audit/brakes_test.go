package audit

import (
	"fmt"
	"testing"
	"time"
)

// counted is what a brake lets through of entries, with what is due at the end, and of how many
// these tell.
type counted struct{ lines, told int }

func (c *counted) add(e Entry) {
	c.lines++
	c.told += 1 + e.More
}

// Whoever goes on for days fills the trail no more than who does it for a moment, and each entry
// that was left out is counted, also when nothing follows.
func TestBrakesBoundABurstAndADayAndCountAll(t *testing.T) {
	b, now, got := Brakes{}, time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), counted{}
	for range 24 * 360 {
		for range 30 {
			if e, pass := b.Pass("user", "bob", Entry{At: now, Who: "bob"}); pass {
				got.add(e)
			}
		}
		now = now.Add(Window)
		for _, e := range b.Due(now) {
			got.add(e)
		}
	}
	for _, e := range b.Due(now.Add(time.Hour)) {
		got.add(e)
	}
	if got.told != 24*360*30 || got.lines > 25*MostOfHour || got.lines < 24*MostOfHour {
		t.Errorf("a day's flood of %d left %d lines that tell of %d", 24*360*30, got.lines, got.told)
	}
	if due := b.Due(now.Add(2 * time.Hour)); len(due) > 0 {
		t.Errorf("told again: %+v", due)
	}
}

// One person's flood hides nobody else's acts; where there are more people than can be told apart,
// they count together, and memory stays bounded.
func TestBrakesTellPeopleApart(t *testing.T) {
	b, now := Brakes{}, time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for range 10 * MostOfWindow {
		b.Pass("user", "bob", Entry{At: now})
	}
	if _, pass := b.Pass("user", "carol", Entry{At: now}); !pass {
		t.Error("what bob did hides what carol did")
	}
	passed := 0
	for i := range 10 * mostBrakes {
		if _, pass := b.Pass("user", fmt.Sprint(i), Entry{At: now}); pass {
			passed++
		}
	}
	if len(b.of) > mostBrakes+1 || passed > mostBrakes+MostOfWindow {
		t.Errorf("%d brakes, %d passed", len(b.of), passed)
	}
	now = now.Add(2 * time.Hour)
	b.Due(now)
	now = now.Add(2 * time.Hour)
	for range MostOfWindow {
		b.Pass("user", "dave", Entry{At: now})
	}
	if _, pass := b.Pass("user", "erin", Entry{At: now}); !pass {
		t.Error("people of long ago still have all the places")
	}
}
