package lobby

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
)

// street is a listener with whom the test says at the door.
type street struct {
	net.Listener
	came chan net.Conn
}

func (s street) Accept() (net.Conn, error) { return <-s.came, nil }

// passer is a connection from an address.
type passer struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (p *passer) RemoteAddr() net.Addr { return p.from }
func (p *passer) Close() error {
	p.closed = true
	return nil
}

// port is a lobby, and how many addresses were refused.
type port struct {
	*Lobby
	t       *testing.T
	street  street
	refused int
}

func newPort(t *testing.T) *port {
	p := &port{t: t, street: street{came: make(chan net.Conn, 2)}}
	p.Lobby = New(p.street, Bounds{
		Strangers: Share{4, 3}, Guests: map[limits.Kind]Share{limits.Visitors: {3, 2}, limits.Admins: {2, 2}},
		Rate: 1, Burst: 5, Refused: func(string) { p.refused++ },
	})
	return p
}

func (p *port) comes(host string) (*passer, net.Conn) {
	p.t.Helper()
	at := &passer{from: &net.TCPAddr{IP: net.ParseIP(host), Port: 4711}}
	p.street.came <- at
	accepted, err := p.Accept()
	if err != nil {
		p.t.Fatal(err)
	}
	return at, accepted
}

func settle(accepted net.Conn, kind limits.Kind, holder string) {
	Settle(Context(context.Background(), accepted), kind, holder)
}

// TestStrangersPushOutStrangers: the oldest of whoever has most makes room, and nobody of whom it
// is known who he is.
func TestStrangersPushOutStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPort(t)
		guest, door := p.comes("10.0.0.7")
		settle(door, limits.Visitors, "alice")
		honest, _ := p.comes("10.0.0.9")
		var crowd []*passer
		for range 20 {
			one, _ := p.comes("10.0.0.66")
			crowd = append(crowd, one)
		}
		if guest.closed || honest.closed {
			t.Errorf("a crowd ended the guest's connection: %v; another stranger's: %v", guest.closed, honest.closed)
		}
		open := 0
		for _, one := range crowd {
			if !one.closed {
				open++
			}
		}
		if open != 3 || crowd[19].closed {
			t.Errorf("%d connections of one address are open, the newest: %v", open, !crowd[19].closed)
		}
	})
}

// TestGuestsOfOneKindLeaveOthersTheirPlaces: whoever opens connections without end ends his own.
func TestGuestsOfOneKindLeaveOthersTheirPlaces(t *testing.T) {
	p := newPort(t)
	root, door := p.comes("10.0.0.1")
	settle(door, limits.Admins, "root")
	other, door := p.comes("10.0.0.2")
	settle(door, limits.Visitors, "bob")
	var mine []*passer
	for i := range 10 {
		one, door := p.comes(fmt.Sprintf("10.0.1.%d", i))
		settle(door, limits.Visitors, "eve")
		settle(door, limits.Visitors, "eve") // at each request
		mine = append(mine, one)
	}
	if root.closed || other.closed || !mine[7].closed || mine[8].closed {
		t.Errorf("ended were root's %v, bob's %v, and of eve's the last but two %v and the last but one %v",
			root.closed, other.closed, mine[7].closed, mine[8].closed)
	}
}

// TestHandshakesOfOneAddressArePaced: a stranger who comes again and again is not taken for a
// while, and a guest may come as often as he likes.
func TestHandshakesOfOneAddressArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPort(t)
		for range 50 {
			_, door := p.comes("10.0.0.7")
			settle(door, limits.Visitors, "alice")
			door.Close()
		}
		for range 6 {
			_, door := p.comes("10.0.0.66")
			door.Close()
			door.Close()
		}
		if p.refused != 0 {
			t.Fatalf("%d were refused too early", p.refused)
		}
		p.street.came <- &passer{from: &net.TCPAddr{IP: net.ParseIP("10.0.0.66")}}
		p.comes("10.0.0.9") // only this one is taken
		if p.refused != 1 {
			t.Errorf("%d were refused, want 1", p.refused)
		}
		time.Sleep(2 * time.Second)
		p.comes("10.0.0.66")
		if p.refused != 1 {
			t.Error("it is refused for ever")
		}
	})
}

// TestNoPlaceIsLost: what was closed, settled late or pushed out leaves nothing behind.
func TestNoPlaceIsLost(t *testing.T) {
	p := newPort(t)
	var doors []net.Conn
	for i := range 8 {
		_, door := p.comes(fmt.Sprintf("10.0.2.%d", i))
		if i%2 == 0 {
			settle(door, limits.Visitors, fmt.Sprint(i))
		}
		doors = append(doors, door)
	}
	for _, door := range doors {
		door.Close()
		settle(door, limits.Visitors, "late")
	}
	settle(&passer{}, limits.Visitors, "no lobby's")
	if n, m := p.strangers.Count(), p.guests[limits.Visitors].Count(); n != 0 || m != 0 {
		t.Errorf("%d places of strangers and %d of visitors are taken by nobody", n, m)
	}
}
