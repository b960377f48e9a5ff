package simulated

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// Options of an Agent; zero durations take defaults that look like the real
// thing.
type Options struct {
	// Dir is the world that all nodes of the cluster share.
	Dir  string
	Node string
	// StartTakes, StopTakes and MigrateTakes are how long acts take.
	StartTakes   time.Duration
	StopTakes    time.Duration
	MigrateTakes time.Duration
}

const (
	defaultStart   = 200 * time.Millisecond
	defaultStop    = 300 * time.Millisecond
	defaultMigrate = 600 * time.Millisecond
	watchEvery     = 50 * time.Millisecond
	progressEvery  = 100 * time.Millisecond
	// pretendMemory is what a simulated migration claims to move.
	pretendMemory = 256 << 20
)

// Agent pretends to be one node's hypervisor.
type Agent struct {
	options Options
	world   world
	changes chan agents.Observation
	quit    chan struct{}
	done    sync.WaitGroup
	once    sync.Once

	mu       sync.Mutex
	services map[string]string // by UUID
}

var _ agents.Agent = (*Agent)(nil)

// Do implements agents.Agent.
func (a *Agent) Do(ctx context.Context, act agents.Act) agents.Result {
	return agents.Verbs{
		agents.VerbStart: a.Start, agents.VerbStop: a.Stop, agents.VerbMigrate: a.Migrate,
		agents.VerbPrepare: agents.About(a.Prepare),
		agents.VerbResume:  agents.About(a.Resume), agents.VerbPause: agents.About(a.Pause),
	}.Do(ctx, act)
}

// New opens the world, and makes the node in it when it is not there.
func New(options Options) (*Agent, error) {
	fill := func(value *time.Duration, fallback time.Duration) {
		if *value == 0 {
			*value = fallback
		}
	}
	fill(&options.StartTakes, defaultStart)
	fill(&options.StopTakes, defaultStop)
	fill(&options.MigrateTakes, defaultMigrate)
	if err := AddNode(options.Dir, options.Node); err != nil {
		return nil, err
	}
	a := &Agent{
		options: options, world: world{options.Dir}, changes: make(chan agents.Observation, 64),
		quit: make(chan struct{}), services: map[string]string{},
	}
	a.done.Add(1)
	go a.watch()
	return a, nil
}

// BootID returns the simulated boot id of the agent's node.
func (a *Agent) BootID() (string, error) { return a.world.bootID(a.options.Node) }

// Ticks returns how often a simulated guest has ticked (every 50 ms of its
// life) and the instance that ticks; a live migration keeps both.
func (a *Agent) Ticks(uuid string) (ticks uint64, instance string, err error) {
	err = a.here(func(now time.Time) error {
		vm, err := a.world.readLocked(a.options.Node, uuid)
		if err != nil || vm == nil {
			return errors.Join(err, fmt.Errorf("no simulated VM %s on %s", uuid, a.options.Node))
		}
		ticks, instance = uint64(now.Sub(vm.StartedAt)/(50*time.Millisecond)), vm.Instance
		return nil
	})
	return ticks, instance, err
}

// here runs a change on this node while it has power.
func (a *Agent) here(change func(now time.Time) error) error {
	return a.world.locked(func(now time.Time) error {
		if !a.world.poweredLocked(a.options.Node) {
			return fmt.Errorf("%s: %w", a.options.Node, ErrPoweredOff)
		}
		return change(now)
	})
}

// Inventory lists the node's simulated VMs.
func (a *Agent) Inventory(context.Context) (found []agents.Observation, err error) {
	err = a.here(func(time.Time) error {
		list, err := a.world.listLocked(a.options.Node)
		for _, vm := range list {
			found = append(found, observe(vm))
		}
		return err
	})
	return found, err
}

func observe(vm *machine) agents.Observation {
	return agents.Observation{
		Service: vm.Service, UUID: vm.UUID, Title: vm.Title, Condition: vm.Condition, Reason: vm.Reason, Disks: vm.Disks,
		Evidence: "simulated",
	}
}

// Look answers for one service.
func (a *Agent) Look(_ context.Context, spec resources.Spec) agents.Observation {
	a.mu.Lock()
	a.services[spec.UUID] = spec.Name
	a.mu.Unlock()
	return a.look(a.options.Node, spec)
}

func (a *Agent) look(node string, spec resources.Spec) agents.Observation {
	seen := agents.Observation{Service: spec.Name, UUID: spec.UUID, Condition: agents.Unknown}
	err := a.here(func(time.Time) error {
		if !a.world.poweredLocked(node) {
			return fmt.Errorf("%s: %w", node, ErrPoweredOff)
		}
		vm, err := a.world.readLocked(node, spec.UUID)
		switch {
		case err != nil:
			return err
		case vm == nil:
			seen.Condition, seen.Evidence = agents.Absent, fmt.Sprintf("simulated node %s has no such VM", node)
		default:
			seen = observe(vm)
		}
		return nil
	})
	if err != nil {
		seen.Reason, seen.Evidence = err.Error(), err.Error()
	}
	return seen
}

