// Package agent is the hand that fences through a program of the fence-agents
// project, or any other that speaks its standard input protocol (FenceAgentAPI):
// switched outlets, hypervisors, blade chassis, clouds.
//
// A program proves less than a BMC. It does not tell whose power it switches,
// and an exit status is all that it says. So nothing is sent before the device
// was verified to belong to the target by a drill, or an operator wrote out
// option identity: assumed and with it took that on himself; an exit status of
// zero after off only counts as accepted, and Confirmed takes two status
// readings besides (law L3). Programs that cut off storage or network and
// leave the machine running are refused.
//
// A caller commits the fence intent before it calls Fence, gives a context
// with a deadline, and answers StillWanted and SignOfLife honestly and at
// once. Passwords go through standard input alone, never through argv, the
// environment, a log or evidence. A program and all that it left behind in its
// process group is killed when its time is up, and also when it ended.
//
// A driver is safe for concurrent use. It keeps the metadata of programs, and
// forgets it when the program's file changes.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Kind is the word by which a device names this driver.
const Kind = fence.DriverAgent

// ErrKind is returned by Validate when a device names another driver.
var ErrKind = errors.New("the device belongs to another fence driver")

const (
	// longestAttempt bounds Fence when the caller's context does not.
	longestAttempt = 60 * time.Second
	// longestQuestion bounds Check, PowerOn and Validate likewise. Some agents
	// dial a serial line or a cloud.
	longestQuestion = 20 * time.Second
)

// Options of a driver.
type Options struct {
	// Logger is where stragglers are reported; nil means slog.Default().
	Logger *slog.Logger
	// Folders are where agents are looked for by name; empty means the usual
	// folders for an administrator's programs.
	Folders []string
}

// pace is how an attempt spends its time. Tests shorten it; the distance
// between two counted readings is law and not among it.
type pace struct {
	// reading is the pause between two readings.
	reading time.Duration
	// repeat is how long the power may stay on before off is sent again.
	repeat time.Duration
	// suspicion is how long it may stay on before the evidence says so.
	suspicion time.Duration
	// steady is how long the power must read off without a break where an
	// agent may have sent nothing because it read off itself.
	steady time.Duration
}

type driver struct {
	folders []string
	runner  *runner
	library *library
	pace    pace
}

// New returns the driver.
func New(options Options) fence.Driver { return newDriver(options) }

func newDriver(options Options) *driver {
	d := &driver{folders: options.Folders, pace: pace{reading: betweenReadings, repeat: 5 * time.Second,
		suspicion: 10 * time.Second, steady: 5 * time.Second}}
	if len(d.folders) == 0 {
		d.folders = []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}
	}
	log := options.Logger
	if log == nil {
		log = slog.Default()
	}
	d.runner = newRunner(log)
	d.library = &library{runner: d.runner}
	return d
}

// Validate finds faults of a declaration. It runs the agent once to learn its
// parameters, so it belongs on a node where the agent is installed. ErrKind is
// returned when the device names another driver.
func (d *driver) Validate(device fence.Device) error {
	ctx, cancel := context.WithTimeout(context.Background(), longestQuestion)
	defer cancel()
	_, err := d.prepare(ctx, device, "validated")
	return err
}

// Check asks the agent for the power state and changes nothing. Where the
// outlet is named after the node, and so is not known here, it asks only
// whether the device answers.
func (d *driver) Check(ctx context.Context, device fence.Device) fence.Check {
	ctx, cancel := context.WithTimeout(ctx, longestQuestion)
	defer cancel()
	check := fence.Check{Power: fence.PowerUnknown}
	job, err := d.prepare(ctx, device, "")
	if err != nil {
		check.Problem = err.Error()
		return check
	}
	action := actionStatus
	if job.lacksPlug {
		action = actionMonitor
	}
	outcome := job.run(ctx, action)
	switch power := outcome.power(); {
	case action == actionMonitor && outcome.ended(exitDone, exitOff):
	case action == actionStatus && power != fence.PowerUnknown:
		check.Power = power
	default:
		check.Problem = job.explain(action, outcome).Error()
	}
	return check
}

// PowerOn asks for power. It does not wait for the machine.
func (d *driver) PowerOn(ctx context.Context, device fence.Device) error {
	ctx, cancel := context.WithTimeout(ctx, longestQuestion)
	defer cancel()
	job, err := d.prepare(ctx, device, "")
	if err != nil {
		return err
	}
	if job.lacksPlug {
		return fmt.Errorf("%s cannot switch on: its outlet is not written out; set option plug", job)
	}
	if outcome := job.run(ctx, actionOn); !outcome.ended(exitDone) {
		return job.explain(actionOn, outcome)
	}
	return nil
}
