package returning

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
)

// rejoinEvery is how often a node without a leader asks the others whether the
// cluster went on without it; of many nodes it asks a few.
const (
	rejoinEvery = time.Second
	rejoinAsks  = 3
)

// rejoin is what a node keeps that was left behind.
type rejoin struct {
	// Generation is the one that began without it, and By who said so.
	Generation uint64 `json:"generation"`
	By         string `json:"by"`
	// Empty: the old log is set aside.
	Empty bool `json:"empty"`
}

// KeepRejoining asks, as long as there is no leader, whether the cluster went on
// without this node. Its own log will never tell it.
func (r *Return) KeepRejoining(ctx context.Context) {
	for sleep.For(ctx, rejoinEvery) {
		kept, err := membership.ReadOptional[rejoin](r.Folder, membership.RejoinFile)
		if err != nil {
			r.Warnings.Set("rejoin", err.Error())
			continue
		}
		if kept == nil {
			r.Warnings.Set("rejoin", "") // what could not be read a while ago can be read now
		}
		if r.Log.Leader() != "" {
			r.tellAddress("")
		}
		switch {
		case r.Log.Leader() == "":
			r.askStanding(ctx, kept)
		case r.Book.BeginsAnew() && r.Admitted():
			if err := r.Book.HoldsAgain(); err != nil {
				r.Warnings.Set("log", err.Error())
			}
		case kept != nil && r.Admitted():
			r.Warnings.Set("rejoin", "")
			if err := r.Folder.Remove(membership.RejoinFile); err != nil {
				r.Warnings.Set("rejoin", err.Error())
			}
		}
	}
}

func (r *Return) askStanding(ctx context.Context, kept *rejoin) {
	mine, _ := r.Log.Held()
	question := inquiry.Question{Empty: kept != nil && kept.Empty, Address: r.Address, Log: mine.Life, Lost: r.Book.Lost()}
	peers := r.Book.Peers()
	names := slices.Sorted(maps.Keys(peers))
	r.turn += rejoinAsks
	said := ""
	defer func() { r.tellAddress(said) }()
	for i := range min(len(names), rejoinAsks) {
		node := names[(r.turn+i)%len(names)] // only who leads has an answer
		answer, err := r.Ask(ctx, peers[node], question)
		if err != nil || answer.Cluster == "" {
			continue
		}
		said = answer.Address
		switch {
		case answer.OtherLog != "":
			r.Book.Lose(message.LogRefusedBy.With(answer.OtherLog, node))
			return
		case answer.LetIn && r.Book.Lost() != nil:
			r.Book.LetIn(node)
			return
		case !answer.Expelled:
			continue
		}
		if kept != nil && kept.Empty {
			r.Warnings.Set("rejoin", fmt.Sprintf("%s lets this node in again", node))
			return
		}
		if answer.Generation > r.Log.Root().Generation {
			r.leaveOldLog(node, answer.Generation)
			return
		}
	}
}

// leaveOldLog writes down that the log is to be set aside, and begins anew: the
// next start does it before it opens the log.
func (r *Return) leaveOldLog(by string, generation uint64) {
	r.Logger.Warn("the cluster has gone on without this node; it sets its log aside and comes back with an empty one",
		"node", r.Node, "generation", generation, "by", by)
	folder := r.Folder
	// The addresses are in the log that goes: keep them first.
	place := r.Book.Place()
	place.Members, place.Founder = r.Book.RecordedPeers(), false
	if err := folder.Write(membership.MembershipFile, place); err != nil {
		r.Warnings.Set("rejoin", err.Error())
		return
	}
	if err := folder.Write(membership.RejoinFile, rejoin{Generation: generation, By: by}); err != nil {
		r.Warnings.Set("rejoin", err.Error())
		return
	}
	r.End(membership.ErrAgain)
}

// SetLogAside is the second half: the log of the old generation is kept beside,
// for whoever wants to look into it, until the next one takes its place.
func (r *Return) SetLogAside() error {
	folder := r.Folder
	kept, err := membership.ReadOptional[rejoin](folder, membership.RejoinFile)
	if err != nil || kept == nil || kept.Empty {
		return err
	}
	if err := r.Folder.DropDecisions(); err != nil {
		return err
	}
	if err := r.Folder.SetLogAside(); err != nil {
		return err
	}
	if err := r.Book.Forget(); err != nil {
		return err
	}
	kept.Empty = true
	return folder.Write(membership.RejoinFile, *kept)
}
