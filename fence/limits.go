package fence

import "time"

// Limits bound how a device is used. A zero field means its default.
type Limits struct {
	// AtOnce is how many calls one node makes at the same time to the device's
	// address: a switched outlet often takes one session only. 0 is no limit.
	AtOnce int `json:"atOnce,omitempty"`
	// Attempts is how often one node tries the level in a row before another
	// node is asked.
	Attempts int `json:"attempts,omitempty"`
	// Delay is waited out after a node was found lost, before it is decided to
	// fence it: never between the decision and the command.
	Delay time.Duration `json:"delay,omitempty"`
}

// AttemptsAt is how often one node tries a level in a row: the smallest limit of
// its devices, because the most delicate one decides.
func AttemptsAt(devices []Device) int {
	attempts := 0
	for _, d := range devices {
		if d.Limits.Attempts > 0 && (attempts == 0 || d.Limits.Attempts < attempts) {
			attempts = d.Limits.Attempts
		}
	}
	if attempts == 0 {
		return triesPerFencer
	}
	return attempts
}

// DelayOf is how long a level waits before it is used: the longest of its devices.
func DelayOf(devices []Device) time.Duration {
	var delay time.Duration
	for _, d := range devices {
		delay = max(delay, d.Limits.Delay)
	}
	return delay
}
