package scsi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/owned"
)

// preemptTries is how often a preempt-and-abort that the device did not answer
// properly is sent: the first command after another's change often only gets
// told of that change.
const preemptTries = 3

// Fence cuts the target off from every disk of the device. Confirmed says that
// the target's boot can no longer write to any of them, and nothing about its
// power; see the duties in the package's comment. Proven.Disks are those that it
// was cut off from, also where others spoil the word. Refuted is returned when the
// target's key is back after its removal was accepted.
func (d *Driver) Fence(ctx context.Context, request fence.Request) fence.Result {
	cuts, result := d.CutOff(ctx, request, nil)
	result.Outcome = fence.Confirmed
	for _, cut := range cuts {
		switch {
		case cut.Back:
			result.Outcome = fence.Refuted
		case !cut.Proven && result.Outcome != fence.Refuted:
			result.Outcome = fence.Unknown
		case cut.Proven:
			result.Proven.Disks = append(result.Proven.Disks, cut.Device)
		}
	}
	if len(cuts) == 0 {
		result.Outcome = fence.Unknown
	}
	return result
}

// CutOff is Fence with the proof of each disk. Its result carries evidence and
// no outcome: what is released depends on the disks of each service. provenBefore
// tells of which disks an earlier attempt for the same boot, perhaps by another
// fencer, was told Aborted; nil means of none.
func (d *Driver) CutOff(ctx context.Context, request fence.Request, provenBefore func(device string) bool) ([]Cut,
	fence.Result) {
	ctx, cancel := context.WithTimeout(ctx, longestAttempt)
	defer cancel()
	started := time.Now()
	result := fence.Result{Outcome: fence.Unknown}
	finish := func(cuts []Cut) ([]Cut, fence.Result) {
		result.Duration = time.Since(started)
		return cuts, result
	}
	s, keys, err := d.prepare(request)
	if err != nil {
		result.Evidence = []string{err.Error() + "; nothing was sent"}
		return finish(nil)
	}
	cuts := inParallel(s.devices, func(path string) Cut {
		return d.cut(ctx, s, path, keys, request, provenBefore)
	})
	for _, cut := range cuts {
		if cut.Proven && len(result.Phases) == 0 {
			result.Phases = append(result.Phases, fence.Phase{What: "cut off and read back", At: time.Now()})
		}
		result.Evidence = append(result.Evidence, fmt.Sprintf("%s: %s", cut.Device, cut.Why))
	}
	return finish(cuts)
}

func (d *Driver) prepare(request fence.Request) (settings, keySet, error) {
	s, err := parseSettings(request.Device)
	if err != nil {
		return s, keySet{}, err
	}
	switch {
	case request.StillWanted == nil:
		return s, keySet{}, errors.New("the request does not tell whether it is still wanted")
	case request.Target.Boot == "":
		return s, keySet{}, errors.New("the request does not tell which boot is to be cut off")
	case request.Target.Node == d.options.Node:
		return s, keySet{}, errors.New("a node does not cut itself off")
	}
	keys, err := d.keys(request.Target.Node)
	return s, keys, err
}

// cut removes the victim from one disk, reads back, and judges.
func (d *Driver) cut(ctx context.Context, s settings, path string, keys keySet, request fence.Request,
	provenBefore func(string) bool) Cut {
	fail := func(err error) Cut { return Cut{Device: path, Why: err.Error()} }
	name := proofName{path, request.Target.Node, request.Target.Boot}
	e := evidence{abortedBefore: d.remembers(name) || (provenBefore != nil && provenBefore(path))}
	var err error
	if e.before, err = d.read(ctx, s, path); err != nil {
		return fail(err)
	}
	if err := standing(e.before, keys); err != nil && !errors.Is(err, errFewPaths) {
		return fail(fmt.Errorf("nothing was sent: %w (%v)", err, e.before))
	}
	var told string
	for again, tries := true, 0; again && tries < preemptTries; tries++ {
		if err := request.StillWanted(); err != nil {
			return fail(fmt.Errorf("preempt-and-abort was not sent: %w", err))
		}
		e.verdict, told, again = d.preempt(ctx, s, path, keys)
	}
	if e.after, err = d.read(ctx, s, path); err != nil {
		return fail(fmt.Errorf("preempt-and-abort: %s; it could not be read back: %w", told, err))
	}
	cut := judge(e, keys)
	d.remember(name, cut.Aborted)
	cut.Device = path
	cut.Why = fmt.Sprintf("%s (preempt-and-abort of %s: %s; %v)", cut.Why, keys.victim, told, e.after)
	return cut
}

