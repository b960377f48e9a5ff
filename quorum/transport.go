package quorum

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/clusterd/clusterd/quorum/internal/librarylog"
)

// raftStream is the Wire's raft channel in the form hashicorp/raft wants.
type raftStream struct {
	wire     *Wire
	address  nodeAddress
	greeter  *greeter
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// nodeAddress is a node's address as the configuration spells it. The listener's own may be a
// wildcard.
type nodeAddress string

func (nodeAddress) Network() string  { return "wire" }
func (a nodeAddress) String() string { return string(a) }

func newRaftStream(wire *Wire, address string, greeter *greeter) (*raftStream, error) {
	s := &raftStream{wire: wire, address: nodeAddress(address), greeter: greeter, accepted: make(chan net.Conn),
		closed: make(chan struct{})}
	return s, wire.handle(channelRaft, func(connection net.Conn) {
		if err := greeter.caller(connection); err != nil {
			wire.logger.Warn("what a node asks for is not answered", "error", err)
			connection.Close()
			return
		}
		select {
		case s.accepted <- connection:
		case <-s.closed:
			connection.Close()
		}
	})
}

func (s *raftStream) Accept() (net.Conn, error) {
	select {
	case connection := <-s.accepted:
		return connection, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *raftStream) Close() error {
	s.once.Do(func() {
		close(s.closed)
		s.wire.release(channelRaft)
	})
	return nil
}

func (s *raftStream) Addr() net.Addr { return s.address }

func (s *raftStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	// A dial under way must not outlive the log.
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	connection, err := s.wire.dial(ctx, string(address), channelRaft)
	if err != nil {
		return nil, err
	}
	if err := s.greeter.called(connection); err != nil {
		connection.Close()
		return nil, err
	}
	return connection, nil
}

func newTransport(options *Options, greeter *greeter) (*raft.NetworkTransport, error) {
	stream, err := newRaftStream(options.Wire, options.Address, greeter)
	if err != nil {
		return nil, err
	}
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  stream,
		MaxPool: 3,
		// One request at a time to each follower. Pipelining has left followers without replication
		// after a stall of their disk (raft issue 612), and a cluster manager does not need its
		// throughput.
		MaxRPCsInFlight:         1,
		Timeout:                 max(2*time.Second, 4*options.Profile.Heartbeat),
		Logger:                  librarylog.New(options.Logger, "raft-transport"),
		MsgpackUseNewTimeFormat: true,
	}), nil
}

// pusher tells followers the commit index at once. Raft itself passes it on with the next entry,
// or after its CommitTimeout of 50 to 100 ms, which every intent would wait on each node.
//
// It sends an empty append request naming the newest committed entry as the previous one: a
// message this leader could have sent by itself in this term, so that it is safe however late,
// often or disordered it arrives. It costs one small request and no write to any disk, which is
// why it is sent after every commit and not only after urgent ones.
type pusher struct {
	log *Log

	mu      sync.Mutex
	newest  position
	active  map[raft.ServerID]bool
	closed  bool
	running sync.WaitGroup
}

type position struct{ index, term uint64 }

const (
	pushAttempts = 6 // with pauses of 1, 2, 4, 8 and 16 ms, for followers that are still writing the entry itself
	pushPause    = time.Millisecond
)

// announce is called by the one goroutine that applies entries. The newest position wins; each
// follower has one request under way at most, so a slow follower costs one goroutine and no
// queue.
func (p *pusher) announce(committed position) {
	raftLog := p.log.raft
	// State before term: if this node led, and its term is still the entry's, then it led in the
	// entry's term.
	if raftLog == nil || raftLog.State() != raft.Leader || raftLog.CurrentTerm() != committed.term {
		return
	}
	servers := raftLog.GetConfiguration().Configuration().Servers
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest = committed
	for _, server := range servers {
		if p.closed || server.ID == raft.ServerID(p.log.options.ID) || p.active[server.ID] {
			continue
		}
		p.active[server.ID] = true
		p.running.Go(func() { p.serve(server) })
	}
}

// serve pushes to one follower until it has been told the newest position, or does not want it.
func (p *pusher) serve(server raft.Server) {
	var told position
	for {
		p.mu.Lock()
		next := p.newest
		if p.closed || next == told {
			delete(p.active, server.ID)
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		p.push(server, next)
		told = next
	}
}

func (p *pusher) push(server raft.Server, committed position) {
	pause := pushPause
	for range pushAttempts {
		request := &raft.AppendEntriesRequest{
			RPCHeader: raft.RPCHeader{
				ProtocolVersion: raft.ProtocolVersionMax,
				ID:              []byte(p.log.options.ID), Addr: []byte(p.log.options.Address),
			},
			Term:         committed.term,
			PrevLogEntry: committed.index, PrevLogTerm: committed.term,
			LeaderCommitIndex: committed.index,
		}
		var response raft.AppendEntriesResponse
		err := p.log.transport.AppendEntries(server.ID, server.Address, request, &response)
		if err != nil || response.Success || response.Term != committed.term {
			return
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-p.log.closing:
			return
		}
	}
}

func (p *pusher) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.running.Wait()
}
