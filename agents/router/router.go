// Package router makes one agent of several: each service goes to the one for
// its kind.
package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// Router is an agent for services of several kinds.
type Router struct {
	by      map[string]agents.Agent
	kinds   []string
	changes chan agents.Observation
	done    sync.WaitGroup
	quit    chan struct{}
	once    sync.Once
}

var (
	_ agents.Agent     = (*Router)(nil)
	_ agents.Answering = (*Router)(nil)
	_ agents.Awaiting  = (*Router)(nil)
	_ agents.Revealing = (*Router)(nil)

	_ agents.Foreseeing = (*Router)(nil)
)

// New makes a router; by has an agent for each kind.
func New(by map[string]agents.Agent) *Router {
	r := &Router{by: by, changes: make(chan agents.Observation), quit: make(chan struct{})}
	for kind := range by {
		r.kinds = append(r.kinds, kind)
	}
	slices.Sort(r.kinds)
	for _, kind := range r.kinds {
		r.done.Go(func() { r.pass(by[kind].Changes()) })
	}
	go func() {
		r.done.Wait()
		close(r.changes)
	}()
	return r
}

// RevealBy hands it to those whose programs need it.
func (r *Router) RevealBy(reveal agents.Reveal) {
	for _, agent := range r.by {
		if able, is := agent.(agents.Revealing); is {
			able.RevealBy(reveal)
		}
	}
}

// Of returns the agent for a kind, nil if there is none.
func (r *Router) Of(kind string) agents.Agent { return r.by[kind] }

// pass hands on what one agent tells. The agents keep the newest of each service
// until it is taken, so nothing has to be kept here.
func (r *Router) pass(from <-chan agents.Observation) {
	for {
		select {
		case o, open := <-from:
			if !open {
				return
			}
			select {
			case r.changes <- o:
			case <-r.quit:
				return
			}
		case <-r.quit:
			return
		}
	}
}

func (r *Router) agent(spec resources.Spec) (agents.Agent, string) {
	agent, known := r.by[spec.Kind()]
	if !known {
		return nil, fmt.Sprintf("this node has no hands for services of type %q", spec.Kind())
	}
	return agent, ""
}

// Answers asks the agent of VMs, which is the only one with a hypervisor.
func (r *Router) Answers(ctx context.Context) error {
	if agent, able := r.by[resources.KindVM].(agents.Answering); able {
		return agent.Answers(ctx)
	}
	return nil
}

// AwaitCalls waits for the agent of VMs, whose hypervisor alone goes on after a call.
func (r *Router) AwaitCalls(ctx context.Context, uuid string) {
	if agent, able := r.by[resources.KindVM].(agents.Awaiting); able {
		agent.AwaitCalls(ctx, uuid)
	}
}

// Foresee asks the agent of the service, if it can tell.
func (r *Router) Foresee(ctx context.Context, act agents.Act) (agents.Forecast, error) {
	agent, _ := r.agent(act.Spec)
	if able, is := agent.(agents.Foreseeing); is {
		return able.Foresee(ctx, act)
	}
	return agents.Forecast{}, fmt.Errorf("what runs %s cannot tell what a live move comes to", act.Spec.Name)
}

// Inventory asks all of them. When one does not answer, nothing is known.
func (r *Router) Inventory(ctx context.Context) ([]agents.Observation, error) {
	var all []agents.Observation
	for _, kind := range r.kinds {
		found, err := r.by[kind].Inventory(ctx)
		if err != nil {
			return nil, fmt.Errorf("services of type %s: %w", kind, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// Look asks the one for the service's kind.
func (r *Router) Look(ctx context.Context, spec resources.Spec) agents.Observation {
	agent, why := r.agent(spec)
	if agent == nil {
		return agents.Observation{Service: spec.Name, UUID: spec.UUID, Condition: agents.Unknown, Reason: why, Evidence: why}
	}
	return agent.Look(ctx, spec)
}

// Do goes to the one for the service's kind.
func (r *Router) Do(ctx context.Context, act agents.Act) agents.Result {
	agent, why := r.agent(act.Spec)
	if agent == nil {
		return agents.Refuse(act, why)
	}
	return agent.Do(ctx, act)
}

// Changes delivers what any of them tells.
func (r *Router) Changes() <-chan agents.Observation { return r.changes }

// Close closes all of them.
func (r *Router) Close() error {
	r.once.Do(func() { close(r.quit) })
	var failures []error
	for _, kind := range r.kinds {
		failures = append(failures, r.by[kind].Close())
	}
	r.done.Wait()
	return errors.Join(failures...)
}
