//go:build cgo

package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

const (
	// tuneEvery and tuneTries: QEMU takes a limit once the move has begun, which takes until the
	// target's QEMU is there.
	tuneEvery = 100 * time.Millisecond
	tuneTries = 100
)

// how turns what is declared into libvirt's flags and parameters. The guest arrives paused (law
// L5), which excludes post-copy.
func (m *move) how() (libvirt.DomainMigrateFlags, *libvirt.DomainMigrateParameters) {
	flags := libvirt.MIGRATE_LIVE | libvirt.MIGRATE_PEER2PEER | libvirt.MIGRATE_PAUSED | libvirt.MIGRATE_ABORT_ON_ERROR
	parameters := &libvirt.DomainMigrateParameters{URISet: true, URI: m.migrateURI}
	if m.agent.options.Unsafe {
		flags |= libvirt.MIGRATE_UNSAFE
	}
	if m.limits.AutoConverge {
		flags |= libvirt.MIGRATE_AUTO_CONVERGE
	}
	if m.limits.Compression {
		flags |= libvirt.MIGRATE_COMPRESSED
		parameters.CompressionSet, parameters.Compression = true, "xbzrle"
	}
	if m.limits.Bandwidth > 0 {
		parameters.BandwidthSet, parameters.Bandwidth = true, uint64(m.limits.Bandwidth)
	}
	return flags, parameters
}

// allowDowntime sets how long the guest may stand still, as soon as libvirt takes that. It gives up
// with the move, and in the end by itself: the move then keeps the hypervisor's own limit.
func (m *move) allowDowntime(ctx context.Context) {
	if m.limits.Downtime == 0 {
		return
	}
	var err error
	for range tuneTries {
		if pause(ctx, tuneEvery); ctx.Err() != nil {
			return
		}
		_, err = onDomain(ctx, m.source, m.uuid, func(domain *libvirt.Domain) (struct{}, error) {
			return struct{}{}, setDowntime(domain, m.limits.Downtime)
		})
		if err == nil || noDomain(err) {
			return
		}
	}
	m.agent.log.Warn("the downtime of a migration was not set", "service", m.spec.Name, "error", plain(err))
}

func setDowntime(domain *libvirt.Domain, downtime time.Duration) error {
	return domain.MigrateSetMaxDowntime(uint64(max(1, downtime.Milliseconds())), 0)
}

// Tune changes the limits of a migration that is under way.
func (a *Agent) Tune(ctx context.Context, tune agents.Act) agents.Result {
	failed := func(err error) agents.Result {
		return agents.Result{Source: agents.Unknown, Why: fmt.Sprintf("set %s of the migration of %s: %v", tune.Move,
			tune.Spec.Name, plain(err))}
	}
	s, err := a.session(ctx)
	if err != nil {
		return failed(err)
	}
	defer s.close()
	_, err = onDomain(ctx, s, strings.ToLower(tune.Spec.UUID), func(domain *libvirt.Domain) (struct{}, error) {
		if job, _ := jobOf(domain); job != jobOut {
			return struct{}{}, errors.New("no migration is under way")
		}
		return struct{}{}, setLimits(domain, tune.Move)
	})
	if err != nil {
		return failed(err)
	}
	return agents.Result{OK: true, Source: agents.Running, Why: "the migration goes on with " + tune.Move.String()}
}

func setLimits(domain *libvirt.Domain, limits resources.Migration) error {
	if limits.Bandwidth > 0 {
		if err := domain.MigrateSetMaxSpeed(uint64(limits.Bandwidth), 0); err != nil {
			return err
		}
	}
	if limits.Downtime > 0 {
		return setDowntime(domain, limits.Downtime)
	}
	return nil
}
