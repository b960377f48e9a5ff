//go:build cgo

package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
	"github.com/clusterd/clusterd/resources"
)

const (
	progressEvery = 250 * time.Millisecond
	// abortTimeout is how long an aborted migration may take to return.
	abortTimeout = 10 * time.Second
	// settleTimeout bounds looking at both ends after a migration that did not
	// end cleanly.
	settleTimeout = 15 * time.Second
	// incomingGrace is how long libvirt may take to drop a half that lost its
	// source before it is destroyed.
	incomingGrace = 5 * time.Second
	// unknownGrace is how long an end may be silent before it is told as Unknown.
	unknownGrace = 5 * time.Second
)

// errHandedOver: the guest runs on the target and its process on the source has
// ended, so nothing that libvirt still has to do can change where it runs.
var errHandedOver = errors.New("handed over")

// errLeftAlone: the caller stopped waiting without a deadline (the daemon is
// stopping), so the migration goes on without it.
var errLeftAlone = errors.New("the daemon stopped watching; libvirt carries the migration on by itself")

// move is one migration.
type move struct {
	agent          *Agent
	spec           resources.Spec
	uuid           string
	act            string
	targetName     string
	progress       func(agents.Progress)
	stillWanted    func() error
	limits         resources.Migration
	apiURI         string
	migrateURI     string
	source, target *session
	// carrier is a second session to the source for the one long call.
	carrier *session
	events  <-chan lifecycle
	// phases are told by several at once.
	phases moments
	// gone closes when the source's QEMU process, which holds the guest, has
	// ended; nil when it is not, or no longer, watched.
	gone <-chan struct{}
	// stoodStill is when the source's guest stopped; zero if no event told.
	stoodStill time.Time
	resumedAt  time.Time
	returnedAt time.Time
	aborted    bool
	// postCopy and stallable say how it is made (agents.Act). switched: the guest may have changed its
	// place. stalled: it was given up because its passes no longer shrank.
	postCopy, stallable bool
	switched, stalled   atomic.Bool
	// sentAt is when it was asked for, and wentOn when the guest of a post-copy was first seen to go
	// on at its target, in nanoseconds since 1970: libvirt has no figure of that.
	sentAt time.Time
	wentOn atomic.Int64
	// tail is the call that libvirt still has to finish after the guest was
	// handed over, and endCall ends our interest in it.
	tail    <-chan error
	endCall context.CancelFunc
}

// Migrate moves the VM live. Downtime in the Result runs from the event that
// the source's guest stood still to the answer of the resume on the target;
// libvirt's own figure leaves our share out. Where the event was lost, it is
// libvirt's figure plus the time from the call's return to the resume.
func (a *Agent) Migrate(ctx context.Context, migrate agents.Act) agents.Result {
	spec := migrate.Spec.WithDefaults()
	m := &move{
		agent: a, spec: spec, uuid: strings.ToLower(spec.UUID), act: migrate.ID, targetName: migrate.Target,
		progress: migrate.Progress, stillWanted: migrate.StillWanted, limits: migrate.Move,
		postCopy: migrate.PostCopy, stallable: migrate.Stallable,
	}
	a.remember(m.uuid, spec.Name)
	ctx, cancel := context.WithTimeout(ctx, spec.MigrateTimeout)
	defer cancel()
	if a.options.Tunnel == nil {
		return m.failed(ctx, errors.New("this node has no tunnel to other nodes"))
	}
	events, forget := a.watch(m.uuid)
	defer forget()
	m.events = events
	if err := m.connect(ctx); err != nil {
		if m.postCopy {
			pause(ctx, copyOnPause) // what is interrupted is asked for again at once
		}
		return m.failed(ctx, err)
	}
	defer m.hangUp()
	return m.run(ctx)
}

func (m *move) failed(ctx context.Context, err error) agents.Result {
	return agents.Result{
		Source: m.agent.lookAfter(ctx, m.uuid).Condition, Target: agents.Unknown,
		Why: fmt.Sprintf("migrate %s from %s to %s: %v", m.spec.Name, m.agent.options.Node, m.targetName, err),
	}
}

