package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// standingEvery is how often a node without a leader asks whether it still
// belongs to the cluster.
const (
	standingEvery   = 10 * time.Second
	standingTimeout = 5 * time.Second
)

// keepStanding notices a removal that was decided while this daemon was down:
// its own log will never tell it. One peer's word is not enough, because a
// peer's log may lag too: more than half of those known must say so.
func (d *Daemon) keepStanding(ctx context.Context) {
	if d.mux == nil { // links that others made, in tests
		return
	}
	for sleep.For(ctx, standingEvery) {
		if d.role.Load().leader != "" {
			continue
		}
		peers := d.peers()
		removed := 0
		for _, node := range sortedNames(peers) {
			if d.refusedBy(ctx, node, peers[node]) {
				removed++
			}
		}
		if removed > 0 && 2*removed > len(peers) {
			d.endRemoved(" while it was away")
			return
		}
	}
}

// refusedBy reports whether a node refuses this one as removed.
func (d *Daemon) refusedBy(ctx context.Context, node, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, standingTimeout)
	defer cancel()
	conn, err := pki.Dial(ctx, d.store, address, node, pki.ProtocolAPI, pki.ChannelLook)
	if err != nil {
		return errors.Is(err, pki.ErrRemoved)
	}
	_ = conn.Close()
	return false
}
