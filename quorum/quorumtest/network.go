// Package quorumtest is a network in memory for tests of quorum and of what stands on it, under
// testing/synctest.
//
// It carries streams (over net.Pipe) and datagrams between addresses, which are any words, and
// its links can be cut, mended and frozen. Nothing in it waits for a real socket, so that
// virtual time goes on. Its streams are not authenticated.
//
// The caller closes what he opened: a bubble of synctest ends only when no goroutine is left in it.
package quorumtest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Network is the whole outside world of a test. All methods may be called from any goroutine.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*Streams
	sockets   map[string]*Packets
	pipes     []pipe
	cut       map[[2]string]bool
	muted     map[string]bool
	tap       func(to string, bytes []byte)
	written   atomic.Int64
}

type pipe struct {
	from, to string
	ends     [2]*end
}

// New returns a network on which everybody reaches everybody.
func New() *Network {
	return &Network{
		listeners: map[string]*Streams{}, sockets: map[string]*Packets{},
		cut: map[[2]string]bool{}, muted: map[string]bool{},
	}
}

// Cut breaks the link between two addresses: connections end, new ones and datagrams get
// nowhere, without a word.
func (n *Network) Cut(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cutLocked(a, b)
	for _, p := range n.pipes {
		if p.from == a && p.to == b || p.from == b && p.to == a {
			p.ends[0].Close()
			p.ends[1].Close()
		}
	}
}

func (n *Network) cutLocked(a, b string) {
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = true, true
}

// Isolate cuts an address off from all others that are known by now.
func (n *Network) Isolate(address string) {
	for _, other := range n.others(address) {
		n.Cut(address, other)
	}
}

// Freeze makes an address look as if its host lost power: connections to it stay open and bring
// nothing.
func (n *Network) Freeze(address string) {
	others := n.others(address)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, other := range others {
		n.cutLocked(address, other)
	}
	for _, p := range n.pipes {
		for i, owner := range []string{p.from, p.to} {
			if owner == address {
				p.ends[i].freeze()
			}
		}
	}
}

// Mend makes all cut links work again. Connections that ended or froze do not come back.
func (n *Network) Mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// Mute drops the datagrams from and to an address, or lets them pass again, and leaves its
// streams alone.
func (n *Network) Mute(address string, muted bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.muted[address] = muted
}

// Tap shows each datagram that is sent, also those that get nowhere, to a function that must not
// block.
func (n *Network) Tap(function func(to string, bytes []byte)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tap = function
}

// Written is how often something was written to a connection so far.
func (n *Network) Written() int64 { return n.written.Load() }

func (n *Network) others(address string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	seen := map[string]bool{address: true}
	var others []string
	note := func(other string) {
		if !seen[other] {
			seen[other] = true
			others = append(others, other)
		}
	}
	for other := range n.listeners {
		note(other)
	}
	for other := range n.sockets {
		note(other)
	}
	return others
}

// Streams is one address's end of the network for connections. It has the shape that
// quorum.NewWire wants.
type Streams struct {
	network  *Network
	address  string
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// Listen takes an address for connections. Whoever had it before is no more reached.
func (n *Network) Listen(address string) *Streams {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &Streams{network: n, address: address, accepted: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = s
	return s
}

// Accept returns net.ErrClosed after Close.
func (s *Streams) Accept() (net.Conn, error) {
	select {
	case connection := <-s.accepted:
		return connection, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses further connections. Those that are open stay so.
func (s *Streams) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr is the address given to Listen.
func (s *Streams) Addr() net.Addr { return name(s.address) }

type name string

func (name) Network() string  { return "memory" }
func (n name) String() string { return string(n) }

// Dial returns ECONNREFUSED when nobody listens there. Over a cut link it waits until ctx ends.
func (s *Streams) Dial(ctx context.Context, address string) (net.Conn, error) {
	s.network.mu.Lock()
	target := s.network.listeners[address]
	blocked := s.network.cut[[2]string{s.address, address}]
	s.network.mu.Unlock()
	if blocked {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if target == nil {
		return nil, syscall.ECONNREFUSED
	}
	a, b := net.Pipe()
	near, far := newEnd(a, s.network), newEnd(b, s.network)
	select {
	case target.accepted <- far:
	case <-target.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.network.remember(pipe{s.address, address, [2]*end{near, far}})
	return near, nil
}

// Caller only dials, from an address at which nobody listens.
func (n *Network) Caller(address string) *Streams {
	return &Streams{network: n, address: address}
}

// remember keeps a connection for later cuts, and forgets those that ended.
func (n *Network) remember(added pipe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	open := n.pipes[:0]
	for _, p := range n.pipes {
		if !p.ends[0].isClosed() || !p.ends[1].isClosed() {
			open = append(open, p)
		}
	}
	n.pipes = append(open, added)
}

// end is one end of a connection. Frozen, it swallows what comes in and sends nothing.
type end struct {
	net.Conn
	network                *Network
	frozen, closed         chan struct{}
	freezeOnce, closedOnce sync.Once
}

func newEnd(connection net.Conn, network *Network) *end {
	return &end{Conn: connection, network: network, frozen: make(chan struct{}), closed: make(chan struct{})}
}

func (e *end) freeze() { e.freezeOnce.Do(func() { close(e.frozen) }) }

func (e *end) isClosed() bool {
	select {
	case <-e.closed:
		return true
	default:
		return false
	}
}

func (e *end) Read(buffer []byte) (int, error) {
	for {
		n, err := e.Conn.Read(buffer)
		select {
		case <-e.frozen:
			if err != nil {
				return 0, err
			}
		default:
			return n, err
		}
	}
}

func (e *end) Write(bytes []byte) (int, error) {
	select {
	case <-e.frozen:
		<-e.closed
		return 0, net.ErrClosed
	default:
		e.network.written.Add(1)
		return e.Conn.Write(bytes)
	}
}

func (e *end) Close() error {
	e.closedOnce.Do(func() { close(e.closed) })
	return e.Conn.Close()
}
