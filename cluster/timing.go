package cluster

import "time"

// Tick is how often a node's shell calls Step at least. A stopwatch on others
// advances at most one tick per Step, so a leader that was paused suspects
// nobody for it.
const Tick = 100 * time.Millisecond

// Timing are the waits by which a silent node is judged. The order
// Test < Lost < HandOver < lease < watchdog is checked by the configuration.
type Timing struct {
	// Test: after this silence the peers are asked to reach the node.
	Test time.Duration
	// Lost: after this silence, and with a verdict, the node is lost.
	Lost time.Duration
	// Deaf: after so long without an entry of the log that there is, a node that is heard
	// is given no work.
	Deaf time.Duration
	// SilentGrace is how long a daemon may be silent while its kernel answers.
	SilentGrace time.Duration
	// JoinGrace is how long a node that this leader never heard is waited for
	// (a cold start with stragglers).
	JoinGrace time.Duration
	// HandOver is how long a new leader may take to be there and to let nodes go on:
	// the elections of the profile, several of them.
	HandOver time.Duration
}

// TimingFor returns the waits of a profile: fast, normal, relaxed.
func TimingFor(profile string) Timing {
	t := Timing{Test: 550 * time.Millisecond, Lost: 960 * time.Millisecond, Deaf: 4 * time.Second,
		SilentGrace: 15 * time.Second, JoinGrace: 60 * time.Second, HandOver: 2 * time.Second}
	switch profile {
	case "fast":
		t.Test, t.Lost, t.Deaf, t.HandOver = 250*time.Millisecond, 450*time.Millisecond, 2*time.Second, time.Second
	case "relaxed":
		t.Test, t.Lost, t.Deaf, t.HandOver = 1100*time.Millisecond, 2*time.Second, 8*time.Second, 4*time.Second
	}
	return t
}

// The leader's plan has no wall clock. What ends at a time of day is judged by
// the time of the last event and what this leader has measured since then; Apply
// judges again, by the time that the entry carries.

// clock is the time of day as far as the planner knows.
func (p *planner) clock() time.Time { return p.newestAt().Add(p.view.Quiet) }

func (p *planner) newestAt() time.Time {
	if len(p.Timeline()) == 0 {
		return time.Time{}
	}
	return p.Timeline()[len(p.Timeline())-1].At
}

// reached tells whether a time of day has come. If not, the decision holds no
// longer than until then.
func (p *planner) reached(at time.Time) bool {
	if !p.clock().Before(at) {
		return true
	}
	left := at.Sub(p.newestAt())
	if p.decision.Again == 0 || left < p.decision.Again {
		p.decision.Again = left
	}
	return false
}
