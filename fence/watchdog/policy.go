package watchdog

import (
	"fmt"
	"time"
)

// policy is the keeper's judgement whether the host may live on. It knows no
// clock; instants are readings of CLOCK_BOOTTIME.
type policy struct {
	// refused: the watchdog is armed and not as it was asked for; it is petted,
	// and the node is told that it has no protection.
	refused string
	// free: the node holds nothing.
	free bool
	// yielded: this boot has to end.
	yielded bool
	// until is the lease's end.
	until time.Duration
	// pill is the message that ends this node.
	pill Command
	// disks are the instants at which the last good look at each disk began;
	// empty where there is no pill.
	disks []time.Duration
	// noted is what was logged last of each disk, so that a disk that stays bad
	// does not fill the log.
	noted map[int]string
	// fresh is how old a look may be.
	fresh time.Duration
}

// mayPet reports whether to pet at this instant, and if not, why.
func (w *policy) mayPet(now time.Duration) (bool, string) {
	if w.pill != Empty {
		return false, "a " + w.pill.String() + " message was found on the disk"
	}
	if w.refused != "" {
		return true, ""
	}
	if w.yielded {
		return false, "this boot has to end"
	}
	if !w.free && now >= w.until {
		return false, fmt.Sprintf("the lease ran out %v ago", now-w.until)
	}
	good := 0
	for _, began := range w.disks {
		// Zero stands for never.
		if began != 0 && now-began <= w.fresh {
			good++
		}
	}
	if 2*good <= len(w.disks) && len(w.disks) > 0 {
		return false, fmt.Sprintf("%d of %d disks for fence messages could be read lately", good, len(w.disks))
	}
	return true, ""
}
