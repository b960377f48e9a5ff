//go:build cgo

package vm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
)

const (
	// switchEvery is how often it is looked whether the memory has begun to move, which libvirt asks
	// for before it lets the guest change its place.
	switchEvery = 50 * time.Millisecond
	// arriveEvery is how often it is looked whether the guest goes on at its target.
	arriveEvery = 5 * time.Millisecond
	// fruitless is how many passes in a row may fail to shrink before a move is given up that another
	// way can follow, and shrinking is by how many percent a pass has to be smaller.
	fruitless = 2
	shrinking = 10
	// copyOnTries bounds how often a copy that was interrupted is taken up again before the cluster is
	// asked anew, and copyOnPause is between two: the tunnel or its other end has to come back.
	copyOnTries = 5
	copyOnPause = 2 * time.Second
)

// errStalled: the passes of a move no longer shrink.
var errStalled = errors.New("its passes no longer shrink")

// passes follows how much of the guest's memory each pass finds changed.
type passes struct {
	pass, left uint64
	vain       int
}

// stall takes in a look at a move: in which pass it is, and what that one has left to send. It
// reports whether the last passes were about as large as those before them. The first pass is the
// whole memory and compares with nothing.
func (p *passes) stall(pass, left uint64) bool {
	switch {
	case pass < p.pass:
		return false
	case pass == p.pass:
		p.left = max(p.left, left)
		return false
	case p.pass >= 2 && left*100 > p.left*(100-shrinking):
		p.vain++
	default:
		p.vain = 0
	}
	p.pass, p.left = pass, left
	return p.vain >= fruitless
}

// watchPasses gives the move up once its passes no longer shrink.
func (m *move) watchPasses(ctx context.Context, source *session) {
	var seen passes
	for pause(ctx, progressEvery); ctx.Err() == nil; pause(ctx, progressEvery) {
		info, err := m.jobInfo(ctx, source)
		if err != nil || info == nil || info.MemTotal == 0 || !seen.stall(info.MemIteration, info.MemRemaining) {
			continue
		}
		m.stalled.Store(true)
		why := fmt.Sprintf("pass %d begins with %d MiB", info.MemIteration, info.MemRemaining>>20)
		told := "passes no longer shrink, abort sent: " + why
		if err := m.onEnd(ctx, source, told, (*libvirt.Domain).AbortJob); err != nil {
			m.stalled.Store(false) // if it fails now, then by something else
			m.agent.log.Warn("giving a migration up that does not get smaller", "service", m.spec.Name, "error", plain(err))
		}
		return
	}
}

func (m *move) jobInfo(ctx context.Context, source *session) (*libvirt.DomainJobInfo, error) {
	return onDomain(ctx, source, m.uuid, func(domain *libvirt.Domain) (*libvirt.DomainJobInfo, error) {
		job, info := jobOf(domain)
		if job != jobOut {
			return nil, nil
		}
		return info, nil
	})
}

// limitRest bounds what is sent of the rest of the memory, which libvirt takes apart from the limit
// for the passes.
func (m *move) limitRest(ctx context.Context) {
	if m.limits.Bandwidth == 0 {
		return
	}
	_, err := onDomain(ctx, m.source, m.uuid, func(domain *libvirt.Domain) (struct{}, error) {
		return struct{}{}, domain.MigrateSetMaxSpeed(uint64(m.limits.Bandwidth),
			libvirt.MIGRATE_MAX_SPEED_POSTCOPY)
	})
	if err != nil {
		m.agent.log.Warn("the bandwidth of a post-copy was not set", "service", m.spec.Name, "error", plain(err))
	}
}

// switchOver has the guest go on at its target as soon as its memory has begun to move. From then
// on it can go back to the source no more, so it is asked first whether that is still wanted.
func (m *move) switchOver(ctx context.Context, source, target *session) {
	for pause(ctx, switchEvery); ctx.Err() == nil; pause(ctx, switchEvery) {
		if info, err := m.jobInfo(ctx, source); err != nil || info == nil || info.MemTotal == 0 {
			continue
		}
		if err := wanted(m.stillWanted); err != nil {
			m.agent.log.Info("a migration is no longer wanted", "service", m.spec.Name, "reason", err)
			_ = m.onEnd(ctx, source, "no longer wanted, abort sent", (*libvirt.Domain).AbortJob)
			return
		}
		m.switched.Store(true)
		err := m.onEnd(ctx, source, "switched to post-copy", func(domain *libvirt.Domain) error {
			return domain.MigrateStartPostCopy(0)
		})
		if err == nil {
			m.seeArrive(ctx, target)
			return
		}
		// A call whose answer was lost may have switched; what still copies by passes has not.
		if seen := m.agent.lookOn(ctx, source, m.uuid); seen.Condition == agents.Running && seen.UnderWay() {
			m.switched.Store(false)
		}
	}
}

// seeArrive notes when the guest goes on at its target. It is seen a little late, so the guest
// stood still for no longer than that.
func (m *move) seeArrive(ctx context.Context, target *session) {
	for ctx.Err() == nil {
		there, _, err := find(ctx, target, m.uuid)
		if err == nil && (there.Condition == agents.Split || there.Condition == agents.Running) {
			m.wentOn.Store(time.Now().UnixNano())
			return
		}
		pause(ctx, arriveEvery)
	}
}

// copyOn goes on with a post-copy move that was interrupted, over a tunnel that is opened anew. It
// returns when the copying has ended, one way or the other, or with the caller's time.
func (m *move) copyOn(ctx context.Context) {
	m.phase("copying taken up again")
	if _, _, err := m.agent.options.Tunnel.Open(ctx, m.targetName, m.act); err != nil {
		m.agent.log.Warn("opening the tunnel to go on with a migration", "service", m.spec.Name, "error", err)
		pause(ctx, copyOnPause)
		return
	}
	m.carry(ctx)
	flags, parameters := m.how()
	err := m.agent.journaled(ctx, m.carrier, m.uuid, proof.Migrate, m.act, func(conn *libvirt.Connect) error {
		domain, err := conn.LookupDomainByUUIDString(m.uuid)
		if err != nil {
			return err
		}
		defer func() { _ = domain.Free() }()
		return domain.MigrateToURI3(m.apiURI, parameters, flags|libvirt.MIGRATE_POSTCOPY_RESUME)
	})
	if err != nil {
		m.agent.log.Warn("going on with a migration", "service", m.spec.Name, "target", m.targetName, "error", plain(err))
		pause(ctx, copyOnPause)
	}
}

// carry has a session for the long call that is alive.
func (m *move) carry(ctx context.Context) {
	if m.carrier.alive() {
		return
	}
	if again, err := m.agent.session(ctx); err == nil {
		m.carrier.close()
		m.carrier = again
	}
}

// gaveUp reports whether a move was given up as one that does not arrive, and both ends are as they
// were before it.
func (m *move) gaveUp(source, target agents.Observation) bool {
	return m.stalled.Load() && source.Condition == agents.Running && target.Condition == agents.Absent
}
