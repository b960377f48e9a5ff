package agents

import (
	"context"

	"github.com/clusterd/clusterd/resources"
)

// None is the agent of a node without a hypervisor, as a witness is: it runs nothing.
type None struct{}

const noHypervisor = "this node has no hypervisor"

// Inventory finds nothing, because there is nothing to look into.
func (None) Inventory(context.Context) ([]Observation, error) { return nil, nil }

// Look answers Absent: without a hypervisor nothing can run here.
func (None) Look(_ context.Context, spec resources.Spec) Observation {
	return Observation{Service: spec.Name, UUID: spec.UUID, Condition: Absent, Evidence: noHypervisor}
}

// Start refuses.
func (None) Start(context.Context, Start) Result { return Result{Source: Absent, Why: noHypervisor} }

// Stop finds it stopped.
func (None) Stop(context.Context, Stop) Result {
	return Result{OK: true, Source: Absent, Why: noHypervisor}
}

// Migrate refuses.
func (None) Migrate(context.Context, Migrate) Result {
	return Result{Source: Absent, Target: Unknown, Why: noHypervisor}
}

// Resume refuses.
func (None) Resume(context.Context, resources.Spec) Result {
	return Result{Source: Absent, Why: noHypervisor}
}

// Pause refuses.
func (None) Pause(context.Context, resources.Spec) Result {
	return Result{Source: Absent, Why: noHypervisor}
}

// Changes never tells anything.
func (None) Changes() <-chan Observation { return nil }

// Close does nothing.
func (None) Close() error { return nil }
