package ocf

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// failed takes in a check that was not good: it is tolerated, the resource
// recovers, its subtree is restarted or left down, or the service is broken. Only
// the last is the cluster's business. The caller holds the service.
func (a *Agent) failed(ctx context.Context, s *service, p resources.Placed, verdict dialect.Verdict) {
	now := time.Now()
	if tolerated(s.record, p, now) {
		a.options.Logger.Warn("a failed check is tolerated", "service", s.name, "resource", p.Resource.Label(), "why",
			verdict.Why)
		_ = a.records.store(s.record)
		return
	}
	a.options.Logger.Warn("a resource failed", "service", s.name, "resource", p.Resource.Label(), "why", verdict.Why)
	if a.recovers(ctx, s, p) {
		_ = a.records.store(s.record)
		return
	}
	root, mends := subtreeOf(s.record.Tree, p.Path, resources.Independent, resources.NonCritical)
	switch {
	case !mends:
		s.record.set(p.Path, uncertain, verdict.Why)
	case mayRestart(s.record, root, now):
		if why := a.restart(ctx, s, root); why == "" {
			s.mended = fmt.Sprintf("%s was restarted in place, restart %d since its start: %s", root.Resource.Label(),
				s.record.Mends, joinWords(p.Resource.Label(), verdict.Why))
		} else {
			a.giveUp(ctx, s, root, joinWords(p.Resource.Label()+" failed ("+verdict.Why+") and its restart failed", why))
		}
	default:
		a.giveUp(ctx, s, root, joinWords(p.Resource.Label()+" failed once too often", verdict.Why))
	}
	_ = a.records.store(s.record)
	if _, broken := s.record.broken(); broken {
		a.checks.forget(s)
	} else {
		a.checks.plan(s)
	}
	o := observe(s)
	o.Mended = s.mended
	a.tell(s, o)
}

// tolerated counts a failed check, and reports whether it is one of those that
// are let pass.
func tolerated(r *record, p resources.Placed, now time.Time) bool {
	if p.Resource.MaxFailures == 0 {
		return false
	}
	mark := r.Parts[p.Path]
	mark.Failures = recent(mark.Failures, now, p.Resource.FailureExpire)
	if len(mark.Failures) >= p.Resource.MaxFailures {
		mark.Failures = nil
		r.Parts[p.Path] = mark
		return false
	}
	mark.Failures = append(mark.Failures, now)
	r.Parts[p.Path] = mark
	return true
}

func recent(times []time.Time, now time.Time, window time.Duration) []time.Time {
	var kept []time.Time
	for _, at := range times {
		if now.Sub(at) <= window {
			kept = append(kept, at)
		}
	}
	return kept
}

// recovers tries the agent's own way to mend a resource, if it has one.
func (a *Agent) recovers(ctx context.Context, s *service, p resources.Placed) bool {
	agent, err := a.catalogue.Find(ctx, p.Resource.Type)
	if err != nil || !agent.Meta.Has(string(dialect.Recover)) {
		return false
	}
	if _, speaks := agent.Program(dialect.Request{Resource: p.Resource, Action: dialect.Recover,
		Timeout: time.Second}); !speaks {
		return false
	}
	verdict := a.act(ctx, s, p, dialect.Recover)
	a.options.Logger.Info("a resource was asked to recover", "service", s.name, "resource", p.Resource.Label(), "ok",
		verdict.Outcome == dialect.OK, "why", verdict.Why)
	return verdict.Outcome == dialect.OK
}

// mayRestart counts a restart of a subtree, and reports whether it is allowed. A
// non-critical subtree without a limit of its own is left down at once, as
// rgmanager did.
func mayRestart(r *record, root resources.Placed, now time.Time) bool {
	if root.Resource.MaxRestarts == 0 {
		return root.Resource.Subtree == resources.Independent
	}
	mark := r.Parts[root.Path]
	mark.Restarts = recent(mark.Restarts, now, root.Resource.RestartExpire)
	may := len(mark.Restarts) < root.Resource.MaxRestarts
	if may {
		mark.Restarts = append(mark.Restarts, now)
	}
	r.Parts[root.Path] = mark
	return may
}

// restart stops a subtree and starts it again. It returns why that failed.
func (a *Agent) restart(ctx context.Context, s *service, root resources.Placed) string {
	counted := s.record.Parts[root.Path].Restarts
	if why := a.lower(ctx, s, root.Path); why != "" {
		return why
	}
	why := a.raiseBelow(ctx, s, root)
	if mark, there := s.record.Parts[root.Path]; there {
		mark.Restarts = counted
		s.record.Parts[root.Path] = mark
	}
	if why == "" {
		s.record.Mends++
		a.options.Logger.Info("a subtree was restarted in place", "service", s.name, "resource", root.Resource.Label(),
			"restarts", s.record.Mends)
	}
	return why
}

// raiseBelow starts what of a subtree is not up.
func (a *Agent) raiseBelow(ctx context.Context, s *service, root resources.Placed) string {
	for _, p := range resources.StartOrder(s.record.Tree) {
		if !resources.Below(p.Path, root.Path) || s.record.Parts[p.Path].State == up {
			continue
		}
		if verdict := a.bring(ctx, s, p); verdict.Outcome != dialect.OK {
			return joinWords(p.Resource.Label(), verdict.Why)
		}
	}
	return ""
}

// giveUp leaves a non-critical subtree down; any other takes the service with it.
func (a *Agent) giveUp(ctx context.Context, s *service, root resources.Placed, why string) {
	if root.Resource.Subtree == resources.NonCritical && a.lower(ctx, s, root.Path) == "" {
		s.record.set(root.Path, down, why)
		a.options.Logger.Warn("a non-critical part is left down", "service", s.name, "resource", root.Resource.Label(),
			"why", why)
		return
	}
	s.record.set(root.Path, uncertain, why)
}

// Convalesce starts what was left down of a partial service.
func (a *Agent) Convalesce(ctx context.Context, spec resources.Spec) agents.Result {
	s, release, err := a.take(ctx, spec, true)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: err.Error()}
	}
	defer release()
	if s.record == nil {
		return agents.Result{Source: agents.Unknown, Why: spec.Name + " was not started here"}
	}
	if seen := a.inspect(ctx, s); seen.Condition != agents.Running {
		return agents.Result{Source: seen.Condition, Why: seen.Reason}
	}
	var failures []string
	for _, p := range resources.StartOrder(s.record.Tree) {
		if s.record.Parts[p.Path].State != down {
			continue
		}
		delete(s.record.Parts, p.Path)
		if why := a.raiseBelow(ctx, s, p); why != "" {
			failures = append(failures, why)
			a.giveUp(ctx, s, p, why)
		}
	}
	_ = a.records.store(s.record)
	a.checks.plan(s)
	seen := a.tell(s, observe(s))
	if len(failures) > 0 {
		return agents.Result{Source: seen.Condition, Why: fmt.Sprintf("not all could be started: %s", words(failures))}
	}
	return agents.Result{OK: true, Source: seen.Condition, Why: "nothing is left down"}
}
