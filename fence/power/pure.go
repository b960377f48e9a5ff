package power

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/command/chassis"
	"github.com/bougou/go-ipmi/pkg/types"
)

const (
	// packetTimeout is what one lost packet costs.
	packetTimeout = 900 * time.Millisecond
	// loginRetries is how often a packet of the login is repeated.
	loginRetries = 2
	// questionTries is how often a harmless question is asked.
	questionTries = 2
)

// errLoginRefused marks a login that the BMC refused: trying again would only
// bring the account nearer to being locked.
var errLoginRefused = errors.New("the BMC refused the login")

// pureHand speaks IPMI 2.0 in this process. It holds one session.
type pureHand struct {
	settings settings
	wanted   gate
	client   *client.Client
	farewell sync.Once
}

func newPureHand(s settings, wanted gate) hand { return &pureHand{settings: s, wanted: wanted} }

// Open logs in with the first cipher suite that the BMC accepts.
func (h *pureHand) Open(ctx context.Context) error {
	var failure error
	for _, suite := range h.settings.ciphers {
		c, err := h.connect(ctx, suite)
		if err == nil {
			h.client = c
			return nil
		}
		failure = fmt.Errorf("cipher suite %d: %w", suite, err)
		// Only a refused suite is worth another one: a wrong password would
		// count twice towards the lock of the account.
		if !strings.Contains(err.Error(), "Open Session failed") || ctx.Err() != nil {
			break
		}
	}
	return failure
}

func (h *pureHand) connect(ctx context.Context, suite int) (*client.Client, error) {
	c, err := client.NewClient(h.settings.host, h.settings.port, h.settings.username, h.settings.password)
	if err != nil {
		return nil, err
	}
	privilege := types.PrivilegeLevelAdministrator
	if h.settings.operator {
		privilege = types.PrivilegeLevelOperator
	}
	c.WithTimeout(packetTimeout).WithRetry(loginRetries).WithMaxPrivilegeLevel(privilege).
		WithCipherSuiteID(types.CipherSuiteID(suite)).WithUDPProxy(h.dialer(ctx, suite))
	if err := c.Connect(ctx); err != nil {
		// The cancelled context closes the socket without a word to the BMC.
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = c.Close(over)
		return nil, refusal(err)
	}
	// From here on every repetition is ours: a packet that changes power is
	// never repeated without asking whether it is still wanted.
	c.WithRetry(0)
	return c, nil
}

// refusal marks the failures that came from an answer and not from silence.
func refusal(err error) error {
	text := err.Error()
	silent := strings.Contains(text, "timed out") || strings.Contains(text, "deadline exceeded") ||
		strings.Contains(text, "canceled")
	if (strings.Contains(text, "rakp") && !silent) || strings.Contains(text, "SetSessionPrivilegeLevel") {
		return fmt.Errorf("%w: %w", errLoginRefused, err)
	}
	return err
}

// dialer replaces the library's dialling, which knows no IPv6 address and no
// deadline, and puts the seal between the wire and the library.
func (h *pureHand) dialer(ctx context.Context, suite int) dialer {
	return func() (net.Conn, error) {
		address := net.JoinHostPort(h.settings.host, strconv.Itoa(h.settings.port))
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
		if err != nil {
			return nil, err
		}
		return &sealedConn{Conn: conn, seal: newSeal(suite, h.settings.password)}, nil
	}
}

// dialer is a function that satisfies the library's proxy interface.
type dialer func() (net.Conn, error)

// Dial ignores the library's idea of the address.
func (d dialer) Dial(string, string) (net.Conn, error) { return d() }

// Close ends the session.
func (h *pureHand) Close(ctx context.Context) error {
	var err error
	h.farewell.Do(func() {
		if h.client != nil {
			err = h.client.Close(ctx)
		}
	})
	return err
}

// PowerStateGet reads the chassis status.
func (h *pureHand) PowerStateGet(ctx context.Context) (string, error) {
	status, err := ask(ctx, h.client.GetChassisStatus)
	if err != nil {
		return "", err
	}
	if status.PowerIsOn {
		return "on", nil
	}
	return "off", nil
}

// PowerSet sends one packet, once, and only if it is still wanted.
func (h *pureHand) PowerSet(ctx context.Context, state string) (bool, error) {
	controls := map[string]chassis.ChassisControl{"on": chassis.ChassisControlPowerUp,
		"off": chassis.ChassisControlPowerDown}
	control, known := controls[state]
	if !known {
		return false, fmt.Errorf("power %s is not a command of this driver", state)
	}
	if err := permitted(ctx, h.wanted); err != nil {
		return false, err
	}
	_, err := h.client.ChassisControl(ctx, control)
	return err == nil, err
}

// Identity asks for the system GUID.
func (h *pureHand) Identity(ctx context.Context) (guid, error) {
	answer, err := ask(ctx, h.client.GetSystemGUID)
	if err == nil {
		return guid(answer.GUID), nil
	}
	if _, answered := types.IsResponseError(err); answered {
		return guid{}, errNoIdentity
	}
	return guid{}, err
}

// ask repeats a question that got no answer; an answer, even a refusal, ends it.
func ask[T any](ctx context.Context, question func(context.Context) (T, error)) (T, error) {
	var answer T
	var err error
	for range questionTries {
		answer, err = question(ctx)
		if err == nil || ctx.Err() != nil {
			break
		}
		if _, answered := types.IsResponseError(err); answered {
			break
		}
	}
	return answer, err
}

// permitted is the last look before a packet that changes power. A call whose
// caller has gone must not send, however long the answer took: the caller's
// deadline was the intent's.
func permitted(ctx context.Context, wanted gate) error {
	if err := wanted(); err != nil {
		return err
	}
	return ctx.Err()
}
