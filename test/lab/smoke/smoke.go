// Package smoke shows that a lab works, from the first start of a guest to its recovery. Callers
// bring a lab of three hosts that are on, and close it themselves.
package smoke

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clusterd/clusterd/test/lab"
)

// Run tells, through say, the story it makes happen: a guest starts on node1, moves live to
// node2 as the same run, dies with node2 when its BMC cuts the power, starts again on node3 as
// another run, and its disk had one writer at a time. An error says which part of the story did
// not come true.
func Run(ctx context.Context, l *lab.Lab, say func(string)) error {
	if len(l.Hosts) < 3 {
		return errors.New("smoke needs three hosts")
	}
	s := &story{lab: l, say: say, guest: lab.Guest{Name: "smoke", Number: 99}, began: time.Now()}
	for _, step := range []func(context.Context) error{s.start, s.migrate, s.cutPower, s.restart, s.judge} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

type story struct {
	lab   *lab.Lab
	say   func(string)
	guest lab.Guest
	probe *lab.Probe
	nonce string
	began time.Time
}

func (s *story) tell(format string, values ...any) {
	s.say(fmt.Sprintf("%6d ms  ", time.Since(s.began).Milliseconds()) + fmt.Sprintf(format, values...))
}

// create starts the guest on a host by plain virsh and waits for its first answer.
func (s *story) create(ctx context.Context, host *lab.Host) error {
	inside := "/srv/cluster/" + s.guest.Name + ".xml"
	if err := os.WriteFile(filepath.Join(s.lab.SharedDirectory(), s.guest.Name+".xml"), []byte(lab.GuestXML(s.guest)),
		0o644); err != nil {
		return err
	}
	began := time.Now()
	if _, err := host.Run(ctx, "virsh", "-q", "create", inside); err != nil {
		return err
	}
	created := time.Since(began)
	if err := s.probe.WaitForAnswer(ctx); err != nil {
		return err
	}
	s.tell("%s started on %s: virsh create %v, first answer after %v", s.guest.Name, host.Name,
		created.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return nil
}

func (s *story) start(ctx context.Context) (err error) {
	if s.probe, err = s.lab.ProbeGuest(s.guest.Address()); err != nil {
		return err
	}
	if err := s.create(ctx, s.lab.Hosts[0]); err != nil {
		return err
	}
	s.nonce = s.probe.Report().LastNonce
	return s.waitForWriter(ctx, "node1")
}

func (s *story) migrate(ctx context.Context) error {
	s.probe.Reset()
	began := time.Now()
	target := "qemu+tcp://" + s.lab.Hosts[1].Address(lab.Management) + "/system"
	if _, err := s.lab.Hosts[0].Run(ctx, "virsh", "-q", "migrate", "--live", "--p2p", s.guest.Name, target); err != nil {
		return err
	}
	took := time.Since(began)
	if err := s.waitForWriter(ctx, "node2"); err != nil {
		return err
	}
	report := s.probe.Report()
	if len(report.Runs) != 1 || report.LastNonce != s.nonce || report.TickWentBack != 0 {
		return fmt.Errorf("after the migration the guest is not the same: was %s, report %+v", s.nonce, report)
	}
	left, err := s.lab.Hosts[0].Run(ctx, "virsh", "-q", "list", "--all", "--name")
	if err != nil || strings.TrimSpace(left) != "" {
		return fmt.Errorf("node1 still has %q (%w)", strings.TrimSpace(left), err)
	}
	s.tell("migrated live to node2 in %v, same run, longest silence %v", took.Round(time.Millisecond),
		report.LongestSilence.Round(time.Millisecond))
	return nil
}

func (s *story) cutPower(ctx context.Context) error {
	victim := s.lab.Hosts[1]
	began := time.Now()
	if _, err := s.lab.IPMI(ctx, victim, "chassis", "power", "off"); err != nil {
		return err
	}
	status, err := s.lab.IPMI(ctx, victim, "chassis", "power", "status")
	if err != nil {
		return err
	}
	if !strings.Contains(status, "is off") || victim.Power() {
		return fmt.Errorf("after power off the BMC says %q and the host's power is %v", strings.TrimSpace(status),
			victim.Power())
	}
	s.tell("power of node2 cut through its BMC and seen off within %v", time.Since(began).Round(time.Millisecond))
	return nil
}

func (s *story) restart(ctx context.Context) error {
	s.probe.Reset()
	if err := s.create(ctx, s.lab.Hosts[2]); err != nil {
		return err
	}
	if report := s.probe.Report(); report.LastNonce == s.nonce {
		return fmt.Errorf("the guest that node3 started claims to be the one that died: %+v", report)
	}
	return s.waitForWriter(ctx, "node3")
}

func (s *story) judge(ctx context.Context) error {
	defer s.probe.Stop()
	if err := s.lab.CheckSingleWriter(s.guest.Name); err != nil {
		return err
	}
	runs, err := s.lab.Writers(s.guest.Name)
	if err != nil {
		return err
	}
	for _, run := range runs {
		s.tell("wrote: %v", run)
	}
	victim, before := s.lab.Hosts[1], s.lab.Hosts[1].BootID()
	began := time.Now()
	if err := victim.Boot(ctx); err != nil {
		return err
	}
	if seen, err := victim.Run(ctx, "cat", "/proc/sys/kernel/random/boot_id"); err != nil ||
		strings.TrimSpace(seen) != victim.BootID() || victim.BootID() == before {
		return fmt.Errorf("boot id of node2: before %s, now %s, seen inside %q (%w)", before, victim.BootID(), seen, err)
	}
	s.tell("node2 booted in %v with a new boot id", time.Since(began).Round(time.Millisecond))
	_, err = s.lab.Hosts[2].Run(ctx, "virsh", "-q", "destroy", s.guest.Name)
	return err
}

// waitForWriter waits until the disk's last writer is this host.
func (s *story) waitForWriter(ctx context.Context, host string) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		runs, err := s.lab.Writers(s.guest.Name)
		if err != nil {
			return err
		}
		if len(runs) > 0 && runs[len(runs)-1].Host == host {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s never wrote to disk %s: %w", host, s.guest.Name, ctx.Err())
		case <-ticker.C:
		}
	}
}
