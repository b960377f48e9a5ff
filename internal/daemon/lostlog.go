package daemon

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

const (
	// heldEvery is how often what changed of it is written down. It costs a running cluster one small
	// file a second, and one at rest nothing.
	heldEvery = time.Second
)

// heldLogs is what heldFile holds.
type heldLogs struct {
	Mine   quorum.Held            `json:"mine"`
	Others map[string]quorum.Held `json:"others,omitempty"`
	// Members are the others' addresses: whom to ask when the log is gone that knows them, and before
	// the State tells them.
	Members map[string]string `json:"members,omitempty"`
}

// logBook is what this node remembers of logs. It is the memory of quorum.Log.
type logBook struct {
	daemon *Daemon
	mu     sync.Mutex
	kept   heldLogs
	// lost is what this start found: it takes no part in the log.
	lost *inquiry.Lost
	// letIn: this start is the first with a new log. turn is whom to ask next.
	letIn bool
	turn  int
}

func held(h quorum.Held) cluster.LogHeld { return cluster.LogHeld(h) }

// Known implements quorum.Memory.
func (b *logBook) Known() map[string]quorum.Held {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.kept.Others)
}

// membersOr are the others' addresses as they were written down last, or, where none were, as this
// node was told them when it joined.
func (b *logBook) membersOr(joined map[string]string) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.kept.Members) > 0 {
		joined = b.kept.Members
	}
	members := make(map[string]string, len(joined))
	maps.Copy(members, joined)
	return members
}

func (b *logBook) of(id string) cluster.LogHeld {
	b.mu.Lock()
	defer b.mu.Unlock()
	return held(b.kept.Others[id])
}

// Counts implements quorum.Memory.
func (b *logBook) Counts(id string, said quorum.Held, behind func(uint64) iter.Seq2[quorum.Entry, error]) error {
	root, later := b.states(behind)
	if why := root.MayCount(id, held(said), b.of(id), later); !why.IsZero() {
		return fmt.Errorf("what %s acknowledges is not counted: %s", id, why)
	}
	return nil
}

// states are this node's State, and what that becomes once all that its log holds is applied. That
// is worked out only where it is asked for.
func (b *logBook) states(behind func(uint64) iter.Seq2[quorum.Entry, error]) (*cluster.State, func() *cluster.State) {
	replica := b.daemon.replica
	root := replica.Root()
	return root, func() *cluster.State { return replica.ahead(root, behind(root.Index)) }
}

// Hears implements quorum.Memory.
func (b *logBook) Hears(id string, said quorum.Held) error {
	if why := held(said).MayBeHeard(b.of(id)); !why.IsZero() {
		return fmt.Errorf("%s is not heard: %s", id, why)
	}
	return nil
}

// Remembered implements quorum.Memory: another node knows that this log held more.
func (b *logBook) Remembered(by string, known quorum.Held) {
	d := b.daemon
	if b.lost != nil || d.log == nil {
		return
	}
	if why := held(d.log.Held()).MayBeHeard(held(known)); !why.IsZero() {
		d.loseLog(message.LogRememberedBy.With(why, by))
	}
}

// mark writes down, before the log does, that it begins, or that a term does.
func (b *logBook) mark(mine quorum.Held) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.kept
	next.Mine = mine
	if err := b.daemon.options.Folder.Write(membership.HeldFile, next); err != nil {
		return err
	}
	b.kept = next
	return nil
}

// keep writes down what changed.
func (b *logBook) keep(mine quorum.Held, heard map[string]quorum.Beat, members map[string]string) error {
	root, later := b.states(b.daemon.log.Behind)
	b.mu.Lock()
	defer b.mu.Unlock()
	next := heldLogs{Mine: mine, Others: map[string]quorum.Held{}, Members: members}
	for name, known := range b.kept.Others {
		if _, member := members[name]; member {
			next.Others[name] = known
		}
	}
	for name, beat := range heard {
		if _, member := members[name]; member && beat.Held.Life != "" {
			next.Others[name] = quorum.Held(root.Remember(name, held(beat.Held), held(b.kept.Others[name]), later))
		}
	}
	if next.Mine == b.kept.Mine && maps.Equal(next.Others, b.kept.Others) && maps.Equal(next.Members, b.kept.Members) {
		return nil
	}
	if err := b.daemon.options.Folder.Write(membership.HeldFile, next); err != nil {
		return err
	}
	b.kept = next
	return nil
}

