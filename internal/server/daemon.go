// Package server answers the tools and the other nodes: on the UNIX socket and on the TLS port.
//
// A handler decodes, authorises, calls and encodes, and judges nothing: what may be done is
// decided by the rules of the log (cluster/rules), by the reports (internal/report), and by the
// run loop, which is reached through Daemon alone. Before a handler is called, the gate (gate.go)
// has checked the caller and has read the whole body.
package server

import (
	"context"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
)

// Daemon is what the handlers need of the run loop.
type Daemon interface {
	Log
	Cluster
	Documents
	Keys
	Entrance
	Trail
	Host
}

// Log is the replicated log, and the State that follows from it.
type Log interface {
	// Root is the newest State of this node. It never changes.
	Root() *cluster.State
	// Changed is closed when there is a newer State than the one read after this call.
	Changed() <-chan struct{}
	// Newest returns once this node has applied everything that was committed before the call.
	Newest(ctx context.Context) error
	// Propose puts commands into the log, and returns for each why it was refused.
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
}

// Cluster is the cluster as this node sees it, and the way to the other nodes.
type Cluster interface {
	// Leader is the node that leads by what this node knows; empty where none is known.
	Leader() string
	// Status is the cluster as this node sees it.
	Status(now time.Time) api.Status
	// Sight is the State here, and what this node has measured as the leader; false where it does
	// not lead or has planned nothing yet.
	Sight() (*cluster.State, api.Sight, bool)
	// Metrics answer a monitoring system.
	Metrics() http.Handler
	// Peers are the addresses of the other nodes.
	Peers() map[string]string
	// Ask puts a question to the interface of another node.
	Ask(ctx context.Context, node, address, method, path string, body, into any) error
}

// Documents are what becomes of a cluster document.
type Documents interface {
	// Seal makes of a document the command that brings it into force, with its secrets sealed. It
	// refuses what this node's own policy forbids.
	Seal(root *cluster.State, parsed config.Parsed) (cluster.Configure, error)
	// ProposeDocument puts a document into the log, sealed anew where the data key has changed
	// meanwhile, and returns why it was refused.
	ProposeDocument(ctx context.Context, command cluster.Configure, parsed config.Parsed) (refused message.Text, err error)
	// Import adds a VM of this host to the document.
	Import(ctx context.Context, asked api.ImportRequest, by string) (api.Reply, error)
}

// Keys are the keys of the cluster, as far as this node holds them.
type Keys interface {
	// Authority opens the authority that signs certificates.
	Authority(root *cluster.State) (*pki.CA, error)
	// DataKey is the key with which the State's secrets are sealed.
	DataKey(root *cluster.State) (pki.DataKey, error)
	// Rekey brings a new data key into force.
	Rekey(ctx context.Context, by string, why message.Text) error
	// RotateAuthority begins a rotation of the authority.
	RotateAuthority(ctx context.Context, by, why string) error
	// KeysLeft tells how the reservation keys of a removed node are taken off the disks; empty
	// where it can have none.
	KeysLeft(root *cluster.State, removed string) string
}

// Entrance decides who and what comes in.
type Entrance interface {
	// Admit says why a peer may not use a channel; nil when it may.
	Admit(channel pki.Channel, peer pki.Peer) error
	// Join takes a machine in that has shown a token.
	Join(ctx context.Context, root *cluster.State, asked api.JoinRequest, token cluster.Token) (api.JoinReply, error)
	// NoteGuess remembers from where a token was shown that is none.
	NoteGuess(from string)
	// Invite makes a link by which a person logs in at this node's page, once, for who asks for it.
	Invite(name string, role pki.Role, by Caller) (api.PageLink, error)
	// EndVisits ends the visits of a person at this node's page with the links that wait for him; of
	// everybody where none is named.
	EndVisits(name string) api.PageLogoutReply
	// Passable reports whether a VM may come up on this host now, and why not. The operation is that
	// of libvirt's hook.
	Passable(uuid, operation string) (may bool, why string)
}

// Trail is the audit trail of this node.
type Trail interface {
	// Keep adds an entry. One that may be left out where there are too many has the kind of caller
	// whose it is; one that is kept whatever happens has none.
	Keep(e api.AuditEntry, braked limits.Kind)
	// Entries are at most so many entries behind a sequence number, and whether there are more.
	Entries(after uint64, most int) (entries []api.AuditEntry, more bool, err error)
}

// Host is what this node does itself: migrations, fencing, alerts, and the look at its own health.
type Host interface {
	// Progress is how far this node's migration of a service is; nil where it carries out none.
	Progress(service string) *api.Progress
	// Foresee is what this node, source or target, has to say of a live move.
	Foresee(ctx context.Context, asked api.ForesightQuery) api.Foresight
	// Fence cuts or gives a node power by hand, or takes a person's word that it is off.
	Fence(ctx context.Context, n cluster.Member, asked api.FenceRequest, by string) error
	// LastChecks are what each fence device last answered this node.
	LastChecks(root *cluster.State) map[string]api.FenceCheck
	// Tell sends an alert once.
	Tell(ctx context.Context, alert cluster.Alert, m alerts.Message) error
	// Examine says what is well and what is not on this node.
	Examine(ctx context.Context) []api.Finding
	// ExamineOthers asks all other nodes the same, and compares the clocks.
	ExamineOthers(ctx context.Context) []api.Finding
}