// connect opens both ends before anything moves: the target's connection must
// be there when the guest stands still.
func (m *move) connect(ctx context.Context) (err error) {
	a := m.agent
	if m.apiURI, m.migrateURI, err = a.options.Tunnel.Open(ctx, m.targetName, m.act); err != nil {
		return fmt.Errorf("open the tunnel: %w", err)
	}
	if m.source, err = a.session(ctx); err != nil {
		a.options.Tunnel.Release(m.act)
		return err
	}
	if m.carrier, err = a.session(ctx); err != nil {
		m.source.close()
		a.options.Tunnel.Release(m.act)
		return err
	}
	if m.target, err = a.dial(ctx, m.apiURI); err != nil {
		m.source.close()
		m.carrier.close()
		a.options.Tunnel.Release(m.act)
		return fmt.Errorf("reach the hypervisor of %s: %w", m.targetName, err)
	}
	m.target.server = proof.Process{} // The socket's local peer is the tunnel, not libvirtd.
	return nil
}

// hangUp closes what the migration used. A call that is still under way keeps
// its sessions until it has returned.
func (m *move) hangUp() {
	if m.tail != nil {
		m.agent.finishLater(m)
		return
	}
	m.closeAll()
}

func (m *move) closeAll() {
	m.source.close()
	m.carrier.close()
	m.target.close()
	m.agent.options.Tunnel.Release(m.act)
}

// run carries the migration out, or waits for one that is already under way
// (an earlier daemon asked for it), and settles both ends.
func (m *move) run(ctx context.Context) agents.Result {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go m.report(watching, m.source)
	if qemu, blurred, found, err := m.agent.table.QEMU(m.uuid); err == nil && found && !blurred {
		m.gone = m.agent.table.End(watching, qemu)
	}
	seen := m.agent.lookOn(ctx, m.source, m.uuid)
	if seen.Condition != agents.Running || seen.Reason == reasonMigratingOut {
		m.phase("found under way")
		return m.settle(ctx, nil)
	}
	copyThere, _, err := find(ctx, m.target, m.uuid)
	if err != nil {
		return m.failed(ctx, fmt.Errorf("ask the hypervisor of %s: %w", m.targetName, plain(err)))
	}
	if copyThere.Condition != agents.Absent {
		if left := m.settle(ctx, nil); left.Source != agents.Running || left.Target != agents.Absent {
			left.OK = false
			left.Why = "a copy was found on the target before the migration began: " + left.Why
			return left
		}
	}
	if err := wanted(m.stillWanted); err != nil {
		return m.failed(ctx, fmt.Errorf("no longer wanted: %w", err))
	}
	err = m.send(ctx)
	if errors.Is(err, errHandedOver) {
		return m.result(ctx, agents.Observation{Condition: agents.Absent, Evidence: "its QEMU process has ended"},
			agents.Observation{Condition: agents.Running}, nil)
	}
	return m.settle(ctx, err)
}

func (m *move) phase(what string) { m.phaseAt(what, time.Now()) }

func (m *move) phaseAt(what string, at time.Time) { m.phases.add(agents.Phase{What: what, At: at}) }

// moments are the phases of one migration.
type moments struct {
	mu   sync.Mutex
	list []agents.Phase
}

func (p *moments) add(phase agents.Phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, phase)
}

