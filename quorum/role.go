package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// Role is what this node believes about the leadership. Only Verify makes sure of it.
type Role struct {
	// Leader is the leader's ID, empty when none is known, and LeaderAddress where its Wire is.
	Leader        string
	LeaderAddress string
	IsLeader      bool
	Term          uint64
	// Member is whether this node is in the log's newest configuration that it knows. A node that
	// waits to be added is not yet; a node that was a member and is no more was removed and should
	// stop.
	Member bool
	Voter  bool
	// LastContact is when a follower last heard the leader, by this node's clock. Zero on the leader.
	LastContact time.Time
}

// Role returns the present role.
func (l *Log) Role() Role {
	address, id := l.raft.LeaderWithID()
	role := Role{Leader: string(id), LeaderAddress: string(address), Term: l.raft.CurrentTerm(),
		IsLeader: l.raft.State() == raft.Leader}
	if role.IsLeader {
		role.Leader, role.LeaderAddress = l.options.ID, l.options.Address
	} else {
		role.LastContact = l.raft.LastContact()
		if role.Leader == l.options.ID {
			role.Leader, role.LeaderAddress = "", ""
		}
	}
	for _, member := range l.Members() {
		if member.ID == l.options.ID {
			role.Member, role.Voter = true, member.Voter
		}
	}
	return role
}

// Roles tells each change of role. A reader that is slow misses what lies between and gets the
// newest. It has one reader, and the channel is never closed.
func (l *Log) Roles() <-chan Role { return l.roles }

func (l *Log) watchRole() {
	// Raft drops observations when the channel is full; any one of them is reason enough to look.
	seen := make(chan raft.Observation, 16)
	observer := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState, raft.PeerObservation:
			return true
		}
		return false
	})
	l.raft.RegisterObserver(observer)
	defer l.raft.DeregisterObserver(observer)
	// Terms and memberships change on followers without an observation.
	look := time.NewTicker(l.options.Profile.Heartbeat)
	defer look.Stop()
	var told Role
	for {
		role := l.Role()
		role.LastContact = time.Time{}
		if role != told {
			l.links.drop(role.LeaderAddress)
			told = role
			select {
			case <-l.roles:
			default:
			}
			l.roles <- l.Role() // this goroutine alone writes, and just made room
		}
		select {
		case <-seen:
		case <-look.C:
		case <-l.closing:
			return
		}
	}
}

// Members returns the newest configuration this node knows, which may not be committed yet.
func (l *Log) Members() []Member {
	var members []Member
	for _, server := range l.raft.GetConfiguration().Configuration().Servers {
		members = append(members, Member{
			ID: string(server.ID), Address: string(server.Address), Voter: server.Suffrage == raft.Voter,
		})
	}
	return members
}

func raftServer(member Member) raft.Server {
	server := raft.Server{ID: raft.ServerID(member.ID), Address: raft.ServerAddress(member.Address),
		Suffrage: raft.Nonvoter}
	if member.Voter {
		server.Suffrage = raft.Voter
	}
	return server
}

// AddVoter adds a node with a vote, or gives a vote or a new address to a member. Only the
// leader can; otherwise ErrNotLeader is returned. After ErrOutcomeUnknown look at Members. Add
// nodes as non-voters first, so that a node that does not come up never counts for the majority.
func (l *Log) AddVoter(ctx context.Context, id, address string) error {
	return l.change(ctx, "give a vote to "+id, func() raft.Future {
		return l.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(address), 0, l.options.LeaderWait)
	})
}

// AddNonvoter adds a node that gets the log and has no vote. Errors as of AddVoter.
func (l *Log) AddNonvoter(ctx context.Context, id, address string) error {
	return l.change(ctx, "add "+id, func() raft.Future {
		return l.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(address), 0, l.options.LeaderWait)
	})
}

// Demote takes a member's vote away and leaves it a member. Errors as of AddVoter.
func (l *Log) Demote(ctx context.Context, id string) error {
	return l.change(ctx, "take the vote of "+id, func() raft.Future {
		return l.raft.DemoteVoter(raft.ServerID(id), 0, l.options.LeaderWait)
	})
}

// Remove takes a node out of the log. It need not be up. Errors as of AddVoter.
func (l *Log) Remove(ctx context.Context, id string) error {
	return l.change(ctx, "remove "+id, func() raft.Future {
		return l.raft.RemoveServer(raft.ServerID(id), 0, l.options.LeaderWait)
	})
}

// HandOver makes another voter the leader: the named one, or with an empty name the most up to
// date. It returns when this node no longer leads. ErrNotLeader is returned when it did not
// lead; any other error means it may still lead.
func (l *Log) HandOver(ctx context.Context, to string) error {
	if l.raft.State() != raft.Leader {
		return fmt.Errorf("hand over leadership on node %s: %w", l.options.ID, ErrNotLeader)
	}
	transfer := l.raft.LeadershipTransfer
	if to != "" {
		members := l.Members()
		found := slices.IndexFunc(members, func(m Member) bool { return m.ID == to && m.Voter })
		if found < 0 {
			return fmt.Errorf("hand over leadership on node %s: %q is not a voter", l.options.ID, to)
		}
		transfer = func() raft.Future {
			return l.raft.LeadershipTransferToServer(raft.ServerID(to), raft.ServerAddress(members[found].Address))
		}
	}
	if err := l.awaitChange(ctx, transfer()); err != nil {
		return fmt.Errorf("hand over leadership on node %s: %w", l.options.ID, err)
	}
	return nil
}

func (l *Log) change(ctx context.Context, what string, start func() raft.Future) error {
	if l.closed() {
		return ErrClosed
	}
	if l.raft.State() != raft.Leader {
		return fmt.Errorf("%s: %w", what, ErrNotLeader)
	}
	err := l.awaitChange(ctx, start())
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%s: %w", what, ErrNotLeader)
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%s: %w: another change of members is under way", what, ErrBusy)
	default:
		return fmt.Errorf("%s: %w: %w", what, ErrOutcomeUnknown, err)
	}
}

func (l *Log) awaitChange(ctx context.Context, future raft.Future) error {
	select {
	case l.appends <- struct{}{}:
	default:
		return ErrBusy
	}
	answered := make(chan error, 1)
	go func() {
		answered <- future.Error()
		<-l.appends
	}()
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
