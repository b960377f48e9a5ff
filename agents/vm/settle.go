package vm

import "github.com/clusterd/clusterd/agents"

// reasonMigratingOut marks the sending half of a migration.
const reasonMigratingOut = "migrating out"

// step is what brings two ends of a migration closer to exactly one VM.
type step int

const (
	// stepNone: nothing more can be done here, or nothing need be.
	stepNone step = iota
	// stepWait: the hypervisors are still at work.
	stepWait
	stepResumeTarget
	stepDestroyTarget
	stepPauseTarget
	stepDestroySource
	stepResumeSource
	// stepCopyOn: the memory is at both ends, and the copying was interrupted.
	stepCopyOn
)

// decide says what to do when the ends of a migration were found like this
// (law L5). Only a guest that surely does not run is ever destroyed, and only
// while the other end is known; an end that nobody could see stays untouched.
func decide(source, target agents.Observation) step {
	if source.Condition == agents.Unknown || target.Condition == agents.Unknown {
		// Even then a guest that runs twice would be paused by its own node.
		return stepNone
	}
	if source.Reason == reasonMigratingOut {
		return stepWait
	}
	switch source.Condition {
	case agents.Split:
		return besideSplitSource(source, target)
	case agents.Running:
		return besideRunningSource(target)
	case agents.Absent:
		switch target.Condition {
		case agents.Incoming:
			return stepWait
		case agents.Split:
			return stepWait // It may have everything by now, and not have told so.
		case agents.Paused:
			if received(target) {
				return stepResumeTarget
			}
		}
	case agents.Paused:
		if source.Reason != "migration" && source.Reason != "resume failed" {
			return stepNone // Somebody or something else paused it.
		}
		return besidePausedSource(target)
	}
	return stepNone
}

// received tells that a paused target is whole and waits only for us.
func received(target agents.Observation) bool {
	return target.Reason == "user" || target.Reason == "migration" || target.Reason == "resume failed"
}

func besideRunningSource(target agents.Observation) step {
	switch target.Condition {
	case agents.Running, agents.Split:
		return stepPauseTarget
	case agents.Paused:
		return stepDestroyTarget
	case agents.Incoming:
		// libvirt removes its half by itself once it sees that the source is
		// lost to it; the caller destroys it when that takes too long.
		return stepWait
	}
	return stepNone
}

// besideSplitSource: what is at the source is older than what the guest does at the target, and
// never goes on. Where the target is not known to be there or to be whole, the cluster decides.
func besideSplitSource(source, target agents.Observation) step {
	switch {
	case source.UnderWay() || target.UnderWay():
		return stepWait // An end that has not seen that the other is gone takes no copying up again.
	case target.Condition == agents.Running:
		return stepDestroySource
	case target.Condition == agents.Absent || target.Condition == agents.Crashed:
		return stepNone
	}
	return stepCopyOn // Also for a guest that stands still there, or shuts down.
}

func besidePausedSource(target agents.Observation) step {
	switch target.Condition {
	case agents.Running:
		return stepDestroySource
	case agents.Paused:
		// Both are whole. The near one is kept: it needs no network to resume.
		return stepDestroyTarget
	case agents.Absent:
		return stepResumeSource
	case agents.Incoming:
		return stepWait
	}
	return stepNone
}
