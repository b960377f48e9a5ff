package cluster

import (
	"slices"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Drills is when the document wants nodes to be drilled without a person. A zero
// Every means never.
type Drills struct {
	// Every is how old the last drill of a node may become.
	Every time.Duration `json:"every,omitempty"`
	// From and To are minutes of the day, UTC, between which a drill may begin; From
	// may be later than To, over midnight. Both zero means at any time.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
}

// drillPause lies between two drills of the schedule.
const drillPause = 30 * time.Minute

// DueDrill is the drill that the schedule asks for at an instant of the wall
// clock: the node whose last one is the oldest, and the level after the one that
// was drilled last. Whether it may begin is for Apply to say.
func DueDrill(s *State, now time.Time) (BeginDrill, bool) {
	plan := s.Document.Fencing.Drills
	if plan.Every == 0 || s.Drill != nil || s.world().disarmed(now) != "" || !plan.within(now) || s.unfitForDrill() != "" {
		return BeginDrill{}, false
	}
	var due BeginDrill
	var oldest time.Time
	found := false
	for _, name := range s.Nodes.Keys() {
		levels := s.drillable(name)
		last, drilled := s.Drilled.Get(name)
		if drilled && now.Sub(last.Ended) < drillPause {
			return BeginDrill{}, false
		}
		if len(levels) == 0 || (drilled && now.Sub(last.At) < plan.Every) || (found && !last.At.Before(oldest)) {
			continue
		}
		level := levels[0]
		if i := slices.Index(levels, last.Level); drilled && i >= 0 {
			level = levels[(i+1)%len(levels)]
		}
		due, oldest, found = BeginDrill{Node: name, Level: level, By: "schedule", Scheduled: true}, last.At, true
	}
	return due, found
}

// drillable are the levels of a node that switch power. Of the others a drill
// would show nothing.
func (s *State) drillable(node string) []int {
	var levels []int
	for level := range s.Document.Nodes[node].Fence {
		if fence.NatureOf(s.world().devicesOf(node, level)) == fence.ByPower {
			levels = append(levels, level)
		}
	}
	return levels
}

// within tells whether a drill may begin at an instant.
func (p Drills) within(now time.Time) bool {
	if p.From == p.To {
		return true
	}
	minute := now.UTC().Hour()*60 + now.UTC().Minute()
	if p.From < p.To {
		return p.From <= minute && minute < p.To
	}
	return minute >= p.From || minute < p.To
}
