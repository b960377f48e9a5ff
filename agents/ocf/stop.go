package ocf

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// Stop stops the resources, the last started first. What does not stop in time
// is killed with all processes of the service, and then stopped once more.
func (a *Agent) Stop(ctx context.Context, stop agents.Act) agents.Result {
	spec := stop.Spec.WithDefaults()
	s, release, err := a.take(ctx, spec, true)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: err.Error()}
	}
	defer release()
	a.checks.forget(s)
	if left := a.endCalls(ctx, s); len(left) > 0 {
		return agents.Result{Source: agents.Unknown, Why: notEnded(left)}
	}
	if s.record == nil {
		if seen := a.probe(ctx, s, spec); s.record == nil {
			return agents.Result{OK: seen.Condition == agents.Absent, Source: seen.Condition, Why: seen.Evidence}
		}
	}
	s.record.Stage = stopping
	if why := a.lowerInTime(ctx, s, spec, stop.Kill); why != "" {
		_ = a.records.store(s.record)
		a.tell(s, observe(s))
		return agents.Result{Source: a.condition(s), Why: why}
	}
	a.forget(s)
	return agents.Result{OK: true, Source: agents.Absent, Why: "every resource is stopped",
		Phases: []agents.Phase{{What: "stopped", At: time.Now()}}}
}

// lowerInTime stops everything: first in peace, unless it is to be killed, then
// after all processes of the service were ended.
func (a *Agent) lowerInTime(ctx context.Context, s *service, spec resources.Spec, kill bool) string {
	var why string
	if !kill {
		peace, cancel := context.WithTimeout(ctx, spec.StopTimeout)
		why = a.lower(peace, s, "")
		cancel()
		if why == "" || ctx.Err() != nil {
			return why
		}
		a.options.Logger.Warn("a service does not stop; its processes are killed and it is stopped once more", "service",
			s.name, "why", why)
	}
	hard, cancel := context.WithTimeout(ctx, spec.DestroyTimeout)
	defer cancel()
	a.places.Clear(s.home(), lastGasp)
	if left := a.endCalls(hard, s); len(left) > 0 {
		return notEnded(left)
	}
	return a.lower(hard, s, "")
}

// lower stops the resources at a path and below it; all of them for "". It
// returns why not all are proven to have stopped, or nothing.
func (a *Agent) lower(ctx context.Context, s *service, top string) string {
	return a.lowerThese(ctx, s, func(path string) bool { return top == "" || resources.Below(path, top) })
}

// lowerThese stops some of the resources. Whoever chooses one chooses all below it.
func (a *Agent) lowerThese(ctx context.Context, s *service, chosen func(path string) bool) string {
	var failed []string
	var stuck []string
	for _, p := range s.record.left() {
		if !chosen(p.Path) {
			continue
		}
		if holds(stuck, p.Path) {
			continue // something that depends on it may still be there
		}
		if why := a.drop(ctx, s, p); why != "" {
			s.record.set(p.Path, uncertain, why)
			stuck, failed = append(stuck, p.Path), append(failed, joinWords(p.Resource.Label(), why))
			continue
		}
		delete(s.record.Parts, p.Path)
		if p.Resource.Shared {
			a.users.remove(p.Resource.Label(), s.uuid)
			a.places.Remove(home(s, p.Resource)) // as long as it has other users it is not empty
		}
	}
	return strings.Join(failed, "; ")
}

func holds(stuck []string, path string) bool {
	for _, lower := range stuck {
		if resources.Below(lower, path) {
			return true
		}
	}
	return false
}

// drop stops one resource. It returns why that is not proven, or nothing.
func (a *Agent) drop(ctx context.Context, s *service, p resources.Placed) string {
	if p.Resource.Shared {
		defer a.users.lock(p.Resource.Label())()
		if a.users.others(p.Resource.Label(), s.uuid) > 0 {
			return "" // somebody else's still
		}
	}
	verdict := a.act(ctx, s, p, dialect.Stop)
	if verdict.Outcome == dialect.OK {
		return ""
	}
	if open := a.openCalls(s); len(open) > 0 {
		return notEnded(open)
	}
	if verdict.Lacks && s.record.Parts[p.Path].Lacked {
		return "" // it could not start for want of something, and it still wants it
	}
	if ctx.Err() != nil {
		return "its stop did not end in time"
	}
	// Not stopping is one thing, and not being there another.
	if found := a.check(ctx, p.Resource, resources.ResourceCheck{}, 0, false); found.Outcome == dialect.NotRunning {
		return ""
	}
	return "its stop failed: " + verdict.Why
}

// endCalls kills programs that were begun for the service and have not ended,
// and returns those that do not die.
func (a *Agent) endCalls(ctx context.Context, s *service) []openCall {
	open := a.openCalls(s)
	for _, c := range open {
		c.Group.Kill()
	}
	for _, c := range open {
		if c.Group.PID != 0 {
			staysAlive(ctx, c.Group)
		}
	}
	return a.openCalls(s)
}

// forget removes the record: the service is proven not to be here.
func (a *Agent) forget(s *service) {
	a.checks.forget(s)
	if s.record != nil {
		a.places.Remove(s.home())
	}
	s.record = nil
	if err := a.records.remove(s.uuid); err != nil {
		a.options.Logger.Error("the record of a stopped service stays; the next daemon looks for its resources again",
			"service", s.name, "why", err)
	}
	s.mu.Lock()
	s.told = agents.Observation{Condition: agents.Absent}
	s.mu.Unlock()
}

// condition is what a service is that was neither raised nor lowered whole.
func (a *Agent) condition(s *service) agents.Condition {
	if len(a.openCalls(s)) > 0 {
		return agents.Unknown
	}
	return observe(s).Condition
}

func notEnded(open []openCall) string {
	c := open[0]
	return fmt.Sprintf("the %s of %s (process %d) has not ended; nothing is known until it has", c.Action, c.Path,
		c.Group.PID)
}

func words(list []string) string { return strings.Join(list, ", ") }
