package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/internal/server"
	"github.com/clusterd/clusterd/quorum"
)

// proposeTimeout bounds one proposal. A proposal that outlives it may still be
// committed; the mind learns that from the State.
const proposeTimeout = 5 * time.Second

// propose puts commands into the log and returns what Apply made of them here.
// Commands that members with older binaries do not know are refused before they
// enter it.
func (d *Daemon) propose(ctx context.Context, commands ...cluster.Command) (apply.Applied, error) {
	if why := cluster.Premature(d.replica.Root(), commands); !why.IsZero() {
		return apply.Applied{}, server.Refuse(http.StatusConflict, "not_yet_supported", "%s", why)
	}
	return d.proposeBy(ctx, d.log.Propose, commands)
}

// proposeBy is propose by one of the log's two ways: through whoever leads, or
// through this node's own leadership only.
func (d *Daemon) proposeBy(ctx context.Context, way func(context.Context, []byte) (quorum.Committed, error),
	commands []cluster.Command) (apply.Applied, error) {
	data, err := cluster.Encode(commands)
	if err != nil {
		return apply.Applied{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	began := time.Now()
	committed, err := way(ctx, data)
	d.metrics.Tally.Proposed(time.Since(began), err)
	if err != nil {
		return apply.Applied{}, err
	}
	applied, ok := committed.Result.(apply.Applied)
	if !ok {
		return apply.Applied{}, fmt.Errorf("entry %d: %w", committed.Index, quorum.ErrOutcomeUnknown)
	}
	return applied, nil
}

// carry sends one proposal of the mind on its way. Proposals are independent:
// one that hangs delays no other.
func (d *Daemon) carry(ctx context.Context, p mind.Proposal) {
	d.work.Go(func() {
		way := d.log.Propose
		if p.Planned {
			way = d.log.ProposeHere
		}
		applied, err := d.proposeBy(ctx, way, p.Commands)
		done := mind.ProposalDone{ID: p.ID, Failed: err != nil, Refused: applied.Refused}
		if err != nil && ctx.Err() == nil && !errors.Is(err, quorum.ErrNoLeader) && !errors.Is(err, quorum.ErrNotLeader) {
			d.logger.Warn("a proposal did not get through", "kind", cluster.KindOf(p.Commands[0]), "error", err)
		}
		for i, why := range applied.Refused {
			if !why.IsZero() {
				d.logger.Info("a command was refused", "kind", cluster.KindOf(p.Commands[i]), "why", why)
			}
		}
		d.box.add(func(in *mind.Input) { in.Proposals = append(in.Proposals, done) })
	})
}
