package quorum

import (
	"context"
	"sync"
)

// sharedReads lets many callers wait for one read of the leader. Who asks while a read is under way
// cannot use it, because it may be older than the question; all of those share the next one. So
// however many ask, at most one read is under way and one is to come.
type sharedReads struct {
	mu      sync.Mutex
	running *sharedRead
	next    *sharedRead
}

type sharedRead struct {
	done chan struct{}
	err  error
}

// VerifyShared is Verify for callers from outside, of whom there may be any number: together they
// cost one read at a time, and they take none of the places that this node's own calls need.
func (l *Log) VerifyShared(ctx context.Context) error {
	if l.closed() {
		return ErrClosed
	}
	read := l.reads.join(l)
	select {
	case <-read.done:
		return read.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.closing:
		return ErrClosed
	}
}

// join returns the read that may answer a question that is put now.
func (s *sharedReads) join(l *Log) *sharedRead {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &sharedRead{done: make(chan struct{})}
		if s.running == nil {
			s.begin(l)
			return s.running
		}
	}
	return s.next
}

// begin starts the next read. The caller holds the mutex.
func (s *sharedReads) begin(l *Log) {
	read := s.next
	s.running, s.next = read, nil
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), l.options.LeaderWait)
		ctx, release := l.untilClosed(ctx)
		read.err = l.verify(ctx)
		release()
		cancel()
		close(read.done)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = nil
		if s.next != nil {
			s.begin(l)
		}
	}()
}
