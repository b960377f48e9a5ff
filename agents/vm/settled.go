//go:build cgo

package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
)

// settlePoll is how often both ends are looked at while they are still at work.
const settlePoll = 50 * time.Millisecond

// settle looks at both ends and does what decide says until there is exactly
// one VM or nothing more can be known.
func (m *move) settle(ctx context.Context, failure error) agents.Result {
	if errors.Is(failure, errLeftAlone) {
		return agents.Result{Source: agents.Unknown, Target: agents.Unknown, Why: failure.Error(), Phases: m.phases.all()}
	}
	looking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	watch := patience{until: time.Now().Add(settleTimeout)}
	tries := 0
	for {
		source, target := m.lookBoth(looking)
		next := watch.judge(decide(source, target), source, target)
		if next == stepWait && (source.UnderWay() || target.UnderWay()) {
			watch.until = m.underWay(ctx, looking, source, watch.until)
		}
		if next == stepCopyOn {
			if tries++; tries > copyOnTries || ctx.Err() != nil {
				return m.result(looking, source, target, failure)
			}
			m.copyOn(ctx)
			watch.until = time.Now().Add(settleTimeout)
			continue
		}
		switch {
		case next == stepNone || time.Now().After(watch.until):
			return m.result(looking, source, target, failure)
		case next == stepWait && errors.Is(ctx.Err(), context.Canceled):
			return agents.Result{Source: source.AsEnd(), Target: target.AsEnd(), Why: errLeftAlone.Error(),
				Phases: m.phases.all()}
		}
		m.take(looking, next)
		if next == stepPauseTarget {
			failure = fmt.Errorf("FOUND RUNNING TWICE, on %s and on %s; the copy on %s was paused at once",
				m.agent.options.Node, m.targetName, m.targetName)
			m.agent.log.Error("a VM was found running twice", "service", m.spec.Name, "source", m.agent.options.Node, "target",
				m.targetName)
			source, target = m.lookBoth(looking)
			return m.result(looking, source, target, failure) // Which of the two is right is for people to say.
		}
	}
}

// patience is how long settle puts up with what does not change.
type patience struct {
	until    time.Time
	incoming time.Time
	unknown  time.Time
}

// judge corrects a step by how long the ends have been like this.
func (p *patience) judge(next step, source, target agents.Observation) step {
	if source.Condition != agents.Unknown && target.Condition != agents.Unknown {
		p.unknown = time.Time{}
	} else if !overdue(&p.unknown, unknownGrace) {
		return stepWait // A libvirtd that is restarted answers again soon.
	}
	orphaned := target.Condition == agents.Incoming && source.Condition == agents.Running &&
		source.Reason != reasonMigratingOut
	if next == stepWait && orphaned && overdue(&p.incoming, incomingGrace) {
		return stepDestroyTarget // libvirt has not dropped the half that lost its source.
	}
	return next
}

func overdue(since *time.Time, grace time.Duration) bool {
	if since.IsZero() {
		*since = time.Now()
	}
	return time.Since(*since) > grace
}

// underWay lets a migration that somebody else asked for have the caller's
// time, and aborts it when that has run out.
func (m *move) underWay(ctx, looking context.Context, source agents.Observation, deadline time.Time) time.Time {
	switch {
	case ctx.Err() == nil:
		return time.Now().Add(settleTimeout)
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && !m.aborted &&
		source.Condition != agents.Split && !m.switched.Load():
		m.aborted = true
		if err := m.onEnd(looking, m.source, "out of time, abort sent", (*libvirt.Domain).AbortJob); err != nil {
			m.agent.log.Warn("aborting a migration", "service", m.spec.Name, "error", plain(err))
		}
	}
	return deadline
}

func (m *move) lookBoth(ctx context.Context) (source, target agents.Observation) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if !m.source.alive() {
		if again, err := m.agent.session(ctx); err == nil {
			m.source.close()
			m.source = again
		}
	}
	if !m.target.alive() {
		m.redialTarget(ctx)
	}
	source = m.agent.lookOn(ctx, m.source, m.uuid)
	target, _, err := find(ctx, m.target, m.uuid)
	if err != nil {
		target = agents.Observation{UUID: m.uuid, Condition: agents.Unknown,
			Reason: fmt.Sprintf("%s gave no answer: %v", m.targetName, plain(err))}
	}
	return source, target
}

