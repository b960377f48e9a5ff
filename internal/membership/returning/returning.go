// Package returning is how a node that was away finds out where it stands. As long as it hears no
// leader it asks the others: whether the cluster went on without it, whether it may come back with
// an empty log, where they look for it, and whether it was removed. Its own log would never tell
// it.
package returning

import (
	"context"
	"log/slog"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/membership/logbook"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/warnings"
	"github.com/clusterd/clusterd/quorum"
)

// Log is the replicated log, the State that follows from it, and who leads.
type Log interface {
	Root() *cluster.State
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
	// Leader is empty where none is known; Leading reports whether it is this node.
	Leader() string
	Leading() bool
	// Held is how far the log goes.
	Held() (quorum.Held, bool)
	Members() []quorum.Member
}

// Options are what a return stands on. All are required.
type Options struct {
	// Node is this node's name, and Address where it can be reached.
	Node, Address string
	Folder        membership.Folder
	Logger        *slog.Logger
	Warnings      *warnings.Book
	Log           Log
	// Book is what this node remembers of logs, and of where the others are.
	Book *logbook.Book
	// Ask puts a question to the node at an address.
	Ask func(ctx context.Context, address string, question inquiry.Question) (inquiry.Answer, error)
	// Store authenticates this node where it dials others, which it does unless the network is
	// simulated.
	Store *pki.Store
	Dials bool
	// Admitted reports whether the cluster has let this start of the daemon in.
	Admitted func() bool
	// End ends this run of the daemon with a reason.
	End func(error)
}

// Return is how one node comes back.
type Return struct {
	Options
	// turn is whom to ask next.
	turn int
}

// New makes a return. It asks nobody before one of its loops runs.
func New(options Options) *Return { return &Return{Options: options} }
