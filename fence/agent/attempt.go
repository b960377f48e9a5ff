package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
)

const (
	// betweenReadings is the least distance between the two off readings that
	// count (law L3).
	betweenReadings = 300 * time.Millisecond
	// acceptTries is how often off is run until it ends well once.
	acceptTries = 2
	// repeatTries is how often off is run again while the power stays on.
	repeatTries = 2
	// failedReadings is after how many unusable readings in a row the attempt
	// ends: another level or node should have its turn.
	failedReadings = 4
	// maxEvidence bounds the sentences of one attempt.
	maxEvidence = 20
)

// attempt is one try to switch one machine off.
type attempt struct {
	driver  *driver
	request fence.Request
	job     *job
	result  fence.Result

	accepted, sentAt time.Time
	repeated         int
	// firstOff is when the first of an unbroken row of off readings was complete.
	firstOff time.Time
	last     fence.Power
	failed   int
	// doubtful is set while the agent may have sent nothing: an agent that
	// reads off by itself leaves it at that, and the reading may have fallen
	// into somebody's power cycle.
	doubtful bool
}

// Fence switches the target off and proves it by law L3. It returns Refuted
// when the agent says at the deadline that the power is still on, and Unknown
// for everything else that is not proven.
func (d *driver) Fence(ctx context.Context, request fence.Request) fence.Result {
	ctx, cancel := context.WithTimeout(ctx, longestAttempt)
	defer cancel()
	started := time.Now()
	a := &attempt{driver: d, request: request, last: fence.PowerUnknown}
	a.result.Outcome = fence.Unknown
	a.run(ctx)
	a.result.Duration = time.Since(started)
	return a.result
}

func (a *attempt) run(ctx context.Context) {
	target := a.request.Target.Node
	if a.request.StillWanted == nil || a.request.SignOfLife == nil {
		a.say("the request does not tell whether it is still wanted and whether %s shows life, so nothing was sent", target)
		return
	}
	job, err := a.driver.prepare(ctx, a.request.Device, target)
	if err != nil {
		a.say("%v; nothing was sent", err)
		return
	}
	a.job = job
	if !a.identified() || !a.begin(ctx) {
		return
	}
	for ctx.Err() == nil {
		if a.read(ctx) {
			return
		}
		if a.failed >= failedReadings {
			a.end("no usable reading for a while")
			return
		}
		if a.mustRepeat() && !a.send(ctx, "power still on, off was run again") {
			return
		}
		wait(ctx, a.driver.pace.reading)
	}
	a.end("time is up")
}

// identified reports whether anybody answers for this outlet being the target's:
// an agent cannot tell.
func (a *attempt) identified() bool {
	switch target := a.request.Target.Node; {
	case a.request.IdentityVerified:
		a.say("the drill verified that %s belongs to %s", a.job, target)
	case a.job.assumed:
		a.say("%s is taken for the one of %s on the word of the configuration (identity: assumed)", a.job, target)
	default:
		a.say("no drill has verified that %s belongs to %s, and an agent cannot tell, so nothing was sent; run the "+
			"fence drill for %s, or set option identity: assumed and answer for it",
			a.job, target, target)
		return false
	}
	return true
}

// begin reads once, to know whether the agent will have something to do, and
// runs off until it ends well.
func (a *attempt) begin(ctx context.Context) bool {
	before := a.job.run(ctx, actionStatus).power()
	a.doubtful = before != fence.PowerOn
	a.phase("connected")
	for range acceptTries {
		if ctx.Err() != nil {
			break
		}
		if !a.send(ctx, "off was run and ended well") {
			return false
		}
		if !a.accepted.IsZero() {
			a.phase("off accepted")
			return true
		}
	}
	a.end("gave up")
	return false
}

// send runs off once, if it is still wanted. It returns false when it is not.
func (a *attempt) send(ctx context.Context, done string) bool {
	if err := a.request.StillWanted(); err != nil {
		a.say("off was not run with %s: %v", a.job, err)
		return false
	}
	if ctx.Err() != nil {
		return true
	}
	if !a.accepted.IsZero() {
		a.repeated++
	}
	outcome := a.job.run(ctx, actionOff)
	a.sentAt, a.firstOff = time.Now(), time.Time{}
	if !outcome.ended(exitDone) {
		a.say("%v", a.job.explain(actionOff, outcome))
		return true
	}
	first := a.accepted.IsZero()
	if first {
		a.accepted = a.sentAt
	}
	// "Success: Already OFF" is what agents say that sent nothing.
	already := strings.Contains(strings.ToLower(string(outcome.stdout)), "already")
	a.doubtful = first && (a.doubtful || already)
	a.say("%s: %s", a.job, done)
	return true
}

// mustRepeat reports whether the power is still on some seconds after off.
func (a *attempt) mustRepeat() bool {
	return a.last == fence.PowerOn && a.repeated < repeatTries && time.Since(a.sentAt) >= a.driver.pace.repeat
}

// read takes one reading and returns true when the attempt is over. Two off
// readings in a row count when the second was asked for at least
// betweenReadings after the first was complete; anything else starts anew.
func (a *attempt) read(ctx context.Context) bool {
	asked := time.Now()
	outcome := a.job.run(ctx, actionStatus)
	if ctx.Err() != nil && outcome.err != nil {
		// Cut off by our own deadline: the reading before still stands.
		return false
	}
	a.last = outcome.power()
	if a.last == fence.PowerUnknown {
		a.failed++
		a.say("%v", a.job.explain(actionStatus, outcome))
	} else {
		a.failed = 0
	}
	if a.last != fence.PowerOff {
		if !a.firstOff.IsZero() {
			a.say("power read off and then %s, so the off reading does not count", a.last)
		}
		a.firstOff = time.Time{}
		return false
	}
	if a.firstOff.IsZero() {
		a.firstOff = time.Now()
		return false
	}
	apart := asked.Sub(a.firstOff)
	switch {
	case a.doubtful && apart >= a.driver.pace.steady:
		return !a.send(ctx, fmt.Sprintf("power read off all along for %s, off was run once more",
			apart.Round(time.Millisecond)))
	case a.doubtful || apart < betweenReadings:
		return false
	}
	a.conclude(apart)
	return true
}

// conclude is reached with both readings off: one thing can still forbid the word.
func (a *attempt) conclude(apart time.Duration) {
	if a.request.SignOfLife() {
		a.say("status was off twice, but %s was heard from after off was accepted: this outlet may belong to another "+
			"machine, or the machine has a second power supply; check option plug and run the drill again",
			a.request.Target.Node)
		return
	}
	a.phase("off confirmed")
	a.say("status was off twice, %s apart, after off was accepted", apart.Round(time.Millisecond))
	a.result.Outcome = fence.Confirmed
}

// end names what is known when nothing more can be done.
func (a *attempt) end(why string) {
	switch {
	case a.accepted.IsZero():
		a.say("%s; %s has not accepted off; power is unknown", why, a.job)
	case a.last == fence.PowerOn:
		a.result.Outcome = fence.Refuted
		a.say("%s; %s says that the power is still on", why, a.job)
	default:
		a.say("%s; %s has not said off twice; power is unknown", why, a.job)
	}
}

func (a *attempt) phase(what string) {
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
	a.result.Evidence = append(a.result.Evidence, sentence)
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
