// Package passage decides whether a managed VM may come up on this host now: what libvirt's hook
// asks before any start or arrival of one. It says no wherever it does not know, also to whoever
// starts a VM by hand.
package passage

import (
	"log/slog"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/warnings"
)

// Log is the State that follows from the replicated log.
type Log interface {
	Root() *cluster.State
	// Changed is closed when there is a newer State than the one read after this call.
	Changed() <-chan struct{}
}

// Options are what a door stands on. All but Managed are required.
type Options struct {
	Node   string
	Logger *slog.Logger
	Log    Log
	// Agent may have calls under way about a VM that left a moment ago.
	Agent agents.Agent
	// Policy is what this host's own file allows in definitions.
	Policy nodefile.DefinitionPolicy
	// Incarnation is this start of the daemon, and Admitted whether the cluster has let it in.
	Incarnation func() uint64
	Admitted    func() bool
	// Blind says why what this node knows does not tell which VMs may come up; "" where it does.
	Blind func() string
	// InForce reports whether what comes up on this host now ends with its guard.
	InForce func() bool
	// Managed is told the UUIDs of the managed VMs whenever they change; nil where nobody is.
	Managed  func(uuids []string) error
	Warnings *warnings.Book
}

// Door is the one of this host.
type Door struct {
	Options
	arrivals arrivals
}

// New makes a door.
func New(options Options) *Door { return &Door{Options: options} }
