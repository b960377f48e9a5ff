package quorum

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Streams opens and accepts the connections between nodes. They must be mutually authenticated
// by the time bytes flow.
type Streams interface {
	net.Listener
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// Gate says who may use which channel. Streams that also are a Gate are asked as soon as the
// channel of a connection is known, and again by Recheck. Streams that are none let everybody
// through: a network in memory.
type Gate interface {
	// Admit returns why the peer at the other end may not use the channel ("raft", "forward", "peer
	// test" or "question"); nil if it may. Dialed tells who opened the connection. It must not
	// block.
	Admit(connection net.Conn, channel string, dialed bool) error
}

// channelNames are what a Gate calls the channels.
var channelNames = map[byte]string{
	channelRaft: "raft", channelForward: "forward", channelPeerTest: "peer test", channelQuestion: "question",
}

// The first byte on each connection says what it is for. A number is never used again for
// something else.
const (
	channelRaft     byte = 1
	channelForward  byte = 2
	channelPeerTest byte = 3
	channelQuestion byte = 4
)

const (
	maxConnections = 1024            // open at once, both directions
	tagTimeout     = 5 * time.Second // for the handshake and the first byte of an accepted connection
)

// Wire divides the connections of one Streams among Log and Pulse by their first byte. It owns
// Streams from then on.
type Wire struct {
	streams Streams
	gate    Gate // nil where everybody may do everything
	logger  *slog.Logger
	stopped chan struct{}
	running sync.WaitGroup

	mu          sync.Mutex
	closed      bool
	handlers    map[byte]func(net.Conn)
	connections map[*wireConn]struct{}
}

// wireConn is a connection the Wire knows of, so that it can be closed from there.
// hashicorp/raft leaves the readers of its connections behind when it is shut down; here they
// end.
type wireConn struct {
	net.Conn
	wire    *Wire
	channel byte // 0 until it is known
	dialed  bool
}

func (c *wireConn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.connections, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}

// NewWire starts to accept connections at once; those for a Log or Pulse not yet open are closed.
func NewWire(streams Streams, logger *slog.Logger) *Wire {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	w := &Wire{
		streams: streams, logger: logger, stopped: make(chan struct{}),
		handlers: map[byte]func(net.Conn){}, connections: map[*wireConn]struct{}{},
	}
	w.gate, _ = streams.(Gate)
	w.running.Go(w.accept)
	return w
}

// Close closes the Streams and every connection, and waits for the goroutines that served them.
func (w *Wire) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	close(w.stopped)
	w.mu.Unlock()
	err := w.streams.Close()
	w.closeConnections(func(*wireConn) bool { return true })
	w.running.Wait()
	return err
}

func (w *Wire) accept() {
	pause := 5 * time.Millisecond
	for {
		connection, err := w.streams.Accept()
		if err == nil {
			pause = 5 * time.Millisecond
			w.serve(connection)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		w.logger.Warn("cannot accept a connection from another node", "error", err)
		select {
		case <-w.stopped:
			return
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		}
	}
}

func (w *Wire) serve(connection net.Conn) {
	known := &wireConn{Conn: connection, wire: w}
	if !w.track(known) {
		connection.Close()
		return
	}
	w.running.Go(func() {
		var tag [1]byte
		connection.SetDeadline(time.Now().Add(tagTimeout))
		if _, err := connection.Read(tag[:]); err != nil {
			known.Close()
			return
		}
		connection.SetDeadline(time.Time{})
		w.mu.Lock()
		known.channel = tag[0]
		handle := w.handlers[tag[0]]
		w.mu.Unlock()
		if handle == nil {
			known.Close()
			return
		}
		if err := w.admit(known); err != nil {
			w.logger.Warn("a channel was refused", "remote", fmt.Sprint(connection.RemoteAddr()), "reason", err)
			known.Close()
			return
		}
		handle(known)
	})
}

// admit asks the gate about a connection that is tracked already: a Recheck that comes before sees
// it, or this one sees the newer State.
func (w *Wire) admit(connection *wireConn) error {
	if w.gate == nil {
		return nil
	}
	return w.gate.Admit(connection.Conn, channelNames[connection.channel], connection.dialed)
}

// Recheck closes every connection whose peer may no longer use its channel. Who keeps the keys
// calls it when they changed.
func (w *Wire) Recheck() {
	w.closeConnections(func(c *wireConn) bool { return c.channel != 0 && w.admit(c) != nil })
}

func (w *Wire) track(connection *wireConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.connections) >= maxConnections {
		return false
	}
	w.connections[connection] = struct{}{}
	return true
}

// handle gives accepted connections with this first byte to the function, each in a goroutine of
// its own.
func (w *Wire) handle(channel byte, function func(net.Conn)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handlers[channel] != nil {
		return fmt.Errorf("channel %d of the wire is already in use", channel)
	}
	w.handlers[channel] = function
	return nil
}

// release ends a channel: no more connections for it, and those it has are closed.
func (w *Wire) release(channel byte) {
	w.mu.Lock()
	delete(w.handlers, channel)
	w.mu.Unlock()
	w.closeConnections(func(c *wireConn) bool { return c.channel == channel })
}

func (w *Wire) closeConnections(matches func(*wireConn) bool) {
	w.mu.Lock()
	var closing []*wireConn
	for connection := range w.connections {
		if matches(connection) {
			closing = append(closing, connection)
		}
	}
	w.mu.Unlock()
	for _, connection := range closing {
		connection.Close()
	}
}

// dial opens a connection for a channel of the node at that address.
func (w *Wire) dial(ctx context.Context, address string, channel byte) (net.Conn, error) {
	connection, err := w.streams.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	known := &wireConn{Conn: connection, wire: w, channel: channel, dialed: true}
	if !w.track(known) {
		connection.Close()
		return nil, fmt.Errorf("cannot connect to %s: this node has %d connections open or is closing", address,
			maxConnections)
	}
	if err := w.admit(known); err != nil {
		known.Close()
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		connection.SetDeadline(deadline)
	}
	if _, err := connection.Write([]byte{channel}); err != nil {
		known.Close()
		return nil, err
	}
	connection.SetDeadline(time.Time{})
	return known, nil
}
