// Package pair is the rule of two nodes without a witness: one of them goes on alone, after it
// wrote that down and confirmed that the other is off, and only where it has been in quorum with
// the other since its own boot (law L4). What is decided is cluster.Alone; here it is measured,
// written down and carried out.
package pair

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/warnings"
	"github.com/clusterd/clusterd/quorum"
)

// Log is the replicated log, and the State that follows from it.
type Log interface {
	Root() *cluster.State
	Members() []quorum.Member
	LastIndex() uint64
	// Snapshot has the log begin with the State of now.
	Snapshot() error
	// Shut ends this node's part in the log for as long as this run of the daemon lasts.
	Shut()
}

// Hands reach the other node's fence devices.
type Hands interface {
	// Fence makes one attempt; before each packet it is asked whether it is still wanted.
	Fence(ctx context.Context, duty cluster.Duty, wanted func(context.Context) error) fence.Result
	// Driver gives a device's driver.
	Driver(device fence.Device) (fence.Driver, error)
}

// Options are what the rule stands on. All but Uptime are required.
type Options struct {
	// Node is this node's name, Address where the other one reaches it, and Boot its boot id.
	Node, Address, Boot string
	Folder              membership.Folder
	// RunDir is a folder that a boot empties.
	RunDir   string
	Logger   *slog.Logger
	Warnings *warnings.Book
	Log      Log
	Hands    Hands
	// InQuorum reports whether this node leads, or has just heard whoever does.
	InQuorum func() bool
	// Incarnation is this start of the daemon, and Heard are the newest heartbeats.
	Incarnation func() uint64
	Heard       func() map[string]quorum.Beat
	// Uptime is how long this host has been up, where the clock is simulated; nil asks the kernel.
	Uptime func() time.Duration
	// Go runs what the daemon waits for at its end.
	Go func(func())
	// End ends this run of the daemon with a reason, and Fatal ends the daemon with words.
	End   func(error)
	Fatal func(reason string)
}

// Pair is what one of two nodes knows about going on without the other. One goroutine owns it, but
// for what mu guards.
type Pair struct {
	Options
	// contact is the decision core's stopwatch on the other of two nodes.
	contact atomic.Pointer[cluster.Contactwatch]

	warrant *cluster.Warrant
	parting *cluster.Parting
	// quorumAt is when this node was last in quorum, by the host's uptime; written
	// is when that was last kept on disk.
	quorumAt, written time.Duration
	known             bool
	// stepped is when this was looked at last, doubtUntil until when nothing is
	// believed about the quorum.
	stepped, doubtUntil time.Duration
	// retryAt is when a warrant that could not be kept is tried again.
	retryAt time.Duration
	// since is when the decision was written down or taken up again.
	since time.Duration

	mu     sync.Mutex
	busy   bool
	asking bool
	tried  int
	ended  time.Duration
	// offAfter is cluster.Apart's.
	offAfter time.Duration
	askedAt  time.Duration
	result   *fence.Result
}

// New makes what the rule needs. It does nothing before Run.
func New(options Options) *Pair { return &Pair{Options: options, askedAt: -powerEvery} }
