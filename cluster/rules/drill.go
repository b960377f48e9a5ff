package rules

import (
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// DueDrill is the drill that the schedule asks for at an instant of the wall
// clock: the node whose last one is the oldest, and the level after the one that
// was drilled last. Whether it may begin is for Apply to say.
func DueDrill(s *cluster.State, now time.Time) (cluster.BeginDrill, bool) {
	plan := s.Document.Fencing.Drills
	if plan.Every == 0 || s.Drill != nil || !Of(s).DisarmedWhy(now).IsZero() || !plan.Within(now) ||
		!s.UnfitForDrill().IsZero() {
		return cluster.BeginDrill{}, false
	}
	var due cluster.BeginDrill
	var oldest time.Time
	found := false
	for _, name := range s.Nodes.Keys() {
		levels := Drillable(s, name)
		last, drilled := s.Drilled.Get(name)
		if drilled && now.Sub(last.Ended) < cluster.DrillPause {
			return cluster.BeginDrill{}, false
		}
		if len(levels) == 0 || (drilled && now.Sub(last.At) < plan.Every) || (found && !last.At.Before(oldest)) {
			continue
		}
		level := levels[0]
		if i := slices.Index(levels, last.Level); drilled && i >= 0 {
			level = levels[(i+1)%len(levels)]
		}
		due, oldest, found = cluster.BeginDrill{Node: name, Level: level, By: "schedule", Scheduled: true}, last.At, true
	}
	return due, found
}

// Drillable are the levels of a node that switch power. Of the others a drill
// would show nothing.
func Drillable(s *cluster.State, node string) []int {
	var levels []int
	for level := range s.Document.Nodes[node].Fence {
		if fence.EffectOf(Of(s).DevicesOf(node, level)) == fence.ByPower {
			levels = append(levels, level)
		}
	}
	return levels
}
