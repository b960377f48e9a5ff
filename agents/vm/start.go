//go:build cgo

package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
	"github.com/clusterd/clusterd/resources"
)

// undoTimeout bounds what is done after a refused or failed act.
const undoTimeout = 10 * time.Second

// Start creates the VM paused, asks StillWanted, and resumes it.
func (a *Agent) Start(ctx context.Context, start agents.Act) agents.Result {
	spec := start.Spec.WithDefaults()
	uuid := strings.ToLower(spec.UUID)
	a.remember(uuid, spec.Name)
	ctx, cancel := context.WithTimeout(ctx, spec.StartTimeout)
	defer cancel()
	if err := checkDefinition(spec, start.Definition); err != nil {
		return a.unsent(uuid, a.refused(ctx, uuid, err))
	}
	s, err := a.session(ctx)
	if err != nil {
		return a.unsent(uuid, agents.Result{Source: agents.Unknown,
			Why: fmt.Sprintf("start %s on %s: %v", spec.Name, a.options.Node, err)})
	}
	defer s.close()
	return a.startOn(ctx, s, spec, start)
}

// startOn is Start on a connection.
func (a *Agent) startOn(ctx context.Context, s *session, spec resources.Spec, start agents.Act) agents.Result {
	uuid := strings.ToLower(spec.UUID)
	seen, err := a.lookSettled(ctx, s, uuid)
	if err != nil {
		return a.unsent(uuid, agents.Result{Source: seen.Condition,
			Why: fmt.Sprintf("start %s on %s: %v", spec.Name, a.options.Node, err)})
	}
	switch seen.Condition {
	case agents.Running:
		return agents.Result{OK: true, Source: agents.Running, Why: "it was running here already"}
	case agents.Paused:
		return a.adopt(ctx, s, start, seen)
	case agents.Absent:
	default:
		return a.unsent(uuid, agents.Result{Source: seen.Condition, Why: fmt.Sprintf(
			"start %s on %s: not tried, it is %s here (%s)", spec.Name, a.options.Node, seen.Condition, seen.Reason)})
	}
	if err := a.refusePersistent(ctx, s, uuid); err != nil {
		return a.unsent(uuid, a.refused(ctx, uuid, err))
	}
	if err := a.create(ctx, s, uuid, start); err != nil {
		result := a.refused(ctx, uuid, fmt.Errorf("create %s on %s: %w", spec.Name, a.options.Node, plain(err)))
		if errors.Is(err, errNotAsked) {
			return a.unsent(uuid, result)
		}
		return result
	}
	phases := []agents.Phase{{What: "created paused", At: time.Now()}}
	if err := wanted(start.StillWanted); err != nil {
		return a.undo(ctx, s, uuid, start.ID, err, phases)
	}
	return a.resumed(ctx, s, spec, phases)
}

// unsent says of a start that ended before its create was sent that it did not happen: unless a
// call of an earlier one is open, which could still bring the VM up, or its QEMU is here, whoever
// brought it. The journal is asked first: what it no longer holds has left its process by then.
func (a *Agent) unsent(uuid string, result agents.Result) agents.Result {
	if len(a.journal.Open(uuid)) > 0 {
		return result
	}
	_, _, here, err := a.table.QEMU(uuid)
	result.Unsent = err == nil && !here
	return result
}