// preempt sends one preempt-and-abort and says what the device made of it, and
// whether it should be sent again: not when it hung, since the next one would
// hang beside it.
func (d *Driver) preempt(ctx context.Context, s settings, path string, keys keySet) (v verdict, told string,
	again bool) {
	p, err := d.ask(ctx, s, request{operation: opPreemptAbort, device: path, key: keys.own, victim: keys.victim})
	if err != nil {
		return notTold, err.Error(), false
	}
	told = string(p.outcome)
	if p.detail != "" {
		told += ", " + p.detail
	}
	switch p.outcome {
	case outDone:
		return accepted, told, false
	case outConflict:
		return conflict, told, false
	case outUnsupported:
		return unable, told, false
	}
	return notTold, told, true
}

// Unfence registers this node on every disk of the device, reserves where
// nobody has, and reads back. ErrNotRegistered is returned when a disk does not
// stand as it must afterwards; what was registered until then stays so, and the
// node must not be admitted.
func (d *Driver) Unfence(ctx context.Context, device fence.Device) error {
	ctx, cancel := context.WithTimeout(ctx, longestAttempt)
	defer cancel()
	s, err := parseSettings(device)
	if err != nil {
		return err
	}
	keys, err := d.keys("")
	if err != nil {
		return err
	}
	faults := inParallel(s.devices, func(path string) error { return d.register(ctx, s, path, keys) })
	for i, fault := range faults {
		if fault != nil {
			return fmt.Errorf("fence device %s on node %s: %w: %s: %w", s.name, d.options.Node, ErrNotRegistered,
				s.devices[i], fault)
		}
	}
	return nil
}

func (d *Driver) register(ctx context.Context, s settings, path string, keys keySet) error {
	before, err := d.read(ctx, s, path)
	if err != nil {
		return err
	}
	for _, key := range before.Keys {
		if keys.known[key] == "" {
			return fmt.Errorf("key %s is registered and belongs to no node of this cluster; if it is no longer used, "+
				"remove it with sg_persist", key)
		}
	}
	if err := d.must(ctx, s, request{operation: opRegister, device: path, key: keys.own}); err != nil {
		return err
	}
	if before.Holder == 0 {
		// Several nodes may be admitted at once: all but the first are refused,
		// and the reading below finds the reservation all the same.
		p, err := d.ask(ctx, s, request{operation: opReserve, device: path, key: keys.own})
		if err != nil || (p.outcome != outDone && p.outcome != outConflict) {
			return fmt.Errorf("reserve: %s %s %w", p.outcome, p.detail, errors.Join(err))
		}
	}
	after, err := d.read(ctx, s, path)
	if err != nil {
		return err
	}
	return standing(after, keys)
}

// must asks for a change that has to succeed. It is repeated once, for the same
// reason as preemptTries.
func (d *Driver) must(ctx context.Context, s settings, q request) error {
	var told error
	for range 2 {
		p, err := d.ask(ctx, s, q)
		switch {
		case err != nil:
			return err
		case p.outcome == outDone:
			return nil
		}
		told = fmt.Errorf("%s: %s: %s", q.operation, p.outcome, p.detail)
	}
	return told
}

func (d *Driver) read(ctx context.Context, s settings, path string) (Reading, error) {
	p, err := d.ask(ctx, s, request{operation: opRead, device: path})
	switch {
	case err != nil:
		return Reading{}, err
	case p.outcome == outUnsupported:
		return Reading{}, fmt.Errorf(
			"%s: reservations cannot be read, because it knows none (SCSI-3 PR), and nobody could be cut off from it; name "+
				"a LUN that does, or switch them on at the array (%s)", path, p.detail)
	case p.outcome != outDone:
		return Reading{}, fmt.Errorf("%s: reservations cannot be read: %s: %s", path, p.outcome, p.detail)
	}
	return p.reading, nil
}

func (d *Driver) ask(ctx context.Context, s settings, q request) (reply, error) {
	argv := d.options.Helper
	if s.command != "" {
		if err := owned.Program(s.command); err != nil {
			return reply{}, fmt.Errorf("refusing to run %s as root: %w", s.command, err)
		}
		argv = []string{s.command}
	}
	return d.runner.run(ctx, argv, q)
}
