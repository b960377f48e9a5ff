package quorum

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Committed is an entry that is in the log for good.
type Committed struct {
	Index uint64
	// Result is what Machine.Apply returned on this node.
	Result any
	// Skipped is set when this node jumped over the entry by a snapshot. Result is nil then; ask
	// the state instead.
	Skipped bool
}

// Propose appends an entry through the leader, wherever that is, and returns when this node has
// applied it, so that the caller reads its own write. While no leader is known it looks for one
// until ctx ends or Options.LeaderWait is over.
//
// ErrNoLeader, ErrBusy, ErrLogVolume, ErrTooLarge, ErrUnfit and ErrClosed mean the entry is not in
// the log. ErrOutcomeUnknown means nobody knows. ErrNotYetApplied comes with Committed.Index: the
// entry is in the log.
func (l *Log) Propose(ctx context.Context, data []byte) (Committed, error) {
	if len(data) > MaxEntryBytes {
		return Committed{}, fmt.Errorf("%w: %d bytes, %d at most", ErrTooLarge, len(data), MaxEntryBytes)
	}
	release, err := l.enter()
	if err != nil {
		return Committed{}, err
	}
	defer release()
	tag := l.nextTag()
	own := l.applier.expect(tag)
	defer l.applier.forget(tag)

	var index uint64
	err = l.throughLeader(ctx, func() error {
		var err error
		index, err = l.appendOnce(ctx, tag, data)
		return err
	})
	if errors.Is(err, ErrOutcomeUnknown) {
		return l.awaitDoubtful(ctx, own, err)
	}
	if err != nil {
		return Committed{}, err
	}
	return l.awaitApplied(ctx, own, index)
}

// ProposeHere is Propose for what only a leader may decide: the entry goes into the log through
// this node's own leadership or not at all. A decision that was made while this node led, and
// that a later leader would have to answer for, is never handed on to that one. ErrNotLeader
// means the entry is not in the log; the other errors are those of Propose.
func (l *Log) ProposeHere(ctx context.Context, data []byte) (Committed, error) {
	if len(data) > MaxEntryBytes {
		return Committed{}, fmt.Errorf("%w: %d bytes, %d at most", ErrTooLarge, len(data), MaxEntryBytes)
	}
	release, err := l.enter()
	if err != nil {
		return Committed{}, err
	}
	defer release()
	if l.raft.State() != raft.Leader {
		return Committed{}, fmt.Errorf("propose on node %s: %w", l.options.ID, ErrNotLeader)
	}
	tag := l.nextTag()
	own := l.applier.expect(tag)
	defer l.applier.forget(tag)
	index, err := l.appendHere(ctx, tag, data)
	if errors.Is(err, ErrOutcomeUnknown) {
		return l.awaitDoubtful(ctx, own, err)
	}
	if err != nil {
		return Committed{}, err
	}
	return l.awaitApplied(ctx, own, index)
}

// enter takes one of the bounded places for calls under way.
func (l *Log) enter() (release func(), err error) {
	if l.closed() {
		return nil, ErrClosed
	}
	select {
	case l.proposals <- struct{}{}:
		return func() { <-l.proposals }, nil
	default:
		return nil, fmt.Errorf("%w on node %s: %d", ErrBusy, l.options.ID, cap(l.proposals))
	}
}

func (l *Log) nextTag() requestTag {
	var tag requestTag
	copy(tag[:], l.session[:])
	binary.BigEndian.PutUint64(tag[8:], l.sequence.Add(1))
	return tag
}

// throughLeader repeats an attempt while it fails with ErrNotLeader, that is, surely without
// effect.
func (l *Log) throughLeader(ctx context.Context, attempt func() error) error {
	deadline := time.NewTimer(l.options.LeaderWait)
	defer deadline.Stop()
	pause := 2 * time.Millisecond
	for {
		err := attempt()
		if !errors.Is(err, ErrNotLeader) {
			return err
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, l.options.Profile.Heartbeat/10)
		case <-ctx.Done():
			return fmt.Errorf("%w on node %s: %w", ErrNoLeader, l.options.ID, context.Cause(ctx))
		case <-deadline.C:
			return fmt.Errorf("%w on node %s after %s; see which voters are up and reach each other",
				ErrNoLeader, l.options.ID, l.options.LeaderWait)
		case <-l.closing:
			return ErrClosed
		}
	}
}

