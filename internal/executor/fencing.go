package executor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/sleep"
)

// levelDeadline bounds all devices of a level together.
const levelDeadline = 30 * time.Second

// slowDeadline is for levels with a patient device: there are Redfish boards that take six
// seconds for each answer, and a fence needs seven of them. One that answers nothing ends
// its attempt long before.
const slowDeadline = 60 * time.Second

// pillDeadline is for levels with a message on a disk: what the disk's header asks
// to wait for is far longer than any command.
const pillDeadline = 10 * time.Minute

func deadlineOf(devices []fence.Device) time.Duration {
	for _, device := range devices {
		if device.Effect() == fence.ByPill {
			return pillDeadline
		}
	}
	if slices.ContainsFunc(devices, slow) {
		return slowDeadline
	}
	return levelDeadline
}

// slow reports whether a device may take its time for each of many questions.
func slow(device fence.Device) bool { return device.Schema().Patient }

// questionLimit bounds a check of a device.
func questionLimit(device fence.Device) time.Duration {
	if slow(device) {
		return slowDeadline - 15*time.Second
	}
	return CheckTimeout
}

// waitedOut is the result of a watchdog: the mind has waited already.
func waitedOut(duty cluster.Duty) fence.Result {
	limit, guarded := duty.Guard.WaitOut()
	if !guarded {
		return fence.Result{Outcome: fence.Unknown,
			Evidence: []string{"this boot of " + duty.Node + " is not known to have armed a watchdog that ends with its " +
				"lease, so waiting proves nothing"}}
	}
	return fence.Result{Outcome: fence.Confirmed, Phases: []fence.Phase{{What: "waited out", At: time.Now()}},
		Evidence: []string{fmt.Sprintf(
			"%s was waited out for %s since its fence was in the log; its lease of %s and its watchdog of %s take %s at most",
			duty.Node, duty.Waited.Round(100*time.Millisecond), duty.Guard.Lease, duty.Guard.Timeout, limit)}}
}

// Fence runs one attempt: all devices of the level at once, under one deadline.
// Confirmed needs every one of them (two power supplies). wanted is asked before
// each packet that changes power.
func (x *Executor) Fence(ctx context.Context, duty cluster.Duty, wanted func(context.Context) error) fence.Result {
	ctx, cancel := context.WithTimeout(ctx, deadlineOf(duty.Devices))
	defer cancel()
	started := time.Now()
	if len(duty.Devices) == 0 {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{"this level names no device"}}
	}
	if duty.Drill && !x.heardNow(ctx, duty.Node) {
		return fence.Result{Outcome: fence.Unknown,
			Evidence: []string{duty.Node + " is not heard by " + x.options.Node + " before the drill, so its " +
				"silence afterwards " +
				"would prove nothing; nothing was sent"}}
	}
	results := make([]fence.Result, len(duty.Devices))
	var group sync.WaitGroup
	for i, device := range duty.Devices {
		group.Go(func() { results[i] = x.fenceBy(ctx, duty, device, wanted) })
	}
	group.Wait()
	joint := fence.Result{Outcome: fence.Confirmed, Duration: time.Since(started)}
	for i, r := range results {
		for _, evidence := range r.Evidence {
			joint.Evidence = append(joint.Evidence, duty.Devices[i].Name+": "+evidence)
		}
		joint.Phases = append(joint.Phases, r.Phases...)
		joint.Proven.Disks = append(joint.Proven.Disks, r.Proven.Disks...)
		if r.Outcome != fence.Confirmed {
			joint.Outcome = r.Outcome
		}
	}
	// Two devices are used at the same time; the timeline reads in its order.
	slices.SortStableFunc(joint.Phases, func(a, b fence.Phase) int { return a.At.Compare(b.At) })
	if effect := fence.EffectOf(duty.Devices); effect != fence.ByPower {
		joint.Proven.Effect, joint.Proven.Waited = effect, duty.Waited
	}
	if duty.Drill && joint.Outcome == fence.Confirmed {
		return x.fellSilent(ctx, duty.Node, joint)
	}
	return joint
}

// drillSilence is how long a drilled node has to be silent.
const drillSilence = 2 * time.Second

// heardNow waits for one more beat of a node. What was heard at some time, and
// has been silent since, can no longer fall silent.
func (x *Executor) heardNow(ctx context.Context, node string) bool {
	before := x.options.Beats(node)
	for waited := time.Duration(0); waited < drillSilence; waited += cluster.Tick {
		if !sleep.For(ctx, cluster.Tick) {
			return false
		}
		if x.options.Beats(node) != before {
			return true
		}
	}
	return false
}

// fellSilent is the second half of a drill's proof: the device says off, and the
// node that was heard until then is heard no more, by anybody. A device of
// another machine says off just as well.
func (x *Executor) fellSilent(ctx context.Context, node string, result fence.Result) fence.Result {
	before := x.options.Beats(node)
	quiet := sleep.For(ctx, drillSilence) && x.options.Beats(node) == before
	if verdict := x.options.Test(ctx, node); !quiet || verdict.Kernel != cluster.Silent {
		result.Outcome = fence.Unknown
		result.Evidence = append(result.Evidence,
			fmt.Sprintf("the device says off, but %s still shows life (%s): the device is not its own, or another machine "+
				"has lost its power now", node, verdict.Why))
		return result
	}
	result.Evidence = append(result.Evidence, node+" fell silent to everybody")
	return result
}

