// Package logbook is what a node remembers of logs: how far its own went, how far the others' were
// heard to go, and where the others are. By that it sees whether its log is gone or was cut: then
// it takes no part in votes until a leader lets it in with a new one (law L7).
package logbook

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/internal/warnings"
	"github.com/clusterd/clusterd/quorum"
)

const (
	// HeldEvery is how often what changed of it is written down. It costs a running cluster one small
	// file a second, and one at rest nothing.
	HeldEvery = time.Second
)

// Held is what membership.HeldFile holds.
type Held struct {
	Mine   quorum.Held            `json:"mine"`
	Others map[string]quorum.Held `json:"others,omitempty"`
	// Members are the others' addresses: whom to ask when the log is gone that knows them, and before
	// the State tells them.
	Members map[string]string `json:"members,omitempty"`
}

// Log is the replicated log, and the State that follows from it.
type Log interface {
	Root() *cluster.State
	// Ahead is what a State becomes by the entries that the log holds behind it; nil where one of
	// them cannot be read or applied.
	Ahead(s *cluster.State, entries iter.Seq2[quorum.Entry, error]) *cluster.State
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
	// Verify returns once this node has applied what was committed before the call.
	Verify(ctx context.Context) error
	// Leading reports whether this node leads.
	Leading() bool
	// Held is how far the log goes; false where it is not open yet.
	Held() (quorum.Held, bool)
	// Behind are the entries behind an index.
	Behind(index uint64) iter.Seq2[quorum.Entry, error]
	Members() []quorum.Member
	// Demote takes a member's vote.
	Demote(ctx context.Context, node string) error
}

// Options are what a book stands on. All but Moved are required.
type Options struct {
	Node     string
	Folder   membership.Folder
	Logger   *slog.Logger
	Warnings *warnings.Book
	Log      Log
	// Place is what this node knew when it joined.
	Place membership.Membership
	// Moved are the addresses of hosts after a renumbering, by those of before.
	Moved map[string]string
	// InMemory: the log is lost with the daemon, and nothing is remembered of it.
	InMemory bool
	// Heard are the newest heartbeats.
	Heard func() map[string]quorum.Beat
	// End ends this run of the daemon with a reason, and Fatal ends the daemon with words.
	End   func(error)
	Fatal func(reason string)
}

// Book is what this node remembers of logs. It is the memory of quorum.Log.
type Book struct {
	options Options
	place   membership.Membership

	mu   sync.Mutex
	kept Held
	// lost is what this start found: it takes no part in the log.
	lost *inquiry.Lost
	// letIn: this start is the first with a new log.
	letIn bool
}

// New makes a book. Find reads what was written down.
func New(options Options) *Book { return &Book{options: options, place: options.Place} }

// Place is what this node knows of its cluster before its log tells it more.
func (b *Book) Place() membership.Membership { return b.place }

// Lost is what became of the log that this node held; nil where it holds it.
func (b *Book) Lost() *inquiry.Lost { return b.lost }

// BeginsAnew reports whether this start is the first with a new log.
func (b *Book) BeginsAnew() bool { return b.letIn }

// Life names this node's log.
func (b *Book) Life() string { return b.kept.Mine.Life }

func held(h quorum.Held) cluster.LogHeld { return cluster.LogHeld(h) }

// Known implements quorum.Memory.
func (b *Book) Known() map[string]quorum.Held {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.kept.Others)
}

// membersOr are the others' addresses as they were written down last, or, where none were, as this
// node was told them when it joined.
func (b *Book) membersOr(joined map[string]string) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.kept.Members) > 0 {
		joined = b.kept.Members
	}
	members := make(map[string]string, len(joined))
	maps.Copy(members, joined)
	return members
}

func (b *Book) of(id string) cluster.LogHeld {
	b.mu.Lock()
	defer b.mu.Unlock()
	return held(b.kept.Others[id])
}

// Counts implements quorum.Memory.
func (b *Book) Counts(id string, said quorum.Held, behind func(uint64) iter.Seq2[quorum.Entry, error]) error {
	root, later := b.states(behind)
	if why := root.MayCount(id, held(said), b.of(id), later); !why.IsZero() {
		return fmt.Errorf("what %s acknowledges is not counted: %s", id, why)
	}
	return nil
}

// states are this node's State, and what that becomes once all that its log holds is applied. That
// is worked out only where it is asked for.
func (b *Book) states(behind func(uint64) iter.Seq2[quorum.Entry, error]) (*cluster.State, func() *cluster.State) {
	root := b.options.Log.Root()
	return root, func() *cluster.State { return b.options.Log.Ahead(root, behind(root.Index)) }
}

// Hears implements quorum.Memory.
func (b *Book) Hears(id string, said quorum.Held) error {
	if why := held(said).MayBeHeard(b.of(id)); !why.IsZero() {
		return fmt.Errorf("%s is not heard: %s", id, why)
	}
	return nil
}

// Remembered implements quorum.Memory: another node knows that this log held more.
func (b *Book) Remembered(by string, known quorum.Held) {
	mine, open := b.options.Log.Held()
	if b.lost != nil || !open {
		return
	}
	if why := held(mine).MayBeHeard(held(known)); !why.IsZero() {
		b.Lose(message.LogRememberedBy.With(why, by))
	}
}

// Mark writes down, before the log does, that it begins, or that a term does.
func (b *Book) Mark(mine quorum.Held) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.kept
	next.Mine = mine
	if err := b.options.Folder.Write(membership.HeldFile, next); err != nil {
		return err
	}
	b.kept = next
	return nil
}

// keep writes down what changed.
func (b *Book) keep(mine quorum.Held, heard map[string]quorum.Beat, members map[string]string) error {
	root, later := b.states(b.options.Log.Behind)
	b.mu.Lock()
	defer b.mu.Unlock()
	next := Held{Mine: mine, Others: map[string]quorum.Held{}, Members: members}
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
	if err := b.options.Folder.Write(membership.HeldFile, next); err != nil {
		return err
	}
	b.kept = next
	return nil
}

// KeepHeld writes down again and again how far this log goes, and what was heard of the others'.
func (b *Book) KeepHeld(ctx context.Context) {
	for !b.options.InMemory && b.lost == nil && sleep.For(ctx, HeldEvery) {
		why := ""
		mine, _ := b.options.Log.Held()
		if err := b.keep(mine, b.options.Heard(), b.RecordedPeers()); err != nil {
			why = fmt.Sprintf("cannot write down how far the log goes: %v", err)
		}
		b.options.Warnings.Set("log held", why)
	}
}
