package pki

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
)

// Limits are the bounds of a Mux. Zero values take the defaults.
type Limits struct {
	// HandshakeTimeout ends a handshake that does not get on. Default 5 s.
	HandshakeTimeout time.Duration
	// Handshakes is how many may be under way from addresses that are no node's, and how many from
	// one address. One more ends the oldest of the address that has most, never the newest: an
	// honest peer is through in milliseconds, so the oldest is the silent one, and silence must not
	// lock others out. Default 64.
	Handshakes int
	// NodeHandshakes is how many may be under way from addresses of nodes. Default 512.
	NodeHandshakes int
	// Joiners is how many connections without a certificate may be open, and PerAddress how many of
	// them from one address: few, because nobody vouches for them. The oldest makes room for the
	// newest. Defaults 16 and 8.
	Joiners, PerAddress int
	// Clients is how many connections with client certificates may be open, and PerClient how many
	// with one certificate. The oldest makes room for the newest. Defaults 128 and 16.
	Clients, PerClient int
	// Nodes is how many connections of nodes may be open, and PerNode how many of one node. Nobody
	// else can take these places, and who has one keeps it. Defaults 2048 and 256.
	Nodes, PerNode int
	// Queue is how many ready connections of one protocol may wait for Accept. Default 64.
	Queue int
}

func (limits Limits) withDefaults() Limits {
	if limits.HandshakeTimeout <= 0 {
		limits.HandshakeTimeout = 5 * time.Second
	}
	for _, field := range []struct {
		value       *int
		replacement int
	}{
		{&limits.Handshakes, 64}, {&limits.NodeHandshakes, 512}, {&limits.Queue, 64},
		{&limits.Joiners, 16}, {&limits.PerAddress, 8},
		{&limits.Clients, 128}, {&limits.PerClient, 16}, {&limits.Nodes, 2048}, {&limits.PerNode, 256},
	} {
		if *field.value <= 0 {
			*field.value = field.replacement
		}
	}
	return limits
}

// acceptFailureLimit is how often accepting may fail in a row (out of file descriptors, mostly),
// a second apart at last, before Run gives up.
const acceptFailureLimit = 100

// ErrProtocolTaken is returned by Mux.Protocol when the protocol has an open listener already.
var ErrProtocolTaken = errors.New("the protocol is served already")

// Protocols on the node's TLS port, told apart by ALPN.
const (
	ProtocolQuorum = "clusterd-quorum"
	ProtocolAPI    = "clusterd-api"
)

// Mux serves several protocols on one TCP address, told apart by ALPN. It does the handshake and
// verifies the peer before anyone sees the connection, refuses with words, and bounds everything
// that a stranger can make it hold.
type Mux struct {
	listener net.Listener
	store    *Store
	limits   Limits
	log      *slog.Logger
	workers  sync.WaitGroup

	mutex     sync.Mutex
	closed    bool
	protocols map[string]*protocolListener
	callers   callers
	open      map[*muxConn]struct{} // Verified and not closed.
	rooms     map[Kind]*limits.Pot[*muxConn]
	pace      limits.Pace
	quiet     map[string]*limits.Quiet // Lines about strangers, by what they are about.

	// Known, if set before Run, reports whether an address is a node's, beside those that nodes have
	// come from. From other addresses strangers may begin only so many handshakes a second, since
	// each costs this machine some work. It is asked of each connection, and must not block.
	Known func(address netip.Addr) bool
	// Refused, if set before Run, is told of each peer that was sent away, and why. It must not block.
	Refused func(remote, protocol string, reason error)
}

// NewMux takes over a plain TCP listener. Nothing is accepted before Run. A nil logger discards.
func NewMux(listener net.Listener, store *Store, bounds Limits, log *slog.Logger) *Mux {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	bounds = bounds.withDefaults()
	return &Mux{
		listener: listener, store: store, limits: bounds, log: log,
		protocols: make(map[string]*protocolListener), open: make(map[*muxConn]struct{}),
		callers: newCallers(bounds), rooms: roomsOf(bounds), quiet: quietLines(), pace: strangersPace(),
	}
}

