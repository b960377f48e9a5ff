package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/resources"
)

// Limits of the executor.
const (
	// actsAtOnce bounds the starts and stops that run at the same time, and
	// movesAtOnce the migrations, which take long and share one network. Looks and
	// fences wait for nobody.
	actsAtOnce  = cluster.ActsAtOnce
	movesAtOnce = cluster.MovesAtOnce
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
	// margin is what an act may take beyond the budgets of its Spec.
	margin = cluster.ActMargin
)

// hands carries duties out: in parallel across services, one after another for
// one service, each with a deadline.
type hands struct {
	daemon *Daemon
	slots  chan struct{}
	moves  chan struct{}

	mu       sync.Mutex
	lanes    map[string][]cluster.Duty
	progress map[string]agents.Progress
}

func newHands(d *Daemon) *hands {
	return &hands{daemon: d, slots: make(chan struct{}, actsAtOnce), moves: make(chan struct{}, movesAtOnce),
		lanes: map[string][]cluster.Duty{}, progress: map[string]agents.Progress{}}
}

// take queues a duty in the lane of its service or fenced node. A lane is
// bounded by the mind, which hands each act out once.
func (h *hands) take(ctx context.Context, duty cluster.Duty) {
	lane := duty.Lane()
	h.mu.Lock()
	queue, running := h.lanes[lane]
	h.lanes[lane] = append(queue, duty)
	h.mu.Unlock()
	if !running {
		h.daemon.work.Go(func() { h.run(ctx, lane) })
	}
}

// run works a lane off.
func (h *hands) run(ctx context.Context, lane string) {
	for {
		h.mu.Lock()
		queue := h.lanes[lane]
		if len(queue) == 0 || ctx.Err() != nil {
			delete(h.lanes, lane)
			h.mu.Unlock()
			return
		}
		duty := queue[0]
		h.lanes[lane] = queue[1:]
		h.mu.Unlock()
		release := h.slot(ctx, duty.Kind)
		result, ended := h.carryOut(ctx, duty)
		release()
		if ended {
			h.daemon.box.add(func(in *mind.Input) { in.Results = append(in.Results, result) })
		}
	}
}

// slot waits for a free place, and returns how to give it back.
func (h *hands) slot(ctx context.Context, kind cluster.DutyKind) (release func()) {
	places := h.slots
	switch kind {
	case cluster.DutyLook, cluster.DutyFence, cluster.DutyPowerOn, cluster.DutyPause, cluster.DutyResume,
		cluster.DutyCancel:
		return func() {}
	case cluster.DutyMigrate:
		places = h.moves
	}
	select {
	case places <- struct{}{}:
		return func() { <-places }
	case <-ctx.Done():
		return func() {}
	}
}

// carryOut does one duty. It reports whether there is a result: a daemon that is
// stopping has none, its next incarnation looks what became of the act.
func (h *hands) carryOut(ctx context.Context, duty cluster.Duty) (mind.DutyResult, bool) {
	result := mind.DutyResult{Duty: duty}
	if duty.Kind == cluster.DutyLook {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		result.Observation = h.daemon.agent.Look(ctx, duty.Spec)
		return result, true
	}
	wanted := func() error { return cluster.StillWanted(h.daemon.replica.Root(), h.daemon.name, duty) }
	if err := wanted(); err != nil {
		// Nothing was done. What is there is for a look to say.
		h.daemon.logger.Info("an act is no longer wanted", "act", duty.Act, "kind", string(duty.Kind), "service",
			duty.Service, "why", err)
		result.Result = resources.Result{Source: resources.Unknown, Why: err.Error()}
		result.Fence = fence.Result{Outcome: fence.Unknown, Evidence: []string{"not begun: " + err.Error()}}
		return result, true
	}
	h.daemon.logger.Info("act begins", "act", duty.Act, "kind", string(duty.Kind), "service", duty.Service, "node",
		duty.Node, "target", duty.Target)
	switch duty.Kind {
	case cluster.DutyFence:
		result.Fence = h.daemon.fence(ctx, duty, func(ctx context.Context) error { return h.daemon.stillWanted(ctx, wanted) })
	case cluster.DutyPowerOn:
		result.Fence = h.daemon.powerOn(ctx, duty.Devices)
	default:
		result.Result = h.act(ctx, duty, wanted)
	}
	h.daemon.logger.Info("act ended", "act", duty.Act, "kind", string(duty.Kind), "service", duty.Service, "ok",
		result.Result.OK, "why", result.Result.Why)
	return result, ctx.Err() == nil
}

