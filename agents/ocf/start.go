package ocf

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// Start starts the resources one after another. When one cannot be started and
// the service needs it, all are stopped again.
func (a *Agent) Start(ctx context.Context, start agents.Act) agents.Result {
	tree, err := committed(start)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: err.Error()}
	}
	s, release, err := a.take(ctx, start.Spec, true)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: err.Error()}
	}
	defer release()
	if open := a.openCalls(s); len(open) > 0 {
		return agents.Result{Source: agents.Unknown, Why: notEnded(open)}
	}
	if s.record != nil {
		if result, done := a.startAgain(ctx, s, start); done {
			return result
		}
	}
	if err := wanted(start); err != nil {
		return agents.Result{Source: agents.Unknown, Why: "not begun: " + err.Error()}
	}
	a.prepare()
	s.record = &record{
		Boot: a.options.Boot, Service: start.Spec.Name, UUID: start.Spec.UUID, Definition: start.Spec.Definition,
		Stage: starting,
		Tree:  tree, Disks: resources.TreeDisks(tree), Parts: map[string]part{},
	}
	s.fresh = true
	// The margin above this budget is for stopping what was started.
	bounded, cancel := context.WithTimeout(ctx, start.Spec.WithDefaults().StartTimeout)
	defer cancel()
	phases, err := a.raise(bounded, s, func() error { return wanted(start) })
	if err != nil {
		return a.startFailed(ctx, s, err, phases)
	}
	s.record.Stage = started
	if err := a.records.store(s.record); err != nil {
		return a.startFailed(ctx, s, err, phases)
	}
	a.checks.plan(s)
	a.note(s, observe(s))
	result := agents.Result{OK: true, Source: agents.Running,
		Why: fmt.Sprintf("%d resources started", len(s.record.Parts)), Phases: phases}
	if left := s.record.partial(); len(left) > 0 {
		result.Why += ", left down: " + words(left)
	}
	return result
}

// committed is the tree that the log names, and no other.
func committed(start agents.Act) ([]resources.Resource, error) {
	if sum := sha256.Sum256([]byte(start.Definition)); hex.EncodeToString(sum[:]) != start.Spec.Definition {
		return nil, fmt.Errorf("refused: the definition of %s is not the one that was committed", start.Spec.Name)
	}
	return resources.ReadTree(start.Definition)
}

func wanted(start agents.Act) error {
	if start.StillWanted == nil {
		return nil
	}
	if err := start.StillWanted(); err != nil {
		return fmt.Errorf("no longer wanted: %w", err)
	}
	return nil
}

// startAgain begins where an earlier start, or a service that failed, left
// something behind.
func (a *Agent) startAgain(ctx context.Context, s *service, start agents.Act) (agents.Result, bool) {
	if s.record.Stage == started && s.record.Definition == start.Spec.Definition {
		if seen := a.inspect(ctx, s); seen.Condition == agents.Running {
			a.checks.plan(s)
			a.note(s, seen)
			return agents.Result{OK: true, Source: agents.Running, Why: "it was running here already"}, true
		}
	}
	if why := a.lower(ctx, s, ""); why != "" {
		return agents.Result{Source: a.condition(s), Why: "what an earlier start left behind could not be stopped: " + why},
			true
	}
	a.forget(s)
	return agents.Result{}, false
}

// raise starts what the record's tree says and is not up; what was left down stays
// so. An error leaves the record as it is.
func (a *Agent) raise(ctx context.Context, s *service, stillWanted func() error) ([]agents.Phase, error) {
	var phases []agents.Phase
	var skipped []string
	for _, p := range resources.StartOrder(s.record.Tree) {
		switch s.record.Parts[p.Path].State {
		case up:
			continue
		case down:
			skipped = append(skipped, p.Path)
		}
		if under(p.Path, skipped) {
			continue
		}
		if err := stillWanted(); err != nil {
			return phases, err
		}
		verdict := a.bring(ctx, s, p)
		if verdict.Outcome == dialect.OK {
			phases = append(phases, agents.Phase{What: p.Resource.Label() + " started", At: time.Now()})
			continue
		}
		why := joinWords(p.Resource.Label(), verdict.Why)
		root, found := subtreeOf(s.record.Tree, p.Path, resources.NonCritical)
		if !found {
			return phases, fmt.Errorf("%s", why)
		}
		if left := a.lower(ctx, s, root.Path); left != "" {
			return phases, fmt.Errorf("%s; and it could not be stopped again: %s", why, left)
		}
		s.record.set(root.Path, down, verdict.Why)
		skipped = append(skipped, root.Path)
	}
	return phases, nil
}

// bring starts one resource and notes what became of it.
func (a *Agent) bring(ctx context.Context, s *service, p resources.Placed) dialect.Verdict {
	if p.Resource.Shared {
		defer a.users.lock(p.Resource.Label())()
		a.users.add(p.Resource.Label(), s.uuid)
	}
	s.record.set(p.Path, uncertain, "its start has not ended")
	if p.Resource.Shared && a.users.others(p.Resource.Label(), s.uuid) > 0 {
		if verdict := a.check(ctx, p.Resource, resources.ResourceCheck{}, 0, false); verdict.Outcome == dialect.OK {
			s.record.set(p.Path, up, "")
			return verdict
		}
	}
	verdict := a.act(ctx, s, p, dialect.Start)
	if verdict.Outcome == dialect.OK {
		s.record.set(p.Path, up, "")
	} else {
		s.record.set(p.Path, uncertain, "its start failed: "+verdict.Why)
		failed := s.record.Parts[p.Path]
		failed.Lacked = verdict.Lacks
		s.record.Parts[p.Path] = failed
	}
	return verdict
}

// startFailed stops what a start that failed has started. A failed start is
// no stop: what cannot be proven to be gone stays what it is.
func (a *Agent) startFailed(ctx context.Context, s *service, cause error, phases []agents.Phase) agents.Result {
	if ctx.Err() != nil {
		_ = a.records.store(s.record)
		return agents.Result{Source: a.condition(s), Why: cause.Error(), Phases: phases}
	}
	if why := a.lower(ctx, s, ""); why != "" {
		a.tell(s, observe(s))
		return agents.Result{Source: a.condition(s), Why: cause.Error() + "; and not all could be stopped again: " + why,
			Phases: phases}
	}
	a.forget(s)
	return agents.Result{Source: agents.Absent, Why: cause.Error() + "; what had been started was stopped again",
		Phases: phases}
}

// subtreeOf finds the nearest resource, at a path or above it, whose failures
// mean something of their own.
func subtreeOf(tree []resources.Resource, path string, kinds ...resources.Subtree) (resources.Placed, bool) {
	var nearest resources.Placed
	found := false
	for _, p := range resources.StartOrder(tree) {
		for _, kind := range kinds {
			if resources.Below(path, p.Path) && p.Resource.Subtree == kind {
				nearest, found = p, true // later ones lie deeper
			}
		}
	}
	return nearest, found
}

func under(path string, paths []string) bool {
	for _, above := range paths {
		if resources.Below(path, above) {
			return true
		}
	}
	return false
}