// Protocol opens a listener for one protocol; a peer that asks for a protocol nobody opened is told
// so. Only peers get through to whom one of the given channels is open, and nobody when none is
// given, so that a forgotten argument does not open a door; who serves the protocol asks
// Store.Admit again once it knows which channel is meant. Accepted connections are *Conn, with
// handshake and verification done. ErrProtocolTaken is returned while another listener for it is
// open.
func (mux *Mux) Protocol(name string, channels ...Channel) (net.Listener, error) {
	mux.mutex.Lock()
	defer mux.mutex.Unlock()
	if mux.closed {
		return nil, net.ErrClosed
	}
	if mux.protocols[name] != nil {
		return nil, fmt.Errorf("open protocol %s: %w", name, ErrProtocolTaken)
	}
	listener := &protocolListener{
		mux: mux, name: name, channels: slices.Clone(channels),
		queue: make(chan *Conn, mux.limits.Queue), done: make(chan struct{}),
	}
	mux.protocols[name] = listener
	return listener, nil
}

// Run accepts until the context ends (then it returns nil) or the listener fails for good. At
// its end the TCP listener, all protocols and all unfinished handshakes are closed; connections
// that were accepted belong to who accepted them.
func (mux *Mux) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { mux.listener.Close() })
	defer stop()
	defer mux.shut()
	failures := 0
	for {
		raw, err := mux.listener.Accept()
		switch {
		case err == nil:
			failures = 0
			mux.begin(raw)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed) || failures >= acceptFailureLimit:
			return fmt.Errorf("accept connections at %s: %w", mux.listener.Addr(), err)
		default:
			failures++
			mux.log.Warn("cannot accept a connection, trying again", "address", mux.listener.Addr().String(), "error", err)
			pause(ctx, min(time.Duration(failures)*10*time.Millisecond, time.Second))
		}
	}
}

func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Disconnect closes every open connection whose peer the function picks, at once and without a
// farewell, and returns how many. It is for a node that was removed or a client that was
// revoked. The function must not call the Mux.
func (mux *Mux) Disconnect(pick func(Peer) bool) int {
	mux.mutex.Lock()
	var picked []*muxConn
	for connection := range mux.open {
		if pick(connection.peer) {
			picked = append(picked, connection)
		}
	}
	mux.mutex.Unlock()
	for _, connection := range picked {
		connection.Close()
	}
	return len(picked)
}

// Recheck closes every open connection, accepted by the Mux or dialed with its Store, whose peer
// may no longer use it, and returns how many. Who keeps the State calls it after each change of
// the keys. The Trust's functions must not call the Mux.
func (mux *Mux) Recheck() int {
	mux.mutex.Lock()
	mux.callers.unlearn(mux.store)
	var refused []*muxConn
	for connection := range mux.open {
		if mux.store.admitAny(connection.channels, Accepting, connection.peer) != nil {
			refused = append(refused, connection)
		}
	}
	mux.mutex.Unlock()
	for _, connection := range refused {
		connection.Close()
	}
	return len(refused) + mux.store.Recheck()
}

// begin never blocks: Run must be free for the next peer.
func (mux *Mux) begin(raw net.Conn) {
	fromNode := mux.isNodes(raw.RemoteAddr())
	if !fromNode && mux.tooOften(raw.RemoteAddr()) {
		raw.Close()
		return
	}
	connection := &muxConn{Conn: raw, mux: mux, fromNode: fromNode}
	mux.mutex.Lock()
	oldest := mux.callers.wait(connection)
	mux.mutex.Unlock()
	if oldest != nil {
		oldest.Close()
	}
	mux.workers.Go(func() { mux.handshake(connection) })
}

