package cluster

import "time"

// The leader's plan has no wall clock. What ends at a time of day is judged by
// the time of the last event and what this leader has measured since then; Apply
// judges again, by the time that the entry carries.

// clock is the time of day as far as the planner knows.
func (p *planner) clock() time.Time { return p.newestAt().Add(p.view.Quiet) }

func (p *planner) newestAt() time.Time {
	if len(p.Timeline) == 0 {
		return time.Time{}
	}
	return p.Timeline[len(p.Timeline)-1].At
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
