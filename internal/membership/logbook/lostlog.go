package logbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/quorum"
)

// answerLimit bounds an answer that needs the log.
const answerLimit = 5 * time.Second

// Find compares the log that lies here with what was written down of it, before it is opened.
func (b *Book) Find() error {
	folder := b.options.Folder
	if b.options.InMemory {
		return nil
	}
	lost, err := membership.ReadOptional[inquiry.Lost](folder, membership.LostFile)
	if err != nil {
		return err
	}
	if lost != nil && !lost.LetIn {
		return b.withoutLog(*lost)
	}
	b.letIn = lost != nil
	kept, err := membership.ReadOptional[Held](folder, membership.HeldFile)
	if err != nil {
		return err
	}
	found, err := quorum.InspectHeld(folder.LogDir())
	if err != nil {
		return fmt.Errorf("%w; %s", err, Advice(folder))
	}
	if kept == nil {
		kept = &Held{Mine: quorum.Held{Life: found.Life}}
	}
	if why := held(found).Lacks(held(kept.Mine)); !why.IsZero() {
		next := inquiry.Lost{Why: why, Next: quorum.NewLife()}
		if err := folder.Write(membership.LostFile, next); err != nil {
			return err
		}
		return b.withoutLog(next)
	}
	return b.beginLife(*kept, found)
}

// Advice says what to do where the log cannot be read.
func Advice(folder membership.Folder) string {
	return fmt.Sprintf("move %s away and start clusterd: it comes back without a vote, gets the log from the "+
		"others, and votes again once it holds all of it; "+
		"where no other node holds the log, use `clusterd restore` with a backup", folder.LogDir())
}

// beginLife names a log that has no name yet, in its folder and beside the key.
func (b *Book) beginLife(kept Held, found quorum.Held) error {
	if kept.Mine.Life == "" {
		kept.Mine.Life = quorum.NewLife()
	}
	b.kept = kept
	if found.Life != "" {
		return nil
	}
	if err := b.options.Folder.Write(membership.HeldFile, kept); err != nil {
		return err
	}
	return quorum.BeginLife(b.options.Folder.LogDir(), kept.Mine.Life)
}

// withoutLog sets what is left of the log aside. This start of the daemon takes no part in
// votes: it tells why, and asks to be let in.
func (b *Book) withoutLog(lost inquiry.Lost) error {
	folder := b.options.Folder
	kept, err := membership.ReadOptional[Held](folder, membership.HeldFile)
	if err != nil {
		return err
	}
	place := b.place
	if place.Founder = false; kept != nil && len(kept.Members) > 0 {
		place.Members = kept.Members
	}
	// The addresses are needed to ask, and what was decided by that log is over.
	if err := folder.Write(membership.MembershipFile, place); err != nil {
		return err
	}
	if err := folder.DropDecisions(); err != nil {
		return err
	}
	if err := folder.SetLogAside(); err != nil {
		return err
	}
	b.place, b.lost = place, &lost
	b.options.Logger.Error("this node does not hold the log in which it acknowledged entries; it has no vote before it "+
		"holds all of it again", "node", b.options.Node, "why", lost.Why)
	b.options.Warnings.Set("log",
		fmt.Sprintf("%s; this node has no vote and waits for a leader that lets it in with a new log. If the "+
			"others cannot agree without it, bring them up first; "+
			"if they are gone for good, use `clusterd recover` on the node whose log goes furthest, or `clusterd "+
			"restore` with a backup", lost.Why))
	return nil
}

// Lose ends this start of the daemon; the next one takes no part in the log. What runs here
// runs on.
func (b *Book) Lose(why message.Text) {
	b.options.Logger.Error("this node stops taking part in the log", "node", b.options.Node, "why", why)
	if err := b.options.Folder.Write(membership.LostFile, inquiry.Lost{Why: why, Next: quorum.NewLife()}); err != nil {
		b.options.Fatal(fmt.Sprintf("%s, and it cannot be written down: %v", why, err))
		return
	}
	b.options.End(membership.ErrAgain)
}

// LetIn is heard from the leader: the vote of this node is gone, and it may begin with an empty
// log.
func (b *Book) LetIn(by string) {
	folder := b.options.Folder
	lost := *b.lost
	b.options.Logger.Warn("this node begins with an empty log", "node", b.options.Node, "let in by", by)
	kept := Held{Mine: quorum.Held{Life: lost.Next}, Members: b.place.Members}
	if old, err := membership.ReadOptional[Held](folder, membership.HeldFile); err == nil && old != nil {
		kept.Others, kept.Members = old.Others, old.Members
	}
	err := folder.Write(membership.HeldFile, kept)
	if err == nil {
		lost.LetIn = true
		err = folder.Write(membership.LostFile, lost)
	}
	if err != nil {
		b.options.Warnings.Set("log", err.Error())
		return
	}
	b.options.End(membership.ErrAgain)
}

// letBack answers a node that has lost its log, on the leader: its vote is taken first, and only
// when that is committed may it begin with an empty log.
func (b *Book) letBack(ctx context.Context, node string, lost inquiry.Lost) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	lose := func() error {
		before, _ := b.options.Log.Root().Nodes.Get(node)
		refused, err := b.options.Log.Propose(ctx, cluster.LoseLog{
			Node: node, Log: lost.Next, Before: before.Log, Why: lost.Why,
		})
		if err != nil {
			return err
		}
		return cluster.Refusal(refused)
	}
	if err := lose(); err != nil {
		return false, err
	}
	if b.votes(node) {
		b.options.Logger.Warn("the voters change", "why", node+" loses its vote, because it has lost the log")
		if err := b.options.Log.Demote(ctx, node); err != nil {
			return false, err
		}
	}
	// Committed behind the change of voters: whoever leads next knows of it.
	if err := lose(); err != nil {
		return false, err
	}
	return !b.votes(node), nil
}

func (b *Book) votes(node string) bool {
	for _, m := range b.options.Log.Members() {
		if m.ID == node {
			return m.Voter
		}
	}
	return false
}

// Answer is the leader's answer about the log that another node holds.
func (b *Book) Answer(ctx context.Context, question inquiry.Question, answer *inquiry.Answer) {
	if !b.options.Log.Leading() {
		return
	}
	n, known := b.options.Log.Root().Nodes.Get(question.Node)
	switch {
	case !known || n.Expelled != 0:
	case question.Lost != nil:
		var err error
		if answer.LetIn, err = b.letBack(ctx, question.Node, *question.Lost); err != nil {
			b.options.Logger.Warn("a node that has lost its log is not let in yet", "node", question.Node, "error", err)
		}
	case question.Log != "" && n.Log != "" && n.Log != question.Log:
		ctx, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		if b.options.Log.Verify(ctx) != nil {
			return
		}
		if n, _ = b.options.Log.Root().Nodes.Get(question.Node); n.Log != question.Log {
			answer.OtherLog = "its log is not the one in which it acknowledged entries"
		}
	}
}

// Forget is for a log that was rightly set aside: what it acknowledged is over.
func (b *Book) Forget() error {
	folder := b.options.Folder
	kept, err := membership.ReadOptional[Held](folder, membership.HeldFile)
	if err != nil || kept == nil {
		return errors.Join(err, folder.Remove(membership.LostFile))
	}
	kept.Mine = quorum.Held{}
	return errors.Join(folder.Write(membership.HeldFile, kept), folder.Remove(membership.LostFile))
}

// HoldsAgain forgets the loss once this node is admitted.
func (b *Book) HoldsAgain() error {
	b.options.Warnings.Set("log", "")
	b.letIn = false
	return b.options.Folder.Remove(membership.LostFile)
}
