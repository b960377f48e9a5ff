package quorum

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// Peer is another node as Pulse reaches it.
type Peer struct {
	ID string
	// Beats are literal host:port addresses for heartbeats, one for each network that the node is on.
	Beats []string
	// Wire is the address of the node's Wire.
	Wire string
}

// PulseOptions say what Pulse stands on. ID, Keys, Packets and Wire are required.
type PulseOptions struct {
	ID string
	// Keys authenticate heartbeats. The first one signs, all are accepted. At least 16 bytes each.
	Keys    [][]byte
	Packets Packets // closed by Pulse.Close
	Wire    *Wire
	Profile Profile
	Logger  *slog.Logger
	// State is asked for what each beat says of this node: only Incarnation, Generation and Applied are read. It must not
	// block. Beats of an older generation than its own are refused.
	State func() Beat
	// TestTimeout is the deadline of one peer test, 300 ms if zero.
	TestTimeout time.Duration
	// ProbeKernel replaces the look at a host's kernel by ICMP and TCP, for simulated worlds.
	ProbeKernel func(ctx context.Context, peer Peer) (Answer, string)
}

// Pulse sends heartbeats to its peers, hears theirs, and tests peers on request. It judges nobody: it counts beats, and the
// caller's own stopwatch tells how long there was none.
type Pulse struct {
	options PulseOptions
	session uint64
	heard   chan struct{}
	closing chan struct{}
	tests   chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	keys     [][]byte
	sequence uint64
	peers    map[string]*pulsePeer
	refused  uint64
}

// pulsePeer is what Pulse knows of one peer.
type pulsePeer struct {
	Peer
	challenge uint64 // for the peer to echo when it starts a new session
	echo      uint64 // what the peer wants echoed
	session   uint64
	sequence  uint64
	beat      Beat
	// lastHeard serves only to choose whom to ask and what to answer in peer tests.
	lastHeard time.Time
}

const (
	peersMax           = 256
	testsAtOnceMax     = 16
	testTimeoutDefault = 300 * time.Millisecond
)

