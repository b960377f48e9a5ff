package resources

import "time"

// Remedy is what the recovery policy asks for after a failure.
type Remedy int

// The remedies.
const (
	// InPlace starts the service again where it failed.
	InPlace Remedy = iota
	// Elsewhere starts it on another node.
	Elsewhere
	// LeaveDown disables it.
	LeaveDown
)

// maxRemembered bounds the list of restart times kept for a service whose
// limit is lower, or that has none.
const maxRemembered = 100

// AfterFailure applies the recovery policy to one more failure at instant
// "at". It returns the remedy and the restart times to remember. As in
// rgmanager, failure number MaxRestarts+1 inside the window clears the count
// and relocates (or disables, for restart-disable); unlike there the count
// belongs to the service, not to a node, and outlives the daemons.
func AfterFailure(spec Spec, restarts []time.Time, at time.Time) (Remedy, []time.Time) {
	switch spec.Recovery {
	case Disable:
		return LeaveDown, nil
	case Relocate:
		return Elsewhere, nil
	}
	recent := within(restarts, spec.RestartExpire, at)
	if spec.MaxRestarts > 0 && len(recent) >= spec.MaxRestarts {
		if spec.Recovery == RestartDisable {
			return LeaveDown, nil
		}
		return Elsewhere, nil
	}
	recent = append(recent, at)
	// Fewer than MaxRestarts must never be kept, or the limit is never reached.
	if keep := max(maxRemembered, spec.MaxRestarts); len(recent) > keep {
		recent = recent[len(recent)-keep:]
	}
	return InPlace, recent
}

// Remembered are the restarts that still count at instant "at": older ones than
// the window have expired.
func Remembered(spec Spec, restarts []time.Time, at time.Time) []time.Time {
	return within(restarts, spec.RestartExpire, at)
}

// within keeps the instants inside the window that ends at "at"; a zero
// window keeps all of them.
func within(times []time.Time, window time.Duration, at time.Time) []time.Time {
	var kept []time.Time
	for _, t := range times {
		if window == 0 || at.Sub(t) <= window {
			kept = append(kept, t)
		}
	}
	return kept
}
