// Package fencing is what of fencing is not the decision core's to begin: an operator who cuts or
// gives power or gives his word, drills by the schedule, boots that were cut off and register
// again, and the keys that a removed node may have left on the disks.
//
// An intent is in the log before anything is sent; what follows from it is decided and carried out
// as for any other fence.
package fencing

import (
	"context"
	"log/slog"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// Log is the replicated log, the State that follows from it, and who leads.
type Log interface {
	Root() *cluster.State
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
	// Verify returns once this node has applied what was committed before the call.
	Verify(ctx context.Context) error
	// Leader is empty where none is known; Leading reports whether it is this node.
	Leader() string
	Leading() bool
}

// Options are what a desk stands on. All are required.
type Options struct {
	Node   string
	Logger *slog.Logger
	Log    Log
	// Drivers are the fence drivers by the word of the document.
	Drivers map[string]fence.Driver
	// PowerOn asks devices for power.
	PowerOn func(ctx context.Context, devices []fence.Device) fence.Result
	// Beats counts the heartbeats of a node.
	Beats func(node string) uint64
}

// Desk is where fences begin that the decision core did not ask for.
type Desk struct{ Options }

// New makes a desk. It does nothing by itself.
func New(options Options) *Desk { return &Desk{options} }
