package ocf

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

// act runs a start, stop, recover or reload of one resource. It is written down
// before it begins and stays so until it is known to have ended.
func (a *Agent) act(ctx context.Context, s *service, p resources.Placed, action dialect.Action) dialect.Verdict {
	agent, err := a.catalogue.Find(ctx, p.Resource.Type)
	if err != nil {
		return dialect.Verdict{Outcome: dialect.Failed, Why: err.Error()}
	}
	resource, hide, err := a.opened(p.Resource)
	if err != nil {
		return dialect.Verdict{Outcome: dialect.Failed, Why: err.Error()}
	}
	request := dialect.Request{
		Resource: resource, Action: action, Node: a.options.Node,
		Timeout: agent.Limit(p.Resource, action, resources.ResourceCheck{}),
	}
	if p.Resource.Shared {
		request.Users = a.users.others(p.Resource.Label(), s.uuid)
	}
	if caller, calls := agent.Caller(); calls {
		return hide.verdict(a.call(ctx, s, p, caller, request))
	}
	command, has := agent.Program(request)
	if !has {
		return dialect.Verdict{Outcome: dialect.Failed, Why: "the agent has no action " + string(action)}
	}
	call := openCall{Action: string(action), Path: p.Path, Mark: rand.Text()}
	command.Environment = append(command.Environment, markName+"="+call.Mark)
	command.Outlives = true
	if action != dialect.Stop {
		place, err := a.places.Open(home(s, p.Resource))
		if err != nil {
			return dialect.Verdict{Outcome: dialect.Failed, Why: err.Error()}
		}
		defer place.Close()
		command.Place = place
	}
	number := len(s.record.Calls)
	s.record.Calls = append(s.record.Calls, call)
	if err := a.records.store(s.record); err != nil {
		s.record.Calls = s.record.Calls[:number]
		return dialect.Verdict{Outcome: dialect.Failed, Why: err.Error()}
	}
	command.Begun = func(group program.Group) {
		s.record.Calls[number].Group = group
		// Unwritten, it is looked for by its mark.
		_ = a.records.store(s.record)
	}
	ended := program.Run(ctx, command)
	// What ended by itself may leave children behind: they are the service. What
	// was killed, or left to itself, is not over before its group is gone.
	if !ended.Left && !(ended.Overran && staysAlive(ctx, ended.Group)) {
		s.record.Calls = s.record.Calls[:number]
	}
	verdict := hide.verdict(agent.Judge(request, hide.ended(ended)))
	a.options.Logger.Debug("agent ran", "service", s.name, "resource", p.Resource.Label(), "action", string(action),
		"code", ended.Code, "why", verdict.Why)
	return verdict
}

// call has an act carried out by who needs no program. Where it is broken off
// nothing is written down: such a caller never takes what is still under way for
// an answer, and its stop comes after whatever was asked before.
func (a *Agent) call(ctx context.Context, s *service, p resources.Placed, caller dialect.Caller,
	request dialect.Request) dialect.Verdict {
	if err := a.records.store(s.record); err != nil {
		return dialect.Verdict{Outcome: dialect.Failed, Why: err.Error()}
	}
	verdict := caller.Do(ctx, request)
	a.options.Logger.Debug("agent was called", "service", s.name, "resource", p.Resource.Label(), "action",
		string(request.Action), "why", verdict.Why)
	return verdict
}

// home is the control group in which a resource's processes live. A shared one has
// its own: it must not die with the service that happened to start it.
func home(s *service, r resources.Resource) program.Home {
	if r.Shared {
		return program.Home{Key: "shared-" + resources.ServiceUUID(r.Label()), Title: r.Label()}
	}
	return s.home()
}

func (s *service) home() program.Home { return program.Home{Key: s.uuid, Title: s.name} }

// staysAlive gives a killed group a moment to end, and reports whether it did not.
func staysAlive(ctx context.Context, group program.Group) (alive bool) {
	for end := time.Now().Add(lastGasp); group.Alive(); {
		if time.Now().After(end) {
			return true
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return group.Alive()
		}
	}
	return false
}

const lastGasp = 2 * time.Second

// check asks one resource whether it runs. A probe asks one that may well not
// be here.
func (a *Agent) check(ctx context.Context, r resources.Resource, what resources.ResourceCheck, limit time.Duration,
	probe bool) dialect.Verdict {
	agent, err := a.catalogue.Find(ctx, r.Type)
	switch {
	case err != nil && probe && errors.Is(err, dialect.ErrNotInstalled):
		return dialect.Verdict{Outcome: dialect.NotRunning, Why: err.Error()}
	case err != nil && probe:
		return dialect.Verdict{Why: err.Error()}
	case err != nil:
		return dialect.Verdict{Outcome: dialect.Failed, Why: err.Error()}
	}
	opened, hide, err := a.opened(r)
	if err != nil {
		return dialect.Verdict{Unasked: true, Why: err.Error()}
	}
	request := dialect.Request{Resource: opened, Action: dialect.Check, Depth: what.Depth, Interval: what.Interval,
		Node: a.options.Node, Probe: probe, Timeout: agent.Limit(r, dialect.Check, what)}
	if limit > 0 {
		request.Timeout = min(request.Timeout, limit)
	}
	release, err := a.slot(ctx)
	if err != nil {
		return dialect.Verdict{Unasked: true, Why: err.Error()}
	}
	defer release()
	if caller, calls := agent.Caller(); calls {
		return hide.verdict(caller.Do(ctx, request))
	}
	command, _ := agent.Program(request)
	return hide.verdict(agent.Judge(request, hide.ended(program.Run(ctx, command))))
}

// openCalls drops the programs that have ended and returns the others.
func (a *Agent) openCalls(s *service) []openCall {
	if s.record == nil {
		return nil
	}
	var open []openCall
	for _, c := range s.record.Calls {
		if c.alive() {
			open = append(open, c)
		}
	}
	s.record.Calls = open
	return open
}

// prepare makes what agents expect of a system.
func (a *Agent) prepare() {
	_ = os.MkdirAll(a.options.Folders.Scratch, 0o755) // agents say themselves what they miss
}
