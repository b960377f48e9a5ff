package quorum

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Followers reach the leader over the Wire's forward channel: one request, one answer, again on
// the same connection.
//
//	request:  kind(1) length(4) body      propose: tag(16) data     readIndex: nothing
//	answer:   outcome(1) index(8) length(4) message
const (
	kindPropose   byte = 1
	kindReadIndex byte = 2
)

const (
	linksIdleMax     = 8                // to one node
	linkIdleTime     = 30 * time.Second // older ones may have been cut unnoticed
	forwardTimeout   = 10 * time.Second // of one request on the leader
	messageBytesMax  = 4096
	requestBytesMax  = MaxEntryBytes + 16
	answerHeadBytes  = 13
	requestHeadBytes = 5
)

// outcomes are the errors that keep their meaning across the wire. A number is never used again
// for something else.
var outcomes = map[byte]error{
	1: ErrNotLeader, 2: ErrBusy, 3: ErrLogVolume, 4: ErrOutcomeUnknown, 5: ErrTooLarge, 6: ErrUnfit,
}

func (l *Log) serveForwarded(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for {
		connection.SetReadDeadline(time.Now().Add(2 * linkIdleTime))
		kind, body, err := readRequest(reader)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), forwardTimeout)
		ctx, release := l.untilClosed(ctx)
		index, err := l.answer(ctx, kind, body)
		release()
		cancel()
		connection.SetWriteDeadline(time.Now().Add(forwardTimeout))
		if _, err := connection.Write(encodeAnswer(index, err)); err != nil {
			return
		}
	}
}

func (l *Log) answer(ctx context.Context, kind byte, body []byte) (uint64, error) {
	select {
	case l.forwarded <- struct{}{}:
		defer func() { <-l.forwarded }()
	default:
		return 0, fmt.Errorf("%w on the leader %s for other nodes: %d", ErrBusy, l.options.ID, cap(l.forwarded))
	}
	switch {
	case kind == kindPropose && len(body) >= len(requestTag{}):
		return l.appendHere(ctx, requestTag(body[:len(requestTag{})]), body[len(requestTag{}):])
	case kind == kindReadIndex:
		return l.readIndex(ctx)
	default:
		return 0, fmt.Errorf("%w: request of kind %d is not understood", ErrNotLeader, kind)
	}
}

func readRequest(reader io.Reader) (kind byte, body []byte, err error) {
	var head [requestHeadBytes]byte
	if _, err := io.ReadFull(reader, head[:]); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length > requestBytesMax {
		return 0, nil, ErrTooLarge
	}
	body = make([]byte, length)
	_, err = io.ReadFull(reader, body)
	return head[0], body, err
}

func encodeAnswer(index uint64, err error) []byte {
	var outcome byte
	message := ""
	if err != nil {
		outcome, message = 4, err.Error()
		for number, known := range outcomes {
			if errors.Is(err, known) {
				outcome = number
			}
		}
		message = message[:min(len(message), messageBytesMax)]
	}
	answer := append([]byte{outcome}, binary.BigEndian.AppendUint64(nil, index)...)
	answer = binary.BigEndian.AppendUint32(answer, uint32(len(message)))
	return append(answer, message...)
}

func readAnswer(reader io.Reader) (uint64, error) {
	var head [answerHeadBytes]byte
	if _, err := io.ReadFull(reader, head[:]); err != nil {
		return 0, fmt.Errorf("%w: the leader's answer did not arrive: %w", ErrOutcomeUnknown, err)
	}
	message := make([]byte, min(binary.BigEndian.Uint32(head[9:]), messageBytesMax))
	if _, err := io.ReadFull(reader, message); err != nil {
		return 0, fmt.Errorf("%w: the leader's answer did not arrive: %w", ErrOutcomeUnknown, err)
	}
	if head[0] == 0 {
		return binary.BigEndian.Uint64(head[1:]), nil
	}
	known := outcomes[head[0]]
	if known == nil {
		known = ErrOutcomeUnknown
	}
	return 0, forwardedError{known, string(message)}
}

