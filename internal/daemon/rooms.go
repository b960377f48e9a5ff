package daemon

import (
	"context"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/vault"
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

func (d *Daemon) newVault() *vault.Vault {
	return vault.New(vault.Options{Node: d.name, Logger: d.logger, Log: ledger{d}, Own: d.recordedKey, Drivers: d.drivers,
		Warnings: &d.warnings})
}
