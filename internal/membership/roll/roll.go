// Package roll keeps, on the leader, the members of the log in line with the State: first who is a
// member at all, then who votes.
package roll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/quorum/voters"
)

// membersEvery is how often the members are brought in line with the State.
const membersEvery = time.Second

// wantedVoters is how many votes there shall be where there are enough nodes.
const wantedVoters = 5

// Log is the replicated log with its members, and the State that follows from it.
type Log interface {
	Root() *cluster.State
	// Changed is closed when there is a newer State than the one read after this call.
	Changed() <-chan struct{}
	// Leading reports whether this node leads, and Applied is up to which entry it has applied.
	Leading() bool
	Applied() uint64
	Members() []quorum.Member
	AddVoter(ctx context.Context, node, address string) error
	AddNonvoter(ctx context.Context, node, address string) error
	// Demote takes a member's vote, and Remove the member.
	Demote(ctx context.Context, node string) error
	Remove(ctx context.Context, node string) error
	HandOver(ctx context.Context, to string) error
}

// Roll is the one that a leader keeps. All is required.
type Roll struct {
	Node   string
	Logger *slog.Logger
	Log    Log
	// Heard are the newest heartbeats.
	Heard func() map[string]quorum.Beat
	// Renew changes the data key where who is a member asks for it.
	Renew func(ctx context.Context)
}

// Run brings, on the leader, the log's members in line with the State.
func (r *Roll) Run(ctx context.Context) {
	for {
		changed := r.Log.Changed()
		if r.Log.Leading() {
			r.Renew(ctx)
			if err := r.changeLogMembers(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, quorum.ErrNotLeader) {
				r.Logger.Info("the log's members were not changed", "error", err)
			}
		}
		if !sleep.Until(ctx, changed, membersEvery) {
			return
		}
	}
}

// changeLogMembers makes one step: first who is a member at all, then who votes.
func (r *Roll) changeLogMembers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	root := r.Log.Root()
	members := r.Log.Members()
	known := map[string]quorum.Member{}
	for _, m := range members {
		known[m.ID] = m
		if !root.Nodes.Has(m.ID) && m.ID != r.Node {
			return r.Log.Remove(ctx, m.ID)
		}
	}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		m, member := known[name]
		switch {
		case !member && n.Expelled != 0: // it has yet to set its old log aside
		case !member:
			return r.Log.AddNonvoter(ctx, name, n.Address)
		case m.Address != n.Address && n.Address != "" && m.Voter && name != r.Node:
			return r.Log.AddVoter(ctx, name, n.Address)
		case m.Address != n.Address && n.Address != "" && name != r.Node:
			return r.Log.AddNonvoter(ctx, name, n.Address)
		}
	}
	return r.changeVoters(ctx, root, members)
}

func (r *Roll) changeVoters(ctx context.Context, root *cluster.State, members []quorum.Member) error {
	healthy, sites, heard := map[string]bool{r.Node: true}, map[string]string{}, r.Heard()
	applied := r.Log.Applied()
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		sites[name] = root.Document.Nodes[name].Site
		beat, alive := heard[name]
		if name != r.Node && alive && n.Reachable() {
			// A node without a vote gets one only when it is caught up.
			healthy[name] = applied < beat.Applied+200 && root.MayVote(name).IsZero()
		}
	}
	votes := wantedVoters
	if rules.TwoNodesVote(root) {
		votes = 2
		if left, err := r.giveBackVote(ctx, root, members); left {
			return err
		}
	}
	change, wanted := voters.Next(members, healthy, sites, votes)
	if !wanted {
		return nil
	}
	r.Logger.Info("the voters change", "why", change.Why)
	if change.Promote != "" {
		for _, m := range members {
			if m.ID == change.Promote {
				return r.Log.AddVoter(ctx, m.ID, m.Address)
			}
		}
		return fmt.Errorf("%s is no member of the log", change.Promote)
	}
	return r.Log.Demote(ctx, change.Demote)
}

// giveBackVote takes the vote of one of two nodes that has left cleanly, before it
// goes down: the other one shall decide by itself then, and needs nobody to shoot.
func (r *Roll) giveBackVote(ctx context.Context, root *cluster.State, members []quorum.Member) (left bool,
	err error) {
	for _, m := range members {
		n, _ := root.Nodes.Get(m.ID)
		switch {
		case !m.Voter || n.State != cluster.NodeLeft:
		case m.ID == r.Node:
			return true, r.Log.HandOver(ctx, "") // the next leader does it
		default:
			r.Logger.Info("the voters change", "why", m.ID+" has left and gives its vote back")
			return true, r.Log.Demote(ctx, m.ID)
		}
	}
	return false, nil
}
