package pki

import (
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
)

// Handshakes that strangers may make from one address: on average a second, and at once.
const (
	strangersRate  = 20
	strangersBurst = 60
)

func strangersPace() limits.Pace {
	return limits.Pace{Rate: strangersRate, Burst: strangersBurst, Holders: 4096, Most: 5 * time.Second}
}

// Addresses of nodes that a Mux has learned: of one node, and of all.
const (
	mostHomesOfOne = 24
	mostHomes      = 4096
)

// callers is what a Mux knows of where handshakes come from. The Mux's mutex guards it.
type callers struct {
	// Handshakes under way, from addresses of nodes and from others, so that no stranger takes the
	// place of one that comes from a node's address.
	nodes, strangers limits.Pot[*muxConn]
	// homes are addresses that a member's connection came from, or that stand in its certificate: a
	// node may dial from another address than the one under which it is reached.
	homes map[netip.Addr]home
}

// home is whose an address is, what was open to that member, and when it was seen last.
type home struct {
	peer     Peer
	channels []Channel
	seen     time.Time
}

// mostNamed is how many addresses of a certificate are looked at.
const mostNamed = 16

func newCallers(bounds Limits) callers {
	return callers{
		nodes:     limits.Pot[*muxConn]{Most: bounds.NodeHandshakes, Each: bounds.Handshakes},
		strangers: limits.Pot[*muxConn]{Most: bounds.Handshakes, Each: bounds.Handshakes},
		homes:     map[netip.Addr]home{},
	}
}

// isNodes reports whether somebody comes from an address of a node: that very address. Of IPv6 a
// whole network has one account, and any machine there may have used it up.
func (mux *Mux) isNodes(remote net.Addr) bool {
	address := limits.Address(remote.String())
	if mux.Known != nil && mux.Known(address) {
		return true
	}
	mux.mutex.Lock()
	defer mux.mutex.Unlock()
	_, learned := mux.callers.homes[address]
	return learned
}

// tooOften reports whether strangers at an address have made so many handshakes that the next
// one is not begun.
func (mux *Mux) tooOften(remote net.Addr) bool {
	from := network(remote)
	if !mux.pace.Overdrawn(from, time.Now()) {
		return false
	}
	mux.tell(tooManyHandshakes, "from", from)
	return true
}

// charge counts a handshake of somebody who turned out to be no node.
func (mux *Mux) charge(remote net.Addr) { mux.pace.Wait(network(remote), time.Now()) }

// wait counts a handshake that begins. Where there is no place for it, the oldest of whoever has
// most has to go, who is returned. The caller holds the mutex.
func (c *callers) wait(connection *muxConn) (pushed *muxConn) {
	connection.waiting, connection.caller = &c.strangers, network(connection.RemoteAddr())
	if address := limits.Address(connection.RemoteAddr().String()); connection.fromNode {
		connection.waiting, connection.caller = &c.nodes, address.String()
	}
	if oldest, _ := connection.waiting.Enter(connection.caller, connection); oldest != nil {
		return *oldest
	}
	return nil
}

// forget says whether the handshake was still counted. The caller holds the mutex.
func (c *callers) forget(connection *muxConn) bool {
	return connection.waiting != nil && connection.waiting.Leave(connection.caller, connection)
}

// all are the handshakes under way. The caller holds the mutex.
func (c *callers) all() []*muxConn { return slices.Concat(c.nodes.All(), c.strangers.All()) }

// learn remembers where a member came from, and what its certificate says of its addresses.
func (mux *Mux) learn(connection *muxConn, state tls.ConnectionState) {
	found := []netip.Addr{limits.Address(connection.RemoteAddr().String())}
	named := state.PeerCertificates[0].IPAddresses
	for _, one := range named[:min(len(named), mostNamed)] {
		if address, is := netip.AddrFromSlice(one); is {
			found = append(found, limits.Plain(address))
		}
	}
	now := time.Now()
	mux.mutex.Lock()
	defer mux.mutex.Unlock()
	for i, address := range found {
		if address.IsValid() { // what it came from is the newest
			mux.callers.learn(address, home{connection.peer, connection.channels, now.Add(-time.Duration(i))})
		}
	}
}

// learn lets a member have another address, for which its oldest one makes room.
func (c *callers) learn(address netip.Addr, of home) {
	if _, known := c.homes[address]; !known {
		oldest, count := netip.Addr{}, 0
		for other, is := range c.homes {
			if is.peer != of.peer {
				continue
			}
			if count++; !oldest.IsValid() || is.seen.Before(c.homes[oldest].seen) {
				oldest = other
			}
		}
		if count >= mostHomesOfOne {
			delete(c.homes, oldest)
		}
	}
	if len(c.homes) < mostHomes {
		c.homes[address] = of
	}
}

// unlearn forgets the addresses of those who are members no longer. The caller holds the mutex.
func (c *callers) unlearn(store *Store) {
	for address, of := range c.homes {
		if store.admitAny(of.channels, Accepting, of.peer) != nil {
			delete(c.homes, address)
		}
	}
}
