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
	"time"

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
	ShuttingDown = resources.ShuttingDown
	Crashed      = resources.Crashed
	Broken       = resources.Broken
	Unknown      = resources.Unknown
)

// MigratingOut is the reason of a Running VM whose outgoing migration goes on.
const (
	MigratingOut = resources.MigratingOut
)

// Start asks for a VM to run here.
type Start struct {
	// Act names the intent: generation.index.ordinal.
	Act  string
	Spec resources.Spec
	// Definition is the domain XML whose SHA-256 is Spec.Definition; an agent
	// refuses other content.
	Definition string
	// StillWanted is asked between "created paused" and "resumed" (law L1).
	StillWanted func() error
}

// Stop asks for a VM not to run here: gracefully within Spec.StopTimeout
// (unless Kill), then destroyed within Spec.DestroyTimeout.
type Stop struct {
	Act  string
	Spec resources.Spec
	Kill bool
}

// Migrate asks for a VM to move live to another node.
type Migrate struct {
	Act  string
	Spec resources.Spec
	// Target is the node's name; the agent reaches it through the tunnel that
	// it was given when it was made.
	Target      string
	StillWanted func() error
	// Progress may be nil. It is called at most a few times a second.
	Progress func(Progress)
}

// Progress of a migration under way.
type Progress struct {
	Phase          string        `json:"phase"`
	BytesTotal     uint64        `json:"bytesTotal"`
	BytesRemaining uint64        `json:"bytesRemaining"`
	BytesPerSecond uint64        `json:"bytesPerSecond"`
	Elapsed        time.Duration `json:"elapsed"`
	TimeLeft       time.Duration `json:"timeLeft,omitempty"`
}

// Convalescer is an agent that can start again what a partial service goes on
// without. OK tells that nothing is down now; Source is what the service is
// afterwards, Running where it goes on partial.
type Convalescer interface {
	Convalesce(ctx context.Context, spec resources.Spec) Result
}

// Answering is an agent that can be asked whether its hypervisor answers at all. The
// question changes nothing and is cheap enough to be put every few seconds.
type Answering interface {
	Answers(ctx context.Context) error
}

// Canceler is an agent that can give a migration up which is under way. OK tells that
// the abort was accepted; how the migration ends is told by Migrate, and an abort that
// comes too late changes nothing.
type Canceler interface {
	CancelMigration(ctx context.Context, spec resources.Spec) Result
}

// Awaiting is an agent whose hypervisor may still have to end calls about a VM that has
// left. It waits for that, until the context ends.
type Awaiting interface {
	AwaitCalls(ctx context.Context, uuid string)
}

// Reconfigurer is an agent that can take a changed declaration of a running service
// in: it stops what is gone, starts what is new, changes what changed, and touches
// nothing else. A result that is not OK is Running when nothing was done, and Broken
// when the service is neither what it was nor what it is to be.
type Reconfigurer interface {
	Reconfigure(ctx context.Context, change Start) Result
}

// Reveal puts the secrets into a text that refers to them, and tells which they are.
type Reveal func(text string) (revealed string, secrets []string, err error)

// Revealing is an agent whose programs are given secrets. What it is told only refers to them.
type Revealing interface {
	RevealBy(reveal Reveal)
}

// Agent drives one hypervisor.
type Agent interface {
	// Inventory lists every VM of the hypervisor, managed or not. An error
	// means that nothing is known, not that nothing is there.
	Inventory(ctx context.Context) ([]Observation, error)
	// Look answers for one service. It never answers Absent without proof.
	Look(ctx context.Context, spec resources.Spec) Observation
	// Start creates the VM paused, asks StillWanted, and resumes it. A VM that
	// is already there (same UUID) is adopted: resumed if paused by us.
	Start(ctx context.Context, start Start) Result
	// Stop ends the VM; OK only with the proof that law L1 asks for.
	Stop(ctx context.Context, stop Stop) Result
	// Migrate moves the VM; see law L5. After any end but a clean one Source
	// and Target say what was found at both ends, Unknown where nobody answered.
	Migrate(ctx context.Context, migrate Migrate) Result
	// Resume continues a VM that is Paused here after its migration, or that was
	// paused because it was found running twice. Idempotent.
	Resume(ctx context.Context, spec resources.Spec) Result
	// Pause stops the guest's execution at once (two were found running).
	Pause(ctx context.Context, spec resources.Spec) Result
	// Changes delivers observations as they happen: bounded, newest per VM
	// wins. The channel closes when the agent is closed. A lost hypervisor
	// connection is delivered as Unknown for every VM that was known.
	Changes() <-chan Observation
	// Close releases the connection. It never touches a VM.
	Close() error
}
