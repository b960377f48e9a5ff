package limits

import (
	"sync"
	"time"
)

// Quiet lets the first lines of a window through and counts the others, so that strangers cannot
// fill a log.
type Quiet struct {
	// Most is how many lines a window of Window has.
	Most   int
	Window time.Duration

	mu     sync.Mutex
	began  time.Time
	told   int
	unsaid int
}

// More counts so many that are not told, beside one that Tell counted.
func (q *Quiet) More(unsaid int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unsaid += unsaid
}

// Tell reports whether a line may be written now, and how many were not written since the last
// one that was.
func (q *Quiet) Tell(now time.Time) (unsaid int, tell bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.began.IsZero() || now.Sub(q.began) >= q.Window || now.Before(q.began) {
		q.began, q.told = now, 0
	}
	if q.told >= q.Most {
		q.unsaid++
		return 0, false
	}
	q.told++
	unsaid, q.unsaid = q.unsaid, 0
	return unsaid, true
}