// redialTarget opens the way anew: when the forwarder died, its sockets did too.
func (m *move) redialTarget(ctx context.Context) {
	apiURI, _, err := m.agent.options.Tunnel.Open(ctx, m.targetName, m.act)
	if err != nil {
		return // The look that follows says that the target gives no answer.
	}
	if again, err := m.agent.dial(ctx, apiURI); err == nil {
		again.server = proof.Process{}
		m.target.close()
		m.target = again
	}
}

func (m *move) take(ctx context.Context, next step) {
	m.drain()
	var err error
	switch next {
	case stepWait:
		m.waitAtWork(ctx)
	case stepResumeTarget:
		m.resumeTarget(ctx)
	case stepPauseTarget:
		err = m.onEnd(ctx, m.target, "paused on the target, found running twice", (*libvirt.Domain).Suspend)
	case stepDestroyTarget:
		err = m.onEnd(ctx, m.target, "paused copy on the target destroyed", destroyPaused)
	case stepDestroySource:
		err = m.onEnd(ctx, m.source, "paused remnant on the source destroyed", destroyPaused)
	case stepResumeSource:
		err = m.onEnd(ctx, m.source, "resumed on the source", (*libvirt.Domain).Resume)
	}
	if err != nil {
		m.agent.log.Warn("settling a migration", "service", m.spec.Name, "target", m.targetName, "error", plain(err))
		pause(ctx, settlePoll)
	}
}

// waitAtWork waits for the next look, or for the end of the source's QEMU.
func (m *move) waitAtWork(ctx context.Context) {
	timer := time.NewTimer(settlePoll)
	defer timer.Stop()
	select {
	case <-m.gone:
		m.gone = nil
		m.drain()
		m.resumeEarly(ctx)
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (m *move) onEnd(ctx context.Context, s *session, what string, act func(*libvirt.Domain) error) error {
	_, err := onDomain(ctx, s, m.uuid, func(domain *libvirt.Domain) (struct{}, error) { return struct{}{}, act(domain) })
	if err == nil {
		m.phase(what)
	}
	return err
}

// destroyPaused looks once more, because only what does not run may be destroyed.
func destroyPaused(domain *libvirt.Domain) error {
	state, _, err := domain.GetState()
	if err != nil {
		return err
	}
	if state != libvirt.DOMAIN_PAUSED {
		return errors.New("not destroyed: it is no longer paused")
	}
	return domain.Destroy()
}

func (m *move) result(ctx context.Context, source, target agents.Observation, failure error) agents.Result {
	result := agents.Result{
		OK:     source.Condition == agents.Absent && target.Condition == agents.Running,
		Source: source.AsEnd(), Target: target.AsEnd(), Phases: m.phases.all(),
	}
	switch {
	case result.OK:
		result.Total, result.Downtime = m.figures(ctx)
		result.Why = fmt.Sprintf("runs on %s; on %s %s", m.targetName, m.agent.options.Node, source.Evidence)
		if failure != nil {
			result.Why += fmt.Sprintf(" (settled after: %v)", plain(failure))
		}
	default:
		if result.Stalled = m.gaveUp(source, target); result.Stalled {
			failure = errStalled
		}
		if failure == nil {
			failure = errors.New("it did not end with the VM running on the target")
		}
		result.Why = fmt.Sprintf("migrate %s from %s to %s: %v; found afterwards: %s on %s, %s on %s", m.spec.Name,
			m.agent.options.Node, m.targetName,
			plain(failure), describe(source), m.agent.options.Node, describe(target), m.targetName)
	}
	return result
}

// figures returns libvirt's total and the downtime as Migrate documents it.
func (m *move) figures(ctx context.Context) (total, downtime time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	info, err := onDomain(ctx, m.target, m.uuid, func(domain *libvirt.Domain) (*libvirt.DomainJobInfo, error) {
		return domain.GetJobStats(libvirt.DOMAIN_JOB_STATS_COMPLETED)
	})
	if err == nil {
		total = time.Duration(info.TimeElapsed) * time.Millisecond
		downtime = time.Duration(info.Downtime) * time.Millisecond
	}
	switch {
	case m.switched.Load():
		total, downtime = 0, 0 // what nobody saw is not told
		if wentOn := m.wentOn.Load(); wentOn != 0 && !m.stoodStill.IsZero() {
			total, downtime = time.Since(m.sentAt), max(0, time.Unix(0, wentOn).Sub(m.stoodStill))
		}
	case m.resumedAt.IsZero():
	case !m.stoodStill.IsZero():
		downtime = m.resumedAt.Sub(m.stoodStill)
	case m.resumedAt.After(m.returnedAt) && !m.returnedAt.IsZero():
		downtime += m.resumedAt.Sub(m.returnedAt)
	}
	return total, downtime
}
