// Package power is the hand that switches a machine off through its BMC and
// proves that it is off (law L3). It speaks IPMI, either with a client in
// this process (kind "ipmi") or with the ipmitool program (kind "ipmitool"), and
// Redfish (kind "redfish").
//
// A caller commits the fence intent before it calls Fence, gives a context
// with a deadline, and answers StillWanted and SignOfLife honestly and at
// once, from any goroutine: packets wait for the answers. Only a Confirmed
// result releases anything. No error, evidence or problem text carries a password.
//
// A driver is safe for concurrent use and keeps nothing between calls: each
// attempt opens its own session, so that nothing is believed that an earlier
// attempt learned.
package power

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// The kinds of driver, as a device names them.
const (
	// KindIPMI speaks IPMI in this process: a reading takes less than a
	// millisecond where starting ipmitool takes thirty.
	KindIPMI = fence.DriverIPMI
	// KindIPMITool runs ipmitool, for boards that only get on with it.
	KindIPMITool = fence.DriverIPMITool
	// KindRedfish speaks Redfish over verified TLS.
	KindRedfish = fence.DriverRedfish
)

// ErrKind is returned by Validate when a device names another driver than the
// one it was given to.
var ErrKind = errors.New("the device belongs to another fence driver")

const (
	// longestAttempt bounds Fence when the caller's context does not.
	longestAttempt = 60 * time.Second
	// longestQuestion bounds Check and PowerOn likewise.
	longestQuestion = 45 * time.Second
)

// Options of a driver.
type Options struct {
	// Logger is where hung calls are reported; nil means slog.Default().
	Logger *slog.Logger
}

// pace is how an attempt spends its time. Tests shorten it; the distance
// between two counted readings is law and not among it.
type pace struct {
	// reading is the pause between two readings.
	reading time.Duration
	// repeat is how long the power may stay on before off is sent again.
	repeat time.Duration
	// suspicion is how long it may stay on before the words "soft-off" fall.
	suspicion time.Duration
	// steady is how long the power must read off without a break before a BMC that
	// refuses our off command ("it is off already") is believed. It is longer than
	// the gap of a power cycle that somebody else began.
	steady time.Duration
}

type driver struct {
	kind  string
	hand  func(settings, gate) hand
	calls *calls
	pace  pace
}

// New returns the driver of a kind: KindIPMI, KindIPMITool or KindRedfish. It
// panics on any other word, because the kinds are fixed when the program is built.
func New(kind string, options Options) fence.Driver {
	return newDriver(kind, options)
}

func newDriver(kind string, options Options) *driver {
	log := options.Logger
	if log == nil {
		log = slog.Default()
	}
	makers := map[string]func(settings, gate) hand{KindIPMI: newPureHand, KindIPMITool: newToolHand,
		KindRedfish: newRedfishHand}
	maker, known := makers[kind]
	if !known {
		panic("fence/power: no driver of kind " + kind)
	}
	// With this variable bmclib writes every request to standard output, and
	// with it the password.
	_ = os.Unsetenv("DEBUG_BMCLIB")
	return &driver{
		kind: kind, hand: maker, calls: newCalls(log),
		pace: pace{reading: betweenReadings, repeat: 5 * time.Second, suspicion: 10 * time.Second,
			steady: 5 * time.Second},
	}
}

// Validate finds faults of a declaration. ErrKind is returned when the device
// names another driver.
func (d *driver) Validate(device fence.Device) error {
	_, err := d.settings(device)
	return err
}

func (d *driver) settings(device fence.Device) (settings, error) {
	if device.Driver != d.kind {
		return settings{}, fmt.Errorf("fence device %s: driver %q: %w (%s)", device.Name, device.Driver, ErrKind, d.kind)
	}
	return parseSettings(device)
}

// Check asks the BMC for its power state and identity and changes nothing.
func (d *driver) Check(ctx context.Context, device fence.Device) fence.Check {
	ctx, cancel := context.WithTimeout(ctx, longestQuestion)
	defer cancel()
	check := fence.Check{Power: fence.PowerUnknown}
	s, err := d.open(ctx, device, nothingWanted)
	if err != nil {
		check.Problem = err.Error()
		return check
	}
	defer s.close()
	power, word, err := s.reading(ctx)
	if err != nil {
		check.Problem = err.Error()
		return check
	}
	check.Power, check.Problem = power, s.unfit(ctx, power, word)
	// A BMC that tells no identity is no problem in itself: a drill verifies it.
	if guid, err := s.identity(ctx); err == nil {
		check.Identity = guid.String()
	}
	return check
}

// PowerOn asks for power. It does not wait for the machine.
func (d *driver) PowerOn(ctx context.Context, device fence.Device) error {
	ctx, cancel := context.WithTimeout(ctx, longestQuestion)
	defer cancel()
	s, err := d.open(ctx, device, alwaysWanted)
	if err != nil {
		return err
	}
	defer s.close()
	return s.switchPower(ctx, "on")
}

func alwaysWanted() error { return nil }

// nothingWanted guards a question: a hand that tried to switch power during
// one would be stopped at the last step.
func nothingWanted() error { return errors.New("this call may not change power") }
