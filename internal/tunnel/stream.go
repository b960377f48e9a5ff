package tunnel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// bufferSize is what one read takes at most. TLS leaves no room for splice,
// so large buffers are what keeps a memory stream fast.
const bufferSize = 256 << 10

// ErrTooManyStreams is returned when a forwarder carries as many streams as it may.
var ErrTooManyStreams = errors.New("too many streams")

// streams are the connections that a forwarder carries now.
type streams struct {
	limit int
	idle  time.Duration

	mu   sync.Mutex
	open map[*stream]struct{}
	// quietSince is when the last stream ended.
	quietSince time.Time
}

type stream struct {
	a, b  net.Conn
	about about
	last  atomic.Int64 // unix nanoseconds of the last byte
	ended chan struct{}
	// over is since when no open migration asks for it; recheck alone uses it.
	over time.Time
}

// about is what a stream is for.
type about struct {
	remote    net.Conn
	kind, act string
	dialed    bool
}

func newStreams(limit int, idle time.Duration) *streams {
	return &streams{limit: limit, idle: idle, open: map[*stream]struct{}{}, quietSince: time.Now()}
}

// carry copies both ways until both ends are done, or the stream is idle for
// too long. It owns and closes both connections.
func (s *streams) carry(a, b net.Conn, what about) error {
	carried := &stream{a: a, b: b, about: what, ended: make(chan struct{})}
	carried.last.Store(time.Now().UnixNano())
	defer func() {
		_ = a.Close()
		_ = b.Close()
	}()
	if err := s.add(carried); err != nil {
		return err
	}
	defer s.remove(carried)
	if err := impatient(what.remote); err != nil {
		return fmt.Errorf("have the loss of the other node noticed: %w", err)
	}
	go carried.closeWhenIdle(s.idle)
	failures := make(chan error, 2)
	go func() { failures <- carried.copy(a, b) }()
	go func() { failures <- carried.copy(b, a) }()
	first := <-failures
	if first != nil { // A broken half breaks the other; a finished one does not.
		_ = a.Close()
		_ = b.Close()
	}
	second := <-failures
	return errors.Join(first, second)
}

func (s *streams) add(carried *stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.limit {
		return fmt.Errorf("%w (%d)", ErrTooManyStreams, s.limit)
	}
	s.open[carried] = struct{}{}
	return nil
}

func (s *streams) remove(carried *stream) {
	close(carried.ended)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, carried)
	s.quietSince = time.Now()
}

// count returns how many streams there are, of one act or ("") of all.
func (s *streams) count(act string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if act == "" {
		return len(s.open)
	}
	number := 0
	for carried := range s.open {
		if carried.about.act == act {
			number++
		}
	}
	return number
}

// overMoment is how long streams of a migration that is over may take to end by themselves.
const overMoment = 500 * time.Millisecond

// arriving reports whether a stream's guest is between the calls that prepare and finish its
// arrival. The target would kill it if the connection ended now.
func (c *stream) arriving() bool {
	calls, is := c.a.(*sieve)
	return is && calls.underWay.Load()
}

// tell has the calls of a stream whose migration is over leave the guest alone: who prepared an
// arrival and does not finish it keeps the stream for a while, and nothing else.
func (c *stream) tell(admitted error) {
	if calls, is := c.a.(*sieve); is {
		calls.over.Store(errors.Is(admitted, ErrNotExpected))
	}
}

// recheck closes the streams that are refused now, and those whose migration is over: at once, but
// for one whose guest is just arriving. Its intent can end before libvirt is done with it.
func (s *streams) recheck(now time.Time, admit func(about) error, afterAct time.Duration) (closed int) {
	s.mu.Lock()
	open, arriving := make([]*stream, 0, len(s.open)), map[string]bool{}
	for carried := range s.open {
		open = append(open, carried)
		if carried.arriving() {
			arriving[carried.about.act] = true
		}
	}
	s.mu.Unlock()
	for _, carried := range open {
		err := admit(carried.about)
		carried.tell(err)
		limit := overMoment
		if arriving[carried.about.act] {
			limit = afterAct
		}
		switch {
		case err == nil:
			carried.over = time.Time{}
			continue
		case errors.Is(err, ErrNotExpected) && carried.over.IsZero():
			carried.over = now
			continue
		case errors.Is(err, ErrNotExpected) && now.Sub(carried.over) < limit:
			continue
		}
		_ = carried.a.Close()
		_ = carried.b.Close()
		closed++
	}
	return closed
}

// quiet tells for how long nothing has been carried.
func (s *streams) quiet() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 {
		return 0
	}
	return time.Since(s.quietSince)
}

// copy moves one direction and passes its end on.
func (c *stream) copy(from, to net.Conn) error {
	buffer := make([]byte, bufferSize)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			c.last.Store(time.Now().UnixNano())
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			if half, ok := to.(interface{ CloseWrite() error }); ok {
				return half.CloseWrite()
			}
			return to.Close()
		}
		if err != nil {
			return err
		}
	}
}

func (c *stream) closeWhenIdle(limit time.Duration) {
	ticker := time.NewTicker(max(limit/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-c.ended:
			return
		case now := <-ticker.C:
			if now.Sub(time.Unix(0, c.last.Load())) > limit {
				_ = c.a.Close()
				_ = c.b.Close()
				return
			}
		}
	}
}

// patience is how long the other node may acknowledge nothing, and probes of a silent connection
// are probeEvery apart.
const (
	patience   = 5 * time.Second
	probeEvery = time.Second
)

// tcpOf finds the connection of TCP below what runs on it.
func tcpOf(conn net.Conn) (*net.TCPConn, bool) {
	for {
		over, wrapped := conn.(interface{ NetConn() net.Conn })
		if !wrapped {
			tcp, is := conn.(*net.TCPConn)
			return tcp, is
		}
		conn = over.NetConn()
	}
}

// impatient has a connection end once the other node acknowledges nothing for a while (tcp(7),
// TCP_USER_TIMEOUT). Left alone, TCP tries for a quarter of an hour, and so long a guest whose
// memory or disks follow it would stand still. What does not run on TCP is left as it is.
func impatient(conn net.Conn) error {
	tcp, is := tcpOf(conn)
	if !is {
		return nil
	}
	probes := net.KeepAliveConfig{Enable: true, Idle: probeEvery, Interval: probeEvery,
		Count: int(patience / probeEvery)}
	if err := tcp.SetKeepAliveConfig(probes); err != nil {
		return err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(patience.Milliseconds()))
	})
	return errors.Join(err, failed)
}
