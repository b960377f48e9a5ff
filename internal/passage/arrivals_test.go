package passage

import (
	"testing"
	"time"
)

func TestAnAnnouncementOpensTheDoorOnceAndNotForLong(t *testing.T) {
	var a arrivals
	now := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	if a.take("u", now) {
		t.Error("a start passed for a migration that nobody announced")
	}
	a.announce("u", now)
	if !a.take("u", now.Add(time.Second)) {
		t.Error("an announced migration was refused")
	}
	if a.take("u", now.Add(2*time.Second)) {
		t.Error("one announcement let two in")
	}
	a.announce("u", now)
	if a.take("u", now.Add(arrivalLife+time.Second)) {
		t.Error("an old announcement let somebody in")
	}
	for i := range 2 * maxArrivals {
		a.announce(string(rune('a'+i)), now)
	}
	if len(a.announced) > maxArrivals {
		t.Errorf("%d announcements are kept, the limit is %d", len(a.announced), maxArrivals)
	}
}
