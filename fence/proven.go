package fence

import "time"

// Proven is what a confirmed attempt showed. The zero value says that the machine
// is off, as everything says that was written before there were other proofs.
type Proven struct {
	Effect Effect `json:"effect,omitempty"`
	// Disks are those to which the boot can write no more, as the devices declare
	// them: preempted and aborted, and read back on each. For ByStorage.
	Disks []string `json:"disks,omitempty"`
	// Waited is how long the fencer waited, by its own stopwatch and since it saw
	// the fence intent in its log. For whatever waits a watchdog out.
	Waited time.Duration `json:"waited,omitempty"`
}

// By is the effect of the proof.
func (p Proven) By() Effect {
	if p.Effect == "" {
		return ByPower
	}
	return p.Effect
}

// IsZero reports whether nothing but power is proven.
func (p Proven) IsZero() bool { return p.Effect == "" && len(p.Disks) == 0 && p.Waited == 0 }

// Guard is what stands guard over one boot of a node, as the node reported it
// before it was given anything to run. What is not in it proves nothing about
// that boot.
type Guard struct {
	Boot string `json:"boot"`
	// Timeout of the armed watchdog, as it was read back; 0 where none is armed.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Lease: it is petted no longer than this after the node last asked a majority;
	// 0 where it is petted without.
	Lease time.Duration `json:"lease,omitempty"`
	// Pills are the disks that are watched for messages.
	Pills []string `json:"pills,omitempty"`
	// Keys are the disks where this boot has registered its key, with no
	// registration still on its way.
	Keys []string `json:"keys,omitempty"`
}

// granularity is what watchdog hardware may be late by, beyond its timeout.
const granularity = time.Second

// WaitOut is how long an observer waits, by its own stopwatch and from an instant
// after the last lease was asked for, until a node is surely reset: the lease and
// the watchdog, one percent of each for two clocks that run differently, and
// what hardware may be late by (law L6).
func WaitOut(lease, timeout time.Duration) time.Duration {
	return lease + lease/100 + timeout + timeout/100 + granularity
}

// WaitOut is how long the boot has to be waited out; false where waiting proves
// nothing, because no watchdog ends the boot when its lease does.
func (g Guard) WaitOut() (time.Duration, bool) {
	return WaitOut(g.Lease, g.Timeout), g.Lease > 0 && g.Timeout > 0
}
