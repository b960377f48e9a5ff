package quorum

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
)

// Beat is the newest sign of life of one node.
type Beat struct {
	From string
	// Count grows by one with each beat heard from the node, for as long as this Pulse runs.
	// Whoever compares it at his own ticks needs no clock of the other node, and is not misled by a
	// pause of his own.
	Count uint64
	// Incarnation, Generation and Applied are as the node said: its daemon's incarnation, the
	// cluster's generation it knows, and the newest entry its Machine has applied.
	Incarnation uint64
	Generation  uint64
	Applied     uint64
	// Held is how far its log goes.
	Held Held
}

// packet is a heartbeat on the wire. All of it is authenticated by the key of the two nodes that it
// goes between: nobody else can make one, not even another member.
//
// A beat repeated later by somebody else must not make a dead node look alive, and no clock can be
// trusted to tell old from new. So each daemon draws a session number for each peer when it starts.
// Within a session sequence numbers grow, in small steps. A new session, or a large step, is
// believed only when it echoes the challenge that the receiver last sent to that node, and the
// challenge is drawn anew after that: no packet of an earlier session echoes it.
//
// Who hears a beat that it cannot believe yet answers it at once with the echo it asks for.
// Otherwise somebody who repeats old beats fast enough could make the right echo the rarest one,
// and keep a restarted daemon unheard.
type packet struct {
	answer      bool   // made to be believed, and never answered itself
	challenge   uint64 // for the receiver to echo
	echo        uint64 // a challenge heard from the receiver
	session     uint64
	sequence    uint64
	generation  uint64
	incarnation uint64
	applied     uint64
	life        uint64 // of its log, and how far that goes
	term        uint64
	lastTerm    uint64
	lastIndex   uint64
	from, to    string
}

const (
	packetMagic   = "clusterd-beat-2\x00"
	answerMagic   = "clusterd-echo-2\x00"
	packetNumbers = 11
	packetIDMax   = 255
	packetMax     = len(packetMagic) + 8*packetNumbers + 2*(1+packetIDMax) + sha256.Size
)

var errNotABeat = errors.New("not an authentic heartbeat")

func (p *packet) numbers() [packetNumbers]*uint64 {
	return [...]*uint64{&p.challenge, &p.echo, &p.session, &p.sequence, &p.generation, &p.incarnation, &p.applied,
		&p.life, &p.term, &p.lastTerm, &p.lastIndex}
}

func (p packet) encode(key []byte) []byte {
	magic := packetMagic
	if p.answer {
		magic = answerMagic
	}
	bytes := append(make([]byte, 0, packetMax), magic...)
	for _, number := range p.numbers() {
		bytes = binary.BigEndian.AppendUint64(bytes, *number)
	}
	for _, id := range []string{p.from, p.to} {
		bytes = append(append(bytes, byte(len(id))), id...)
	}
	return append(bytes, authenticate(key, bytes)...)
}

func authenticate(key, bytes []byte) []byte {
	code := hmac.New(sha256.New, key)
	code.Write(bytes)
	return code.Sum(nil)
}

// decodePacket reads the two names, because they say whose key it is, and checks the code before it
// believes anything. The key of a pair that is none is nil.
func decodePacket(bytes []byte, keyOf func(from, to string) []byte) (packet, error) {
	var p packet
	fixed := len(packetMagic) + 8*packetNumbers
	if len(bytes) < fixed+2+sha256.Size || len(bytes) > packetMax {
		return packet{}, errNotABeat
	}
	body, code := bytes[:len(bytes)-sha256.Size], bytes[len(bytes)-sha256.Size:]
	switch string(body[:len(packetMagic)]) {
	case packetMagic:
	case answerMagic:
		p.answer = true
	default:
		return packet{}, errNotABeat
	}
	rest := body[fixed:]
	for _, id := range []*string{&p.from, &p.to} {
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			return packet{}, errNotABeat
		}
		*id, rest = string(rest[1:1+int(rest[0])]), rest[1+int(rest[0]):]
	}
	key := keyOf(p.from, p.to)
	if len(rest) > 0 || key == nil || !hmac.Equal(code, authenticate(key, body)) {
		return packet{}, errNotABeat
	}
	for i, number := range p.numbers() {
		*number = binary.BigEndian.Uint64(body[len(packetMagic)+8*i:])
	}
	return p, nil
}

// Packets sends and receives datagrams. Receive returns net.ErrClosed after Close. A datagram
// may be lost, and Send must not block for long.
type Packets interface {
	Send(bytes []byte, address string) error
	Receive(buffer []byte) (int, error)
	Close() error
}

// ListenPackets opens a UDP socket for Pulse.
func ListenPackets(address string) (Packets, error) {
	local, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	connection, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	return udpPackets{connection}, nil
}

type udpPackets struct{ connection *net.UDPConn }

// Send takes only literal addresses: a name server that does not answer must not silence a node.
func (u udpPackets) Send(bytes []byte, address string) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	_, err = u.connection.WriteToUDPAddrPort(bytes, target)
	return err
}

func (u udpPackets) Receive(buffer []byte) (int, error) {
	n, _, err := u.connection.ReadFromUDP(buffer)
	return n, err
}

func (u udpPackets) Close() error { return u.connection.Close() }
