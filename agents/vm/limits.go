//go:build cgo

package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// how turns what is declared into libvirt's flags and parameters. A guest arrives paused (law L5),
// or by post-copy: libvirt knows no both. By post-copy it goes over at once, so nothing is tuned
// that is for passes, and with parallel channels QEMU would lose it.
func (m *move) how() (libvirt.DomainMigrateFlags, *libvirt.DomainMigrateParameters) {
	flags := libvirt.MIGRATE_LIVE | libvirt.MIGRATE_PEER2PEER
	parameters := &libvirt.DomainMigrateParameters{URISet: true, URI: m.migrateURI}
	if m.agent.options.Unsafe {
		flags |= libvirt.MIGRATE_UNSAFE
	}
	if m.postCopy {
		return flags | libvirt.MIGRATE_POSTCOPY, parameters
	}
	flags |= libvirt.MIGRATE_PAUSED | libvirt.MIGRATE_ABORT_ON_ERROR
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
func (m *move) allowDowntime(ctx context.Context, source *session) {
	if m.limits.Downtime == 0 || m.postCopy {
		return
	}
	var err error
	for range tuneTries {
		if pause(ctx, tuneEvery); ctx.Err() != nil {
			return
		}
		_, err = onDomain(ctx, source, m.uuid, func(domain *libvirt.Domain) (struct{}, error) {
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

// CancelMigration asks libvirt to give an outgoing migration up. Migrate tells how it
// ended: an abort that was accepted may still have come too late.
func (a *Agent) CancelMigration(ctx context.Context, spec resources.Spec) agents.Result {
	s, err := a.session(ctx)
	if err != nil {
		return agents.Result{Source: agents.Unknown, Why: fmt.Sprintf("cancel the migration of %s: %v", spec.Name, err)}
	}
	defer s.close()
	_, err = onDomain(ctx, s, strings.ToLower(spec.UUID), func(domain *libvirt.Domain) (struct{}, error) {
		if job, _ := jobOf(domain); job != jobOut {
			return struct{}{}, errors.New("no migration is under way")
		}
		return struct{}{}, domain.AbortJob()
	})
	if err != nil {
		why := fmt.Sprintf("cancel the migration of %s: %v", spec.Name, plain(err))
		return agents.Result{Source: agents.Unknown, Why: why}
	}
	return agents.Result{OK: true, Source: agents.Running, Why: "the abort was accepted"}
}

const (
	// samples of dirty memory are taken for a second each, which QEMU's page sampling is exact for; a
	// longer one counts a page once that is written again and again.
	samples     = 3
	sampleTakes = 1
	sampleLimit = 3 * time.Second
	// ownMemory is what QEMU itself has of its process's memory.
	ownMemory = 38 << 20
	// usualRate is what is reckoned with where no bandwidth is set: what a link of 1 Gbit/s carries.
	usualRate = 110 << 20
	// usualDowntime is QEMU's own limit (migrate-set-parameters, downtime-limit).
	usualDowntime = 300 * time.Millisecond
)

var _ agents.Foreseeing = (*Agent)(nil)

// Foresee measures how fast the guest writes to its memory, and reckons what a live move would come
// to. It is refused while the guest does not run or moves already: libvirt would answer when that
// is over.
func (a *Agent) Foresee(ctx context.Context, act agents.Act) (agents.Forecast, error) {
	uuid := strings.ToLower(act.Spec.UUID)
	s, err := a.session(ctx)
	if err != nil {
		return agents.Forecast{}, err
	}
	defer s.close()
	if seen := a.lookOn(ctx, s, uuid); seen.Condition != agents.Running || seen.Reason == reasonMigratingOut {
		return agents.Forecast{}, fmt.Errorf("%s is %s", act.Spec.Name, describe(seen))
	}
	var rates []uint64
	var memory uint64
	for range samples {
		rate, used, err := a.dirtied(ctx, s, uuid)
		if err != nil {
			return agents.Forecast{}, plain(err)
		}
		rates, memory = append(rates, rate), used
	}
	slices.Sort(rates)
	rate, allowed := uint64(usualRate), usualDowntime
	if act.Move.Bandwidth > 0 {
		rate = uint64(act.Move.Bandwidth) << 20
	}
	if act.Move.Downtime > 0 {
		allowed = act.Move.Downtime
	}
	return agents.Foretell(memory, rates[len(rates)/2], rate, allowed).By(act.Move.Mode), nil
}

// dirtied takes one sample: what the guest writes in a second, and what memory it has. Only page
// sampling is used: the other ways end QEMU 7.2 without KVM.
func (a *Agent) dirtied(ctx context.Context, s *session, uuid string) (rate, memory uint64, err error) {
	_, err = onDomain(ctx, s, uuid, func(domain *libvirt.Domain) (struct{}, error) {
		return struct{}{}, domain.StartDirtyRateCalc(sampleTakes, libvirt.DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)
	})
	if err != nil {
		return 0, 0, err
	}
	for end := time.Now().Add(sampleLimit); time.Now().Before(end) && ctx.Err() == nil; {
		pause(ctx, sampleTakes*time.Second/10)
		stats, err := onDomain(ctx, s, uuid, statsOf)
		switch {
		case err != nil:
			return 0, 0, err
		case stats.DirtyRate == nil || stats.Balloon == nil:
			return 0, 0, errors.New("libvirt tells nothing of the memory that it writes")
		case stats.DirtyRate.CalcStatus == int(libvirt.DOMAIN_DIRTYRATE_MEASURED):
			used := max(stats.Balloon.Rss<<10, ownMemory) - ownMemory
			if current := stats.Balloon.Current << 10; current > 0 {
				used = min(used, current)
			}
			return uint64(max(0, stats.DirtyRate.MegabytesPerSecond)) << 20, used, nil
		}
	}
	return 0, 0, fmt.Errorf("libvirt measured nothing in %s", sampleLimit)
}

func statsOf(domain *libvirt.Domain) (libvirt.DomainStats, error) {
	conn, err := domain.DomainGetConnect()
	if err != nil {
		return libvirt.DomainStats{}, err
	}
	defer func() { _, _ = conn.Close() }()
	list, err := conn.GetAllDomainStats([]*libvirt.Domain{domain},
		libvirt.DOMAIN_STATS_BALLOON|libvirt.DOMAIN_STATS_DIRTYRATE, 0)
	if err != nil {
		return libvirt.DomainStats{}, err
	}
	defer func() {
		for _, each := range list {
			_ = each.Domain.Free()
		}
	}()
	if len(list) != 1 {
		return libvirt.DomainStats{}, fmt.Errorf("libvirt tells of %d VMs", len(list))
	}
	return list[0], nil
}