// lookSettled looks until no earlier call is open: a destroy or a migrate that
// comes late would hit the VM that is about to start.
func (a *Agent) lookSettled(ctx context.Context, s *session, uuid string) (agents.Observation, error) {
	for {
		seen := a.lookOn(ctx, s, uuid)
		open := a.journal.Open(uuid)
		if len(open) == 0 || (seen.Condition != agents.Absent && seen.Condition != agents.Unknown) {
			return seen, nil
		}
		if ctx.Err() != nil || !s.alive() {
			return seen, fmt.Errorf("not tried: an earlier %s, sent %s to %s, has not been answered and could still hit it",
				open[0].Kind, open[0].At.Format(time.TimeOnly), open[0].Server)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// checkDefinition holds a start to the content that was committed.
func checkDefinition(spec resources.Spec, definition string) error {
	sum := sha256.Sum256([]byte(definition))
	if got := hex.EncodeToString(sum[:]); got != spec.Definition {
		return fmt.Errorf("refused: the definition of %s is %.12s..., but %.12s... was committed", spec.Name, got,
			spec.Definition)
	}
	_, uuid, _, err := DisksOf(definition)
	if err != nil {
		return err
	}
	if !strings.EqualFold(uuid, spec.UUID) {
		return fmt.Errorf("refused: the definition of %s carries UUID %s, but %s was committed", spec.Name, uuid, spec.UUID)
	}
	return nil
}

// refusePersistent refuses a VM that libvirt also keeps by itself: it could
// start it behind our back.
func (a *Agent) refusePersistent(ctx context.Context, s *session, uuid string) error {
	persistent, err := onDomain(ctx, s, uuid, (*libvirt.Domain).IsPersistent)
	switch {
	case noDomain(err):
		return nil
	case err != nil:
		return fmt.Errorf("ask whether libvirt keeps a definition: %w", plain(err))
	case persistent:
		return fmt.Errorf("refused: libvirt on %s keeps a persistent definition of this VM; run `clusterd vm import` or "+
			"`virsh undefine --keep-nvram %s`", a.options.Node, uuid)
	}
	return nil
}

func (a *Agent) refused(ctx context.Context, uuid string, err error) agents.Result {
	seen := a.lookAfter(ctx, uuid)
	return agents.Result{Source: seen.Condition, Why: err.Error() + "; afterwards: " + describe(seen)}
}

// lookAfter looks also when the act's own time has run out.
func (a *Agent) lookAfter(ctx context.Context, uuid string) agents.Observation {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	return a.look(ctx, uuid)
}

func describe(seen agents.Observation) string {
	switch {
	case seen.Evidence != "":
		return string(seen.Condition) + " (" + seen.Evidence + ")"
	case seen.Reason != "":
		return string(seen.Condition) + " (" + seen.Reason + ")"
	}
	return string(seen.Condition)
}

// create sends the one call that can bring a VM up here.
func (a *Agent) create(ctx context.Context, s *session, uuid string, start agents.Act) error {
	return a.journaled(ctx, s, uuid, proof.Create, start.ID, func(conn *libvirt.Connect) error {
		domain, err := conn.DomainCreateXML(toCreate(start), libvirt.DOMAIN_START_PAUSED)
		if err == nil {
			_ = domain.Free()
		}
		return err
	})
}

// journaled writes a call down, sends it, and takes it out of the journal once
// its answer has come, however late.
func (a *Agent) journaled(ctx context.Context, s *session, uuid, kind, act string,
	run func(*libvirt.Connect) error) error {
	number, err := a.journal.Begin(uuid, kind, act, s.server, time.Now())
	if err != nil {
		return fmt.Errorf("%w: %w", errNotAsked, err)
	}
	ended := func(err error) {
		if err != nil && connectionBroke(s) {
			a.journal.Lost(uuid, number)
			return
		}
		a.journal.Returned(uuid, number)
	}
	_, err = ask(ctx, s, func(conn *libvirt.Connect) (struct{}, error) {
		return struct{}{}, run(conn)
	}, func(_ struct{}, err error) {
		ended(err)
		a.touched.add(uuid)
	})
	switch {
	case errors.Is(err, errNotAsked):
		a.journal.Returned(uuid, number)
	case errors.Is(err, errAbandoned):
		// Abandoned: the journal keeps it until late says otherwise.
	default:
		ended(err)
	}
	return err
}

// connectionBroke tells that an error says nothing about the call's end. The
// error itself cannot tell: libvirtd passes on the errors of its own
// connection to a migration's target, which read the same.
func connectionBroke(s *session) bool {
	if !s.alive() || !s.enter() {
		return true
	}
	defer s.leave()
	open, err := s.conn.IsAlive() // Answered from memory, libvirtd is not asked.
	return err != nil || !open
}

// adopt takes over a VM that is there, paused.
func (a *Agent) adopt(ctx context.Context, s *session, start agents.Act, seen agents.Observation) agents.Result {
	if seen.Reason != "user" && seen.Reason != "starting up" && seen.Reason != "resume failed" {
		return agents.Result{Source: agents.Paused,
			Why: fmt.Sprintf("%s is paused on %s (%s) and was not resumed: only a VM that was paused by a start or by hand is",
				start.Spec.Name, a.options.Node, seen.Reason)}
	}
	if err := wanted(start.StillWanted); err != nil {
		return agents.Result{Source: agents.Paused, Why: fmt.Sprintf("left paused, no longer wanted: %v", err)}
	}
	return a.resumed(ctx, s, start.Spec, []agents.Phase{{What: "adopted paused", At: time.Now()}})
}

// resumed lets the guest run and looks whether it does.
func (a *Agent) resumed(ctx context.Context, s *session, spec resources.Spec, phases []agents.Phase) agents.Result {
	uuid := strings.ToLower(spec.UUID)
	_, err := onDomain(ctx, s, uuid, func(domain *libvirt.Domain) (struct{}, error) { return struct{}{}, domain.Resume() })
	if err != nil {
		return agents.Result{Source: a.lookAfter(ctx, uuid).Condition, Why: fmt.Sprintf("resume %s on %s: %v", spec.Name,
			a.options.Node, plain(err)), Phases: phases}
	}
	phases = append(phases, agents.Phase{What: "resumed", At: time.Now()})
	seen := a.lookOn(ctx, s, uuid)
	return agents.Result{OK: seen.Condition == agents.Running, Source: seen.Condition, Why: describe(seen), Phases: phases}
}

// wanted asks the caller whether the act is still to happen.
func wanted(ask func() error) error {
	if ask == nil {
		return nil
	}
	return ask()
}

// undo destroys a VM that was created paused and is no longer wanted.
func (a *Agent) undo(ctx context.Context, s *session, uuid, act string, why error,
	phases []agents.Phase) agents.Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	sentence := fmt.Sprintf("no longer wanted: %v", why)
	if err := a.destroy(ctx, s, uuid, act); err != nil {
		sentence += fmt.Sprintf("; destroying it failed: %v", plain(err))
	}
	seen := a.lookOn(ctx, s, uuid)
	return agents.Result{Source: seen.Condition, Why: sentence + "; it was created paused and never ran; now: " +
		describe(seen), Phases: phases}
}

func (a *Agent) destroy(ctx context.Context, s *session, uuid, act string) error {
	err := a.journaled(ctx, s, uuid, proof.Destroy, act, func(conn *libvirt.Connect) error {
		domain, err := conn.LookupDomainByUUIDString(uuid)
		if err != nil {
			return err
		}
		defer func() { _ = domain.Free() }()
		return domain.Destroy()
	})
	if noDomain(err) {
		return nil
	}
	return err
}

// Resume continues a VM that is paused here. Idempotent.
func (a *Agent) Resume(ctx context.Context, spec resources.Spec) agents.Result {
	return a.steer(ctx, spec, "resume", agents.Running, func(domain *libvirt.Domain) error { return domain.Resume() })
}

// Pause stops the guest's execution at once. Idempotent.
func (a *Agent) Pause(ctx context.Context, spec resources.Spec) agents.Result {
	return a.steer(ctx, spec, "pause", agents.Paused, func(domain *libvirt.Domain) error { return domain.Suspend() })
}

func (a *Agent) steer(ctx context.Context, spec resources.Spec, verb string, want agents.Condition,
	act func(*libvirt.Domain) error) agents.Result {
	uuid := strings.ToLower(spec.UUID)
	a.remember(uuid, spec.Name)
	s, err := a.session(ctx)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: fmt.Sprintf("%s %s on %s: %v", verb, spec.Name,
			a.options.Node, err)}
	}
	defer s.close()
	seen := a.lookOn(ctx, s, uuid)
	if seen.Condition == want && seen.Reason != reasonMigratingOut {
		return agents.Result{OK: true, Source: want, Why: "it was already " + string(want)}
	}
	part := seen.Condition == agents.Split && want == agents.Paused
	if seen.Condition != agents.Running && seen.Condition != agents.Paused && !part {
		return agents.Result{Source: seen.Condition, Why: fmt.Sprintf("cannot %s %s on %s: %s", verb, spec.Name,
			a.options.Node, describe(seen))}
	}
	_, err = onDomain(ctx, s, uuid, func(domain *libvirt.Domain) (struct{}, error) { return struct{}{}, act(domain) })
	seen = a.lookAfter(ctx, uuid)
	if err != nil && seen.Condition != want {
		return agents.Result{Source: seen.Condition, Why: fmt.Sprintf("%s %s on %s: %v", verb, spec.Name, a.options.Node,
			plain(err))}
	}
	return agents.Result{OK: seen.Condition == want, Source: seen.Condition, Why: describe(seen)}
}
