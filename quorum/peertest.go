package quorum

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// Answer is what a question to a node brought.
type Answer string

const (
	// Unknown means that the question could not be asked. It is evidence of nothing.
	Unknown Answer = "unknown"
	// Silent means that it was asked and nothing came back.
	Silent Answer = "silent"
	// Answers means that a sign of life came back.
	Answers Answer = "answers"
)

// Witness is what one node saw of the tested node.
type Witness struct {
	Peer   string
	Kernel Answer
	Daemon Answer
	Detail string
}

// Verdict joins what all witnesses saw: Answers if anybody got an answer, else Silent if anybody
// could ask, else Unknown. It says nothing about power. Look at SeenBy before acting: the only
// witness may be the one that is cut off.
type Verdict struct {
	Node   string
	Kernel Answer
	Daemon Answer
	// SeenBy begins with this node, then come the peers that were asked, by name.
	SeenBy []Witness
}

const (
	askedPeersMax     = 3
	testAnswerMargin  = 40 * time.Millisecond // for a peer's answer to travel back before the deadline
	testMessageMax    = 4096
	testDetailMax     = 512
	testConnectionMax = 5 * time.Second
)

// testRequest travels on the peer test channel, one request and one answer per connection.
// Without a node it asks the daemon itself for a sign of life.
type testRequest struct {
	Node    string        `json:"node,omitempty"`
	Timeout time.Duration `json:"timeout_nanoseconds"`
}

type testAnswer struct {
	Kernel Answer `json:"kernel"`
	Daemon Answer `json:"daemon"`
	Detail string `json:"detail,omitempty"`
}

// Test looks whether a silent node's kernel and daemon answer to this node and to up to three
// peers that were heard lately, all at the same time, and returns within
// PulseOptions.TestTimeout or when ctx ends.
func (p *Pulse) Test(ctx context.Context, node string) Verdict {
	ctx, cancel := context.WithTimeout(ctx, p.options.TestTimeout)
	defer cancel()
	peers := p.peersToAsk(node)
	seen := make(chan Witness, 1+len(peers)) // room for all, so that late ones do not wait for anybody
	// Silence is known only when the time is up, and it must be reported before this Test's own
	// time is up.
	own, cancelOwn := context.WithTimeout(ctx, p.options.TestTimeout-testAnswerMargin)
	defer cancelOwn()
	go func() { seen <- p.witness(own, node) }()
	for _, peer := range peers {
		go func() { seen <- p.askPeer(ctx, peer, node) }()
	}
	witnesses := map[string]Witness{}
	for expired := false; len(witnesses) < 1+len(peers) && !expired; {
		select {
		case witness := <-seen:
			witnesses[witness.Peer] = witness
		case <-ctx.Done():
			expired = true
		}
	}
	verdict := Verdict{Node: node}
	for _, id := range append([]string{p.options.ID}, identities(peers)...) {
		witness, ok := witnesses[id]
		if !ok {
			witness = Witness{Peer: id, Kernel: Unknown, Daemon: Unknown, Detail: "did not report in time"}
		}
		verdict.SeenBy = append(verdict.SeenBy, witness)
	}
	verdict.conclude()
	return verdict
}

func (v *Verdict) conclude() {
	v.Kernel, v.Daemon = Unknown, Unknown
	for _, witness := range v.SeenBy {
		v.Kernel, v.Daemon = stronger(v.Kernel, witness.Kernel), stronger(v.Daemon, witness.Daemon)
	}
	if v.Daemon == Answers {
		v.Kernel = Answers
	}
}

