package scsi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// WriteExclusiveRegistrantsOnly is the reservation's type in SCSI's own
// numbers; linux/pr.h calls the same type 3.
const WriteExclusiveRegistrantsOnly = 5

// Persistence reports whether a device keeps its reservation through its own loss
// of power.
type Persistence int

// What a device says of its persistence.
const (
	PersistenceUntold Persistence = iota
	Persistent
	Forgetful
)

// Reading is what one device told about itself, read at one time.
type Reading struct {
	// Generation counts the changes that the device has accepted.
	Generation uint32
	// Keys are the registered keys, one for each path that is registered.
	Keys []Key
	// Holder is zero when there is no reservation.
	Holder Key
	Type   int
	// Paths is how many paths the device has on this node.
	Paths       int
	Persistence Persistence
}

// String shows a reading in evidence.
func (r Reading) String() string {
	keys := make([]string, len(r.Keys))
	for i, key := range r.Keys {
		keys[i] = key.String()
	}
	held := "no reservation"
	if r.Holder != 0 {
		held = fmt.Sprintf("type %d held by %s", r.Type, r.Holder)
	}
	return fmt.Sprintf("generation %d, keys [%s], %s", r.Generation, strings.Join(keys, " "), held)
}

// Cut is what a fence proved on one device.
type Cut struct {
	Device string `json:"device"`
	// Proven: the victim can no longer write to it, and nothing that it had sent
	// is still on its way.
	Proven bool `json:"proven"`
	// Aborted: the device accepted a preempt-and-abort of the victim's key from
	// this boot on. Whoever repeats the attempt on another node may rely on it.
	Aborted bool `json:"aborted"`
	// Back: the victim's key is there although its removal was accepted.
	Back bool   `json:"back,omitempty"`
	Why  string `json:"why"`
}

// keySet are the keys that matter for a judgement.
type keySet struct {
	own, victim Key
	// known are the keys of all nodes, the victim's among them.
	known map[Key]string
}

// The reasons why a reading proves nothing.
var (
	errNoOwnKey      = errors.New("this node's own key is not registered: it was cut off or never admitted")
	errNoReservation = errors.New(
		"there is no reservation, so anybody may write; it comes with the next admission of a node")
	errFewPaths  = errors.New("not every path is registered; a path was added or came back after the admission")
	errForgetful = errors.New("the array forgets reservations when it loses power (APTPL is off)")
)

// standing reports whether a reading is fit to build a fence on.
func standing(r Reading, keys keySet) error {
	own := 0
	for _, key := range r.Keys {
		if key == keys.own {
			own++
		} else if keys.known[key] == "" {
			return fmt.Errorf("key %s is registered and belongs to no node of this cluster: whoever has it may write", key)
		}
	}
	switch {
	case own == 0:
		return errNoOwnKey
	case r.Holder == 0:
		return errNoReservation
	case r.Type != WriteExclusiveRegistrantsOnly:
		return fmt.Errorf("the reservation is of type %d and not write exclusive, registrants only (%d)", r.Type,
			WriteExclusiveRegistrantsOnly)
	case !slices.Contains(r.Keys, r.Holder):
		return fmt.Errorf("the reservation is held by key %s, which is not registered", r.Holder)
	case r.Persistence == Forgetful:
		return errForgetful
	case own < r.Paths:
		// Last, because it is this node's trouble and spoils no proof about another.
		return fmt.Errorf("%w: %d of %d", errFewPaths, own, r.Paths)
	}
	return nil
}

// verdict of the device on a preempt-and-abort.
type verdict int

const (
	// notTold: it failed, or no answer came; it may have happened or not.
	notTold verdict = iota
	accepted
	// conflict: the device refused, which it also does when the victim's key is
	// not there.
	conflict
	// unable: the device or what is between cannot do it.
	unable
)

// evidence is all that one device gave for one attempt.
type evidence struct {
	before, after Reading
	verdict       verdict
	// abortedBefore: an earlier attempt's preempt-and-abort of this boot was
	// accepted here, so that a missing key is no mystery.
	abortedBefore bool
}

// judge says what the evidence of one device proves. A key that is merely
// absent proves that the victim can send nothing new; only an accepted abort
// proves that nothing it sent before is still waiting inside the array.
func judge(e evidence, keys keySet) Cut {
	// An abort of yesterday says nothing of a key that was there again today.
	before := e.abortedBefore && !slices.Contains(e.before.Keys, keys.victim)
	cut := Cut{Aborted: before || e.verdict == accepted}
	present := slices.Contains(e.after.Keys, keys.victim)
	switch {
	case e.verdict == unable:
		cut.Why = "the device cannot preempt and abort; what the node has already sent may still be written"
	case present && e.verdict == accepted:
		cut.Back, cut.Aborted = true, false
		cut.Why = "the node's key is there although its removal was accepted: it has registered again, or the array " +
			"does not do what it says"
	case present:
		cut.Aborted = false
		cut.Why = "the node's key is still registered"
	case e.verdict == accepted && e.after.Generation == e.before.Generation:
		cut.Aborted = false
		cut.Why = "the array accepted the removal and its generation did not move"
	case !cut.Aborted:
		// A reading cannot make up for the answer that was lost: arrays take the key
		// away first and abort afterwards, and some never come back from the second.
		cut.Why = "the node's key is absent, and nobody proved that what it had sent was aborted: the fencer before was " +
			"lost before it could tell, or somebody took the key away. " +
			"A new boot of the node ends this, or its power being off; make sure of that, then: clusterd fence confirm"
	default:
		if err := standing(e.after, keys); err != nil && !errors.Is(err, errFewPaths) {
			cut.Why = err.Error()
			return cut
		}
		cut.Proven = true
		cut.Why = "the node's key was removed and what it had sent was aborted"
	}
	return cut
}
