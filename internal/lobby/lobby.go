// Package lobby bounds the connections of a port at which it is known only after the handshake who
// came: that of the page, and that for monitoring systems.
//
// A connection begins among the strangers, whose oldest makes room for the newest, and whose
// handshakes are paced by address. Once it is known whose it is, it moves to the places of that
// kind of guests (Settle), where no stranger pushes it out.
package lobby

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
)

// Share is how many connections there may be, and how many of them of one holder.
type Share struct{ Most, Each int }

// Bounds are those of one port.
type Bounds struct {
	// Strangers are connections of which it is not known whose they are; their holder is the address.
	Strangers Share
	// Guests are connections of which it is, by kind.
	Guests map[limits.Kind]Share
	// Rate is how many connections of strangers one address may make a second, and Burst how many at
	// once; without a rate as many as it likes. Those that turn out to be a guest's do not count.
	Rate, Burst float64
	// Refused, if set, is told of each address whose connection was not taken: it made too many.
	Refused func(from string)
}

// Lobby is a listener within bounds.
type Lobby struct {
	net.Listener
	bounds Bounds
	pace   limits.Pace

	mu        sync.Mutex
	strangers limits.Pot[*conn]
	guests    map[limits.Kind]*limits.Pot[*conn]
}

// conn is a connection in a lobby.
type conn struct {
	net.Conn
	lobby *Lobby
	from  string

	// Guarded by the lobby's mutex: where its place is, and whether it was closed.
	pot    *limits.Pot[*conn]
	holder string
	closed bool
}

// mostHolders is how many addresses are remembered that made connections of late.
const mostHolders = 4096

// New bounds what a listener accepts.
func New(listener net.Listener, bounds Bounds) *Lobby {
	l := &Lobby{Listener: listener, bounds: bounds, guests: map[limits.Kind]*limits.Pot[*conn]{}}
	l.strangers.Most, l.strangers.Each = bounds.Strangers.Most, bounds.Strangers.Each
	for kind, share := range bounds.Guests {
		l.guests[kind] = &limits.Pot[*conn]{Most: share.Most, Each: share.Each}
	}
	l.pace.Rate, l.pace.Burst, l.pace.Holders, l.pace.Most = bounds.Rate, bounds.Burst, mostHolders, 5*time.Second
	return l
}

// Accept implements net.Listener.
func (l *Lobby) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := limits.Network(accepted.RemoteAddr().String())
		if l.bounds.Rate > 0 && l.pace.Overdrawn(from, time.Now()) {
			_ = accepted.Close()
			if l.bounds.Refused != nil {
				l.bounds.Refused(from)
			}
			continue
		}
		c := &conn{Conn: accepted, lobby: l, from: from}
		l.mu.Lock()
		pushed := c.enter(&l.strangers, from)
		l.mu.Unlock()
		endPushed(pushed)
		return c, nil
	}
}

// enter takes a place in a pot, in the place of the one that it has. The caller holds the mutex.
func (c *conn) enter(pot *limits.Pot[*conn], holder string) (pushed **conn) {
	if c.pot != nil {
		c.pot.Leave(c.holder, c)
	}
	c.pot, c.holder = pot, holder
	pushed, _ = pot.Enter(holder, c)
	return pushed
}

func endPushed(pushed **conn) {
	if pushed != nil {
		_ = (*pushed).Conn.Close() // its server sees it end at its next read
	}
}

// Close implements net.Conn. It may be called several times.
func (c *conn) Close() error {
	c.lobby.mu.Lock()
	c.pot.Leave(c.holder, c)
	stranger := !c.closed && c.pot == &c.lobby.strangers
	c.closed = true
	c.lobby.mu.Unlock()
	if stranger && c.lobby.bounds.Rate > 0 {
		c.lobby.pace.Wait(c.from, time.Now())
	}
	return c.Conn.Close()
}

type connKey struct{}

// Context is for http.Server.ConnContext: it has what Settle needs to know of a connection.
func Context(ctx context.Context, accepted net.Conn) context.Context {
	if secured, is := accepted.(*tls.Conn); is {
		accepted = secured.NetConn()
	}
	if c, is := accepted.(*conn); is {
		ctx = context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Settle gives the connection of a request a place among guests of a kind, now that it is known
// whose it is. Where the port has no such guests, it stays where it is.
func Settle(ctx context.Context, kind limits.Kind, holder string) {
	c, is := ctx.Value(connKey{}).(*conn)
	if !is {
		return // as in tests, and with what the daemon asks itself
	}
	c.lobby.mu.Lock()
	var pushed **conn
	pot := c.lobby.guests[kind]
	if pot != nil && !c.closed && (c.pot != pot || c.holder != holder) {
		pushed = c.enter(pot, holder)
	}
	c.lobby.mu.Unlock()
	endPushed(pushed)
}
