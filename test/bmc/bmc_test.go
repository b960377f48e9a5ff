package bmc

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	control "github.com/bougou/go-ipmi/pkg/command/chassis"
)

func start(t *testing.T, options Options) *BMC {
	t.Helper()
	options.Address, options.Username, options.Password = "127.0.0.1:0", "admin", "s3cret"
	b, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// login returns a function that sends one power command.
func login(t *testing.T, b *BMC) func(control.ChassisControl) error {
	t.Helper()
	host, text, err := net.SplitHostPort(b.Address())
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(text)
	c, err := client.NewClient(host, port, "admin", "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	c.WithCipherSuiteID(17).WithTimeout(5 * time.Second)
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return func(what control.ChassisControl) error {
		_, err := c.ChassisControl(t.Context(), what)
		return err
	}
}

// host records what the controller did to it.
type host struct {
	mu      sync.Mutex
	history []bool
	refuses bool
	changed chan bool
}

func (h *host) power(on bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuses {
		return errors.New("the host is stuck")
	}
	h.history = append(h.history, on)
	if h.changed != nil {
		h.changed <- on
	}
	return nil
}

func TestPowerCommandsReachTheHost(t *testing.T) {
	h := &host{}
	b := start(t, Options{On: true, OnPower: h.power})
	command := login(t, b)
	for _, step := range []struct {
		what control.ChassisControl
		on   bool
	}{{control.ChassisControlPowerDown, false}, {control.ChassisControlPowerUp, true}} {
		if err := command(step.what); err != nil || b.Power() != step.on {
			t.Fatalf("%v: power %v, error %v", step.what, b.Power(), err)
		}
	}
	if len(h.history) != 2 || h.history[0] || !h.history[1] {
		t.Errorf("the host saw %v", h.history)
	}
}

func TestAHostThatCannotBeSwitchedIsNotCalledSwitched(t *testing.T) {
	h := &host{refuses: true}
	b := start(t, Options{On: true, OnPower: h.power})
	if err := login(t, b)(control.ChassisControlPowerDown); err == nil || !b.Power() {
		t.Errorf("power %v, error %v", b.Power(), err)
	}
}

func TestASlowOffHappensOnceHoweverOftenItIsSaid(t *testing.T) {
	h := &host{changed: make(chan bool, 4)}
	b := start(t, Options{On: true, OnPower: h.power})
	b.SetFaults(Faults{SlowOff: 500 * time.Millisecond})
	command := login(t, b)
	for range 3 {
		if err := command(control.ChassisControlPowerDown); err != nil {
			t.Fatal(err)
		}
	}
	if on := <-h.changed; on {
		t.Error("switched on")
	}
	if err := command(control.ChassisControlPowerUp); err != nil {
		t.Fatal(err)
	}
	if on := <-h.changed; !on || !b.Power() {
		t.Errorf("after power up: change %v, power %v", on, b.Power())
	}
	if len(h.changed) != 0 {
		t.Error("the host was switched once more")
	}
}

func TestAPowerCycleEndsWithThePowerOn(t *testing.T) {
	h := &host{changed: make(chan bool, 4)}
	b := start(t, Options{On: true, OnPower: h.power})
	if err := login(t, b)(control.ChassisControlPowerCycle); err != nil {
		t.Fatal(err)
	}
	if first, second := <-h.changed, <-h.changed; first || !second {
		t.Errorf("changes %v, %v", first, second)
	}
	if b.Commands().PowerCycle != 1 {
		t.Errorf("commands %+v", b.Commands())
	}
}

func TestAMalformedHardwareUUIDIsRefused(t *testing.T) {
	if _, err := Start(Options{Address: "127.0.0.1:0", HardwareUUID: "node1"}); err == nil {
		t.Error("started")
	}
}
