// Package proof is the one attempt to switch a machine off and to prove that it is off
// (law L3): what is asked of a device, in which order, and when the word Confirmed may fall.
//
// A driver implements Device, which says what its device answers and judges nothing, and
// calls Fence. The order is: connect, whose device is it, our own off command, two off
// readings at least Between apart after it, no sign of life. Everything else is Unknown,
// and Refuted only when the device says at the end that the power is still on.
//
// The package is pure: the clock is an argument, and all waiting is done by the caller's
// Pause. So the proof is tested with devices that take no time.
//
// What cuts a machine off and leaves it running (fence/scsi) proves something else, and
// has its own judge.
package proof

import (
	"context"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Between is the least distance between the two off readings that count (law L3). A board
// that is in the middle of a power cycle or that bounces must have the time to show it.
const Between = 300 * time.Millisecond

// Device is one device as an attempt talks to it. Each call returns no later than its
// context ends, or soon after. Errors are shown as evidence, so they carry no secret.
type Device interface {
	// String names the device for people.
	String() string
	// Connect begins a conversation, and ends the one before. Off has to call wanted. An error
	// made by Final says that trying again is no use.
	Connect(ctx context.Context, wanted func() error) error
	// Identify says whether the device is known to belong to the target.
	Identify(ctx context.Context) Identity
	// Off sends one off command, also where the power reads off already. It calls wanted
	// directly before each packet that changes power, on the goroutine that sends it, and
	// sends nothing when that returns an error or the context has ended. It returns no error
	// only when the device accepted the command.
	Off(ctx context.Context) (Sent, error)
	// Power reads the power state. A state that is neither on nor off is PowerUnknown; an
	// error says that there is no reading.
	Power(ctx context.Context) (fence.Power, error)
}

// Identity is whose a device is.
type Identity struct {
	// Fit says that an off command may be sent.
	Fit bool
	// Assumed says that nothing verified it, and somebody answers for it.
	Assumed bool
	// Why is the sentence for the evidence.
	Why string
}

// Sent is what is known of an accepted off command.
type Sent struct {
	// Doubtful says that the device may have sent nothing, because it read off by itself:
	// the reading may have fallen into somebody's power cycle.
	Doubtful bool
}

// Terms are what differs between kinds of devices. What the law asks of all of them is
// not among it.
type Terms struct {
	// Reading is the pause between two readings.
	Reading time.Duration
	// Repeat is how long the power may stay on before off is sent again.
	Repeat time.Duration
	// Suspicion is how long it may stay on before the evidence says so.
	Suspicion time.Duration
	// Steady is how long the power must read off without a break where off was doubtful.
	Steady time.Duration
	// Connects is how often it is connected before another node or level gets its turn.
	Connects int
	// Offs is how often off is sent until it is accepted once, Repeats how often it is sent
	// again while the power stays on.
	Offs, Repeats int
	// Failures is after how many failed answers in a row the device counts as out of touch.
	Failures int
	// Reconnects says that a device out of touch is connected anew; otherwise the attempt ends.
	Reconnects bool
	// StaysOn is what may be wrong where the power stays on, and Elsewhere where a machine
	// shows life whose power reads off: advice for the evidence.
	StaysOn, Elsewhere string
}

// Clock is the caller's time. Now must not go backwards.
type Clock struct {
	Now func() time.Time
	// Pause waits, or less when the context ends, and then returns false.
	Pause func(ctx context.Context, wait time.Duration) bool
}

// final marks an error after which trying again is no use.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final marks an error of Connect: the device would refuse the next login too, and count it.
func Final(err error) error { return final{err} }
