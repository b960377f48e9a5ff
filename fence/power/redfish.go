package power

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bmc-toolbox/bmclib/v2/providers/redfish"
	"github.com/go-logr/logr"
)

// The words of Redfish (DSP0268, ComputerSystem). Only ForceOff is ever sent:
// a graceful shutdown asks the operating system that is to be stopped.
const (
	resetOn  = "On"
	resetOff = "ForceOff"
)

// redfishHand logs in through bmclib's gofish provider, and reads and sends
// power commands itself, because that provider skips the off command when the
// power already reads off, which law L3 forbids.
type redfishHand struct {
	settings settings
	wanted   gate
	door     *door
	client   *http.Client
	provider *redfish.Conn
	farewell sync.Once
	// last is the newest reading of this session; unread tells that it is the
	// one of the login, which nobody has asked for yet. A slow board takes a
	// second for each question, so it is not asked the same thing twice.
	last   atomic.Pointer[system]
	unread atomic.Bool
}

func newRedfishHand(s settings, wanted gate) hand {
	d := newDoor(s)
	client := &http.Client{Transport: d, CheckRedirect: followNearby}
	// The provider writes no brackets around an IPv6 address.
	host := s.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	provider := redfish.New(host, s.username, s.password, logr.Discard(), redfish.WithHttpClient(client),
		redfish.WithPort(strconv.Itoa(s.port)), redfish.WithUseBasicAuth(s.basic), redfish.WithSystemName(s.system))
	return &redfishHand{settings: s, wanted: wanted, door: d, client: client, provider: provider}
}

// followNearby follows a question to another path of the same service. The
// door refuses another host, and a command is never carried elsewhere.
func followNearby(request *http.Request, via []*http.Request) error {
	if request.Method != http.MethodGet || len(via) >= 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// Open logs in and reads once: with basic authentication the first reading is
// what shows whether the password is right.
func (h *redfishHand) Open(ctx context.Context) error {
	visit := h.door.enter(ctx)
	if err := h.provider.Open(ctx); err != nil {
		return visit.because(err)
	}
	_, err := h.look(ctx)
	h.unread.Store(err == nil)
	if err != nil {
		// The caller closes only what was opened, and the session is open.
		go h.sayGoodbye()
	}
	return err
}

func (h *redfishHand) sayGoodbye() {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	_ = h.Close(ctx)
}

// Close ends the session; with basic authentication there is none.
func (h *redfishHand) Close(ctx context.Context) error {
	var err error
	h.farewell.Do(func() {
		h.door.enter(ctx)
		defer h.door.CloseIdleConnections()
		if !h.settings.basic {
			err = h.provider.Close(ctx)
		}
	})
	return err
}

// PowerStateGet returns Redfish's word.
func (h *redfishHand) PowerStateGet(ctx context.Context) (string, error) {
	if h.unread.Swap(false) {
		return h.last.Load().PowerState, nil
	}
	found, err := h.look(ctx)
	return found.PowerState, err
}

// Identity returns the system's UUID, in the order in which IPMI would tell it.
func (h *redfishHand) Identity(context.Context) (guid, error) {
	told, ok := parseGUID(h.last.Load().UUID)
	if !ok {
		return guid{}, errNoIdentity
	}
	return told.reversed(), nil
}

// PowerSet sends the command, whatever the power reads.
func (h *redfishHand) PowerSet(ctx context.Context, state string) (bool, error) {
	words := map[string]string{"on": resetOn, "off": resetOff}
	word, known := words[state]
	if !known {
		return false, fmt.Errorf("power %s is not a command of this driver", state)
	}
	// What was read before a command says nothing about what it did.
	h.unread.Store(false)
	found := *h.last.Load()
	if err := found.offers(word); err != nil {
		return false, err
	}
	err := h.reset(ctx, found, word)
	if !saysAlready(err) {
		return err == nil, err
	}
	now, unread := h.look(ctx)
	switch {
	case unread != nil:
		return false, unread
	case state == "on":
		return now.PowerState == "On", nil
	case now.PowerState != "Off":
		return false, fmt.Errorf("it refused to switch off while the power reads %q: %w", now.PowerState, err)
	}
	// The same answer is given in the middle of a power cycle that ends with the power on,
	// and by a BMC that is busy.
	return false, errNothingToDo
}

// saysAlready reports whether a refusal may mean that the state is the wanted
// one: 409 of DSP0266, or HPE's word for it.
func saysAlready(err error) bool {
	var told *statusError
	return errors.As(err, &told) &&
		(told.status == http.StatusConflict || strings.Contains(told.detail, "InvalidOperationForSystemState"))
}

// reset sends one power command, once, and only if it is still wanted.
func (h *redfishHand) reset(ctx context.Context, found system, word string) error {
	visit := h.door.enter(ctx)
	address := h.address(found.target())
	body := &gatedBody{text: `{"ResetType":"` + word + `"}`, permitted: func() error { return permitted(ctx, h.wanted) }}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return fmt.Errorf("the target of its reset action cannot be used: %w", err)
	}
	// GetBody stays nil, so that the transport cannot repeat the command behind
	// the gate's back.
	request.ContentLength = int64(len(body.text))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := h.client.Do(request)
	if err != nil {
		return visit.because(err)
	}
	return errors.Join(response.Body.Close(), visit.because(nil))
}
