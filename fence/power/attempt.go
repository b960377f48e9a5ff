package power

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/fence"
)

const (
	// betweenReadings is the least distance between the two off readings that
	// count (law L3). A board that is in the middle of a power cycle or that
	// bounces must have the time to show it.
	betweenReadings = 300 * time.Millisecond
	// connectTries is how often an attempt logs in before another node or
	// level gets its turn.
	connectTries = 2
	// acceptTries is how often off is sent until the BMC accepts it once.
	acceptTries = 4
	// repeatTries is how often off is sent again while the power stays on.
	repeatTries = 3
	// silentReadings is after how many failed readings a new login is tried.
	silentReadings = 2
	// longReading is when a reading that our own deadline cut off is told: a shorter
	// one might have been answered in time.
	longReading = time.Second
	// maxEvidence bounds the sentences of one attempt.
	maxEvidence = 20
	// longestOn is how long the power may stay on after off was accepted, before another
	// node or level gets its turn. A slow board has the rest of the time for its answers.
	longestOn = 25 * time.Second
)

// attempt is one try to switch one machine off.
type attempt struct {
	driver  *driver
	request fence.Request
	session *session
	started time.Time
	result  fence.Result

	// unwanted is set from the goroutine that was about to send.
	unwanted atomic.Pointer[error]
	logins   int
	sent     int
	repeated int
	// accepted is when the BMC accepted off for the first time, sentAt the last time.
	accepted, sentAt time.Time
	// firstOff is when the first of two off readings was complete.
	firstOff  time.Time
	last      fence.Power
	silent    int
	suspected bool
}

// Fence switches the target off and proves it by law L3. It returns Refuted
// when the BMC says at the deadline that the power is still on, and Unknown
// for everything else that is not proven.
func (d *driver) Fence(ctx context.Context, request fence.Request) fence.Result {
	ctx, cancel := context.WithTimeout(ctx, longestAttempt)
	defer cancel()
	a := &attempt{driver: d, request: request, started: time.Now(), last: fence.PowerUnknown}
	a.result.Outcome = fence.Unknown
	a.run(ctx)
	if a.session != nil {
		a.session.close()
	}
	a.result.Duration = time.Since(a.started)
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
		if a.silent >= silentReadings && ctx.Err() == nil && !a.connect(ctx) {
			a.end("lost touch with the BMC")
			return
		}
		wait(ctx, a.driver.pace.reading)
	}
	a.end("time is up")
}

// stubborn reports whether the power has stayed on for so long that waiting is no use.
func (a *attempt) stubborn() bool {
	return !a.accepted.IsZero() && a.last == fence.PowerOn && time.Since(a.accepted) >= longestOn
}

// connect logs in and verifies whose BMC this is. It is used again when the
// BMC falls silent: what answers then must be verified anew.
func (a *attempt) connect(ctx context.Context) bool {
	if a.session != nil {
		a.session.close()
		a.session = nil
	}
	a.silent, a.firstOff = 0, time.Time{}
	for range connectTries {
		a.logins++
		s, err := a.driver.open(ctx, a.request.Device, a.stillWanted)
		if err == nil {
			a.session = s
			a.phase("connected")
			return a.identify(ctx)
		}
		a.say("%v", err)
		if ctx.Err() != nil || errors.Is(err, errLoginRefused) || a.logins >= connectTries*2 {
			break
		}
	}
	return false
}

// stillWanted is the gate: asked on the goroutine that is about to send.
func (a *attempt) stillWanted() error {
	err := a.request.StillWanted()
	if err != nil {
		a.unwanted.Store(&err)
	}
	return err
}

// mustSend reports whether an off command is due: none accepted yet, or the
// power still on some seconds after the last one.
func (a *attempt) mustSend() bool {
	if a.accepted.IsZero() {
		return true
	}
	return a.last == fence.PowerOn && a.repeated < repeatTries && time.Since(a.sentAt) >= a.driver.pace.repeat
}

