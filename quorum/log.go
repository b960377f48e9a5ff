package quorum

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/clusterd/clusterd/quorum/internal/librarylog"
)

// Log is this node's end of the replicated log. All methods may be called from any goroutine.
type Log struct {
	options   Options
	raft      *raft.Raft
	transport *raft.NetworkTransport
	applier   *applier
	pusher    *pusher
	volume    *volume
	stores    *stores
	links     *linkPool
	holding   *holding

	proposals chan struct{} // one place per Propose or Verify under way
	appends   chan struct{} // one place per entry given to raft and not yet answered
	forwarded chan struct{} // how many of these may be other nodes': half, so that this one's own always find room
	reads     sharedReads
	session   [8]byte // makes the tags of this Open different from those of any other
	sequence  atomic.Uint64

	// barrier is a lock with a deadline: many readers share the barrier that its holder appends. It
	// guards barrierPassed, the newest barrier applied here and its term.
	barrier       chan struct{}
	barrierPassed position

	roles     chan Role
	closing   chan struct{}
	closeOnce sync.Once
	running   sync.WaitGroup
}

// Open starts this node's part of the log, and restores the Machine from DataDir before it
// returns. A node that is neither bootstrapped nor in the log's configuration waits in silence
// until the leader adds it.
func Open(options Options, machine Machine) (*Log, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	l := &Log{
		options: options, applier: newApplier(machine), links: newLinkPool(options.Wire),
		proposals: make(chan struct{}, options.MaxProposals), appends: make(chan struct{}, 2*options.MaxProposals),
		forwarded: make(chan struct{}, options.MaxProposals), barrier: make(chan struct{}, 1),
		roles: make(chan Role, 1), closing: make(chan struct{}),
	}
	if _, err := rand.Read(l.session[:]); err != nil {
		return nil, fmt.Errorf("draw the session's number: %w", err)
	}
	l.volume = newVolume(l)
	l.holding = &holding{mark: l.options.Mark, cut: l.options.Cut, applied: l.Applied}
	l.applier.restored = l.holding.restored
	l.pusher = &pusher{log: l, active: map[raft.ServerID]bool{}}
	if err := l.start(); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the log of node %s in %q: %w", options.ID, options.DataDir, err)
	}
	return l, nil
}

func (l *Log) start() (err error) {
	if l.stores, err = openStores(&l.options, l.closing, l.volume.note, l.holding); err != nil {
		return err
	}
	greeter := &greeter{id: l.options.ID, held: l.Held, behind: l.stores.behind, memory: l.options.Memory}
	if l.transport, err = newTransport(&l.options, greeter); err != nil {
		return err
	}
	config := raftConfig(&l.options)
	if err := l.bootstrap(config); err != nil {
		return err
	}
	l.raft, err = raft.NewRaft(config, l.applier, l.stores.log, l.stores.stable, l.stores.snapshots, l.transport)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	// Raft's goroutines already run; an entry applied before this line is told to followers by raft
	// itself, a little later.
	l.applier.setCommitted(l.pusher.announce)
	if err := l.options.Wire.handle(channelForward,
		func(connection net.Conn) { l.serveForwarded(connection) }); err != nil {
		return err
	}
	l.running.Go(l.watchRole)
	if l.volume.probe != nil {
		l.running.Go(l.volume.watch)
	}
	return nil
}

func (l *Log) bootstrap(config *raft.Config) error {
	if len(l.options.Bootstrap) == 0 {
		return nil
	}
	var configuration raft.Configuration
	for _, member := range l.options.Bootstrap {
		configuration.Servers = append(configuration.Servers, raftServer(member))
	}
	err := raft.BootstrapCluster(config, l.stores.log, l.stores.stable, l.stores.snapshots, l.transport, configuration)
	if errors.Is(err, raft.ErrCantBootstrap) {
		return nil
	}
	return err
}

func raftConfig(options *Options) *raft.Config {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(options.ID)
	config.HeartbeatTimeout = options.Profile.Heartbeat
	config.ElectionTimeout = options.Profile.Election
	config.LeaderLeaseTimeout = options.Profile.Lease
	// Only the fallback of pusher, and the pause after a first try that failed, as it does for
	// each node that has just joined. Its default of 50 ms would be half of an idle node's work.
	config.CommitTimeout = 250 * time.Millisecond
	config.BatchApplyCh = true
	config.MaxAppendEntries = 512
	config.SnapshotThreshold = options.SnapshotThreshold
	config.SnapshotInterval = options.SnapshotInterval
	config.TrailingLogs = options.TrailingEntries
	config.NoLegacyTelemetry = true
	config.Logger = librarylog.New(options.Logger, "raft")
	// A node that was removed stays, so that its daemon can say so and stop in order; see Role.Member.
	config.ShutdownOnRemove = false
	return config
}

// Close stops this node's part of the log and releases its files. The others see a follower or
// leader that went silent; call HandOver first where that matters. Proposals under way end with
// ErrOutcomeUnknown.
func (l *Log) Close() error {
	var err error
	l.closeOnce.Do(func() {
		// The connections go first: what is answered from here on could no longer be written down.
		if l.transport != nil {
			err = l.transport.Close()
		}
		close(l.closing)
		l.options.Wire.release(channelForward)
		l.links.close()
		l.drain()
		if l.raft != nil {
			err = errors.Join(err, l.raft.Shutdown().Error())
		}
		l.pusher.close()
		l.running.Wait()
		if l.stores != nil {
			err = errors.Join(err, l.stores.close())
		}
	})
	return err
}

// drain waits until raft has answered what it was asked. A leader that no longer reaches anybody
// answers when its lease is over.
func (l *Log) drain() {
	timer := time.NewTimer(4 * l.options.Profile.Lease)
	defer timer.Stop()
	for range cap(l.appends) {
		select {
		case l.appends <- struct{}{}:
		case <-timer.C:
			return // a hung disk never answers; the process is about to end
		}
	}
}

func (l *Log) closed() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// Applied is the index of the newest entry this node's Machine has applied.
func (l *Log) Applied() uint64 {
	applied, _ := l.applier.position()
	return applied.index
}

// LastIndex is the end of this node's log, committed or not. It may be asked for after Close.
func (l *Log) LastIndex() uint64 { return l.raft.LastIndex() }

// Snapshot makes a snapshot now instead of at the threshold, for a backup or before a planned
// stop. It returns nil also when there was nothing new.
func (l *Log) Snapshot() error {
	err := l.raft.Snapshot().Error()
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return err
}

// WaitApplied returns when this node's Machine has applied that index, or with ctx's cause or
// ErrClosed.
func (l *Log) WaitApplied(ctx context.Context, index uint64) error {
	ctx, cancel := l.untilClosed(ctx)
	defer cancel()
	if err := l.applier.wait(ctx, index); err != nil {
		return fmt.Errorf("node %s has not applied index %d yet: %w", l.options.ID, index, context.Cause(ctx))
	}
	return nil
}
