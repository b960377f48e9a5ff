package pki

import (
	"fmt"
	"net"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
)

// roomsOf gives each kind of peer a room of its own, so that none can take another's places.
func roomsOf(bounds Limits) map[Kind]*limits.Pot[*muxConn] {
	return map[Kind]*limits.Pot[*muxConn]{
		KindNode:   {Most: bounds.Nodes, Each: bounds.PerNode, Keeps: true},
		KindClient: {Most: bounds.Clients, Each: bounds.PerClient},
		KindJoiner: {Most: bounds.Joiners, Each: bounds.PerAddress},
	}
}

// holderOf is whose places in its room a connection counts against: the node's, the certificate's,
// or the address's where there is no certificate.
func holderOf(peer Peer, remote net.Addr) string {
	switch peer.Kind {
	case KindNode:
		return peer.Name
	case KindClient:
		return peer.Fingerprint
	}
	return network(remote)
}

func network(remote net.Addr) string { return limits.Network(remote.String()) }

// giveRoom counts a connection among the open ones of its kind. A stranger for whom there is no
// place pushes the oldest one out; a node is told that there is none. The caller holds the mutex.
func (mux *Mux) giveRoom(connection *muxConn, peer Peer) error {
	room := mux.rooms[peer.Kind]
	if room == nil {
		return fmt.Errorf("there is no room for %s", peer)
	}
	connection.holder = holderOf(peer, connection.RemoteAddr())
	pushed, given := room.Enter(connection.holder, connection)
	if !given {
		return fmt.Errorf("%w: %d connections of nodes are open here, at most %d of one node",
			ErrBusy, room.Count(), room.Each)
	}
	connection.peer = peer
	mux.open[connection] = struct{}{}
	if pushed != nil {
		delete(mux.open, *pushed)
		// Closing takes the mutex, and what lies above the connection may hold it for a moment.
		go (*pushed).Conn.Close()
		mux.tell(connectionEnded, "kind", string(peer.Kind), "remote", (*pushed).RemoteAddr().String())
	}
	return nil
}

// What is said about strangers; each has lines of its own.
const (
	handshakeFailed   = "a TLS handshake failed"
	connectionRefused = "a connection was refused"
	tooManyHandshakes = "a handshake was not begun: there were too many from this address"
	connectionEnded   = "a connection was ended to make room for a newer one"
)

const (
	strangerLines  = 10
	strangerWindow = 10 * time.Second
)

func quietLines() map[string]*limits.Quiet {
	lines := map[string]*limits.Quiet{}
	for _, what := range []string{handshakeFailed, connectionRefused, connectionEnded, tooManyHandshakes} {
		lines[what] = &limits.Quiet{Most: strangerLines, Window: strangerWindow}
	}
	return lines
}

// tell writes a line about a stranger, unless there were many; then a later one has the count.
func (mux *Mux) tell(what string, arguments ...any) {
	unsaid, tell := mux.quiet[what].Tell(time.Now())
	if !tell {
		return
	}
	if unsaid > 0 {
		arguments = append(arguments, "and_more_like_it", unsaid)
	}
	mux.log.Warn(what, arguments...)
}