func (p *moments) all() []agents.Phase {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

// send asks libvirt for the migration and waits for its end.
func (m *move) send(ctx context.Context) error {
	flags, parameters := m.how()
	calling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	m.sentAt = time.Now()
	m.phaseAt("migration sent", m.sentAt)
	switch {
	case m.postCopy:
		m.limitRest(ctx)
		go m.switchOver(calling, m.source, m.target)
	case m.stallable:
		go m.watchPasses(calling, m.source)
	}
	go m.allowDowntime(calling, m.source)
	go func() {
		done <- m.agent.journaled(calling, m.carrier, m.uuid, proof.Migrate, m.act, func(conn *libvirt.Connect) error {
			domain, err := conn.LookupDomainByUUIDString(m.uuid)
			if err != nil {
				return err
			}
			defer func() { _ = domain.Free() }()
			return domain.MigrateToURI3(m.apiURI, parameters, flags)
		})
	}()
	err := m.await(ctx, done)
	if errors.Is(err, errHandedOver) {
		m.tail, m.endCall = done, cancel
		return err
	}
	cancel()
	return err
}

// await waits for the call. The source's QEMU is watched beside it: libvirt
// takes some 200 ms to notice that a process it killed is gone, and the guest
// stands still meanwhile.
func (m *move) await(ctx context.Context, done <-chan error) error {
	for {
		select {
		case err := <-done:
			m.returnedAt = time.Now()
			m.drain()
			return err
		case heard := <-m.events:
			m.note(heard)
		case <-m.gone:
			m.gone = nil
			m.drain()
			m.resumeEarly(ctx)
			if m.handedOver(ctx) {
				return errHandedOver
			}
		case <-ctx.Done():
			return m.breakOff(ctx, done)
		}
	}
}

func (m *move) note(heard lifecycle) {
	stands := heard.detail == int(libvirt.DOMAIN_EVENT_SUSPENDED_MIGRATED) ||
		heard.detail == int(libvirt.DOMAIN_EVENT_SUSPENDED_POSTCOPY)
	if heard.event == libvirt.DOMAIN_EVENT_SUSPENDED && stands && m.stoodStill.IsZero() {
		m.stoodStill = heard.at
		m.phaseAt("guest stands still on the source", heard.at)
	}
}

// drain reads the events that have already come.
func (m *move) drain() {
	for {
		select {
		case heard := <-m.events:
			m.note(heard)
		default:
			return
		}
	}
}

// resumeEarly resumes the target when the source's QEMU process has ended and
// the target has received everything: then no copy but this one can run. When
// the target has not, the ordinary way decides.
func (m *move) resumeEarly(ctx context.Context) {
	m.phase("source process gone")
	there, _, err := find(ctx, m.target, m.uuid)
	if err != nil || there.Condition != agents.Paused || !received(there) {
		return
	}
	m.resumeTarget(ctx)
}

func (m *move) resumeTarget(ctx context.Context) {
	_, err := onDomain(ctx, m.target, m.uuid, func(domain *libvirt.Domain) (struct{}, error) {
		return struct{}{},
			domain.Resume()
	})
	if err != nil {
		m.agent.log.Warn("resuming the guest on the target failed", "service", m.spec.Name, "target", m.targetName, "error",
			plain(err))
		return
	}
	m.resumedAt = time.Now()
	m.phaseAt("resumed on the target", m.resumedAt)
}

// breakOff ends our waiting: with an abort when the time ran out, without
// touching anything when the daemon is stopping.
func (m *move) breakOff(ctx context.Context, done <-chan error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errLeftAlone
	}
	if m.switched.Load() {
		// The guest is at its target, and its memory follows: there is nothing to go back to.
		return fmt.Errorf("its memory is still being copied after %s", m.spec.MigrateTimeout)
	}
	aborting, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	m.phase("out of time, abort sent")
	_, abortErr := onDomain(aborting, m.source, m.uuid, func(domain *libvirt.Domain) (struct{}, error) {
		return struct{}{}, domain.AbortJob()
	})
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("out of time after %s and aborted: %w", m.spec.MigrateTimeout, plain(err))
		}
		return nil
	case <-aborting.Done():
		return fmt.Errorf("out of time after %s, and the abort had no effect (%v)", m.spec.MigrateTimeout, abortErr)
	}
}

// report calls Progress while the migration runs, beside it: asking may take
// libvirt 100 ms, which the guest must not wait.
func (m *move) report(ctx context.Context, source *session) {
	if m.progress == nil {
		return
	}
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		info, err := onDomain(ctx, source, m.uuid, func(domain *libvirt.Domain) (*libvirt.DomainJobInfo, error) {
			_, info := jobOf(domain)
			return info, nil
		})
		if err == nil && info != nil {
			m.progress(progressOf(info))
		}
	}
}

func progressOf(info *libvirt.DomainJobInfo) agents.Progress {
	progress := agents.Progress{
		Phase: "preparing", BytesTotal: info.DataTotal, BytesRemaining: info.DataRemaining, BytesPerSecond: info.MemBps,
		Elapsed: time.Duration(info.TimeElapsed) * time.Millisecond,
	}
	// Before memory starts to move everything reads zero, which is not "done".
	if info.DataTotal > 0 {
		progress.Phase = "copying memory"
	}
	if info.MemIteration > 1 {
		progress.Phase = fmt.Sprintf("copying memory, pass %d", info.MemIteration)
	}
	if info.MemBps > 0 {
		progress.TimeLeft = time.Duration(float64(info.DataRemaining) / float64(info.MemBps) * float64(time.Second))
	}
	return progress
}
