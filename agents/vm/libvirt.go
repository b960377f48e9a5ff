//go:build cgo

package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents/vm/proof"
)

// maxCalls bounds the libvirt calls under way, abandoned ones included: each
// holds an OS thread for as long as libvirtd does not answer. Keepalive ends
// them within seconds when libvirtd is dead or frozen.
const maxCalls = 64

// keepalive: probes each second, three unanswered ones close the connection.
const (
	keepaliveSeconds = 1
	keepaliveCount   = 3
)

var (
	// errNotAsked: the call was never sent.
	errNotAsked = errors.New("libvirt was not asked")
	// errAbandoned: the call was sent and our time ran out; it may still happen.
	errAbandoned = errors.New("libvirt has not answered")
)

var eventLoop sync.Once

// startEventLoop runs libvirt's event loop for the life of the process; it
// must be registered before the first connection, or keepalive does nothing.
func startEventLoop() (err error) {
	eventLoop.Do(func() {
		if err = libvirt.EventRegisterDefaultImpl(); err != nil {
			return
		}
		go func() {
			for {
				if err := libvirt.EventRunDefaultImpl(); err != nil {
					time.Sleep(100 * time.Millisecond) // Not a wait for anything: only a brake.
				}
			}
		}()
	})
	return err
}

// call runs one libvirt call, which cannot be interrupted, and returns early
// when ctx ends. An abandoned call keeps its slot until it returns; its answer
// then goes to late, which may be nil.
func call[T any](ctx context.Context, slots chan struct{}, run func() (T, error), late func(T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", errNotAsked, ctx.Err())
	}
	var settled atomic.Bool // Whoever sets it first decides who gets the answer.
	answers := make(chan answer, 1)
	go func() {
		value, err := run()
		<-slots
		if settled.CompareAndSwap(false, true) {
			answers <- answer{value, err}
		} else if late != nil {
			late(value, err)
		}
	}()
	select {
	case got := <-answers:
		return got.value, got.err
	case <-ctx.Done():
		if settled.CompareAndSwap(false, true) {
			return none, fmt.Errorf("%w: %w", errAbandoned, ctx.Err())
		}
		got := <-answers
		return got.value, got.err
	}
}

// session is one connection to one libvirtd, used by one call at a time: two
// threads on one connection crash the whole process, now and then, in
// libvirt's client library before 10.3 (CVE-2024-4418; seen with 9.0). So acts
// open their own sessions, and a long call has one to itself.
type session struct {
	conn *libvirt.Connect
	// server is the process at the other end; unknown through a tunnel.
	server proof.Process
	slots  chan struct{}
	// lost is closed when the connection is gone.
	lost chan struct{}
	once sync.Once
	// turn is held by the call under way.
	turn chan struct{}

	mu     sync.Mutex
	users  int
	closed bool
}

// dial connects and turns keepalive on.
func (a *Agent) dial(ctx context.Context, uri string) (*session, error) {
	s := &session{slots: a.slots, lost: make(chan struct{}), turn: make(chan struct{}, 1)}
	before := a.table.Server(uri)
	conn, err := call(ctx, a.slots, func() (*libvirt.Connect, error) {
		conn, err := libvirt.NewConnect(uri)
		if err != nil {
			return nil, err
		}
		if err := s.prepare(conn); err != nil {
			_, _ = conn.Close()
			return nil, err
		}
		return conn, nil
	}, func(conn *libvirt.Connect, err error) {
		if err == nil {
			_, _ = conn.Close()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%w: connect to %s: %w", ErrDisconnected, uri, plain(err))
	}
	// Only when the same process was there before and after is it surely the
	// one that answers on this connection.
	if before == a.table.Server(uri) {
		s.server = before
	}
	s.conn = conn
	return s, nil
}

func (s *session) prepare(conn *libvirt.Connect) error {
	err := conn.RegisterCloseCallback(func(*libvirt.Connect, libvirt.ConnectCloseReason) {
		s.once.Do(func() { close(s.lost) })
	})
	if err != nil {
		return err
	}
	return conn.SetKeepAlive(keepaliveSeconds, keepaliveCount)
}

func (s *session) alive() bool {
	select {
	case <-s.lost:
		return false
	default:
		return true
	}
}

// enter and leave keep the connection open while a call uses it; the binding
// would hand a nil pointer to C otherwise.
func (s *session) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.users++
	return true
}

func (s *session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.closed && s.users == 0 {
		go s.hangUp()
	}
}

func (s *session) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.users == 0 {
		go s.hangUp() // Closing talks to libvirtd, which may hang.
	}
}

func (s *session) hangUp() {
	_ = s.conn.UnregisterCloseCallback()
	_, _ = s.conn.Close()
}

// take waits for the session's turn and keeps it open; give ends both.
func (s *session) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-s.lost:
		return fmt.Errorf("%w: %w", errNotAsked, ErrDisconnected)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errNotAsked, ctx.Err())
	}
	if !s.alive() || !s.enter() {
		<-s.turn
		return fmt.Errorf("%w: %w", errNotAsked, ErrDisconnected)
	}
	return nil
}

func (s *session) give() {
	<-s.turn
	s.leave()
}

// ask runs one call on a session, when no other is under way on it.
func ask[T any](ctx context.Context, s *session, run func(*libvirt.Connect) (T, error), late func(T, error)) (T,
	error) {
	var none T
	if err := s.take(ctx); err != nil {
		return none, err
	}
	value, err := call(ctx, s.slots, func() (T, error) {
		defer s.give()
		return run(s.conn)
	}, late)
	if errors.Is(err, errNotAsked) {
		s.give()
	}
	return value, err
}

// do is ask for calls without an answer.
func do(ctx context.Context, s *session, run func(*libvirt.Connect) error) error {
	_, err := ask(ctx, s, func(conn *libvirt.Connect) (struct{}, error) { return struct{}{}, run(conn) }, nil)
	return err
}

// onDomain looks a VM up and runs one call on it.
func onDomain[T any](ctx context.Context, s *session, uuid string, run func(*libvirt.Domain) (T, error)) (T, error) {
	return ask(ctx, s, func(conn *libvirt.Connect) (T, error) {
		var none T
		domain, err := conn.LookupDomainByUUIDString(uuid)
		if err != nil {
			return none, err
		}
		defer func() { _ = domain.Free() }()
		return run(domain)
	}, nil)
}

// noDomain tells that libvirt answered "no such VM".
func noDomain(err error) bool {
	var answer libvirt.Error
	return errors.As(err, &answer) && answer.Code == libvirt.ERR_NO_DOMAIN
}

// plain turns libvirt's error into its sentence.
func plain(err error) error {
	var answer libvirt.Error
	if errors.As(err, &answer) {
		return errors.New(strings.TrimSpace(answer.Message))
	}
	return err
}
