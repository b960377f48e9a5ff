// Package agents is the contract between the daemon and the hands that start,
// stop, watch and migrate what a service is made of. agents/vm drives libvirt,
// agents/simulated is the labelled stand-in of `make demo SIM=1`.
//
// Callers own deadlines (by context) and ordering: one call at a time for one
// service on one node. A deadline ends the caller's waiting, not the act; so
// an agent answers Unknown, never "stopped", when it cannot prove its answer.
package agents

import (
	"context"

	"github.com/clusterd/clusterd/resources"
)

// The values that agents hand over live in package resources, where the mind
// can read them too.
type (
	// Condition is what a hypervisor shows of one VM.
	Condition = resources.Condition
	// Observation is one look at one VM.
	Observation = resources.Observation
	// Result is the end of one act.
	Result = resources.Result
	// Phase is one measured moment of an act.
	Phase = resources.Phase
)

// The conditions, for their documentation see package resources.
const (
	Absent       = resources.Absent
	Running      = resources.Running
	Paused       = resources.Paused
	Incoming     = resources.Incoming
	Split        = resources.Split
	ShuttingDown = resources.ShuttingDown
	Crashed      = resources.Crashed
	Broken       = resources.Broken
	Unknown      = resources.Unknown
)

// MigratingOut is the reason of a Running VM whose outgoing migration goes on.
const (
	MigratingOut = resources.MigratingOut
)

// Answering is an agent that can be asked whether its hypervisor answers at all. The
// question changes nothing and is cheap enough to be put every few seconds.
type Answering interface {
	Answers(ctx context.Context) error
}

// Awaiting is an agent whose hypervisor may still have to end calls about a VM that has
// left. It waits for that, until the context ends.
type Awaiting interface {
	AwaitCalls(ctx context.Context, uuid string)
}

// Reveal puts the secrets into a text that refers to them, and tells which they are.
type Reveal func(text string) (revealed string, secrets []string, err error)

// Revealing is an agent whose programs are given secrets. What it is told only refers to them.
type Revealing interface {
	RevealBy(reveal Reveal)
}

// Agent drives what runs services of one kind on this node.
type Agent interface {
	// Inventory lists every VM of the hypervisor, managed or not. An error
	// means that nothing is known, not that nothing is there.
	Inventory(ctx context.Context) ([]Observation, error)
	// Look answers for one service. It never answers Absent without proof.
	Look(ctx context.Context, spec resources.Spec) Observation
	// Do carries one act out. A verb that the agent does not know is refused with nothing done.
	Do(ctx context.Context, act Act) Result
	// Changes delivers observations as they happen: bounded, newest per VM
	// wins. The channel closes when the agent is closed. A lost hypervisor
	// connection is delivered as Unknown for every VM that was known.
	Changes() <-chan Observation
	// Close releases the connection. It never touches a VM.
	Close() error
}