// forwardedError keeps the leader's own words, which name the leader and say what to do.
type forwardedError struct {
	known   error
	message string
}

func (e forwardedError) Error() string { return e.message }
func (e forwardedError) Unwrap() error { return e.known }

// linkPool keeps a few connections to the leader open, because a TLS handshake costs more than
// an entry.
type linkPool struct {
	wire *Wire

	mu     sync.Mutex
	closed bool
	idle   map[string][]idleLink
	active map[net.Conn]string // links with a request under way, and to whom; as many as Propose and Verify allow
}

type idleLink struct {
	connection net.Conn
	since      time.Time
}

func newLinkPool(wire *Wire) *linkPool {
	return &linkPool{wire: wire, idle: map[string][]idleLink{}, active: map[net.Conn]string{}}
}

// propose forwards an entry. ErrNotLeader is returned when it surely did not get into the log.
func (p *linkPool) propose(ctx context.Context, address string, tag requestTag, data []byte) (uint64, error) {
	return p.ask(ctx, address, kindPropose, append(tag[:], data...))
}

// readIndex asks the leader. Nothing was written, so a lost answer is no more than a reason to
// ask again.
func (p *linkPool) readIndex(ctx context.Context, address string) (uint64, error) {
	index, err := p.ask(ctx, address, kindReadIndex, nil)
	if errors.Is(err, ErrOutcomeUnknown) {
		return 0, fmt.Errorf("%w: no read index from %s", ErrNotLeader, address)
	}
	return index, err
}

func (p *linkPool) ask(ctx context.Context, address string, kind byte, body []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	connection, err := p.take(ctx, address)
	if err != nil {
		return 0, fmt.Errorf("%w: cannot reach the leader at %s: %w", ErrNotLeader, address, err)
	}
	p.setActive(connection, address)
	defer p.setActive(connection, "")
	// Closing is what wakes a blocked read when the caller's context ends before its deadline.
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	request := append([]byte{kind}, binary.BigEndian.AppendUint32(nil, uint32(len(body)))...)
	if _, err := connection.Write(append(request, body...)); err != nil {
		stop()
		connection.Close()
		// A request that is not complete is never carried out, but who knows how much of it was on its
		// way.
		return 0, fmt.Errorf("%w: the connection to the leader at %s broke: %w", ErrOutcomeUnknown, address, err)
	}
	index, err := readAnswer(connection)
	var forwarded forwardedError
	if stop() && (err == nil || errors.As(err, &forwarded)) {
		p.give(address, connection)
	} else {
		connection.Close()
	}
	return index, err
}

func (p *linkPool) take(ctx context.Context, address string) (net.Conn, error) {
	p.mu.Lock()
	for links := p.idle[address]; len(links) > 0; links = p.idle[address] {
		newest := links[len(links)-1]
		p.idle[address] = links[:len(links)-1]
		if time.Since(newest.since) < linkIdleTime {
			p.mu.Unlock()
			return newest.connection, nil
		}
		newest.connection.Close()
	}
	p.mu.Unlock()
	return p.wire.dial(ctx, address, channelForward)
}

func (p *linkPool) give(address string, connection net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle[address]) >= linksIdleMax {
		connection.Close()
		return
	}
	p.idle[address] = append(p.idle[address], idleLink{connection, time.Now()})
}

func (p *linkPool) setActive(connection net.Conn, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if address == "" {
		delete(p.active, connection)
		return
	}
	p.active[connection] = address
	if p.closed {
		connection.Close()
	}
}

// drop closes the connections to all but the present leader. A host that lost power does not
// answer and does not hang up: without this a proposal sent to it would wait for its whole
// timeout, although another node leads by now.
func (p *linkPool) drop(except string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for address, links := range p.idle {
		if address == except {
			continue
		}
		for _, link := range links {
			link.connection.Close()
		}
		delete(p.idle, address)
	}
	for connection, address := range p.active {
		if address != except {
			connection.Close()
		}
	}
}

func (p *linkPool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop("")
}
