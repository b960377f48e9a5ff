package quorum

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// requestTag marks an entry with the Propose call that made it. It travels beside the entry's
// data, so that a call recognizes its entry when this node applies it, even when the leader's
// answer was lost on the way.
type requestTag [16]byte

// applier stands between raft and the Machine. Raft calls Apply, Snapshot and Restore from one
// goroutine.
type applier struct {
	machine   Machine
	committed func(position) // called after each batch, from raft's goroutine
	restored  func(index, term uint64)

	mu      sync.Mutex
	applied position
	changed chan struct{} // closed and replaced when applied moves
	waiting map[requestTag]chan Committed
}

func newApplier(machine Machine) *applier {
	return &applier{
		machine: machine, committed: func(position) {}, restored: func(uint64, uint64) {},
		changed: make(chan struct{}), waiting: map[requestTag]chan Committed{},
	}
}

func (a *applier) Apply(entry *raft.Log) any {
	return a.ApplyBatch([]*raft.Log{entry})[0]
}

// ApplyBatch implements raft.BatchingFSM. Configuration entries come along: they count, but are
// not the Machine's.
func (a *applier) ApplyBatch(entries []*raft.Log) []any {
	var last position
	for _, entry := range entries {
		last = position{entry.Index, entry.Term}
		if entry.Type != raft.LogCommand {
			continue
		}
		a.deliver(entry, a.machine.Apply(entryOf(entry)))
	}
	if last.index > 0 {
		a.advance(last)(last)
	}
	return make([]any, len(entries))
}

// entryOf is raft's entry as the Machine has it.
func entryOf(entry *raft.Log) Entry {
	return Entry{
		Index: entry.Index, Term: entry.Term, Data: entry.Data,
		// To the millisecond: the leader holds more digits than its own log gives back after a restart.
		At: entry.AppendedAt.UTC().Truncate(time.Millisecond),
	}
}

func (a *applier) setCommitted(function func(position)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.committed = function
}

func (a *applier) deliver(entry *raft.Log, result any) {
	if len(entry.Extensions) != len(requestTag{}) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if waiter := a.waiting[requestTag(entry.Extensions)]; waiter != nil {
		waiter <- Committed{Index: entry.Index, Result: result} // room for one; a tag is applied once
		delete(a.waiting, requestTag(entry.Extensions))
	}
}

// advance returns whom to tell; not told under the lock, because raft is asked on the way.
func (a *applier) advance(to position) (committed func(position)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied = to
	close(a.changed)
	a.changed = make(chan struct{})
	return a.committed
}

func (a *applier) position() (position, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied, a.changed
}

// wait returns when the Machine has applied that index, or one behind it came with a snapshot.
func (a *applier) wait(ctx context.Context, index uint64) error {
	for {
		applied, changed := a.position()
		if applied.index >= index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *applier) expect(tag requestTag) <-chan Committed {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiter := make(chan Committed, 1)
	a.waiting[tag] = waiter
	return waiter
}

func (a *applier) forget(tag requestTag) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, tag)
}

// Each snapshot starts with the position it was taken at, because raft does not tell Restore,
// and a reader on this node must know how current the restored state is.
const snapshotMagic = "clusterd-log-1\n\x00"

func (a *applier) Snapshot() (raft.FSMSnapshot, error) {
	applied, _ := a.position()
	return snapshotWriter{applied, a.machine.Snapshot()}, nil
}

func (a *applier) Restore(source io.ReadCloser) error {
	defer source.Close()
	var header [len(snapshotMagic) + 16]byte
	if _, err := io.ReadFull(source, header[:]); err != nil {
		return fmt.Errorf("read the snapshot's head: %w", err)
	}
	if string(header[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("this is not a snapshot of this log: it begins with %q", header[:len(snapshotMagic)])
	}
	if err := a.machine.Restore(source); err != nil {
		return fmt.Errorf("restore the state from the snapshot: %w", err)
	}
	numbers := header[len(snapshotMagic):]
	at := position{binary.BigEndian.Uint64(numbers), binary.BigEndian.Uint64(numbers[8:])}
	a.restored(at.index, at.term)
	a.advance(at)
	return nil
}

type snapshotWriter struct {
	at    position
	write func(io.Writer) error
}

func (s snapshotWriter) Persist(sink raft.SnapshotSink) error {
	header := []byte(snapshotMagic)
	header = binary.BigEndian.AppendUint64(header, s.at.index)
	header = binary.BigEndian.AppendUint64(header, s.at.term)
	if _, err := sink.Write(header); err != nil {
		sink.Cancel()
		return fmt.Errorf("write the snapshot's head: %w", err)
	}
	if err := s.write(sink); err != nil {
		sink.Cancel()
		return fmt.Errorf("write the state into the snapshot: %w", err)
	}
	return sink.Close()
}

func (snapshotWriter) Release() {}
