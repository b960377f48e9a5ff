// Package executor has the hands of a node: it carries out the duties that the decision core
// hands out, through the agents and the fence drivers, and asks the fence devices whether they
// could be used. It decides nothing: before each act, and before each packet that changes power,
// it asks whether that is still wanted.
package executor

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/fence"
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

// Options are what an executor stands on. All but Do are required.
type Options struct {
	// Node is this node's name.
	Node   string
	Logger *slog.Logger
	// Agent drives what runs here.
	Agent agents.Agent
	// Do carries an act out; nil has the agent do it.
	Do func(context.Context, agents.Act) agents.Result
	// Driver is the driver of a fence device, with its secrets within reach.
	Driver func(fence.Device) (fence.Driver, error)
	// Root is the newest State that this node has applied.
	Root func() *cluster.State
	// Leading reports whether this node plans.
	Leading func() bool
	// Beats counts what was heard of a node; Test has the others look at it.
	Beats func(node string) uint64
	Test  func(ctx context.Context, node string) cluster.Verdict
	// InTouch asks a majority whether this node's State is the newest. An error says why not.
	InTouch func(ctx context.Context) error
	// Ended takes the end of a duty, Checked what a device answered.
	Ended   func(mind.DutyResult)
	Checked func(cluster.CheckFrom)
	// Go runs what the daemon waits for at its end.
	Go func(func())
}

// Executor carries duties out: in parallel across services, one after another for
// one service, each with a deadline.
type Executor struct {
	options Options
	slots   chan struct{}
	moves   chan struct{}
	// checking is for targets that are asked whether they can take a VM: storage that hangs may hold
	// these up, and must not hold up a start.
	checking chan struct{}
	gates    gates
	checks   checkBook

	mu       sync.Mutex
	lanes    map[string][]cluster.Duty
	progress map[string]agents.Progress
}

// New makes an executor. It does nothing by itself.
func New(options Options) *Executor {
	if options.Do == nil && options.Agent != nil {
		options.Do = options.Agent.Do
	}
	return &Executor{options: options, slots: make(chan struct{}, actsAtOnce), moves: make(chan struct{}, movesAtOnce),
		checking: make(chan struct{}, actsAtOnce),
		lanes:    map[string][]cluster.Duty{}, progress: map[string]agents.Progress{}}
}

// Take queues a duty in the lane of its service or fenced node. A lane is
// bounded by the mind, which hands each act out once.
func (x *Executor) Take(ctx context.Context, duty cluster.Duty) {
	lane := duty.Lane()
	x.mu.Lock()
	queue, running := x.lanes[lane]
	x.lanes[lane] = append(queue, duty)
	x.mu.Unlock()
	if !running {
		x.options.Go(func() { x.run(ctx, lane) })
	}
}

// run works a lane off.
func (x *Executor) run(ctx context.Context, lane string) {
	for {
		x.mu.Lock()
		queue := x.lanes[lane]
		if len(queue) == 0 || ctx.Err() != nil {
			delete(x.lanes, lane)
			x.mu.Unlock()
			return
		}
		duty := queue[0]
		x.lanes[lane] = queue[1:]
		x.mu.Unlock()
		release := x.slot(ctx, duty.Kind)
		result, ended := x.carryOut(ctx, duty)
		release()
		if ended {
			x.options.Ended(result)
		}
	}
}

