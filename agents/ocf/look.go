package ocf

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// Look answers for one service.
func (a *Agent) Look(ctx context.Context, spec resources.Spec) agents.Observation {
	s, release, err := a.take(ctx, spec, false)
	if err != nil {
		return unknown(spec, err.Error())
	}
	defer release()
	if s.record == nil {
		return a.probe(ctx, s, spec)
	}
	o := a.tell(s, a.inspect(ctx, s))
	o.Mended, s.mended = s.mended, ""
	return o
}

// inspect looks at a service that has a record. What this daemon has checked is
// known; what an earlier one left is checked now.
func (a *Agent) inspect(ctx context.Context, s *service) agents.Observation {
	if open := a.openCalls(s); len(open) > 0 {
		return unknown(resources.Spec{Name: s.name, UUID: s.uuid}, notEnded(open))
	}
	if s.fresh || s.record.Stage != started {
		return observe(s)
	}
	for _, p := range s.record.left() {
		if s.record.Parts[p.Path].State != up {
			continue
		}
		verdict := a.check(ctx, p.Resource, resources.ResourceCheck{}, soon, false)
		switch verdict.Outcome {
		case dialect.OK:
		case dialect.Unknown:
			return unknown(resources.Spec{Name: s.name, UUID: s.uuid}, joinWords(p.Resource.Label(), verdict.Why))
		default:
			if _, mends := subtreeOf(s.record.Tree, p.Path, resources.Independent, resources.NonCritical); !mends {
				s.record.set(p.Path, uncertain, verdict.Why)
			} // else the checks that begin now find it, and mend it
		}
	}
	s.fresh = true
	if _, broken := s.record.broken(); !broken {
		a.checks.plan(s)
	}
	return observe(s)
}

// observe says what the record shows.
func observe(s *service) agents.Observation {
	r := s.record
	o := agents.Observation{Service: s.name, UUID: s.uuid, Title: s.name, Condition: agents.Running, Disks: r.Disks,
		Evidence: "its checks are good"}
	if left := r.partial(); len(left) > 0 {
		o.Partial, o.Reason = true, "left down: "+words(left)
	}
	why, broken := r.broken()
	switch {
	case broken:
		o.Condition, o.Reason = agents.Broken, why
	case r.Stage == starting:
		o.Condition, o.Reason = agents.Broken, "its start was broken off"
	case r.Stage == stopping:
		o.Condition, o.Reason = agents.Broken, "its stop was broken off"
	}
	if o.Condition == agents.Broken {
		o.Evidence = o.Reason
	}
	return o
}

// probe looks for a service that was not started here on this boot, as far as
// anybody wrote down. Found running whole it is taken in; found in parts it has to
// be stopped before it can run.
func (a *Agent) probe(ctx context.Context, s *service, spec resources.Spec) agents.Observation {
	begun := time.Now()
	a.prepare()
	found := map[string]part{}
	order := resources.StartOrder(spec.Tree)
	for _, p := range order {
		verdict := a.check(ctx, p.Resource, resources.ResourceCheck{}, soon, true)
		switch verdict.Outcome {
		case dialect.NotRunning:
		case dialect.OK:
			// A shared resource may be here for another service of this node.
			if !p.Resource.Shared || a.users.others(p.Resource.Label(), s.uuid) == 0 {
				found[p.Path] = part{State: up}
			}
		default:
			return unknown(spec, "it is not known whether "+p.Resource.Label()+" runs here: "+verdict.Why)
		}
	}
	if len(found) == 0 {
		evidence := fmt.Sprintf("none of its %d resources runs here", len(order))
		return agents.Observation{Service: spec.Name, UUID: spec.UUID, Condition: agents.Absent, Evidence: evidence}
	}
	s.record = &record{
		Boot: a.options.Boot, Service: spec.Name, UUID: spec.UUID, Definition: spec.Definition, Stage: started,
		Tree: spec.Tree, Disks: spec.Disks, Parts: found,
	}
	s.fresh = true
	for _, p := range order {
		if _, runs := found[p.Path]; runs && p.Resource.Shared {
			a.users.add(p.Resource.Label(), s.uuid)
		}
		if _, runs := found[p.Path]; !runs {
			s.record.Stage = starting
		}
	}
	if err := a.records.store(s.record); err != nil {
		a.options.Logger.Error("a service that was found running could not be written down", "service", s.name, "why", err)
	}
	if s.record.Stage == started {
		a.checks.plan(s)
	}
	a.options.Logger.Info("found a service that was not started by this node's daemon", "service", s.name, "resources",
		len(found), "took", time.Since(begun))
	o := observe(s)
	if o.Condition == agents.Broken {
		o.Reason = fmt.Sprintf("%d of its %d resources run here, and nobody started them", len(found), len(order))
		o.Evidence = o.Reason
	}
	return a.tell(s, o)
}
