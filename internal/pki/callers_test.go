package pki

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// placed is a connection that comes from an address of the test's choice.
type placed struct {
	net.Conn
	from net.Addr
}

func (p placed) RemoteAddr() net.Addr { return p.from }

// comeFrom connects from an address; from another port each time, as callers do.
func (listener *pipeListener) comeFrom(address string, port int) net.Conn {
	near, far := net.Pipe()
	place := netip.AddrPortFrom(netip.MustParseAddr(address), uint16(port))
	listener.incoming <- placed{far, net.TCPAddrFromAddrPort(place)}
	return near
}

// port is a Mux of node1's at which callers come from where a test says.
type port struct {
	t        *testing.T
	ca       *CA
	listener *pipeListener
	mux      *Mux
	next     int
}

// openPort lets node2 in, as long as it is a member, and whatever addresses are said to be nodes'.
func openPort(t *testing.T, standing func(Peer) Standing, nodes ...string) *port {
	t.Helper()
	p := &port{t: t, ca: newTestCA(t, testCluster), listener: newPipeListener()}
	store := NewStore(newMember(t, p.ca, "node1", noon), Trust{Now: at(noon), Standing: standing})
	p.mux = NewMux(p.listener, store, Limits{}, nil)
	p.mux.Known = func(address netip.Addr) bool {
		for _, node := range nodes {
			if netip.MustParseAddr(node) == address {
				return true
			}
		}
		return false
	}
	came := echo(open(t, p.mux, "clusterd-api", ChannelLook))
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		for range came {
		}
	})
	ended.Go(func() {
		if err := p.mux.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	return p
}

// crowd makes so many handshakes fail at one address that strangers there begin no more of them.
func (p *port) crowd(address string) {
	p.t.Helper()
	for range 4 * strangersBurst {
		p.next++
		conn := p.listener.comeFrom(address, 1024+p.next)
		go io.WriteString(conn, strings.Repeat("no TLS at all ", 10))
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	if !p.mux.pace.Overdrawn(network(placed{from: addressOf(address)}.from), time.Now()) {
		p.t.Fatal("the crowd is not one")
	}
}

func addressOf(address string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1))
}

// dials reports whether a node gets in from an address.
func (p *port) dials(node *Identity, address string) error {
	p.next++
	raw := p.listener.comeFrom(address, 1024+p.next)
	defer raw.Close()
	store := NewStore(node, Trust{Now: at(noon), Standing: everyone})
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	conn, err := secure(ctx, raw, "clusterd-api", store.ClientConfig("node1", "clusterd-api"))
	if err == nil {
		err = conn.Close()
	}
	return err
}

// TestNobodyInItsNetworkKeepsANodeOut: of IPv6 a whole network has one account, which any machine
// there uses up. A node has its place by its very address, and its neighbour has none by that.
func TestNobodyInItsNetworkKeepsANodeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPort(t, everyone, "fd00::2", "10.0.0.2")
		node := newMember(t, p.ca, "node2", noon)
		p.crowd("fd00::bad")
		if err := p.dials(node, "fd00::2"); err != nil {
			t.Errorf("a stranger in its network keeps the node out: %v", err)
		}
		if p.dials(node, "fd00::3") == nil {
			t.Error("an address beside the node's is held to nothing")
		}
		p.crowd("::ffff:10.0.0.2")
		if err := p.dials(node, "::ffff:10.0.0.2"); err != nil {
			t.Errorf("a user of its host keeps the node out: %v", err)
		}
	})
}

// TestWhereAMemberCameFromIsItsOwn: also what its certificate says of its addresses, by which it
// comes when its first network is down. Nobody is a neighbour of a node that was removed.
func TestWhereAMemberCameFromIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var standing atomic.Pointer[Standing]
		standing.Store(&Standing{Kind: StandingMember})
		p := openPort(t, func(Peer) Standing { return *standing.Load() })
		node := newMember(t, p.ca, "node2", noon) // its certificate has 127.0.0.1 and ::1
		if err := p.dials(node, "fd00::2"); err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{"fd00::2", "127.0.0.1", "::1"} {
			p.crowd(address)
			if err := p.dials(node, address); err != nil {
				t.Errorf("strangers keep the member out at %s: %v", address, err)
			}
		}
		standing.Store(&Standing{Kind: StandingRemoved})
		p.mux.Recheck()
		standing.Store(&Standing{Kind: StandingMember})
		p.crowd("fd00::2")
		if p.dials(node, "fd00::2") == nil {
			t.Error("the address of a node that was removed is held to nothing")
		}
	})
}

// TestAMemberHasOnlySoManyAddresses, however many it comes from; the newest are remembered.
func TestAMemberHasOnlySoManyAddresses(t *testing.T) {
	c, now := newCallers(Limits{}.withDefaults()), time.Now()
	of := func(node int) Peer { return Peer{Kind: KindNode, Name: fmt.Sprint("node", node)} }
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range 100 {
		c.learn(address(i), home{peer: of(1), seen: now.Add(time.Duration(i))})
	}
	if _, newest := c.homes[address(99)]; len(c.homes) != mostHomesOfOne || !newest {
		t.Errorf("one member has %d addresses, the newest: %v", len(c.homes), newest)
	}
	for i := range 2 * mostHomes {
		c.learn(address(i), home{peer: of(i), seen: now.Add(time.Duration(i))})
	}
	if len(c.homes) != mostHomes {
		t.Errorf("%d addresses are remembered, want %d", len(c.homes), mostHomes)
	}
}

// TestSilentStrangersPushOutNoNode: neither from many addresses nor from that of another node,
// however slow a node's handshake is.
func TestSilentStrangersPushOutNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPort(t, everyone, "10.0.0.2", "10.0.0.3")
		slow := p.listener.comeFrom("10.0.0.2", 1)
		var open []net.Conn
		defer func() {
			for _, conn := range open {
				conn.Close()
			}
		}()
		for i := range 600 {
			open = append(open, p.listener.comeFrom("10.0.0.3", 1+i), p.listener.comeFrom("10.0.1.1", 1+i),
				p.listener.comeFrom(fmt.Sprintf("10.1.%d.%d", i/256, i%256), 1))
		}
		synctest.Wait()
		if count := len(p.mux.callers.all()); count != 64+1+64 {
			t.Errorf("%d handshakes are under way", count)
		}
		node := newMember(t, p.ca, "node2", noon)
		conn, err := secure(t.Context(), slow, "clusterd-api",
			NewStore(node, Trust{Now: at(noon), Standing: everyone}).ClientConfig("node1", "clusterd-api"))
		if err != nil {
			t.Fatalf("the node's handshake was ended: %v", err)
		}
		conn.Close()
	})
}
