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

// Do finds everything stopped, and refuses the rest.
func (None) Do(_ context.Context, act Act) Result {
	switch act.Verb {
	case VerbStop:
		return Result{OK: true, Source: Absent, Why: noHypervisor}
	case VerbMigrate:
		return Result{Source: Absent, Target: Unknown, Why: noHypervisor}
	}
	return Result{Source: Absent, Why: noHypervisor}
}

// Changes never tells anything.
func (None) Changes() <-chan Observation { return nil }

// Close does nothing.
func (None) Close() error { return nil }
