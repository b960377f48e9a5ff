package gossip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// madeUp is a network on which packets come from the test alone.
type madeUp struct {
	packets chan *memberlist.Packet
	streams chan net.Conn
}

var errMadeUp = errors.New("there is nobody else")

func (m madeUp) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return net.IPv4(127, 0, 0, 1), 7443, nil
}
func (m madeUp) WriteTo([]byte, string) (time.Time, error) { return time.Now(), nil }
func (m madeUp) WriteToAddress([]byte, memberlist.Address) (time.Time, error) {
	return time.Now(), nil
}
func (m madeUp) PacketCh() <-chan *memberlist.Packet { return m.packets }
func (m madeUp) StreamCh() <-chan net.Conn           { return m.streams }
func (m madeUp) Shutdown() error                     { return nil }
func (m madeUp) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errMadeUp
}
func (m madeUp) DialAddressTimeout(memberlist.Address, time.Duration) (net.Conn, error) {
	return nil, errMadeUp
}
func (m madeUp) IngestPacket(net.Conn, net.Addr, time.Time, bool) error { return errMadeUp }
func (m madeUp) IngestStream(net.Conn) error                            { return errMadeUp }

// take hands a packet over, and returns when it has been taken in: the next one is not fetched
// before that.
func (m madeUp) take(packet []byte) {
	from := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 7443}
	for _, one := range [][]byte{packet, {encryption}, {encryption}} {
		m.packets <- &memberlist.Packet{Buf: bytes.Clone(one), From: from, Timestamp: time.Now()}
	}
}

// takeStream makes a stream of what a stranger sends, and returns what it was answered when the
// node has ended it.
func (m madeUp) takeStream(sent []byte) []byte {
	here, there := net.Pipe()
	ended := make(chan struct{})
	m.streams <- &watchedStream{Conn: there, ended: ended}
	answer := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(here)
		answer <- got
	}()
	_, _ = here.Write(sent)
	time.AfterFunc(50*time.Millisecond, func() { _ = here.Close() }) // it may wait for more
	<-ended
	return <-answer
}

// watchedStream tells when it is closed.
type watchedStream struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (w *watchedStream) Close() error {
	w.once.Do(func() { close(w.ended) })
	return w.Conn.Close()
}

// gossipOn opens gossip on a network that the test makes up.
func gossipOn(f testing.TB, key []byte) (*Gossip, madeUp) {
	f.Helper()
	network := madeUp{packets: make(chan *memberlist.Packet), streams: make(chan net.Conn)}
	gossip, err := Open(Options{ID: "node1", Cluster: "demo", Listen: "127.0.0.1:7443", Keys: [][]byte{key},
		Meta: []byte("meta"), transport: network})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = gossip.Close() })
	return gossip, network
}

// sealedGossip is a packet as a member would make it.
func sealedGossip(key, plain []byte, version byte) []byte {
	return labelledGossip(sealGossip(key, plain, version, []byte("demo")))
}

func sealGossip(key, plain []byte, version byte, beside []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce := make([]byte, sealer.NonceSize())
	return sealer.Seal(append([]byte{version}, nonce...), nonce, plain, beside)
}

func labelledGossip(message []byte) []byte {
	labelled, err := memberlist.AddLabelHeaderToPacket(message, "demo")
	if err != nil {
		panic(err)
	}
	return labelled
}

// sealedAnswer is what a member writes to a stream that another one began; with a label before it
// it begins one.
func sealedAnswer(key, plain []byte, version byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte{encryptedKind}, uint32(overhead+len(plain)))
	return append(head, sealGossip(key, plain, version, append(bytes.Clone(head), "demo"...))...)
}

func expectAlone(t *testing.T, gossip *Gossip) {
	t.Helper()
	if all := gossip.Members(); len(all) != 1 || all[0].ID != "node1" || string(all[0].Meta) != "meta" {
		t.Errorf("a stranger made it %+v", all)
	}
}

// FuzzGossipPackets: whoever has no key changes nothing of who is a member, and nobody, also with
// the key, ends the daemon. How is who sends it: a stranger, or somebody with the key, in either
// version of the encryption; then streams, of a stranger, and of one who replays a member's message
// in the other version.
func FuzzGossipPackets(f *testing.F) {
	key := bytes.Repeat([]byte{7}, 32)
	strangers, open := gossipOn(f, key)
	members, known := gossipOn(f, key)
	for how := range byte(5) {
		for _, plain := range []string{
			"", "\x00", "\x00\x82\xa5SeqNo\x01\xa4Node\xa5node1", "\x07\x01\x00\x05\x00\x80abc", "\x0c\x00\x00\x00\x00\x04",
			"\x04\x83\xa4Node\xa5node2\xa4Addr\xc4\x04\x7f\x00\x00\x02\xa4Port\x01", "\x05\x81\xa4Node\xa5node1",
			"\x09\x82\xa4Algo\x00\xa3Buf\xc4\x01\x00", "\xf4\x04demo\x01", "0123456789abcdef",
		} {
			f.Add(how, []byte(plain))
		}
	}
	f.Fuzz(func(t *testing.T, how byte, data []byte) {
		switch how % 5 {
		case 0:
			open.take(data)
			open.take(labelledGossip(data))
			expectAlone(t, strangers)
		case 3:
			open.takeStream(data)
			open.takeStream(labelledGossip(data))
			expectAlone(t, strangers)
		case 4:
			open.takeStream(labelledGossip(sealedAnswer(key, data, 0)))
			expectAlone(t, strangers)
		default:
			known.take(sealedGossip(key, data, how%5-1))
			if members.Address() != "127.0.0.1:7443" {
				t.Errorf("a packet moved this node to %s", members.Address())
			}
		}
	})
}
