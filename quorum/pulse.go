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
	// Key authenticates the heartbeats between this node and the peer, and is known to these two
	// alone. Without one there are none, and the peer can only be tested.
	Key []byte
}

// PulseOptions say what Pulse stands on. ID, Packets and Wire are required.
type PulseOptions struct {
	ID      string
	Packets Packets // closed by Pulse.Close
	Wire    *Wire
	Profile Profile
	Logger  *slog.Logger
	// State is asked for what each beat says of this node: only Incarnation, Generation and Applied
	// are read. It must not block. Beats of an older generation than its own are refused.
	State func() Beat
	// TestTimeout is the deadline of one peer test, 300 ms if zero.
	TestTimeout time.Duration
	// ProbeKernel replaces the look at a host's kernel by ICMP and TCP, for simulated worlds.
	ProbeKernel func(ctx context.Context, peer Peer) (Answer, string)
}

// Pulse sends heartbeats to its peers, hears theirs, and tests peers on request. It judges
// nobody: it counts beats, and the caller's own stopwatch tells how long there was none.
type Pulse struct {
	options PulseOptions
	heard   chan struct{}
	retimed chan struct{}
	closing chan struct{}
	tests   chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	beat    time.Duration
	peers   map[string]*pulsePeer
	refused uint64
}

// pulsePeer is what Pulse knows of one peer.
type pulsePeer struct {
	Peer
	// sent is what this node last sent to it: nobody learns from a beat of his own what another
	// peer is sent.
	sentSession, sentSequence uint64

	challenge uint64 // for the peer to echo when it starts a new session
	echo      uint64 // what the peer wants echoed
	session   uint64
	sequence  uint64
	// answered are the challenges that were answered since the last beat was sent.
	answered map[uint64]bool
	beat     Beat
	// lastHeard serves only to choose whom to ask and what to answer in peer tests.
	lastHeard time.Time
}