// send sends off once. It returns false when the attempt is over.
func (a *attempt) send(ctx context.Context) bool {
	again := !a.accepted.IsZero()
	a.sent++
	err := a.session.switchPower(ctx, "off")
	if reason := a.unwanted.Load(); reason != nil {
		a.say("no further off command was sent to %s: %v", a.session.settings, *reason)
		return false
	}
	a.sentAt = time.Now()
	if again {
		a.repeated++
	}
	if err != nil {
		a.say("%v", err)
		a.silent++
		if !again && a.sent >= acceptTries {
			a.say("gave up after %d off commands that were not accepted; try another level, or look at the BMC", a.sent)
			return false
		}
		return true
	}
	if again {
		a.say("power still on, off sent again and accepted (%d of %d)", a.repeated, repeatTries)
		return true
	}
	a.accepted, a.silent = a.sentAt, 0
	a.phase("off accepted")
	a.say("%s accepted our off command", a.session.settings)
	return true
}

// read takes one reading and returns true when the attempt is over. Two off
// readings in a row count when the second was asked for at least
// betweenReadings after the first was complete; anything else starts anew.
func (a *attempt) read(ctx context.Context) bool {
	asked := time.Now()
	power, err := a.session.power(ctx)
	if err != nil && over(ctx) {
		// Cut off by our own deadline: the reading before still stands.
		if waited := time.Since(asked); waited >= longReading {
			a.say("%s was asked for its power %s before the time was up, and gave no answer", a.session.settings,
				waited.Round(100*time.Millisecond))
		}
		return false
	}
	a.last = power
	if err != nil {
		a.firstOff = time.Time{}
		a.silent++
		a.say("%v", err)
		return false
	}
	a.silent = 0
	if power != fence.PowerOff {
		a.notOff(power)
		return false
	}
	if a.firstOff.IsZero() {
		a.firstOff = time.Now()
		a.phase("first off reading")
		return false
	}
	if asked.Sub(a.firstOff) < betweenReadings {
		return false
	}
	a.conclude(asked)
	return true
}

func (a *attempt) notOff(power fence.Power) {
	if !a.firstOff.IsZero() {
		a.say("power read off and then %s, so the off reading does not count", power)
	}
	a.firstOff = time.Time{}
	if !a.suspected && power == fence.PowerOn && time.Since(a.accepted) >= a.driver.pace.suspicion {
		a.suspected = true
		a.say("power still on %s after off was accepted: the machine may take it for a soft power button; set "+
			"instant-off in its firmware, or HandlePowerKey=ignore in logind",
			time.Since(a.accepted).Round(time.Second))
	}
}

// conclude is reached with both readings off: one thing can still forbid the word.
func (a *attempt) conclude(second time.Time) {
	if a.request.SignOfLife() {
		a.say("power read off twice, but %s was heard from after off was accepted: this BMC may belong to another "+
			"machine; check its address and run the drill again",
			a.request.Target.Node)
		return
	}
	a.phase("off confirmed")
	a.say("power read off %s after off was accepted and again %s later",
		a.firstOff.Sub(a.accepted).Round(time.Millisecond), second.Sub(a.firstOff).Round(time.Millisecond))
	a.result.Outcome = fence.Confirmed
}

// end names what is known when nothing more can be done.
func (a *attempt) end(why string) {
	name := a.request.Device.Name
	switch {
	case a.accepted.IsZero():
		a.say("%s; BMC %s has not accepted an off command; power is unknown", why, name)
	case a.last == fence.PowerOn:
		a.result.Outcome = fence.Refuted
		a.say("%s; BMC %s says that the power is still on", why, name)
	default:
		a.say("%s; BMC %s has not said off twice; power is unknown", why, name)
	}
}

func (a *attempt) phase(what string) {
	for _, p := range a.result.Phases {
		if p.What == what {
			return
		}
	}
	a.result.Phases = append(a.result.Phases, fence.Phase{What: what, At: time.Now()})
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

// over reports whether the time is up, also in the instant in which a socket's
// deadline has passed and the context's timer has not fired yet.
func over(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || (limited && !time.Now().Before(deadline))
}

// wait pauses between readings, or less when the time is up.
func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
