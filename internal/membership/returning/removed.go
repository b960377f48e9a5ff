package returning

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// standingEvery is how often a node without a leader asks whether it still
// belongs to the cluster.
const (
	standingEvery   = 10 * time.Second
	standingTimeout = 5 * time.Second
)

// KeepStanding notices a removal that was decided while this daemon was down:
// its own log will never tell it. One peer's word is not enough, because a
// peer's log may lag too: more than half of those known must say so.
func (r *Return) KeepStanding(ctx context.Context) {
	if !r.Dials { // links that others made, in tests
		return
	}
	for sleep.For(ctx, standingEvery) {
		if r.Log.Leader() != "" {
			continue
		}
		peers := r.Book.Peers()
		removed := 0
		for _, node := range slices.Sorted(maps.Keys(peers)) {
			if r.refusedBy(ctx, node, peers[node]) {
				removed++
			}
		}
		if removed > 0 && 2*removed > len(peers) {
			r.EndRemoved(" while it was away")
			return
		}
	}
}

// refusedBy reports whether a node refuses this one as removed.
func (r *Return) refusedBy(ctx context.Context, node, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, standingTimeout)
	defer cancel()
	conn, err := pki.Dial(ctx, r.Store, address, node, pki.ProtocolAPI, pki.ChannelLook)
	if err != nil {
		return errors.Is(err, pki.ErrRemoved)
	}
	_ = conn.Close()
	return false
}

// EndRemoved stops the daemon of a node that is no longer a member, for good.
func (r *Return) EndRemoved(how string) {
	r.Logger.Error("this node was removed from the cluster"+how+"; its daemon stops, what runs here runs on",
		"node", r.Node)
	if r.Folder != "" {
		removal := membership.Removal{Cluster: r.Book.Place().Cluster, Node: r.Node, At: time.Now()}
		if err := r.Folder.Write(membership.RemovedFile, removal); err != nil {
			r.Logger.Warn("it could not be written down that this node was removed", "error", err)
		}
	}
	r.End(membership.ErrRemoved)
}
