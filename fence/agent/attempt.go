package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/proof"
	"github.com/clusterd/clusterd/internal/sleep"
)

const (
	betweenReadings = proof.Between
	// acceptTries is how often off is run until it ends well once.
	acceptTries = 2
	// repeatTries is how often off is run again while the power stays on.
	repeatTries = 2
	// failedReadings is after how many unusable answers in a row the attempt
	// ends: another level or node should have its turn.
	failedReadings = 4
)

// Fence switches the target off and proves it by law L3 (fence/proof).
func (d *driver) Fence(ctx context.Context, request fence.Request) fence.Result {
	ctx, cancel := context.WithTimeout(ctx, longestAttempt)
	defer cancel()
	o := &outlet{driver: d, request: request, last: fence.PowerUnknown}
	return proof.Fence(ctx, o, request, d.terms(), proof.Clock{Now: time.Now, Pause: sleep.For})
}

func (d *driver) terms() proof.Terms {
	return proof.Terms{
		Reading: d.pace.reading, Repeat: d.pace.repeat, Suspicion: d.pace.suspicion, Steady: d.pace.steady,
		// An agent has no conversation that could be begun anew.
		Connects: 1, Offs: acceptTries, Repeats: repeatTries, Failures: failedReadings,
		Elsewhere: "this outlet may belong to another machine, or the machine has a second power supply; check option " +
			"plug and run the drill again",
	}
}

// outlet is what an agent switches, during one attempt.
type outlet struct {
	driver  *driver
	request fence.Request
	job     *job
	wanted  func() error
	last    fence.Power
	asked   bool
}

// String names the device for people.
func (o *outlet) String() string {
	if o.job == nil {
		return "fence device " + o.request.Device.Name
	}
	return o.job.String()
}

// Connect learns what the agent is to be told. Nothing is sent yet.
func (o *outlet) Connect(ctx context.Context, wanted func() error) error {
	job, err := o.driver.prepare(ctx, o.request.Device, o.request.Target.Node)
	if err != nil {
		return fmt.Errorf("%w; nothing was sent", err)
	}
	o.job, o.wanted = job, wanted
	return nil
}

// Identify says whether anybody answers for this outlet being the target's: an agent
// cannot tell.
func (o *outlet) Identify(context.Context) proof.Identity {
	target := o.request.Target.Node
	switch {
	case o.request.IdentityVerified:
		return proof.Identity{Fit: true, Why: fmt.Sprintf("the drill verified that %s belongs to %s", o.job, target)}
	case o.job.assumed:
		return proof.Identity{Fit: true, Assumed: true, Why: fmt.Sprintf(
			"%s is taken for the one of %s on the word of the configuration (identity: assumed)", o.job, target)}
	}
	return proof.Identity{Why: fmt.Sprintf("no drill has verified that %s belongs to %s, and an agent cannot tell, so "+
		"nothing was sent; run the fence drill for %s, or set option identity: assumed and answer for it",
		o.job, target, target)}
}

// Off runs off once. Before the first time it reads, to know whether the agent will have
// something to do: an agent that reads off by itself leaves it at that.
func (o *outlet) Off(ctx context.Context) (proof.Sent, error) {
	if !o.asked {
		o.asked, o.last = true, o.job.run(ctx, actionStatus).power()
	}
	if err := o.wanted(); err != nil {
		return proof.Sent{}, err
	}
	if err := ctx.Err(); err != nil {
		return proof.Sent{}, fmt.Errorf("%s was not asked to switch off: %w", o.job, err)
	}
	outcome := o.job.run(ctx, actionOff)
	if !outcome.ended(exitDone) {
		return proof.Sent{}, o.job.explain(actionOff, outcome)
	}
	// "Success: Already OFF" is what agents say that sent nothing.
	already := strings.Contains(strings.ToLower(string(outcome.stdout)), "already")
	return proof.Sent{Doubtful: o.last != fence.PowerOn || already}, nil
}

// Power takes one reading.
func (o *outlet) Power(ctx context.Context) (fence.Power, error) {
	outcome := o.job.run(ctx, actionStatus)
	o.last = outcome.power()
	if o.last == fence.PowerUnknown {
		return o.last, o.job.explain(actionStatus, outcome)
	}
	return o.last, nil
}