// slot waits for a free place, and returns how to give it back.
func (x *Executor) slot(ctx context.Context, kind cluster.DutyKind) (release func()) {
	places := x.slots
	switch kind {
	case cluster.DutyLook, cluster.DutyFence, cluster.DutyPowerOn, cluster.DutyPause, cluster.DutyResume,
		cluster.DutyCancel, cluster.DutyTune:
		return func() {}
	case cluster.DutyMigrate:
		places = x.moves
	case cluster.DutyPrepare:
		places = x.checking
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
func (x *Executor) carryOut(ctx context.Context, duty cluster.Duty) (mind.DutyResult, bool) {
	result := mind.DutyResult{Duty: duty}
	if duty.Kind == cluster.DutyLook {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		result.Observation = x.plugged(x.options.Agent.Look(ctx, duty.Spec), duty)
		return result, true
	}
	wanted := func() error { return cluster.StillWanted(x.options.Root(), x.options.Node, duty) }
	if err := wanted(); err != nil {
		// Nothing was done. What is there is for a look to say.
		x.options.Logger.Info("an act is no longer wanted", "act", duty.Act, "kind", string(duty.Kind), "service",
			duty.Service, "why", err)
		result.Result = resources.Result{Source: resources.Unknown, Why: err.Error()}
		result.Fence = fence.Result{Outcome: fence.Unknown, Evidence: []string{"not begun: " + err.Error()}}
		return result, true
	}
	x.options.Logger.Info("act begins", "act", duty.Act, "kind", string(duty.Kind), "service", duty.Service, "node",
		duty.Node, "target", duty.Target)
	switch duty.Kind {
	case cluster.DutyFence:
		result.Fence = x.Fence(ctx, duty, func(ctx context.Context) error { return x.stillWanted(ctx, wanted) })
	case cluster.DutyPowerOn:
		result.Fence = x.PowerOn(ctx, duty.Devices)
	default:
		result.Result = x.act(ctx, duty, wanted)
	}
	x.options.Logger.Info("act ended", "act", duty.Act, "kind", string(duty.Kind), "service", duty.Service, "ok",
		result.Result.OK, "why", result.Result.Why)
	return result, ctx.Err() == nil
}

// plugged adds to what was seen of a VM which of its devices the next start is without: those that
// neither the definition has by which it was started nor the one that is declared now.
func (x *Executor) plugged(seen resources.Observation, duty cluster.Duty) resources.Observation {
	root := x.options.Root()
	service, known := root.Services.Get(duty.Service)
	h, held := service.Holder(x.options.Node)
	here := seen.Condition == resources.Running || seen.Condition == resources.Paused
	if !here || !known || !held || (len(seen.Devices) == 0 && len(h.Plugged) == 0) {
		return seen
	}
	started, has := root.Blobs.Get(h.Definition)
	declared, hasDeclared := root.Blobs.Get(service.Spec.Definition)
	if !has || !hasDeclared {
		return seen
	}
	if names := agents.Plugged(seen.Devices, started, declared); !slices.Equal(names, h.Plugged) {
		seen.Plugged = &resources.Plugged{Names: names}
	}
	return seen
}

// limits are how long an act may take at its agent, by what is declared of the service.
var limits = map[cluster.DutyKind]func(resources.Spec) time.Duration{
	cluster.DutyStart:       func(s resources.Spec) time.Duration { return s.StartTimeout },
	cluster.DutyStop:        func(s resources.Spec) time.Duration { return s.StopTimeout + s.DestroyTimeout },
	cluster.DutyMigrate:     func(s resources.Spec) time.Duration { return s.MigrateTimeout },
	cluster.DutyReconfigure: func(s resources.Spec) time.Duration { return s.StopTimeout + s.StartTimeout },
	cluster.DutyConvalesce:  func(s resources.Spec) time.Duration { return s.StartTimeout },
	cluster.DutyPrepare:     func(resources.Spec) time.Duration { return cluster.PrepareTimeout },
	cluster.DutyResume:      atOnce,
	cluster.DutyPause:       atOnce,
	cluster.DutyCancel:      atOnce,
	cluster.DutyTune:        atOnce,
}

// atOnce is for what only has to be asked of a hypervisor.
func atOnce(resources.Spec) time.Duration { return 0 }

// act has the agent do what the duty says: the kinds of duties about services are its verbs.
func (x *Executor) act(ctx context.Context, duty cluster.Duty, wanted func() error) resources.Result {
	spec := duty.Spec.WithDefaults()
	act := agents.Act{Verb: agents.Verb(duty.Kind), ID: duty.Act, Spec: spec, Definition: duty.Definition,
		Target: duty.Target, Kill: duty.Kill, Part: duty.Part, Move: duty.Move, StillWanted: wanted,
		PostCopy: duty.PostCopy, Stallable: duty.Stallable}
	limit, known := limits[duty.Kind]
	if !known {
		return agents.Refuse(act, "no agent is asked for duty "+string(duty.Kind))
	}
	ctx, cancel := context.WithTimeout(ctx, limit(spec)+margin)
	defer cancel()
	if act.Verb == agents.VerbMigrate {
		act.Progress = func(p agents.Progress) { x.setProgress(duty.Service, &p) }
		defer x.setProgress(duty.Service, nil)
	}
	return x.options.Do(ctx, act)
}

func (x *Executor) setProgress(service string, p *agents.Progress) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p == nil {
		delete(x.progress, service)
		return
	}
	x.progress[service] = *p
}

// Moving is how far the migrations are that this node carries out, by service.
func (x *Executor) Moving() map[string]agents.Progress {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.progress)
}

// Progress is how far the migration of one service is; false where this node carries none out.
func (x *Executor) Progress(service string) (agents.Progress, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, moving := x.progress[service]
	return p, moving
}

// Lanes counts the services and nodes for which a duty waits or is under way.
func (x *Executor) Lanes() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.lanes)
}
