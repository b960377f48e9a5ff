package simulated

import (
	"context"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// Migrate moves a simulated VM. The move goes on when the daemon dies; asking
// again then waits for its end and resumes the guest on the target.
func (a *Agent) Migrate(ctx context.Context, migrate agents.Act) agents.Result {
	spec := migrate.Spec.WithDefaults()
	if spec.Kind() == resources.KindService {
		return agents.Result{Source: a.look(a.options.Node, spec).Condition, Target: agents.Unknown,
			Why: "a service made of resources does not move live; relocate it"}
	}
	ctx, cancel := context.WithTimeout(ctx, spec.MigrateTimeout)
	defer cancel()
	began := time.Now()
	if migrate.StillWanted != nil {
		if err := migrate.StillWanted(); err != nil {
			return a.bothEnds(migrate, fmt.Errorf("no longer wanted: %w", err))
		}
	}
	if err := a.depart(migrate); err != nil {
		return a.bothEnds(migrate, err)
	}
	phases := []agents.Phase{{What: "migration sent", At: began}}
	for {
		seen := a.Look(ctx, spec)
		if seen.Reason != agents.MigratingOut {
			break
		}
		if migrate.Progress != nil {
			migrate.Progress(a.progress(time.Since(began)))
		}
		if !wait(ctx, progressEvery) {
			return a.bothEnds(migrate, fmt.Errorf("the waiting for the simulated migration ended: %w", ctx.Err()))
		}
	}
	stood := time.Now()
	if a.look(a.options.Node, spec).Condition == agents.Absent {
		if err := a.resumeOn(migrate.Target, spec.UUID); err != nil {
			return a.bothEnds(migrate, err)
		}
	}
	result := a.bothEnds(migrate, nil)
	result.Phases = append(phases, agents.Phase{What: "resumed on the target", At: time.Now()})
	result.Total, result.Downtime = time.Since(began), time.Since(stood)
	return result
}

// depart begins the move, unless it is under way or over already.
func (a *Agent) depart(migrate agents.Act) error {
	return a.here(func(now time.Time) error {
		uuid := migrate.Spec.UUID
		vm, err := a.world.readLocked(a.options.Node, uuid)
		if err != nil || vm == nil || vm.Move != nil {
			return err
		}
		if vm.Condition != agents.Running {
			return fmt.Errorf("simulated VM %s is %s on %s, not running", migrate.Spec.Name, vm.Condition, a.options.Node)
		}
		if migrate.Target == a.options.Node {
			return fmt.Errorf("simulated VM %s is on %s already", migrate.Spec.Name, migrate.Target)
		}
		if !nodePattern.MatchString(migrate.Target) || !a.world.poweredLocked(migrate.Target) {
			return fmt.Errorf("simulated node %s does not answer", migrate.Target)
		}
		there, err := a.world.readLocked(migrate.Target, uuid)
		if err != nil {
			return err
		}
		if there != nil {
			return fmt.Errorf("simulated VM %s is %s on %s already", migrate.Spec.Name, there.Condition, migrate.Target)
		}
		incoming := *vm
		incoming.Condition, incoming.Reason = agents.Incoming, "migration"
		if err := a.world.writeLocked(migrate.Target, incoming, now); err != nil {
			return fmt.Errorf("simulated node %s does not answer: %w", migrate.Target, err)
		}
		vm.Move = &move{Target: migrate.Target, BeganAt: now, ArrivesAt: now.Add(a.options.MigrateTakes)}
		vm.Reason = "migrating out"
		return a.world.writeLocked(a.options.Node, *vm, now)
	})
}

func (a *Agent) resumeOn(node, uuid string) error {
	return a.here(func(now time.Time) error {
		vm, err := a.world.readLocked(node, uuid)
		if err != nil || vm == nil {
			return err
		}
		return a.world.writeLocked(node, *resume(vm, now), now)
	})
}

func (a *Agent) bothEnds(migrate agents.Act, err error) agents.Result {
	source, target := a.look(a.options.Node, migrate.Spec), a.look(migrate.Target, migrate.Spec)
	result := agents.Result{
		OK:     source.Condition == agents.Absent && target.Condition == agents.Running,
		Source: source.Condition, Target: target.Condition,
		Why: fmt.Sprintf("simulated: %s on %s, %s on %s", source.Condition, a.options.Node, target.Condition, migrate.Target),
	}
	if err != nil {
		result.OK = false
		result.Why += ": " + err.Error()
	}
	return result
}

func (a *Agent) progress(elapsed time.Duration) agents.Progress {
	share := min(float64(elapsed)/float64(a.options.MigrateTakes), 1)
	return agents.Progress{
		Phase: "copying memory (simulated)", BytesTotal: pretendMemory, BytesRemaining: uint64(pretendMemory * (1 - share)),
		BytesPerSecond: uint64(float64(pretendMemory) / a.options.MigrateTakes.Seconds()),
		Elapsed:        elapsed, TimeLeft: max(a.options.MigrateTakes-elapsed, 0),
	}
}