const (
	// stepMax is by how much a sequence may grow at once without a proof that it is new: some hours
	// without a link.
	stepMax = 1 << 16
	// answersMax bounds what one peer is answered between two beats.
	answersMax         = 256
	keyBytesMin        = 16
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
		options: options, heard: make(chan struct{}, 1), retimed: make(chan struct{}, 1), beat: options.Profile.Beat,
		closing: make(chan struct{}), tests: make(chan struct{}, testsAtOnceMax), peers: map[string]*pulsePeer{},
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

// SetPeers replaces the list of peers. What is known of a peer that stays is kept; with a new key
// it has everything to prove anew. Who is not in the list any longer is not heard from that instant
// on. This node itself may be in the list. A peer that cannot be one is left out and told of, and
// the others are peers all the same.
func (p *Pulse) SetPeers(peers []Peer) error {
	if len(peers) > peersMax {
		return fmt.Errorf("%d peers are more than the %d that are possible", len(peers), peersMax)
	}
	var problems []error
	p.mu.Lock()
	defer p.mu.Unlock()
	next := map[string]*pulsePeer{}
	for _, peer := range peers {
		switch {
		case peer.ID == p.options.ID:
			continue
		case peer.ID == "" || len(peer.ID) > packetIDMax:
			problems = append(problems, fmt.Errorf("the peer id %.40q is empty or too long", peer.ID))
			continue
		case len(peer.Key) > 0 && len(peer.Key) < keyBytesMin:
			problems = append(problems, fmt.Errorf("the heartbeat key for %s is shorter than %d bytes", peer.ID, keyBytesMin))
			peer.Key = nil
		}
		peer.Key = bytes.Clone(peer.Key)
		known := p.peers[peer.ID]
		if known == nil || !bytes.Equal(known.Key, peer.Key) {
			known = newPulsePeer(known)
		}
		known.Peer = peer
		next[peer.ID] = known
	}
	p.peers = next
	return errors.Join(problems...)
}

// newPulsePeer believes nothing yet. The count of beats goes on, because whoever reads it looks for
// growth.
func newPulsePeer(before *pulsePeer) *pulsePeer {
	fresh := &pulsePeer{sentSession: randomNumber(), challenge: randomNumber()}
	if before != nil {
		fresh.beat, fresh.lastHeard = before.beat, before.lastHeard
	}
	return fresh
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

// Refused counts packets that were not authentic, repeated, for another node, or of an older
// generation.
func (p *Pulse) Refused() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

func (p *Pulse) send() {
	ticker := time.NewTicker(p.interval())
	defer ticker.Stop()
	for {
		p.post(p.messages())
		select {
		case <-ticker.C:
		case <-p.retimed:
			ticker.Reset(p.interval())
		case <-p.closing:
			return
		}
	}
}

// post sends. A lost beat is an ordinary event; silence is judged where it is heard.
func (p *Pulse) post(messages []message) {
	for _, message := range messages {
		for _, address := range message.addresses {
			if err := p.options.Packets.Send(message.bytes, address); err != nil {
				p.options.Logger.Debug("a heartbeat was not sent", "to", address, "error", err)
			}
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
	var messages []message
	for _, id := range slices.Sorted(maps.Keys(p.peers)) {
		peer := p.peers[id]
		clear(peer.answered)
		if peer.Key != nil {
			messages = append(messages, p.beatFor(peer, packet{echo: peer.echo}, state))
		}
	}
	return messages
}

// beatFor completes a packet for a peer. Pulse is locked.
func (p *Pulse) beatFor(peer *pulsePeer, made packet, state Beat) message {
	peer.sentSequence++
	made.challenge, made.session, made.sequence = peer.challenge, peer.sentSession, peer.sentSequence
	made.generation, made.incarnation, made.applied = state.Generation, state.Incarnation, state.Applied
	made.life, made.term = state.Held.life(), state.Held.Term
	made.lastTerm, made.lastIndex = state.Held.LastTerm, state.Held.LastIndex
	made.from, made.to = p.options.ID, peer.ID
	return message{made.encode(peer.Key), peer.Beats}
}

func (p *Pulse) receive() {
	buffer := make([]byte, packetMax+1)
	for {
		n, err := p.options.Packets.Receive(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Linux reports an unreachable peer of an earlier send here; the pause keeps a broken socket
			// from spinning.
			select {
			case <-time.After(time.Millisecond):
				continue
			case <-p.closing:
				return
			}
		}
		heard, answers := p.take(buffer[:n], p.options.State())
		p.post(answers)
		if heard {
			select {
			case p.heard <- struct{}{}:
			default:
			}
		}
	}
}

// take believes or refuses one datagram. What cannot be believed yet is answered with the echo it
// asks for.
func (p *Pulse) take(bytes []byte, state Beat) (heard bool, answers []message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	beat, err := decodePacket(bytes, p.keyOf)
	if err != nil {
		p.refused++
		return false, nil
	}
	peer := p.peers[beat.from]
	proven := beat.echo == peer.challenge
	switch {
	case beat.session == peer.session && beat.sequence <= peer.sequence:
		// Over a second network the same beat comes twice. That is meant, and not worth a count.
		if beat.sequence != peer.sequence {
			p.refused++
		}
		return false, nil
	case beat.session == peer.session && beat.sequence-peer.sequence <= stepMax:
	case proven:
		peer.challenge = randomNumber()
	default:
		p.refused++
		return false, p.answer(peer, beat, state)
	}
	peer.session, peer.sequence, peer.echo = beat.session, beat.sequence, beat.challenge
	// Zero is a daemon that has not read its generation yet; being alive it is.
	if beat.generation != 0 && beat.generation < state.Generation {
		p.refused++
		return false, nil
	}
	peer.beat = Beat{
		From: beat.from, Count: peer.beat.Count + 1,
		Incarnation: beat.incarnation, Generation: beat.generation, Applied: beat.applied,
		Held: Held{Life: lifeOf(beat.life), Term: beat.term, LastTerm: beat.lastTerm, LastIndex: beat.lastIndex},
	}
	peer.lastHeard = time.Now()
	return true, nil
}

// keyOf is the key of beats from a peer to this node; nil where there is none. Pulse is locked.
func (p *Pulse) keyOf(from, to string) []byte {
	peer := p.peers[from]
	if peer == nil || to != p.options.ID {
		return nil
	}
	return peer.Key
}

// answer gives an unproven beat the echo with which its sender can be sure of this node. Each
// challenge is answered once between two beats: who repeats old ones gets no more out than that,
// and does not push the new one aside. An answer is never answered, or two nodes could go on
// forever. Pulse is locked.
func (p *Pulse) answer(peer *pulsePeer, beat packet, state Beat) []message {
	if beat.answer || peer.answered[beat.challenge] || len(peer.answered) >= answersMax {
		return nil
	}
	if peer.answered == nil {
		peer.answered = map[uint64]bool{}
	}
	peer.answered[beat.challenge] = true
	return []message{p.beatFor(peer, packet{answer: true, echo: beat.challenge}, state)}
}
