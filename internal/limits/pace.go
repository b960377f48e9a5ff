package limits

import (
	"sync"
	"time"
)

// Pace lets each holder through Rate times a second on average, and Burst times at once.
type Pace struct {
	Rate  float64
	Burst float64
	// Holders bounds how many are remembered; who has been quiet for longest is forgotten first.
	Holders int
	// Most bounds how long a holder can have to wait, however often it asked.
	Most time.Duration

	mu   sync.Mutex
	next map[string]time.Time // when the holder's account would be full again
}

// Wait is how long a holder's request should wait before it is carried out. Each call counts.
func (p *Pace) Wait(holder string, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = map[string]time.Time{}
	}
	one := time.Duration(float64(time.Second) / p.Rate)
	full, known := p.next[holder]
	if !known && len(p.next) >= p.Holders {
		p.forget(now)
	}
	if full.Before(now) {
		full = now
	}
	burst := time.Duration(p.Burst * float64(one))
	full = full.Add(one)
	if latest := now.Add(burst + p.Most); full.After(latest) {
		full = latest
	}
	p.next[holder] = full
	return max(0, full.Sub(now)-burst)
}

// Overdrawn reports whether a holder's next request would have to wait. It does not count as one.
func (p *Pace) Overdrawn(holder string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := time.Duration(float64(time.Second) / p.Rate)
	return p.next[holder].Sub(now) > time.Duration(p.Burst*float64(one))
}

// forget drops those whose account is full again, and if there are none, the quietest.
func (p *Pace) forget(now time.Time) {
	quietest := ""
	for holder, full := range p.next {
		if !full.After(now) {
			delete(p.next, holder)
			continue
		}
		if quietest == "" || full.Before(p.next[quietest]) {
			quietest = holder
		}
	}
	if len(p.next) >= p.Holders {
		delete(p.next, quietest)
	}
}