// keepHeld writes down again and again how far this log goes, and what was heard of the others'.
func (d *Daemon) keepHeld(ctx context.Context) {
	for d.logDir() != "" && d.book.lost == nil && sleep.For(ctx, heldEvery) {
		why := ""
		if err := d.book.keep(d.log.Held(), d.pulse.Heard(), d.recordedPeers()); err != nil {
			why = fmt.Sprintf("cannot write down how far the log goes: %v", err)
		}
		d.warnings.Set("log held", why)
	}
}

// findLog compares the log that lies here with what was written down of it, before it is opened.
func (d *Daemon) findLog() error {
	folder := d.options.Folder
	if d.options.Links != nil && d.options.Links.LogInMemory {
		return nil
	}
	lost, err := membership.ReadOptional[inquiry.Lost](folder, membership.LostFile)
	if err != nil {
		return err
	}
	if lost != nil && !lost.LetIn {
		return d.withoutLog(*lost)
	}
	d.book.letIn = lost != nil
	kept, err := membership.ReadOptional[heldLogs](folder, membership.HeldFile)
	if err != nil {
		return err
	}
	found, err := quorum.InspectHeld(folder.LogDir())
	if err != nil {
		return fmt.Errorf("%w; %s", err, brokenLogAdvice(folder))
	}
	if kept == nil {
		kept = &heldLogs{Mine: quorum.Held{Life: found.Life}}
	}
	if why := held(found).Lacks(held(kept.Mine)); !why.IsZero() {
		next := inquiry.Lost{Why: why, Next: quorum.NewLife()}
		if err := folder.Write(membership.LostFile, next); err != nil {
			return err
		}
		return d.withoutLog(next)
	}
	return d.beginLife(*kept, found)
}

// brokenLogAdvice says what to do where the log cannot be read.
func brokenLogAdvice(folder membership.Folder) string {
	return fmt.Sprintf("move %s away and start clusterd: it comes back without a vote, gets the log from the "+
		"others, and votes again once it holds all of it; "+
		"where no other node holds the log, use `clusterd restore` with a backup", folder.LogDir())
}

// beginLife names a log that has no name yet, in its folder and beside the key.
func (d *Daemon) beginLife(kept heldLogs, found quorum.Held) error {
	if kept.Mine.Life == "" {
		kept.Mine.Life = quorum.NewLife()
	}
	d.book.kept = kept
	if found.Life != "" {
		return nil
	}
	if err := d.options.Folder.Write(membership.HeldFile, kept); err != nil {
		return err
	}
	return quorum.BeginLife(d.options.Folder.LogDir(), kept.Mine.Life)
}

// withoutLog sets what is left of the log aside. This start of the daemon takes no part in
// votes: it tells why, and asks to be let in.
func (d *Daemon) withoutLog(lost inquiry.Lost) error {
	folder := d.options.Folder
	kept, err := membership.ReadOptional[heldLogs](folder, membership.HeldFile)
	if err != nil {
		return err
	}
	place := d.membership
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
	d.membership, d.book.lost = place, &lost
	d.logger.Error("this node does not hold the log in which it acknowledged entries; it has no vote before it "+
		"holds all of it again", "node", d.name, "why", lost.Why)
	d.warnings.Set("log",
		fmt.Sprintf("%s; this node has no vote and waits for a leader that lets it in with a new log. If the "+
			"others cannot agree without it, bring them up first; "+
			"if they are gone for good, use `clusterd recover` on the node whose log goes furthest, or `clusterd "+
			"restore` with a backup", lost.Why))
	return nil
}

