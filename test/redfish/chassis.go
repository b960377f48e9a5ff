package redfish

import (
	"sync"
	"time"
)

// Faults of a controller. The zero value is a healthy controller.
type Faults struct {
	// Stuck acknowledges every power command and does nothing.
	Stuck bool
	// SlowOff is the time between accepting ForceOff and the power being off;
	// the system reads PoweringOff meanwhile.
	SlowOff time.Duration
	// Flapping answers readings with Off and On by turns.
	Flapping bool
	// Refuse answers power commands with status 500.
	Refuse bool
	// Conflict answers 409 to a command that asks for what already is, as
	// iDRAC does.
	Conflict bool
	// Busy answers 409 to every power command, also one that would change something.
	Busy bool
	// DiesWithHost carries ForceOff out, answers it, and answers nothing from then
	// on, as a controller that is fed by its host's own power supply.
	DiesWithHost bool
	// State is told instead of the true power, for example "Paused".
	State string
	// Mute tells no power state at all (null), as a board that starts does.
	Mute bool
	// Slow delays every answer.
	Slow time.Duration
	// Hang keeps every request waiting until the client goes away.
	Hang bool
	// HangLogout keeps only the farewell waiting.
	HangLogout bool
	// Garbage answers every request with a page for people.
	Garbage bool
	// Redirect answers every request with a redirection to this address.
	Redirect string
}

// Commands counts what a controller was asked to do.
type Commands struct {
	ForceOff, On, Graceful, Other, Readings int
}

// chassis is the host behind the controller: its true power, what the
// controller says of it, and what goes wrong between the two.
type chassis struct {
	onPower func(bool) error

	mu      sync.Mutex
	on      bool
	faults  Faults
	count   Commands
	pending *time.Timer
	stopped bool
	// cycling is set between the off and the on half of a power cycle.
	cycling bool
}

func newChassis(options Options) *chassis {
	act := options.OnPower
	if act == nil {
		act = func(bool) error { return nil }
	}
	return &chassis{onPower: act, on: options.On}
}

// state answers a reading in Redfish's words.
func (c *chassis) state() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Readings++
	on := c.on
	switch {
	case c.faults.State != "":
		return c.faults.State
	case c.faults.Flapping:
		on = c.count.Readings%2 == 0
	case c.pending != nil && !c.cycling:
		return "PoweringOff"
	}
	if on {
		return "On"
	}
	return "Off"
}

// cycleGap is how long a power cycle keeps the host off.
const cycleGap = time.Second

// reset carries out one ResetType and returns the HTTP status of the answer.
func (c *chassis) reset(kind string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	wantOn := kind == "On"
	switch kind {
	case "On":
		c.count.On++
	case "ForceOff":
		c.count.ForceOff++
	case "GracefulShutdown":
		c.count.Graceful++
	default:
		c.count.Other++
	}
	switch {
	case c.faults.Refuse:
		return 500
	case c.faults.Busy, c.faults.Conflict && c.on == wantOn:
		return 409
	case c.faults.Stuck, kind == "GracefulShutdown":
		return 204
	case kind == "PowerCycle":
		return c.cycle()
	case kind == "ForceOff" && c.faults.SlowOff > 0:
		c.later(c.faults.SlowOff, false)
		return 202
	case kind != "On" && kind != "ForceOff":
		return 400
	}
	status := c.set(wantOn)
	if c.faults.DiesWithHost && !wantOn && !c.on {
		c.faults.Hang = true
	}
	return status
}

// set changes the power now; the caller holds the lock.
func (c *chassis) set(on bool) int {
	if c.pending != nil {
		c.pending.Stop()
		c.pending, c.cycling = nil, false
	}
	if c.on != on {
		if err := c.onPower(on); err != nil {
			return 500
		}
	}
	c.on = on
	return 204
}

func (c *chassis) cycle() int {
	status := c.set(false)
	c.later(cycleGap, true)
	c.cycling = true
	return status
}

// later changes the power after a while, once.
func (c *chassis) later(delay time.Duration, on bool) {
	if c.stopped || c.pending != nil {
		return
	}
	c.pending = time.AfterFunc(delay, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.stopped {
			c.set(on)
		}
	})
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

func (c *chassis) trouble() Faults {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults
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
