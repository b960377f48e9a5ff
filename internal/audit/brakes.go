package audit

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Of one kind of entry the trail has so many in a window and in an hour, and of the others their
// number. The window is for a burst, the hour for who goes on for days: the trail holds about a
// hundred thousand short entries.
const (
	MostOfWindow = 20
	Window       = 10 * time.Second
	MostOfHour   = 300
	// mostBrakes bounds for how many people entries are counted apart.
	mostBrakes = 256
)

// Brakes hold entries back of which there are too many, so that nobody pushes out what others did.
type Brakes struct {
	mu sync.Mutex
	of map[string]*brake
}

// brake is of the entries that count together.
type brake struct {
	window, hour tally
	// left is how many were left out since the last one that was not, and last the newest of them.
	left int
	last Entry
}

// tally counts what was told since it began.
type tally struct {
	began time.Time
	told  int
}

func (t *tally) over(now time.Time, lasts time.Duration) bool {
	return t.began.IsZero() || now.Sub(t.began) >= lasts || now.Before(t.began)
}

func (t *tally) begin(now time.Time, lasts time.Duration) {
	if t.over(now, lasts) {
		t.began, t.told = now, 0
	}
}

// Pass says whether an entry is written now, with the number of those like it that were left out
// since the last one, beside those that it tells of already. Entries of one kind count together,
// and of a person apart from those of others of that kind while there are not too many; no person
// has no name.
func (b *Brakes) Pass(kind, person string, e Entry) (passed Entry, written bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	on := b.brakeOf(kind, person, e.At)
	on.window.begin(e.At, Window)
	on.hour.begin(e.At, time.Hour)
	if on.window.told >= MostOfWindow || on.hour.told >= MostOfHour {
		on.left += 1 + e.More
		on.last = e
		return e, false
	}
	e.More += on.left
	on.told()
	return e, true
}

func (b *brake) told() {
	b.window.told++
	b.hour.told++
	b.left, b.last = 0, Entry{}
}

func (b *Brakes) brakeOf(kind, person string, now time.Time) *brake {
	if b.of == nil {
		b.of = map[string]*brake{}
	}
	if person != "" {
		apart := kind + "\x00" + person
		if b.of[apart] == nil && len(b.of) >= mostBrakes {
			maps.DeleteFunc(b.of, func(_ string, on *brake) bool { return on.left == 0 && on.hour.over(now, time.Hour) })
		}
		if b.of[apart] != nil || len(b.of) < mostBrakes {
			kind = apart
		}
	}
	if b.of[kind] == nil {
		b.of[kind] = &brake{}
	}
	return b.of[kind]
}

// Due are the newest of the entries that were left out where there is room again, so that their
// number is told though nothing like them comes again.
func (b *Brakes) Due(now time.Time) (due []Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.of)) {
		on := b.of[name]
		if on.left == 0 || !on.window.over(now, Window) || on.hour.told >= MostOfHour && !on.hour.over(now, time.Hour) {
			continue
		}
		on.window.begin(now, Window)
		on.hour.begin(now, time.Hour)
		due = append(due, on.rest())
	}
	return due
}

// Rest are those of all that were left out, whether there is room or not: the brakes forget with
// their process.
func (b *Brakes) Rest() (rest []Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.of)) {
		if on := b.of[name]; on.left > 0 {
			rest = append(rest, on.rest())
		}
	}
	return rest
}

// rest is the newest of what was left out, with the number of the others.
func (b *brake) rest() Entry {
	e := b.last
	e.More = b.left - 1
	b.told()
	return e
}
