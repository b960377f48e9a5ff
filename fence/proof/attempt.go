package proof

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/fence"
)

const (
	// longestOn is how long the power may stay on after off was accepted, before another
	// node or level gets its turn. A slow device has the rest of the time for its answers.
	longestOn = 25 * time.Second
	// longReading is when a reading that our own deadline cut off is told: a shorter
	// one might have been answered in time.
	longReading = time.Second
	// maxEvidence bounds the sentences of one attempt.
	maxEvidence = 20
)

// attempt is one try to switch one machine off.
type attempt struct {
	device  Device
	request fence.Request
	terms   Terms
	clock   Clock
	result  fence.Result

	// granted counts the answers that off is still wanted, and unwanted is the last one that
	// it is not. Both are set from the goroutine that was about to send.
	granted  atomic.Int64
	unwanted atomic.Pointer[error]
	logins   int
	sent     int
	repeated int
	// accepted is when off was accepted for the first time, sentAt when it was last sent.
	accepted, sentAt time.Time
	// firstOff is when the first of an unbroken row of off readings was complete.
	firstOff  time.Time
	last      fence.Power
	failed    int
	suspected bool
	// doubtful is set while the device may have sent nothing.
	doubtful bool
}

// Fence switches the target off and proves it by law L3. It returns Refuted when the
// device says at the end that the power is still on, and Unknown for everything else that
// is not proven. The context's deadline bounds it.
func Fence(ctx context.Context, device Device, request fence.Request, terms Terms, clock Clock) fence.Result {
	started := clock.Now()
	a := &attempt{device: device, request: request, terms: terms, clock: clock, last: fence.PowerUnknown}
	a.result.Outcome = fence.Unknown
	a.run(ctx)
	a.result.Duration = clock.Now().Sub(started)
	return a.result
}

func (a *attempt) run(ctx context.Context) {
	if a.request.StillWanted == nil || a.request.SignOfLife == nil {
		a.say("the request does not tell whether it is still wanted and whether %s shows life, so nothing was sent",
			a.request.Target.Node)
		return
	}
	if !a.connect(ctx) {
		return
	}
	for ctx.Err() == nil && !a.stubborn() {
		if a.mustSend() && !a.send(ctx) {
			return
		}
		if !a.accepted.IsZero() && a.read(ctx) {
			return
		}
		if a.failed >= a.terms.Failures && ctx.Err() == nil && !a.reconnect(ctx) {
			return
		}
		a.clock.Pause(ctx, a.terms.Reading)
	}
	a.end("time is up")
}

// stubborn reports whether the power has stayed on for so long that waiting is no use.
func (a *attempt) stubborn() bool {
	return !a.accepted.IsZero() && a.last == fence.PowerOn && a.since(a.accepted) >= longestOn
}

// connect reaches the device and verifies whose it is. It is used again when the device
// falls silent: what answers then must be verified anew.
func (a *attempt) connect(ctx context.Context) bool {
	a.failed, a.firstOff = 0, time.Time{}
	for range a.terms.Connects {
		a.logins++
		err := a.device.Connect(ctx, a.stillWanted)
		if err == nil {
			a.phase("connected")
			return a.identify(ctx)
		}
		a.say("%v", err)
		if ctx.Err() != nil || errors.As(err, &final{}) || a.logins >= a.terms.Connects*2 {
			break
		}
	}
	return false
}

// reconnect gives a device that is out of touch another chance, where that is any use.
func (a *attempt) reconnect(ctx context.Context) bool {
	switch {
	case !a.terms.Reconnects:
		a.end("no usable answer for a while")
	case !a.connect(ctx):
		a.end("lost touch")
	default:
		return true
	}
	return false
}

// identify reports whether this device surely belongs to the target. When it does not, or
// nobody can say, no off command is sent: the wrong machine would die, and its off reading
// would be taken for the target's.
func (a *attempt) identify(ctx context.Context) bool {
	whose := a.device.Identify(ctx)
	a.say("%s", whose.Why)
	if !whose.Fit {
		return false
	}
	if !whose.Assumed {
		a.phase("identity verified")
	}
	return true
}

// stillWanted is the gate: asked on the goroutine that is about to send.
func (a *attempt) stillWanted() error {
	err := a.request.StillWanted()
	if err != nil {
		a.unwanted.Store(&err)
		return err
	}
	a.granted.Add(1)
	return nil
}

// mustSend reports whether an off command is due: none accepted yet, or the power still on
// some time after the last one.
func (a *attempt) mustSend() bool {
	if a.accepted.IsZero() {
		return true
	}
	return a.last == fence.PowerOn && a.repeated < a.terms.Repeats && a.since(a.sentAt) >= a.terms.Repeat
}

// send sends off for the first time, or again because the power is still on. It returns
// false when the attempt is over.
func (a *attempt) send(ctx context.Context) bool {
	if a.accepted.IsZero() {
		return a.off(ctx, "", false)
	}
	a.repeated++
	again := fmt.Sprintf("power still on, off sent again and accepted (%d of %d)", a.repeated, a.terms.Repeats)
	return a.off(ctx, again, false)
}