func (l *Log) appendOnce(ctx context.Context, tag requestTag, data []byte) (uint64, error) {
	address, id := l.raft.LeaderWithID()
	switch {
	case l.raft.State() == raft.Leader:
		return l.appendHere(ctx, tag, data)
	case id == "" || string(id) == l.options.ID:
		return 0, ErrNotLeader
	default:
		return l.links.propose(ctx, string(address), tag, data)
	}
}

// appendHere gives an entry to raft on this node, the leader, and waits until it is committed
// and applied here.
func (l *Log) appendHere(ctx context.Context, tag requestTag, data []byte) (uint64, error) {
	if l.options.Unfit != nil {
		if err := l.options.Unfit(data); err != nil {
			return 0, fmt.Errorf("%w (node %s): %w", ErrUnfit, l.options.ID, err)
		}
	}
	if health := l.volume.health(); !health.Writable {
		return 0, fmt.Errorf("%w: node %s: %s; make room on that volume, or stop that node so that another one leads",
			ErrLogVolume, l.options.ID, health.Reason)
	}
	select {
	case l.appends <- struct{}{}:
	default:
		return 0, fmt.Errorf("%w on the leader %s: %d", ErrBusy, l.options.ID, cap(l.appends))
	}
	future := l.raft.ApplyLog(raft.Log{Data: data, Extensions: tag[:]}, l.options.LeaderWait)
	// The future has no channel, and a hung disk never answers it. Its place is given back only
	// with its answer, so that the number of goroutines left waiting is bounded too.
	answered := make(chan error, 1)
	go func() {
		answered <- future.Error()
		<-l.appends
	}()
	select {
	case err := <-answered:
		if err != nil {
			return 0, appendError(err)
		}
		return future.Index(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: waiting on leader %s: %w", ErrOutcomeUnknown, l.options.ID, context.Cause(ctx))
	}
}

// appendError sorts raft's errors by the only question that matters: can the entry be in the log?
func appendError(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return ErrNotLeader
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: the leader did not take the entry in time", ErrBusy)
	default:
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
}

// awaitDoubtful looks for an entry whose answer was lost: it makes this node current, which
// takes a leader, and sees whether the entry came by. If it did not, it may still come: a
// request can lie in the memory of a leader that was paused.
func (l *Log) awaitDoubtful(ctx context.Context, own <-chan Committed, reason error) (Committed, error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.LeaderWait)
	defer cancel()
	verified := make(chan struct{})
	go func() {
		l.verify(ctx) // its error changes nothing: the outcome is unknown unless the entry is seen
		close(verified)
	}()
	select {
	case committed := <-own:
		return committed, nil
	case <-verified:
	}
	select {
	case committed := <-own:
		return committed, nil
	default:
		return Committed{}, reason
	}
}

func (l *Log) awaitApplied(ctx context.Context, own <-chan Committed, index uint64) (Committed, error) {
	ctx, cancel := l.untilClosed(ctx)
	defer cancel()
	err := l.applier.wait(ctx, index)
	select {
	case committed := <-own:
		return committed, nil
	default:
	}
	if err != nil {
		return Committed{Index: index}, fmt.Errorf("%w: index %d on node %s: %w", ErrNotYetApplied, index, l.options.ID, err)
	}
	return Committed{Index: index, Skipped: true}, nil
}

// untilClosed ends a context also when the log is closed.
func (l *Log) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		select {
		case <-l.closing:
			cancel(ErrClosed)
		case <-stopped:
		}
	}()
	return ctx, func() {
		close(stopped)
		cancel(nil)
	}
}

// Verify returns when this node's Machine has applied everything that any node had acknowledged
// before the call. A read of the local state after it is linearizable. It fails with
// ErrNoLeader, ErrBusy or ErrClosed, or with ctx's cause.
func (l *Log) Verify(ctx context.Context) error {
	release, err := l.enter()
	if err != nil {
		return err
	}
	defer release()
	return l.verify(ctx)
}