// OpenPulse starts to listen at once and to send as soon as SetPeers names somebody.
func OpenPulse(options PulseOptions) (*Pulse, error) {
	if options.ID == "" || len(options.ID) > packetIDMax || options.Packets == nil || options.Wire == nil {
		return nil, fmt.Errorf("heartbeats need an id of at most %d bytes, packets and a wire", packetIDMax)
	}
	if options.Profile == (Profile{}) {
		options.Profile, _ = ParseProfile("normal")
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.State == nil {
		options.State = func() Beat { return Beat{} }
	}
	if options.ProbeKernel == nil {
		options.ProbeKernel = probeKernel
	}
	setDefault(&options.TestTimeout, testTimeoutDefault)
	p := &Pulse{
		options: options, session: randomNumber(), heard: make(chan struct{}, 1), closing: make(chan struct{}),
		tests: make(chan struct{}, testsAtOnceMax), peers: map[string]*pulsePeer{},
	}
	if err := p.SetKeys(options.Keys); err != nil {
		return nil, err
	}
	if err := options.Wire.handle(channelPeerTest, p.serveTest); err != nil {
		return nil, err
	}
	p.running.Go(p.send)
	p.running.Go(p.receive)
	return p, nil
}

// Close stops sending and hearing, and waits for its goroutines. It closes the Packets.
func (p *Pulse) Close() error {
	close(p.closing)
	p.options.Wire.release(channelPeerTest)
	err := p.options.Packets.Close()
	p.running.Wait()
	return err
}

// randomNumber is never 0, which stands for "none yet".
func randomNumber() uint64 {
	var bytes [8]byte
	rand.Read(bytes[:]) // never fails
	return binary.BigEndian.Uint64(bytes[:]) | 1
}

// SetKeys replaces the keys. To change a key without a gap, give all nodes the new one as second, then as first, and then
// alone.
func (p *Pulse) SetKeys(keys [][]byte) error {
	if len(keys) == 0 || len(keys) > 4 {
		return fmt.Errorf("heartbeats need one to four keys, not %d", len(keys))
	}
	var copied [][]byte
	for _, key := range keys {
		if len(key) < 16 {
			return errors.New("a heartbeat key is shorter than 16 bytes")
		}
		copied = append(copied, bytes.Clone(key))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = copied
	return nil
}

// SetPeers replaces the list of peers. What is known of a peer that stays is kept. This node itself may be in the list.
func (p *Pulse) SetPeers(peers []Peer) error {
	if len(peers) > peersMax {
		return fmt.Errorf("%d peers are more than the %d that are possible", len(peers), peersMax)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[string]*pulsePeer{}
	for _, peer := range peers {
		if peer.ID == p.options.ID {
			continue
		}
		if peer.ID == "" || len(peer.ID) > packetIDMax {
			return fmt.Errorf("the peer id %q is empty or too long", peer.ID)
		}
		known := p.peers[peer.ID]
		if known == nil {
			known = &pulsePeer{challenge: randomNumber()}
		}
		known.Peer = peer
		next[peer.ID] = known
	}
	p.peers = next
	return nil
}

// Heard returns the newest beat of each peer that was heard at all.
func (p *Pulse) Heard() map[string]Beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := map[string]Beat{}
	for id, peer := range p.peers {
		if peer.beat.Count > 0 {
			heard[id] = peer.beat
		}
	}
	return heard
}

// Beats wakes its one reader when something was heard since it looked last; Heard says what.
func (p *Pulse) Beats() <-chan struct{} { return p.heard }

// Refused counts packets that were not authentic, repeated, for another node, or of an older generation.
func (p *Pulse) Refused() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

func (p *Pulse) send() {
	ticker := time.NewTicker(p.options.Profile.Beat)
	defer ticker.Stop()
	for {
		for _, message := range p.messages() {
			for _, address := range message.addresses {
				// A lost beat is an ordinary event; silence is judged where it is heard.
				if err := p.options.Packets.Send(message.bytes, address); err != nil {
					p.options.Logger.Debug("a heartbeat was not sent", "to", address, "error", err)
				}
			}
		}
		select {
		case <-ticker.C:
		case <-p.closing:
			return
		}
	}
}

type message struct {
	bytes     []byte
	addresses []string
}

func (p *Pulse) messages() []message {
	state := p.options.State()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sequence++
	var messages []message
	for _, id := range slices.Sorted(maps.Keys(p.peers)) {
		peer := p.peers[id]
		messages = append(messages, message{packet{
			challenge: peer.challenge, echo: peer.echo, session: p.session, sequence: p.sequence,
			generation: state.Generation, incarnation: state.Incarnation, applied: state.Applied,
			from: p.options.ID, to: id,
		}.encode(p.keys[0]), peer.Beats})
	}
	return messages
}

func (p *Pulse) receive() {
	buffer := make([]byte, packetMax+1)
	for {
		n, err := p.options.Packets.Receive(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Linux reports an unreachable peer of an earlier send here; the pause keeps a broken socket from spinning.
			select {
			case <-time.After(time.Millisecond):
				continue
			case <-p.closing:
				return
			}
		}
		if p.take(buffer[:n], p.options.State().Generation) {
			select {
			case p.heard <- struct{}{}:
			default:
			}
		}
	}
}

// take believes or refuses one datagram.
func (p *Pulse) take(bytes []byte, generation uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	beat, err := decodePacket(bytes, p.keys)
	peer := p.peers[beat.from]
	if err != nil || beat.to != p.options.ID || peer == nil {
		p.refused++
		return false
	}
	fresh := beat.session == peer.session && beat.sequence > peer.sequence
	if beat.session != peer.session {
		// What it wants echoed is learned at once, or two nodes that start together could never believe each other. A
		// repeated old packet can so delay a new session by one beat, and no more.
		peer.echo = beat.challenge
		fresh = beat.echo == peer.challenge
	}
	if !fresh {
		// Over a second network the same beat comes twice. That is meant, and not worth a count.
		if beat.session != peer.session || beat.sequence != peer.sequence {
			p.refused++
		}
		return false
	}
	if beat.session != peer.session {
		peer.challenge = randomNumber()
	}
	peer.session, peer.sequence, peer.echo = beat.session, beat.sequence, beat.challenge
	// Zero is a daemon that has not read its generation yet; being alive it is.
	if beat.generation != 0 && beat.generation < generation {
		p.refused++
		return false
	}
	peer.beat = Beat{
		From: beat.from, Count: peer.beat.Count + 1,
		Incarnation: beat.incarnation, Generation: beat.generation, Applied: beat.applied,
	}
	peer.lastHeard = time.Now()
	return true
}
