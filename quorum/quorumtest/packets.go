package quorumtest

import (
	"net"
	"slices"
	"sync"
)

// Packets is one address's end of the network for datagrams. It has the shape that
// quorum.OpenPulse wants.
type Packets struct {
	network  *Network
	address  string
	received chan []byte
	closed   chan struct{}
	once     sync.Once
}

const socketRoom = 256 // datagrams; more are lost, as a full socket loses them

// ListenPackets takes an address for datagrams. Whoever had it before is no more reached.
func (n *Network) ListenPackets(address string) *Packets {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &Packets{network: n, address: address, received: make(chan []byte, socketRoom), closed: make(chan struct{})}
	n.sockets[address] = p
	return p
}

// Send never blocks. What does not arrive is not reported, as with UDP.
func (p *Packets) Send(bytes []byte, address string) error {
	n := p.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tap != nil {
		n.tap(address, slices.Clone(bytes))
	}
	if !n.cut[[2]string{p.address, address}] && !n.muted[p.address] && !n.muted[address] {
		n.deliver(bytes, address)
	}
	return nil
}

// Inject puts a datagram into an address's socket, from nowhere.
func (n *Network) Inject(bytes []byte, address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deliver(bytes, address)
}

func (n *Network) deliver(bytes []byte, address string) {
	if target := n.sockets[address]; target != nil {
		select {
		case target.received <- slices.Clone(bytes):
		default:
		}
	}
}

// Receive returns net.ErrClosed after Close.
func (p *Packets) Receive(buffer []byte) (int, error) {
	select {
	case bytes := <-p.received:
		return copy(buffer, bytes), nil
	case <-p.closed:
		return 0, net.ErrClosed
	}
}

// Close ends Receive. The address can be taken again.
func (p *Packets) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
