package pki

import (
	"crypto/tls"
	"net"

	"github.com/clusterd/clusterd/internal/limits"
)

// Conn is an accepted connection. It is not a bare *tls.Conn because net/http hangs up on one
// whose ALPN protocol it does not know; of this one it only reads ConnectionState, and handlers
// find the peer by PeerOf(*request.TLS).
type Conn struct {
	*tls.Conn
	peer Peer
}

// Peer is the other end, verified.
func (connection *Conn) Peer() Peer { return connection.peer }

// muxConn lies under the TLS connection and keeps the counts right, whoever closes the
// connection and however.
type muxConn struct {
	net.Conn
	mux    *Mux
	peer   Peer   // Set once, by admit.
	holder string // Whose place in its room it has; set with peer.
	// What any of which was open to it; set with peer.
	channels []Channel
	// While its handshake is under way: whether it came from a node's address, among whom it is
	// counted, and as whose.
	fromNode bool
	waiting  *limits.Pot[*muxConn]
	caller   string
}

// Close may be called several times; the counts change once.
func (connection *muxConn) Close() error {
	mux := connection.mux
	mux.mutex.Lock()
	mux.callers.forget(connection)
	if _, isOpen := mux.open[connection]; isOpen {
		delete(mux.open, connection)
		mux.rooms[connection.peer.Kind].Leave(connection.holder, connection)
	}
	mux.mutex.Unlock()
	return connection.Conn.Close()
}

// NetConn is the connection below, like that of tls.Conn: who has options of TCP set follows both.
func (connection *muxConn) NetConn() net.Conn { return connection.Conn }

type protocolListener struct {
	mux      *Mux
	name     string
	channels []Channel
	queue    chan *Conn
	kept     int // Places in the queue for connections that are being greeted. Guarded by the Mux's mutex.
	done     chan struct{}
}

// Accept returns net.ErrClosed after Close or after the end of Mux.Run.
func (listener *protocolListener) Accept() (net.Conn, error) {
	select {
	case connection := <-listener.queue:
		return connection, nil
	case <-listener.done:
		return nil, net.ErrClosed
	}
}

// Close ends this protocol only, with the connections that nobody accepted yet. It may be opened
// again.
func (listener *protocolListener) Close() error {
	listener.mux.mutex.Lock()
	if listener.mux.protocols[listener.name] == listener {
		delete(listener.mux.protocols, listener.name)
		close(listener.done)
	}
	listener.mux.mutex.Unlock()
	for {
		select {
		case connection := <-listener.queue:
			connection.Close()
		default:
			return nil
		}
	}
}

func (listener *protocolListener) Addr() net.Addr { return listener.mux.listener.Addr() }