func (l *Log) verify(ctx context.Context) error {
	var index uint64
	err := l.throughLeader(ctx, func() error {
		var err error
		address, id := l.raft.LeaderWithID()
		switch {
		case l.raft.State() == raft.Leader:
			index, err = l.readIndex(ctx)
		case id == "" || string(id) == l.options.ID:
			err = ErrNotLeader
		default:
			index, err = l.links.readIndex(ctx, string(address))
		}
		return err
	})
	if err != nil {
		return err
	}
	return l.WaitApplied(ctx, index)
}

// readIndex is the leader's newest applied entry, confirmed by a majority after it was read.
// Everything acknowledged was applied on the leader that acknowledged it: this one, or an
// earlier one whose entries lie before this term's barrier. Without the barrier a fresh leader
// could verify before it applied what its predecessor had acknowledged.
func (l *Log) readIndex(ctx context.Context) (uint64, error) {
	term := l.raft.CurrentTerm()
	if err := l.passBarrier(ctx, term); err != nil {
		return 0, err
	}
	applied, _ := l.applier.position()
	if err := l.await(ctx, func() raft.Future { return l.raft.VerifyLeader() }); err != nil {
		return 0, err
	}
	if l.raft.CurrentTerm() != term {
		return 0, ErrNotLeader
	}
	return applied.index, nil
}

func (l *Log) passBarrier(ctx context.Context, term uint64) error {
	select {
	case l.barrier <- struct{}{}:
		defer func() { <-l.barrier }()
	case <-ctx.Done(): // somebody else's barrier may take longer than this reader waits
		return context.Cause(ctx)
	}
	// Also when the Machine lags behind the commit index: another node may have applied, and shown,
	// what is committed. Raft's own entries do not reach the Machine; the barrier's index stands
	// for those before it.
	applied, _ := l.applier.position()
	if l.barrierPassed.term == term && l.raft.CommitIndex() <= max(applied.index, l.barrierPassed.index) {
		return nil
	}
	var future raft.Future
	if err := l.await(ctx, func() raft.Future {
		future = l.raft.Barrier(l.options.LeaderWait)
		return future
	}); err != nil {
		return err
	}
	if l.raft.CurrentTerm() != term {
		return ErrNotLeader
	}
	l.barrierPassed.term = term
	if indexed, ok := future.(raft.IndexFuture); ok {
		l.barrierPassed.index = indexed.Index()
	}
	return nil
}

// Nudge appends an entry of raft's own if this node leads, the log still ends at since, and all
// of it is committed. It returns the end of the log. Each node that the leader reaches takes
// that entry, so one that takes none is found out in a cluster in which nothing else is written.
func (l *Log) Nudge(ctx context.Context, since uint64) uint64 {
	end := l.raft.LastIndex()
	if end != since || l.raft.State() != raft.Leader || l.raft.CommitIndex() < end {
		return end // the log moves, or what was appended has yet to
	}
	if err := l.await(ctx, func() raft.Future { return l.raft.Barrier(l.options.LeaderWait) }); err != nil {
		l.options.Logger.Debug("the log was not moved", "error", err)
	}
	return l.raft.LastIndex()
}

// await waits for a read of the leader, which may be repeated without harm: whatever raft says
// against it, look again.
//
// The question is put only after its place was taken and the log was seen open: Close waits for
// every place, because raft forgets a question that it has not taken up when it is shut down,
// and who asked would wait forever.
func (l *Log) await(ctx context.Context, ask func() raft.Future) error {
	select {
	case l.appends <- struct{}{}:
	default:
		return fmt.Errorf("%w on the leader %s: %d", ErrBusy, l.options.ID, cap(l.appends))
	}
	if l.closed() {
		<-l.appends
		return ErrClosed
	}
	answered := make(chan error, 1)
	go func() {
		answered <- ask().Error()
		<-l.appends
	}()
	select {
	case err := <-answered:
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotLeader, err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
