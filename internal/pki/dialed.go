package pki

import (
	"crypto/tls"
	"net"
)

// dialedConn lies under a connection that Dial made, so that the Store can end it when its peer
// is removed.
type dialedConn struct {
	net.Conn
	store   *Store // nil where nobody is known yet: a joiner's
	channel Channel
	peer    Peer
}

// known counts the connection once the peer is verified. The peer's standing is asked again
// afterwards: Recheck may have looked between the verification and now.
func (connection *dialedConn) known(state tls.ConnectionState) error {
	store := connection.store
	if store == nil {
		return nil
	}
	peer, err := PeerOf(state)
	if err != nil {
		return err
	}
	connection.peer = peer
	store.mutex.Lock()
	store.dialed[connection] = struct{}{}
	store.mutex.Unlock()
	return store.Admit(connection.channel, Dialing, peer)
}

// NetConn is the connection below, as that of an accepted one.
func (connection *dialedConn) NetConn() net.Conn { return connection.Conn }

// Close may be called several times.
func (connection *dialedConn) Close() error {
	if store := connection.store; store != nil {
		store.mutex.Lock()
		delete(store.dialed, connection)
		store.mutex.Unlock()
	}
	return connection.Conn.Close()
}

// Recheck closes every connection that was dialed to a peer whose channel the State has closed
// since, and returns how many.
func (store *Store) Recheck() int {
	store.mutex.Lock()
	var refused []*dialedConn
	for connection := range store.dialed {
		if store.Admit(connection.channel, Dialing, connection.peer) != nil {
			refused = append(refused, connection)
		}
	}
	store.mutex.Unlock()
	for _, connection := range refused {
		connection.Close()
	}
	return len(refused)
}
