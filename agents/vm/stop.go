//go:build cgo

package vm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
	"github.com/clusterd/clusterd/resources"
)

const (
	// stopPoll looks beside the events, which may be lost.
	stopPoll = 500 * time.Millisecond
	// pressAgain repeats the power button: a guest that is still booting
	// overhears the first.
	pressAgain = 10 * time.Second
	// partGrace is how long a part of a guest may take to turn out whole, before it is destroyed.
	partGrace = 5 * time.Second
	// killLook bounds the look before a destruction, which needs no answer: a QEMU that
	// hangs gives none, and libvirt waits 30 s for one.
	killLook = time.Second
)

// Stop ends the VM: the power button within StopTimeout, then destruction
// within DestroyTimeout. OK only with the proof that law L1 asks for.
func (a *Agent) Stop(ctx context.Context, stop agents.Act) agents.Result {
	spec := stop.Spec.WithDefaults()
	uuid := strings.ToLower(spec.UUID)
	a.remember(uuid, spec.Name)
	s, err := a.session(ctx)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: fmt.Sprintf("stop %s on %s: %v", spec.Name, a.options.Node, err)}
	}
	defer func() { s.close() }()
	var seen agents.Observation
	if seen, s, err = a.lookToStop(ctx, s, uuid, stop.Kill); err != nil {
		return agents.Result{Source: agents.Unknown,
			Why: fmt.Sprintf("stop %s on %s: %v", spec.Name, a.options.Node, err)}
	}
	if stop.Part {
		seen = a.stillPart(ctx, s, uuid, seen)
	}
	var phases []agents.Phase
	switch {
	case stop.Part && seen.Condition != agents.Split && seen.Condition != agents.Absent:
		return agents.Result{Source: seen.AsEnd(), Why: fmt.Sprintf("%s is no longer a part of a guest on %s: %s", spec.Name,
			a.options.Node, describe(seen))}
	case seen.Condition == agents.Absent:
		return agents.Result{OK: true, Source: agents.Absent, Why: seen.Evidence}
	case seen.Condition == agents.Incoming && !stop.Kill:
		return agents.Result{Source: agents.Incoming,
			Why: fmt.Sprintf("%s is the receiving half of a migration on %s that has not ended; it was not touched", spec.Name,
				a.options.Node)}
	case !stop.Kill && (seen.Condition == agents.Running || seen.Condition == agents.ShuttingDown):
		phases = append(phases, agents.Phase{What: "power button pressed", At: time.Now()})
		if seen, err = a.pressButton(ctx, s, spec); err == nil && seen.Condition == agents.Absent {
			return agents.Result{OK: true, Source: agents.Absent, Why: seen.Evidence,
				Phases: append(phases, agents.Phase{What: "shut down", At: time.Now()})}
		}
		if err != nil {
			return agents.Result{Source: seen.Condition, Why: err.Error(), Phases: phases}
		}
	}
	phases = append(phases, agents.Phase{What: "destroy sent", At: time.Now()})
	return a.destroyed(ctx, s, stop.ID, spec, phases)
}

// stillPart waits a while for what looks like a part of a guest to turn out whole: libvirt may
// learn later than the cluster that the copying has ended.
func (a *Agent) stillPart(ctx context.Context, s *session, uuid string, seen agents.Observation) agents.Observation {
	for end := time.Now().Add(partGrace); seen.Condition == agents.Split && time.Now().Before(end) &&
		ctx.Err() == nil; {
		pause(ctx, stopPoll)
		seen = a.lookOn(ctx, s, uuid)
	}
	return seen
}

// lookToStop looks what is there to be stopped. It returns the session to go on with: a look
// that hangs keeps the one that it was asked on.
func (a *Agent) lookToStop(ctx context.Context, s *session, uuid string,
	kill bool) (agents.Observation, *session, error) {
	if !kill {
		return a.lookOn(ctx, s, uuid), s, nil
	}
	looking, cancel := context.WithTimeout(ctx, killLook)
	defer cancel()
	seen := a.lookOn(looking, s, uuid)
	if seen.Condition != agents.Unknown {
		return seen, s, nil
	}
	again, err := a.session(ctx)
	if err != nil {
		return seen, s, err
	}
	s.close()
	return seen, again, nil
}

// pressButton asks the guest to shut down and waits for it. The error is set
// only when the caller's context ended: the button's own time running out is
// the ordinary way to destruction.
func (a *Agent) pressButton(ctx context.Context, s *session, spec resources.Spec) (agents.Observation, error) {
	uuid := strings.ToLower(spec.UUID)
	events, forget := a.watch(uuid)
	defer forget()
	waiting, cancel := context.WithTimeout(ctx, spec.StopTimeout)
	defer cancel()
	poll := time.NewTicker(stopPoll)
	defer poll.Stop()
	var pressed time.Time
	for {
		if time.Since(pressed) >= pressAgain {
			pressed = time.Now()
			if _, err := onDomain(waiting, s, uuid, func(domain *libvirt.Domain) (struct{}, error) {
				return struct{}{},
					domain.Shutdown()
			}); err != nil && !noDomain(err) {
				a.log.Warn("pressing the power button failed", "node", a.options.Node, "service", spec.Name, "error", plain(err))
			}
		}
		seen := a.lookOn(waiting, s, uuid)
		switch {
		case seen.Condition == agents.Absent:
			return seen, nil
		case ctx.Err() != nil:
			return seen, fmt.Errorf("stop %s on %s: waiting for its guest to shut down was broken off: %w", spec.Name,
				a.options.Node, ctx.Err())
		case waiting.Err() != nil, seen.Condition == agents.Crashed, !s.alive():
			return seen, nil
		}
		select {
		case <-events:
		case <-poll.C:
		case <-s.lost:
		case <-waiting.Done():
		}
	}
}

// destroyed destroys the VM and waits for the proof.
func (a *Agent) destroyed(ctx context.Context, s *session, act string, spec resources.Spec,
	phases []agents.Phase) agents.Result {
	uuid := strings.ToLower(spec.UUID)
	ctx, cancel := context.WithTimeout(ctx, spec.DestroyTimeout)
	defer cancel()
	err := a.destroy(ctx, s, uuid, act)
	for {
		seen := a.look(ctx, uuid)
		if seen.Condition == agents.Absent {
			return agents.Result{OK: true, Source: agents.Absent, Why: seen.Evidence,
				Phases: append(phases, agents.Phase{What: "destroyed", At: time.Now()})}
		}
		if ctx.Err() != nil {
			why := fmt.Sprintf("destroy %s on %s: no proof that it is gone: %s", spec.Name, a.options.Node,
				describe(a.lookAfter(ctx, uuid)))
			if err != nil {
				why += fmt.Sprintf(" (libvirt: %v)", plain(err))
			}
			return agents.Result{Source: a.lookAfter(ctx, uuid).Condition, Why: why, Phases: phases}
		}
		if (err != nil || seen.Condition != agents.Unknown) && a.journal.Idle(uuid, proof.Destroy) {
			if again, sessionErr := a.session(ctx); sessionErr == nil {
				err = a.destroy(ctx, again, uuid, act)
				again.close()
			}
		}
		pause(ctx, 100*time.Millisecond)
	}
}
