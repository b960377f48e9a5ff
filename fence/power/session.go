package power

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// closeLimit bounds the farewell to a BMC, which nobody waits for.
const closeLimit = 2 * time.Second

// gate is asked directly before each packet that changes power (law L6).
type gate func() error

// hand speaks one protocol with one BMC.
//
// PowerSet("off") must always send the command, also when the power already
// reads off: law L3 counts readings only after our own command, because the
// reading may fall into somebody's power cycle.
type hand interface {
	Open(ctx context.Context) error
	Close(ctx context.Context) error
	PowerStateGet(ctx context.Context) (string, error)
	PowerSet(ctx context.Context, state string) (bool, error)
	// Identity returns errNoIdentity when the BMC says that it tells none.
	Identity(ctx context.Context) (guid, error)
}

// errNothingToDo is returned by PowerSet when the BMC answered our off command with a refusal
// that says that the power is off already, and it reads off.
var errNothingToDo = errors.New("the BMC says that there is nothing to do")

// errNoIdentity is returned by a hand when the BMC answers that it has no GUID.
var errNoIdentity = errors.New("the BMC tells no system GUID")

// session is an open conversation with one BMC.
type session struct {
	settings settings
	hand     hand
	calls    *calls
}

// open logs in. The error says in words what to do next.
func (d *driver) open(ctx context.Context, device fence.Device, wanted gate) (*session, error) {
	parsed, err := d.settings(device)
	if err != nil {
		return nil, err
	}
	s := &session{settings: parsed, hand: d.hand(parsed, wanted), calls: d.calls}
	// A login that succeeds after its caller left would keep one of the BMC's
	// few sessions open forever; so whoever comes second closes it.
	var over atomic.Bool
	_, err = bounded(ctx, d.calls, "log in", func(ctx context.Context) (bool, error) {
		err := s.hand.Open(ctx)
		if err == nil && over.Swap(true) {
			s.close()
		}
		return err == nil, err
	})
	if err != nil {
		if over.Swap(true) {
			s.close()
		}
		return nil, s.explain("log in", err)
	}
	return s, nil
}

// power reads the power state; anything but a clear on or off is PowerUnknown.
func (s *session) power(ctx context.Context) (fence.Power, error) {
	power, _, err := s.reading(ctx)
	return power, err
}

// reading is power with the word that the BMC used.
func (s *session) reading(ctx context.Context) (fence.Power, string, error) {
	text, err := bounded(ctx, s.calls, "read power", s.hand.PowerStateGet)
	if err != nil {
		return fence.PowerUnknown, "", s.explain("read the power state", err)
	}
	return parsePower(text), text, nil
}

// unfit says why a fence by this BMC would prove nothing, although it answers.
func (s *session) unfit(ctx context.Context, power fence.Power, word string) string {
	if why := told(power, word); why != "" {
		return s.settings.String() + ": " + why
	}
	hand, asks := s.hand.(interface {
		MayFence(ctx context.Context) error
	})
	if !asks {
		return ""
	}
	_, err := bounded(ctx, s.calls, "ask for its commands", func(ctx context.Context) (bool, error) {
		return true, hand.MayFence(ctx)
	})
	if err != nil {
		return s.explain("promise that it can be switched off", err).Error()
	}
	return ""
}

// parsePower takes the words of the hands, which are not normalised.
func parsePower(text string) fence.Power {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "on", "chassis power is on":
		return fence.PowerOn
	case "off", "chassis power is off":
		return fence.PowerOff
	}
	return fence.PowerUnknown
}

// switchPower returns nil only when the BMC accepted the command, and errNothingToDo where it may
// have accepted nothing.
func (s *session) switchPower(ctx context.Context, state string) error {
	accepted, err := bounded(ctx, s.calls, "power "+state, func(ctx context.Context) (bool, error) {
		return s.hand.PowerSet(ctx, state)
	})
	if errors.Is(err, errNothingToDo) {
		return err
	}
	if err != nil {
		return s.explain("accept the power "+state+" command", err)
	}
	if !accepted {
		return fmt.Errorf("%s did not accept the power %s command", s.settings, state)
	}
	return nil
}

// identity returns errNoIdentity when the BMC tells none.
func (s *session) identity(ctx context.Context) (guid, error) {
	told, err := bounded(ctx, s.calls, "read identity", s.hand.Identity)
	if errors.Is(err, errNoIdentity) || (err == nil && told.blank()) {
		return guid{}, errNoIdentity
	}
	if err != nil {
		return guid{}, s.explain("tell its system GUID", err)
	}
	return told, nil
}

// close says goodbye in the background: a session left open would take one of
// the few a BMC has, but nobody's failover waits for a farewell.
func (s *session) close() {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		_, _ = bounded(ctx, s.calls, "log out", func(ctx context.Context) (bool, error) { return true, s.hand.Close(ctx) })
	}()
}