// fenceBy uses one device, with the login that answered last. Where the document
// has just changed it, the other one is tried as well: which of the two the
// device takes is not known before it has taken one.
func (x *Executor) fenceBy(ctx context.Context, duty cluster.Duty, device fence.Device,
	wanted func(context.Context) error) fence.Result {
	if device.Effect() == fence.ByWatchdog {
		return waitedOut(duty)
	}
	ctx, leave, entered := x.gates.enter(ctx, device, true)
	if !entered {
		return fence.Result{Outcome: fence.Unknown,
			Evidence: []string{fmt.Sprintf("its turn did not come: the device takes %d calls at once", device.Limits.AtOnce)}}
	}
	defer leave()
	last, _ := x.checks.get(device.Name)
	return inTurn(ctx, loginsOf(duty, device, last.oldLogin),
		func(login fence.Device) fence.Result { return x.fenceAs(ctx, duty, login, wanted) })
}

// loginsOf is a device with the login that is to be tried first, and where its
// login has just changed, with the other one.
func loginsOf(duty cluster.Duty, device fence.Device, oldWorked bool) []fence.Device {
	logins := []fence.Device{device}
	if i := slices.IndexFunc(duty.OldLogins, func(old fence.Device) bool { return old.Name == device.Name }); i >= 0 {
		logins = append(logins, duty.OldLogins[i])
	}
	if oldWorked {
		slices.Reverse(logins)
	}
	return logins
}

// inTurn uses a device with one login after the other, until one proves that the
// machine is off. What the first one saw stays in the evidence.
func inTurn(ctx context.Context, logins []fence.Device, use func(fence.Device) fence.Result) fence.Result {
	var all fence.Result
	for i, login := range logins {
		result := use(login)
		result.Evidence = append(all.Evidence, result.Evidence...)
		if all = result; result.Outcome == fence.Confirmed || ctx.Err() != nil {
			return all
		}
		if i+1 < len(logins) {
			all.Evidence = append(all.Evidence, "its login has just changed, the other one is tried")
		}
	}
	return all
}

func (x *Executor) fenceAs(ctx context.Context, duty cluster.Duty, device fence.Device,
	wanted func(context.Context) error) fence.Result {
	driver, err := x.options.Driver(device)
	if err != nil {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{err.Error()}}
	}
	beats := func() uint64 { return x.options.Beats(duty.Node) }
	// The driver asks before each packet that changes power; what is heard after
	// the last of them is a sign of life of that boot (law L3).
	var before atomic.Uint64
	before.Store(beats())
	request := fence.Request{
		Act: duty.Act, Device: device, Target: duty.Victim,
		IdentityVerified: duty.Drill || slices.Contains(duty.Proven, device.Name),
		StillWanted: func() error {
			err := wanted(ctx)
			before.Store(beats())
			return err
		},
		SignOfLife: func() bool { return beats() != before.Load() },
	}
	return driver.Fence(ctx, request)
}

// PowerOn asks the devices of a level for power, all at once. Confirmed means
// that each of them took the command, and nothing more.
func (x *Executor) PowerOn(ctx context.Context, devices []fence.Device) fence.Result {
	ctx, cancel := context.WithTimeout(ctx, powerLimit)
	defer cancel()
	result := fence.Result{Outcome: fence.Confirmed}
	if len(devices) == 0 {
		return fence.Result{Outcome: fence.Unknown, Evidence: []string{"this level names no device"}}
	}
	problems := make([]error, len(devices))
	var group sync.WaitGroup
	for i, device := range devices {
		group.Go(func() { problems[i] = x.powerOnBy(ctx, device) })
	}
	group.Wait()
	for i, err := range problems {
		if err != nil {
			result.Outcome = fence.Unknown
			result.Evidence = append(result.Evidence, fmt.Sprintf("fence device %s: %v", devices[i].Name, err))
		}
	}
	return result
}

func (x *Executor) powerOnBy(ctx context.Context, device fence.Device) error {
	driver, err := x.options.Driver(device)
	if err != nil {
		return err
	}
	ctx, leave, entered := x.gates.enter(ctx, device, true)
	if !entered {
		return ctx.Err()
	}
	defer leave()
	err = driver.PowerOn(ctx, device)
	if old, kept := x.options.Root().WithOldLogin(device); err != nil && kept && ctx.Err() == nil {
		if driver.PowerOn(ctx, old) == nil {
			return nil
		}
	}
	return err
}

// fenceVerify bounds how long a packet that changes power waits for the proof
// that the cluster still wants it.
const fenceVerify = 3 * time.Second

// stillWanted asks the whole cluster's State, not only this node's copy: a
// fencer that was cut off would act on an intent that another one may have
// finished meanwhile, and hit the new boot (laws L4, L6).
func (x *Executor) stillWanted(ctx context.Context, wanted func() error) error {
	ctx, cancel := context.WithTimeout(ctx, fenceVerify)
	defer cancel()
	if err := x.options.InTouch(ctx); err != nil {
		return fmt.Errorf("%s is not in touch with the cluster, so it fences nobody: %w", x.options.Node, err)
	}
	return wanted()
}

// powerLimit bounds one request for power.
const powerLimit = 45 * time.Second
