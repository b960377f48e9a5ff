package bmc

import (
	"context"
	"sync"
	"time"

	"github.com/bougou/go-ipmi/pkg/hal"
	"github.com/bougou/go-ipmi/pkg/hal/mock"
	"github.com/bougou/go-ipmi/pkg/types"
)

// Commands counts what a controller was asked to do.
type Commands struct {
	PowerOff, PowerOn, PowerCycle, Reset, SoftOff, Readings int
}

// cycleGap is how long a power cycle keeps the chassis off. A reading in
// between says "off", which is why a cycle proves nothing to a fence driver.
const cycleGap = time.Second

// chassis is the host behind the controller: its true power, what the
// controller says of it, and what goes wrong between the two.
type chassis struct {
	*mock.Chassis
	onPower func(bool) error
	// dead silences the controller once its host has lost its power.
	dead func()

	mu       sync.Mutex
	on       bool
	faults   Faults
	count    Commands
	lieUntil time.Time
	// pending is the one change that is under way, as on a real board: off
	// said twice does not switch twice.
	pending *time.Timer
	stopped bool
}

func newChassis(options Options) *chassis {
	act := options.OnPower
	if act == nil {
		act = func(bool) error { return nil }
	}
	return &chassis{Chassis: &mock.Chassis{}, onPower: act, on: options.On}
}

// PowerState answers a reading.
func (c *chassis) PowerState(context.Context) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Readings++
	switch {
	case c.faults.Flapping:
		return c.count.Readings%2 == 0, nil
	case time.Now().Before(c.lieUntil):
		return false, nil
	}
	return c.on, nil
}

// SetPower answers power up and power down.
func (c *chassis) SetPower(_ context.Context, on bool) error {
	faults := c.begin(func(count *Commands) {
		if on {
			count.PowerOn++
		} else {
			count.PowerOff++
		}
	})
	switch {
	case faults.Refuse:
		return types.CodeNotSupported
	case faults.Stuck:
		return nil
	case faults.LieOff > 0 && !on:
		c.lie(faults.LieOff)
		return nil
	case faults.DiesWithHost && !on:
		defer c.dead()
	case faults.SlowOff > 0 && !on:
		c.later(faults.SlowOff, false)
		return nil
	}
	return c.set(on)
}

// PowerCycle answers power cycle.
func (c *chassis) PowerCycle(context.Context) error {
	c.begin(func(count *Commands) { count.PowerCycle++ })
	if err := c.set(false); err != nil {
		return err
	}
	c.later(cycleGap, true)
	return nil
}

// ColdReset answers hard reset.
func (c *chassis) ColdReset(context.Context) error {
	c.begin(func(count *Commands) { count.Reset++ })
	if err := c.set(false); err != nil {
		return err
	}
	return c.set(true)
}

// WarmReset answers soft shutdown; no operating system listens here.
func (c *chassis) WarmReset(context.Context) error {
	c.begin(func(count *Commands) { count.SoftOff++ })
	return nil
}

func (c *chassis) begin(count func(*Commands)) Faults {
	c.mu.Lock()
	defer c.mu.Unlock()
	count(&c.count)
	return c.faults
}

// set carries the change out first: a chassis that could not be switched is
// not remembered as switched.
func (c *chassis) set(on bool) error {
	c.cancelPending()
	if err := c.onPower(on); err != nil {
		return err
	}
	c.report(on)
	return nil
}

func (c *chassis) later(delay time.Duration, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped || c.pending != nil {
		return
	}
	c.pending = time.AfterFunc(delay, func() { _ = c.set(on) })
}

func (c *chassis) cancelPending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending != nil {
		c.pending.Stop()
		c.pending = nil
	}
}

func (c *chassis) lie(duration time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lieUntil = time.Now().Add(duration)
}

func (c *chassis) report(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = on
}

func (c *chassis) truth() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.on
}

func (c *chassis) setFaults(faults Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = faults
}

func (c *chassis) commands() Commands {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

func (c *chassis) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.pending != nil {
		c.pending.Stop()
	}
}

// hardware is everything around the chassis that nobody asks about here.
type hardware struct {
	*mock.HAL
	host *chassis
}

func newHardware(host *chassis) *hardware { return &hardware{HAL: mock.New(), host: host} }

// Chassis is the part that is not a stand-in.
func (h *hardware) Chassis() hal.ChassisHAL { return h.host }
