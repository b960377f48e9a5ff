package power

import (
	"context"
	"errors"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/proof"
	"github.com/clusterd/clusterd/internal/sleep"
)

const (
	betweenReadings = proof.Between
	// connectTries is how often an attempt logs in before another node or
	// level gets its turn.
	connectTries = 2
	// acceptTries is how often off is sent until the BMC accepts it once.
	acceptTries = 4
	// repeatTries is how often off is sent again while the power stays on.
	repeatTries = 3
	// silentReadings is after how many failed readings a new login is tried.
	silentReadings = 2
)

// Fence switches the target off and proves it by law L3 (fence/proof).
func (d *driver) Fence(ctx context.Context, request fence.Request) fence.Result {
	ctx, cancel := context.WithTimeout(ctx, longestAttempt)
	defer cancel()
	a := &attempt{driver: d, request: request}
	defer a.close()
	return proof.Fence(ctx, a, request, d.terms(), proof.Clock{Now: time.Now, Pause: sleep.For})
}

func (d *driver) terms() proof.Terms {
	return proof.Terms{
		Reading: d.pace.reading, Repeat: d.pace.repeat, Suspicion: d.pace.suspicion, Steady: d.pace.steady,
		Connects: connectTries, Offs: acceptTries, Repeats: repeatTries, Failures: silentReadings, Reconnects: true,
		StaysOn: ": the machine may take it for a soft power button; set instant-off in its firmware, or " +
			"HandlePowerKey=ignore in logind",
		Elsewhere: "this BMC may belong to another machine; check its address and run the drill again",
	}
}

// attempt is the conversation with a BMC for one try.
type attempt struct {
	driver  *driver
	request fence.Request
	session *session
}

// String names the BMC for people.
func (a *attempt) String() string {
	if a.session == nil {
		return "BMC " + a.request.Device.Name
	}
	return a.session.settings.String()
}

// Connect logs in.
func (a *attempt) Connect(ctx context.Context, wanted func() error) error {
	a.close()
	s, err := a.driver.open(ctx, a.request.Device, wanted)
	if errors.Is(err, errLoginRefused) {
		return proof.Final(err)
	}
	if err != nil {
		return err
	}
	a.session = s
	return nil
}

// Off sends one off command.
func (a *attempt) Off(ctx context.Context) (proof.Sent, error) {
	err := a.session.switchPower(ctx, "off")
	if errors.Is(err, errNothingToDo) {
		return proof.Sent{Doubtful: true}, nil
	}
	return proof.Sent{}, err
}

// Power takes one reading.
func (a *attempt) Power(ctx context.Context) (fence.Power, error) { return a.session.power(ctx) }

func (a *attempt) close() {
	if a.session != nil {
		a.session.close()
		a.session = nil
	}
}
