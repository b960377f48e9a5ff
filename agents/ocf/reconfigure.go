package ocf

import (
	"context"
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// Reconfigure takes a changed declaration of a running service in: what the delta
// of the trees names is stopped, changed in place or started, in their order, and
// nothing else. Before anything is done it is asked whether all agents are here.
func (a *Agent) Reconfigure(ctx context.Context, change agents.Act) agents.Result {
	tree, err := committed(change)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: err.Error()}
	}
	s, release, err := a.take(ctx, change.Spec, true)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: err.Error()}
	}
	defer release()
	if s.record == nil {
		return agents.Result{Source: agents.Unknown, Why: change.Spec.Name + " was not started here"}
	}
	seen := a.inspect(ctx, s)
	switch {
	case seen.Condition != agents.Running:
		return agents.Result{Source: seen.Condition, Why: seen.Reason}
	case s.record.Definition == change.Spec.Definition:
		return agents.Result{OK: true, Source: seen.Condition, Why: "it is as declared already"}
	}
	delta := resources.Delta(s.record.Tree, tree,
		func(kind, parameter string) bool { return a.reloadable(ctx, kind, parameter) })
	if why := a.unready(ctx, delta); why != "" {
		return agents.Result{Source: agents.Running, Why: "nothing was changed: " + why}
	}
	if err := wanted(change); err != nil {
		return agents.Result{Source: agents.Running, Why: "not begun: " + err.Error()}
	}
	done, why := a.carryOver(ctx, s, change, tree, delta)
	if why != "" {
		_ = a.records.store(s.record)
		a.tell(s, observe(s))
		return agents.Result{Source: a.condition(s), Why: why}
	}
	a.checks.plan(s)
	a.tell(s, observe(s))
	return agents.Result{OK: true, Source: agents.Running, Why: done}
}

// unready says why a delta cannot even be begun.
func (a *Agent) unready(ctx context.Context, delta resources.Change) string {
	for _, p := range append(append([]resources.Placed(nil), delta.Reload...), delta.Start...) {
		if _, err := a.catalogue.Find(ctx, p.Resource.Type); err != nil {
			return joinWords(p.Resource.Label(), err.Error())
		}
	}
	return ""
}

// carryOver makes the service what the new tree says. It returns what was done, or
// why the service is broken: then every part that is neither is uncertain, or the
// record's stage says that a start was broken off.
func (a *Agent) carryOver(ctx context.Context, s *service, change agents.Act, tree []resources.Resource,
	delta resources.Change) (done, why string) {
	a.checks.forget(s)
	spec := change.Spec.WithDefaults()
	// One that ends in the middle, with the daemon, was neither the one nor the other.
	if len(delta.Stop)+len(delta.Start) > 0 {
		s.record.Stage = starting
	}
	if err := a.records.store(s.record); err != nil {
		s.record.Stage = started
		return "", err.Error()
	}
	if why := a.letGo(ctx, s, spec, delta.Stop); why != "" {
		return "", why
	}
	s.record.Tree, s.record.Definition, s.record.Disks = tree, spec.Definition, resources.TreeDisks(tree)
	bounded, cancel := context.WithTimeout(ctx, spec.StartTimeout)
	defer cancel()
	inPlace := 0
	for _, p := range delta.Reload {
		if s.record.Parts[p.Path].State != up {
			continue // it starts with the new parameters
		}
		verdict := a.act(bounded, s, p, dialect.Reload)
		if verdict.Outcome == dialect.OK {
			inPlace++
			continue
		}
		// It has the old parameters, or the new ones, or both.
		a.options.Logger.Warn("a resource could not be changed in place and is restarted", "service", s.name, "resource",
			p.Resource.Label(), "why", verdict.Why)
		s.record.Stage = starting
		if why := a.lower(bounded, s, p.Path); why != "" {
			return "", joinWords(p.Resource.Label()+" could not be changed in place ("+verdict.Why+") and not be stopped", why)
		}
		delta.Start = append(delta.Start, p)
	}
	if _, err := a.raise(bounded, s, func() error { return wanted(change) }); err != nil {
		s.record.Stage = starting
		return "", err.Error()
	}
	s.record.Stage = started
	if err := a.records.store(s.record); err != nil {
		return "", err.Error()
	}
	return carriedOver(delta, inPlace, s.record.partial()), ""
}

// letGo stops what the new tree does not have, or has otherwise.
func (a *Agent) letGo(ctx context.Context, s *service, spec resources.Spec, stop []resources.Placed) string {
	chosen := map[string]bool{}
	for _, p := range stop {
		chosen[p.Path] = true
	}
	bounded, cancel := context.WithTimeout(ctx, spec.StopTimeout)
	defer cancel()
	if why := a.lowerThese(bounded, s, func(path string) bool { return chosen[path] }); why != "" {
		return "what is no longer declared could not be stopped: " + why
	}
	for path := range chosen {
		delete(s.record.Parts, path) // also what was left down
	}
	return ""
}

func carriedOver(delta resources.Change, inPlace int, down []string) string {
	var words []string
	count := func(number int, what string) {
		if number > 0 {
			words = append(words, fmt.Sprintf("%d %s", number, what))
		}
	}
	count(len(delta.Stop), "stopped")
	count(len(delta.Start), "started")
	count(inPlace, "changed in place")
	if len(words) == 0 {
		words = append(words, "limits and checks")
	}
	if len(down) > 0 {
		words = append(words, "left down: "+strings.Join(down, ", "))
	}
	return strings.Join(words, ", ")
}

// reloadable reports whether an agent changes a parameter in place.
func (a *Agent) reloadable(ctx context.Context, kind, parameter string) bool {
	agent, err := a.catalogue.Find(ctx, kind)
	if err != nil {
		return false
	}
	known, there := agent.Meta.Parameter(parameter)
	return there && known.Reloadable && (agent.Meta.Has("reload-agent") || agent.Meta.Has("reconfig"))
}