func (h *hands) act(ctx context.Context, duty cluster.Duty, wanted func() error) resources.Result {
	agent, spec := h.daemon.agent, duty.Spec.WithDefaults()
	bounded := func(limit time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, limit+margin)
	}
	switch duty.Kind {
	case cluster.DutyStart:
		ctx, cancel := bounded(spec.StartTimeout)
		defer cancel()
		return agent.Start(ctx, agents.Start{Act: duty.Act, Spec: spec, Definition: duty.Definition, StillWanted: wanted})
	case cluster.DutyStop:
		ctx, cancel := bounded(spec.StopTimeout + spec.DestroyTimeout)
		defer cancel()
		return agent.Stop(ctx, agents.Stop{Act: duty.Act, Spec: spec, Kill: duty.Kill})
	case cluster.DutyMigrate:
		ctx, cancel := bounded(spec.MigrateTimeout)
		defer cancel()
		defer h.setProgress(duty.Service, nil)
		return agent.Migrate(ctx, agents.Migrate{Act: duty.Act, Spec: spec, Target: duty.Target, StillWanted: wanted,
			Progress: func(p agents.Progress) { h.setProgress(duty.Service, &p) }})
	case cluster.DutyResume:
		ctx, cancel := bounded(0)
		defer cancel()
		return agent.Resume(ctx, spec)
	case cluster.DutyPause:
		ctx, cancel := bounded(0)
		defer cancel()
		return agent.Pause(ctx, spec)
	case cluster.DutyCancel:
		ctx, cancel := bounded(0)
		defer cancel()
		if able, is := agent.(agents.Canceler); is {
			return able.CancelMigration(ctx, spec)
		}
		return resources.Result{Source: resources.Unknown, Why: "what runs " + spec.Name + " cannot give a migration up"}
	case cluster.DutyReconfigure:
		ctx, cancel := bounded(spec.StopTimeout + spec.StartTimeout)
		defer cancel()
		if able, is := agent.(agents.Reconfigurer); is {
			return able.Reconfigure(ctx, agents.Start{Act: duty.Act, Spec: spec, Definition: duty.Definition,
				StillWanted: wanted})
		}
		return resources.Result{Source: resources.Unknown, Why: "what runs " + spec.Name + " cannot change it while it runs"}
	case cluster.DutyConvalesce:
		ctx, cancel := bounded(spec.StartTimeout)
		defer cancel()
		if able, is := agent.(agents.Convalescer); is {
			return able.Convalesce(ctx, spec)
		}
		return resources.Result{Source: resources.Unknown, Why: "what runs " + spec.Name + " cannot start parts of a service"}
	}
	return resources.Result{Source: resources.Unknown, Why: "no hand for duty " + string(duty.Kind)}
}

func (h *hands) setProgress(service string, p *agents.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p == nil {
		delete(h.progress, service)
		return
	}
	h.progress[service] = *p
}

// moving is how far the migrations are that this node carries out, by service.
func (h *hands) moving() map[string]*api.Progress {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make(map[string]*api.Progress, len(h.progress))
	for service, p := range h.progress {
		list[service] = &api.Progress{Phase: p.Phase, BytesTotal: p.BytesTotal, BytesRemaining: p.BytesRemaining,
			BytesPerSecond: p.BytesPerSecond, Elapsed: p.Elapsed, TimeLeft: p.TimeLeft}
	}
	return list
}