// Start creates the VM paused, asks StillWanted, and lets it run.
func (a *Agent) Start(ctx context.Context, start agents.Act) agents.Result {
	spec := start.Spec
	if sum := sha256.Sum256([]byte(start.Definition)); hex.EncodeToString(sum[:]) != spec.Definition {
		return a.outcome(spec, agents.Running, fmt.Errorf("refused: the definition of %s is not the one that was committed",
			spec.Name), nil)
	}
	if seen := a.Look(ctx, spec); seen.Condition == agents.Running {
		return agents.Result{OK: true, Source: agents.Running, Why: "it was running here already"}
	}
	if !wait(ctx, a.options.StartTakes) {
		return a.outcome(spec, agents.Running, ctx.Err(), nil)
	}
	err := a.change(spec, func(vm *machine, now time.Time) *machine {
		if vm == nil {
			vm = &machine{UUID: spec.UUID, Title: spec.Short(), Service: spec.Name, Instance: random(4), StartedAt: now,
				Disks:     spec.Disks,
				Condition: agents.Paused, Reason: "user"}
		}
		return vm
	})
	if err != nil {
		return a.outcome(spec, agents.Running, err, nil)
	}
	phases := []agents.Phase{{What: "created paused", At: time.Now()}}
	if start.StillWanted != nil {
		if err := start.StillWanted(); err != nil {
			undo := a.change(spec, func(*machine, time.Time) *machine { return nil })
			return a.outcome(spec, agents.Running, errors.Join(fmt.Errorf("no longer wanted: %w", err), undo), phases)
		}
	}
	err = a.change(spec, resume)
	return a.outcome(spec, agents.Running, err, append(phases, agents.Phase{What: "resumed", At: time.Now()}))
}

func resume(vm *machine, _ time.Time) *machine {
	if vm != nil && vm.Condition == agents.Paused {
		vm.Condition, vm.Reason = agents.Running, ""
	}
	return vm
}

// change replaces one VM of this node; nil in means absent, nil out removes.
func (a *Agent) change(spec resources.Spec, change func(*machine, time.Time) *machine) error {
	return a.here(func(now time.Time) error {
		before, err := a.world.readLocked(a.options.Node, spec.UUID)
		if err != nil {
			return err
		}
		var old machine
		if before != nil {
			old = *before
		}
		after := change(before, now)
		switch {
		case after != nil:
			return a.world.writeLocked(a.options.Node, *after, now)
		case old.UUID != "":
			return a.world.removeLocked(a.options.Node, old, now)
		}
		return nil
	})
}

// outcome looks at the end of an act.
func (a *Agent) outcome(spec resources.Spec, want agents.Condition, err error, phases []agents.Phase) agents.Result {
	seen := a.look(a.options.Node, spec)
	result := agents.Result{OK: err == nil && seen.Condition == want, Source: seen.Condition, Why: seen.Evidence,
		Phases: phases}
	if err != nil {
		result.Why = err.Error()
	}
	return result
}

// Stop ends the VM, at once when Kill.
func (a *Agent) Stop(ctx context.Context, stop agents.Act) agents.Result {
	spec := stop.Spec.WithDefaults()
	if !stop.Kill {
		err := a.change(spec, func(vm *machine, now time.Time) *machine {
			if vm != nil && vm.Condition == agents.Running && vm.Move == nil {
				vm.Condition, vm.StopsAt = agents.ShuttingDown, now.Add(a.options.StopTakes)
			}
			return vm
		})
		if err != nil {
			return a.outcome(spec, agents.Absent, err, nil)
		}
		if !wait(ctx, min(a.options.StopTakes, spec.StopTimeout)) {
			return a.outcome(spec, agents.Absent, ctx.Err(), nil)
		}
	}
	err := a.change(spec, func(*machine, time.Time) *machine { return nil })
	return a.outcome(spec, agents.Absent, err, []agents.Phase{{What: "stopped", At: time.Now()}})
}

// Prepare says whether the node can take a VM live: it has power, and no such VM is here.
func (a *Agent) Prepare(_ context.Context, spec resources.Spec) agents.Result {
	return a.outcome(spec, agents.Absent, nil, nil)
}

// Resume continues a paused VM.
func (a *Agent) Resume(_ context.Context, spec resources.Spec) agents.Result {
	return a.outcome(spec, agents.Running, a.change(spec, resume), nil)
}

// Pause stops a VM's execution.
func (a *Agent) Pause(_ context.Context, spec resources.Spec) agents.Result {
	err := a.change(spec, func(vm *machine, _ time.Time) *machine {
		if vm != nil && vm.Condition == agents.Running {
			vm.Condition, vm.Reason = agents.Paused, "user"
		}
		return vm
	})
	return a.outcome(spec, agents.Paused, err, nil)
}

// Close stops watching. The VMs stay.
func (a *Agent) Close() error {
	a.once.Do(func() { close(a.quit) })
	a.done.Wait()
	return nil
}

func wait(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
