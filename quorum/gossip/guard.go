package gossip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// guardedTransport keeps packets and streams from memberlist at which it would panic, and end the
// daemon: those of a format that no node sends, whose padding it does not check. The byte that
// names the format is not under the seal, so that whoever recorded a message, or was answered
// with one, can turn it into such a message without the key.
type guardedTransport struct {
	memberlist.NodeAwareTransport
	label   string
	header  []byte // the label's, as a stream begins with it
	packets chan *memberlist.Packet
	streams chan net.Conn
	closing chan struct{} // nobody takes what comes from here on
	closed  chan struct{} // and from here on nothing comes
	ending  sync.Once
	ended   sync.Once
}

func guard(inner memberlist.NodeAwareTransport, label string, header []byte) *guardedTransport {
	g := &guardedTransport{
		NodeAwareTransport: inner, label: label, header: header,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn),
		closing: make(chan struct{}), closed: make(chan struct{}),
	}
	go g.forwardPackets()
	go g.forwardStreams()
	return g
}

// forwardPackets ends only when the network below has: its listeners hand over what they have
// read before they end, and Shutdown waits for them.
func (g *guardedTransport) forwardPackets() {
	incoming := g.NodeAwareTransport.PacketCh()
	for {
		select {
		case packet := <-incoming:
			if !sound(packet.Buf, g.label) {
				continue
			}
			select {
			case g.packets <- packet:
			case <-g.closing:
			}
		case <-g.closed:
			return
		}
	}
}

// forwardStreams reads nothing itself: a stranger who sends nothing must hold up nobody.
func (g *guardedTransport) forwardStreams() {
	incoming := g.NodeAwareTransport.StreamCh()
	for {
		select {
		case conn := <-incoming:
			select {
			case g.streams <- &guardedStream{Conn: conn, header: g.header}:
			case <-g.closing:
				_ = conn.Close()
			}
		case <-g.closed:
			return
		}
	}
}

// PacketCh implements memberlist.Transport.
func (g *guardedTransport) PacketCh() <-chan *memberlist.Packet { return g.packets }

// StreamCh implements memberlist.Transport.
func (g *guardedTransport) StreamCh() <-chan net.Conn { return g.streams }

// DialTimeout implements memberlist.Transport.
func (g *guardedTransport) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return guardAnswer(g.NodeAwareTransport.DialTimeout(address, timeout))
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (g *guardedTransport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return guardAnswer(g.NodeAwareTransport.DialAddressTimeout(to, timeout))
}

// guardAnswer guards what comes back on a connection that this node made: it has no label.
func guardAnswer(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return &guardedStream{Conn: conn}, nil
}

// Shutdown implements memberlist.Transport.
func (g *guardedTransport) Shutdown() error {
	g.ending.Do(func() { close(g.closing) })
	err := g.NodeAwareTransport.Shutdown()
	g.ended.Do(func() { close(g.closed) })
	return err
}

// What encryption adds to a packet: its version, a nonce, and the seal. Version 0 pads. In a
// stream a byte that says that it is encrypted and the length come before the version.
const (
	encryption    = 1
	overhead      = 1 + 12 + 16
	encryptedKind = 10
	headBytes     = 1 + 4 + 1
)

// sound reports whether a packet looks as those of nodes do, up to what is encrypted.
func sound(packet []byte, label string) bool {
	encrypted, labelled, err := memberlist.RemoveLabelHeaderFromPacket(packet)
	return err == nil && labelled == label && len(encrypted) > overhead && encrypted[0] == encryption
}

// errFormat is what a reader of a stream gets whose beginning is not that of a node's.
var errFormat = errors.New("the stream does not begin as those of nodes do")

// guardedStream judges the beginning of a stream while it is read, and cuts what no node sends.
// It is read by one goroutine at a time.
type guardedStream struct {
	net.Conn
	header []byte // what comes before the encrypted message
	head   []byte // what came until now, up to the version of the encryption
	cut    bool
}

// Read implements net.Conn. Nothing of the piece that is wrong is handed on.
func (s *guardedStream) Read(p []byte) (int, error) {
	if s.cut {
		return 0, errFormat
	}
	n, err := s.Conn.Read(p)
	if missing := len(s.header) + headBytes - len(s.head); missing > 0 {
		s.head = append(s.head, p[:min(n, missing)]...)
		if !soundHead(s.head, s.header) {
			s.cut = true
			_ = s.Conn.Close()
			return 0, errFormat
		}
	}
	return n, err
}

// soundHead reports whether a stream that begins like this may still be one of a node.
func soundHead(head, header []byte) bool {
	known := min(len(head), len(header))
	if !bytes.Equal(head[:known], header[:known]) {
		return false
	}
	head = head[known:]
	switch {
	case len(head) > 0 && head[0] != encryptedKind:
		return false
	case len(head) >= headBytes-1 && binary.BigEndian.Uint32(head[1:]) <= overhead:
		return false
	}
	return len(head) < headBytes || head[headBytes-1] == encryption
}