func stronger(a, b Answer) Answer {
	rank := map[Answer]int{Unknown: 0, Silent: 1, Answers: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

func identities(peers []Peer) []string {
	var ids []string
	for _, peer := range peers {
		ids = append(ids, peer.ID)
	}
	return ids
}

// peersToAsk are the ones heard last, because they can most likely be asked, in order of their
// names.
func (p *Pulse) peersToAsk(node string) []Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	var candidates []*pulsePeer
	for id, peer := range p.peers {
		if id != node && !peer.lastHeard.IsZero() {
			candidates = append(candidates, peer)
		}
	}
	slices.SortFunc(candidates, func(a, b *pulsePeer) int {
		return cmp.Or(b.lastHeard.Compare(a.lastHeard), cmp.Compare(a.ID, b.ID))
	})
	var peers []Peer
	for _, candidate := range candidates[:min(len(candidates), askedPeersMax)] {
		peers = append(peers, candidate.Peer)
	}
	slices.SortFunc(peers, func(a, b Peer) int { return cmp.Compare(a.ID, b.ID) })
	return peers
}

// witness looks at a node from here: its kernel by probes, its daemon by heartbeats and by a
// question over the Wire.
func (p *Pulse) witness(ctx context.Context, node string) Witness {
	witness := Witness{Peer: p.options.ID, Kernel: Unknown, Daemon: Unknown}
	p.mu.Lock()
	known := p.peers[node]
	var peer Peer
	var before uint64
	if known != nil {
		peer, before = known.Peer, known.beat.Count
	}
	p.mu.Unlock()
	if known == nil {
		witness.Detail = "does not know the node"
		return witness
	}
	select {
	case p.tests <- struct{}{}:
		defer func() { <-p.tests }()
	default:
		witness.Detail = fmt.Sprintf("has %d tests under way already", testsAtOnceMax)
		return witness
	}
	type kernelReport struct {
		answer Answer
		detail string
	}
	kernel := make(chan kernelReport, 1)
	go func() {
		answer, detail := p.options.ProbeKernel(ctx, peer)
		kernel <- kernelReport{answer, detail}
	}()
	daemonDetail := ""
	witness.Daemon, daemonDetail = p.questionDaemon(ctx, peer)
	report := <-kernel
	witness.Kernel = report.answer
	if p.heardSince(node, before) {
		witness.Daemon, daemonDetail = Answers, "heartbeat heard"
	}
	if witness.Daemon == Answers {
		witness.Kernel = Answers
	}
	witness.Detail = report.detail + "; daemon: " + daemonDetail
	return witness
}

// heardSince reports whether a beat came during the test. What was heard before it does not count:
// a host that lost power is tested within a second of its last beat.
func (p *Pulse) heardSince(node string, count uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer := p.peers[node]
	return peer != nil && peer.beat.Count > count
}

// questionDaemon asks the node's own Pulse for a sign of life. An open port alone proves
// nothing: the kernel of a stopped process still accepts connections.
func (p *Pulse) questionDaemon(ctx context.Context, peer Peer) (Answer, string) {
	answer, err := p.ask(ctx, peer.Wire, testRequest{})
	switch {
	case err == nil && answer.Daemon == Answers:
		return Answers, "answered over the wire"
	case err == nil, ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNREFUSED),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EPIPE):
		return Silent, "no answer over the wire"
	default:
		// A certificate that is not accepted, no route, no free descriptor: that says more about us
		// than about the node.
		return Unknown, "could not be asked over the wire: " + err.Error()
	}
}

func (p *Pulse) askPeer(ctx context.Context, peer Peer, node string) Witness {
	witness := Witness{Peer: peer.ID, Kernel: Unknown, Daemon: Unknown}
	timeout := p.options.TestTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	}
	answer, err := p.ask(ctx, peer.Wire, testRequest{Node: node, Timeout: timeout - testAnswerMargin})
	if err != nil {
		witness.Detail = "could not be asked: " + err.Error()
		return witness
	}
	return Witness{Peer: peer.ID, Kernel: known(answer.Kernel), Daemon: known(answer.Daemon), Detail: answer.Detail}
}

// known reads a word of another version's as Unknown.
func known(answer Answer) Answer {
	if answer == Silent || answer == Answers {
		return answer
	}
	return Unknown
}

func (p *Pulse) ask(ctx context.Context, address string, request testRequest) (testAnswer, error) {
	var answer testAnswer
	connection, err := p.options.Wire.dial(ctx, address, channelPeerTest)
	if err != nil {
		return answer, err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	if err := json.NewEncoder(connection).Encode(request); err != nil {
		return answer, err
	}
	err = json.NewDecoder(io.LimitReader(connection, testMessageMax)).Decode(&answer)
	return answer, err
}

func (p *Pulse) serveTest(connection net.Conn) {
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(testConnectionMax))
	var request testRequest
	if err := json.NewDecoder(io.LimitReader(connection, testMessageMax)).Decode(&request); err != nil {
		return
	}
	answer := testAnswer{Kernel: Answers, Daemon: Answers}
	if request.Node != "" {
		timeout := max(0, min(request.Timeout, testConnectionMax/2))
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		witness := p.witness(ctx, request.Node)
		answer = testAnswer{witness.Kernel, witness.Daemon, witness.Detail[:min(len(witness.Detail), testDetailMax)]}
	}
	json.NewEncoder(connection).Encode(answer)
}