// loseLog ends this start of the daemon; the next one takes no part in the log. What runs here
// runs on.
func (d *Daemon) loseLog(why message.Text) {
	d.logger.Error("this node stops taking part in the log", "node", d.name, "why", why)
	if err := d.options.Folder.Write(membership.LostFile, inquiry.Lost{Why: why, Next: quorum.NewLife()}); err != nil {
		d.fatal(fmt.Sprintf("%s, and it cannot be written down: %v", why, err))
		return
	}
	d.end(ErrAgain)
}

// letIn is heard from the leader: the vote of this node is gone, and it may begin with an empty
// log.
func (d *Daemon) letIn(by string) {
	folder := d.options.Folder
	lost := *d.book.lost
	d.logger.Warn("this node begins with an empty log", "node", d.name, "let in by", by)
	kept := heldLogs{Mine: quorum.Held{Life: lost.Next}, Members: d.membership.Members}
	if old, err := membership.ReadOptional[heldLogs](folder, membership.HeldFile); err == nil && old != nil {
		kept.Others, kept.Members = old.Others, old.Members
	}
	err := folder.Write(membership.HeldFile, kept)
	if err == nil {
		lost.LetIn = true
		err = folder.Write(membership.LostFile, lost)
	}
	if err != nil {
		d.warnings.Set("log", err.Error())
		return
	}
	d.end(ErrAgain)
}

// letBack answers a node that has lost its log, on the leader: its vote is taken first, and only
// when that is committed may it begin with an empty log.
func (d *Daemon) letBack(ctx context.Context, node string, lost inquiry.Lost) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	lose := func() error {
		before, _ := d.replica.Root().Nodes.Get(node)
		applied, err := d.propose(ctx, cluster.LoseLog{Node: node, Log: lost.Next, Before: before.Log, Why: lost.Why})
		if err != nil {
			return err
		}
		return applied.Err()
	}
	if err := lose(); err != nil {
		return false, err
	}
	if d.votes(node) {
		d.logger.Warn("the voters change", "why", node+" loses its vote, because it has lost the log")
		if err := d.log.Demote(ctx, node); err != nil {
			return false, err
		}
	}
	// Committed behind the change of voters: whoever leads next knows of it.
	if err := lose(); err != nil {
		return false, err
	}
	return !d.votes(node), nil
}

func (d *Daemon) votes(node string) bool {
	for _, m := range d.log.Members() {
		if m.ID == node {
			return m.Voter
		}
	}
	return false
}

// answerLog is the leader's answer about the log that another node holds.
func (d *Daemon) answerLog(ctx context.Context, question inquiry.Question, answer *inquiry.Answer) {
	if !d.role.Load().leading || !d.begun.Load() {
		return
	}
	n, known := d.replica.Root().Nodes.Get(question.Node)
	switch {
	case !known || n.Expelled != 0:
	case question.Lost != nil:
		var err error
		if answer.LetIn, err = d.letBack(ctx, question.Node, *question.Lost); err != nil {
			d.logger.Warn("a node that has lost its log is not let in yet", "node", question.Node, "error", err)
		}
	case question.Log != "" && n.Log != "" && n.Log != question.Log:
		ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
		defer cancel()
		if d.log.Verify(ctx) != nil {
			return
		}
		if n, _ = d.replica.Root().Nodes.Get(question.Node); n.Log != question.Log {
			answer.OtherLog = "its log is not the one in which it acknowledged entries"
		}
	}
}

// forgetHeld is for a log that was rightly set aside: what it acknowledged is over.
func (d *Daemon) forgetHeld() error {
	folder := d.options.Folder
	kept, err := membership.ReadOptional[heldLogs](folder, membership.HeldFile)
	if err != nil || kept == nil {
		return errors.Join(err, folder.Remove(membership.LostFile))
	}
	kept.Mine = quorum.Held{}
	return errors.Join(folder.Write(membership.HeldFile, kept), folder.Remove(membership.LostFile))
}

// holdsAgain forgets the loss once this node is admitted.
func (d *Daemon) holdsAgain() error {
	d.warnings.Set("log", "")
	d.book.letIn = false
	return d.options.Folder.Remove(membership.LostFile)
}
