package daemon

import (
	"context"
	"iter"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/quorum"
)

// ledger is the replicated log as the rooms of a daemon see it; each asks for what it needs of it.
// The log is opened after the rooms are made, so it is looked up at each use.
type ledger struct{ daemon *Daemon }

// Root is the newest State of this node.
func (l ledger) Root() *cluster.State { return l.daemon.replica.Root() }

// Changed is closed when there is a newer State than the one read after this call.
func (l ledger) Changed() <-chan struct{} { return l.daemon.replica.Changed() }

// Propose puts commands into the log, and returns for each why it was refused.
func (l ledger) Propose(ctx context.Context, commands ...cluster.Command) ([]message.Text, error) {
	applied, err := l.daemon.propose(ctx, commands...)
	return applied.Refused, err
}

// Verify returns once this node has applied what was committed before the call.
func (l ledger) Verify(ctx context.Context) error { return l.daemon.log.Verify(ctx) }

// Leader is the node that leads by what this node knows; empty where none is known.
func (l ledger) Leader() string { return l.daemon.role.Load().leader }

// Leading reports whether this node leads, and has applied what was committed before its term.
func (l ledger) Leading() bool { return l.daemon.role.Load().leading }

// Lead is the node that leads by what this node knows, and whether it is this one.
func (l ledger) Lead() (leader string, leading bool) {
	now := l.daemon.role.Load()
	return now.leader, now.leading
}

// HandOver gives the leadership away.
func (l ledger) HandOver(ctx context.Context, to string) error { return l.daemon.log.HandOver(ctx, to) }

// Held is how far the log goes; false where it is not open yet.
func (l ledger) Held() (quorum.Held, bool) {
	if l.daemon.log == nil {
		return quorum.Held{}, false
	}
	return l.daemon.log.Held(), true
}

// Behind are the entries behind an index.
func (l ledger) Behind(index uint64) iter.Seq2[quorum.Entry, error] {
	return l.daemon.log.Behind(index)
}

// Ahead is what a State becomes by entries.
func (l ledger) Ahead(s *cluster.State, entries iter.Seq2[quorum.Entry, error]) *cluster.State {
	return l.daemon.replica.ahead(s, entries)
}

// Demote takes a member's vote.
func (l ledger) Demote(ctx context.Context, node string) error { return l.daemon.log.Demote(ctx, node) }

// LastIndex is that of the last entry that the log holds.
func (l ledger) LastIndex() uint64 { return l.daemon.log.LastIndex() }

// Snapshot has the log begin with the State of now.
func (l ledger) Snapshot() error { return l.daemon.log.Snapshot() }

// Shut ends this node's part in the log; the errors are those of a log that is given up.
func (l ledger) Shut() { _ = l.daemon.log.Close() }

// Applied is up to which entry this node has applied.
func (l ledger) Applied() uint64 { return l.daemon.log.Applied() }

// AddVoter makes a node a member of the log that votes.
func (l ledger) AddVoter(ctx context.Context, node, address string) error {
	return l.daemon.log.AddVoter(ctx, node, address)
}

// AddNonvoter makes a node a member of the log that does not vote.
func (l ledger) AddNonvoter(ctx context.Context, node, address string) error {
	return l.daemon.log.AddNonvoter(ctx, node, address)
}

// Members are those of the log.
func (l ledger) Members() []quorum.Member { return l.daemon.log.Members() }

// Remove takes a member out of the log.
func (l ledger) Remove(ctx context.Context, node string) error { return l.daemon.log.Remove(ctx, node) }
