// Package ears hears what this host tells: whether its hypervisor answers and what that tells
// unasked, what the host has for services, how its data volume is, and when a guest first answers.
//
// All of it is put into the next step of the decision core, or into the timeline; nothing is
// decided here.
package ears

import (
	"context"
	"log/slog"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/warnings"
)

// Log is the replicated log, and the State that follows from it.
type Log interface {
	Root() *cluster.State
	// Changed is closed when there is a newer State than the one read after this call.
	Changed() <-chan struct{}
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
}

// Options are what ears stand on. All but Capacity are required.
type Options struct {
	Node   string
	Logger *slog.Logger
	Log    Log
	// Agent drives what runs here.
	Agent agents.Agent
	// Capacity measures what this host has for services; nil where it has nothing to measure.
	Capacity func() (cluster.Capacity, error)
	// Hear puts something into the next step of the decision core.
	Hear func(put func(*mind.Input))
	// Go runs what the daemon waits for at its end.
	Go       func(func())
	Warnings *warnings.Book
}

// Ears are those of one node.
type Ears struct{ Options }

// New makes ears. They hear nothing before one of their loops runs.
func New(options Options) *Ears { return &Ears{options} }

// WatchAgent hands what the hypervisor tells unasked to the mind, as hints: each
// is looked at before it is believed.
func (e *Ears) WatchAgent(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case o, open := <-e.Agent.Changes():
			if !open {
				return
			}
			if name := e.Log.Root().ServiceOf(o.UUID); name != "" {
				e.Hear(func(in *mind.Input) {
					in.Changes = append(in.Changes, mind.Change{Service: name, Observation: o})
				})
			}
		}
	}
}