func (mux *Mux) handshake(connection *muxConn) {
	// The deadline is on the connection and covers the greeting too: a peer that does not read must
	// not hold this goroutine.
	connection.SetDeadline(time.Now().Add(mux.limits.HandshakeTimeout))
	secured := tls.Server(connection, mux.store.unverifiedServerConfig(mux.names()))
	if err := secured.Handshake(); err != nil {
		mux.charge(connection.RemoteAddr())
		mux.tell(handshakeFailed, "remote", connection.RemoteAddr().String(), "error", err)
		connection.Close()
		return
	}
	protocol := secured.ConnectionState().NegotiatedProtocol
	peer, err := mux.store.verifyClient(secured.ConnectionState())
	if err != nil || peer.Kind != KindNode {
		mux.charge(connection.RemoteAddr())
	}
	if err == nil {
		err = mux.admit(connection, peer, protocol)
	}
	if err == nil {
		// Its removal may have come between the verification and now, and Recheck have looked
		// before the connection was counted.
		err = mux.store.admitAny(connection.channels, Accepting, peer)
	}
	if err == nil && peer.Kind == KindNode {
		mux.learn(connection, secured.ConnectionState())
	}
	if err == nil {
		err = mux.deliver(secured, peer, protocol)
	}
	if err != nil {
		mux.refuse(secured, connection, protocol, err)
	}
}

// refuse tells the other end why, where it can listen, and the log in any case.
func (mux *Mux) refuse(secured *tls.Conn, connection *muxConn, protocol string, reason error) {
	mux.tell(connectionRefused, "remote", connection.RemoteAddr().String(), "protocol", protocol, "reason", reason)
	if mux.Refused != nil {
		mux.Refused(connection.RemoteAddr().String(), protocol, reason)
	}
	if greets(protocol) {
		writeGreeting(secured, verdictOf(reason), reason.Error()) // A peer that is gone needs no reason.
	}
	secured.Close()
}

// admit counts the connection among the open ones, or says why not.
func (mux *Mux) admit(connection *muxConn, peer Peer, protocol string) error {
	mux.mutex.Lock()
	defer mux.mutex.Unlock()
	listener := mux.protocols[protocol]
	if listener == nil {
		return fmt.Errorf("protocol %q is not served here", protocol)
	}
	if err := mux.store.admitAny(listener.channels, Accepting, peer); err != nil {
		return fmt.Errorf("protocol %s: %w", protocol, err)
	}
	if !mux.callers.forget(connection) {
		return fmt.Errorf("%w: too many handshakes were under way", ErrBusy)
	}
	connection.channels = listener.channels
	return mux.giveRoom(connection, peer)
}

// deliver greets and hands over. The greeting goes out first, since afterwards the connection
// belongs to the one who accepts it; its place in the queue is kept meanwhile, so that nobody
// who was welcomed is sent away after all.
func (mux *Mux) deliver(secured *tls.Conn, peer Peer, protocol string) error {
	listener := mux.keepPlace(protocol)
	if listener == nil {
		return fmt.Errorf("%w: protocol %s has no room in its queue", ErrBusy, protocol)
	}
	var err error
	if greets(protocol) {
		err = writeGreeting(secured, verdictWelcome, "")
	}
	secured.SetDeadline(time.Time{})
	mux.mutex.Lock()
	defer mux.mutex.Unlock()
	listener.kept--
	if err == nil && mux.protocols[protocol] == listener {
		listener.queue <- &Conn{Conn: secured, peer: peer} // Never blocks: the place was kept.
		return nil
	}
	// The peer left, or the protocol was closed after the greeting: it sees its connection end and
	// dials again.
	go secured.Close()
	return nil
}

// keepPlace returns nil where the protocol is not served or its queue is full, counting those
// who are being greeted.
func (mux *Mux) keepPlace(protocol string) *protocolListener {
	mux.mutex.Lock()
	defer mux.mutex.Unlock()
	listener := mux.protocols[protocol]
	if listener == nil || len(listener.queue)+listener.kept >= cap(listener.queue) {
		return nil
	}
	listener.kept++
	return listener
}

func (mux *Mux) names() []string {
	mux.mutex.Lock()
	defer mux.mutex.Unlock()
	names := make([]string, 0, len(mux.protocols))
	for name := range mux.protocols {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// shut ends everything that nobody has accepted yet.
func (mux *Mux) shut() {
	mux.listener.Close()
	mux.mutex.Lock()
	mux.closed = true
	pending := mux.callers.all()
	var listeners []*protocolListener
	for _, listener := range mux.protocols {
		listeners = append(listeners, listener)
	}
	mux.mutex.Unlock()
	for _, connection := range pending {
		connection.Close()
	}
	for _, listener := range listeners {
		listener.Close()
	}
	mux.workers.Wait()
}