// off sends one off command, and tells a repeated one in the words of again. After a steady
// row of off readings it is beyond doubt also where the device had nothing left to send. It
// returns false when the attempt is over.
func (a *attempt) off(ctx context.Context, again string, steady bool) bool {
	granted := a.granted.Load()
	a.sent++
	sent, err := a.device.Off(ctx)
	if reason := a.unwanted.Load(); reason != nil {
		a.say("no further off command was sent to %s: %v", a.device, *reason)
		return false
	}
	if err == nil && a.granted.Load() == granted {
		err = fmt.Errorf("%s did not ask whether off is still wanted, so its answer does not count", a.device)
	}
	a.sentAt, a.firstOff = a.clock.Now(), time.Time{}
	if err != nil {
		a.say("%v", err)
		a.failed++
		if a.accepted.IsZero() && a.sent >= a.terms.Offs {
			a.say("gave up after %d off commands that were not accepted; power is unknown; try another level, or look "+
				"at %s", a.sent, a.device)
			return false
		}
		return true
	}
	a.failed, a.doubtful = 0, sent.Doubtful && !steady
	if !a.accepted.IsZero() {
		a.say("%s", again)
		return true
	}
	a.accepted = a.sentAt
	a.phase("off accepted")
	a.say("%s accepted our off command", a.device)
	return true
}

// read takes one reading and returns true when the attempt is over. Two off
// readings in a row count when the second was asked for at least
// Between after the first was complete; anything else starts anew.
func (a *attempt) read(ctx context.Context) bool {
	asked := a.clock.Now()
	power, err := a.device.Power(ctx)
	if err != nil && a.over(ctx) {
		// Cut off by our own deadline: the reading before still stands.
		if waited := a.since(asked); waited >= longReading {
			a.say("%s was asked for its power %s before the time was up, and gave no answer", a.device,
				waited.Round(100*time.Millisecond))
		}
		return false
	}
	a.failed++
	if err != nil {
		power = fence.PowerUnknown
		a.say("%v", err)
	} else {
		a.failed = 0
	}
	a.last = power
	if power != fence.PowerOff {
		a.notOff(power)
		return false
	}
	if a.firstOff.IsZero() {
		a.firstOff = a.clock.Now()
		a.phase("first off reading")
		return false
	}
	if asked.Sub(a.firstOff) < Between {
		return false
	}
	if a.doubtful {
		return a.insist(ctx, asked.Sub(a.firstOff))
	}
	a.conclude(asked)
	return true
}

// insist is for a device that may have sent nothing. Where the power has read off for longer
// than a power cycle takes, off is sent once more, and two readings after that count.
func (a *attempt) insist(ctx context.Context, steady time.Duration) bool {
	if steady < a.terms.Steady {
		return false
	}
	return !a.off(ctx, fmt.Sprintf("power read off all along for %s, off sent once more and accepted",
		steady.Round(time.Millisecond)), true)
}

func (a *attempt) notOff(power fence.Power) {
	if !a.firstOff.IsZero() {
		a.say("power read off and then %s, so the off reading does not count", power)
	}
	a.firstOff = time.Time{}
	if a.suspected || power != fence.PowerOn || a.since(a.accepted) < a.terms.Suspicion {
		return
	}
	a.suspected = true
	a.say("power still on %s after off was accepted%s", a.since(a.accepted).Round(time.Second), a.terms.StaysOn)
}

// conclude is reached with both readings off: one thing can still forbid the word.
func (a *attempt) conclude(second time.Time) {
	if a.request.SignOfLife() {
		a.say("power read off twice, but %s was heard from after off was accepted: %s", a.request.Target.Node,
			a.terms.Elsewhere)
		return
	}
	a.phase("off confirmed")
	a.say("power read off %s after off was accepted and again %s later",
		a.firstOff.Sub(a.accepted).Round(time.Millisecond), second.Sub(a.firstOff).Round(time.Millisecond))
	a.result.Outcome = fence.Confirmed
}

// end names what is known when nothing more can be done.
func (a *attempt) end(why string) {
	switch {
	case a.accepted.IsZero():
		a.say("%s; %s has not accepted an off command; power is unknown", why, a.device)
	case a.last == fence.PowerOn:
		a.result.Outcome = fence.Refuted
		a.say("%s; %s says that the power is still on", why, a.device)
	default:
		a.say("%s; %s has not said off twice; power is unknown", why, a.device)
	}
}

func (a *attempt) since(t time.Time) time.Duration { return a.clock.Now().Sub(t) }

// over reports whether the time is up, also in the instant in which a socket's
// deadline has passed and the context's timer has not fired yet.
func (a *attempt) over(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || (limited && !a.clock.Now().Before(deadline))
}

func (a *attempt) phase(what string) {
	for _, p := range a.result.Phases {
		if p.What == what {
			return
		}
	}
	a.result.Phases = append(a.result.Phases, fence.Phase{What: what, At: a.clock.Now()})
}

func (a *attempt) say(format string, arguments ...any) {
	sentence := fmt.Sprintf(format, arguments...)
	evidence := a.result.Evidence
	if n := len(evidence); n > 0 && evidence[n-1] == sentence {
		return
	}
	if len(evidence) >= maxEvidence {
		// The last sentence tells the end, so it takes the place of the one before.
		evidence[len(evidence)-1] = sentence
		return
	}
	a.result.Evidence = append(evidence, sentence)
}
