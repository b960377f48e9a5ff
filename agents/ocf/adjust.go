package ocf

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

var _ agents.Adjuster = (*Agent)(nil)

// Adjust takes a changed declaration of a running service in, as far as nothing
// has to be stopped or started for it: parameters that the agents change in place,
// limits, checks and what a failure means.
func (a *Agent) Adjust(ctx context.Context, spec resources.Spec) (string, error) {
	s, release, err := a.take(ctx, spec, false)
	if err != nil {
		return "", err
	}
	defer release()
	if s.record == nil || s.record.Definition == spec.Definition || observe(s).Condition != agents.Running {
		return "", nil
	}
	change := resources.Delta(s.record.Tree, spec.Tree, func(kind, parameter string) bool { return a.reloadable(ctx, kind, parameter) })
	if len(change.Stop)+len(change.Start) > 0 {
		return "", fmt.Errorf("%d of its resources change in a way that needs a restart: %w (clusvcadm -R %s)", len(change.Stop)+len(change.Start), agents.ErrNextStart, spec.Name)
	}
	var failures []error
	var done []string
	for _, p := range change.Reload {
		if s.record.Parts[p.Path].State != up {
			continue // it starts with the new parameters
		}
		if verdict := a.act(ctx, s, p, dialect.Reload); verdict.Outcome != dialect.OK {
			failures = append(failures, fmt.Errorf("%s could not be changed in place: %s", p.Resource.Label(), verdict.Why))
			continue
		}
		done = append(done, p.Resource.Label()+" changed in place")
	}
	if len(failures) > 0 {
		// Some have the new parameters and some the old. The check of what does not
		// work any more finds it.
		return words(done), errors.Join(append(failures, a.records.store(s.record))...)
	}
	s.record.Tree, s.record.Definition, s.record.Disks = spec.Tree, spec.Definition, spec.Disks
	if err := a.records.store(s.record); err != nil {
		return words(done), err
	}
	a.checks.plan(s)
	return words(append(done, "limits and checks are as declared")), nil
}

// reloadable tells whether an agent changes a parameter in place.
func (a *Agent) reloadable(ctx context.Context, kind, parameter string) bool {
	agent, err := a.catalogue.Find(ctx, kind)
	if err != nil {
		return false
	}
	known, there := agent.Meta.Parameter(parameter)
	return there && known.Reloadable && slices.ContainsFunc([]string{"reload-agent", "reconfig"}, agent.Meta.Has)
}
