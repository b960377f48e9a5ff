package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// look is one look at one disk for a message.
type look struct {
	disk  int
	began time.Duration
	mail  Mail
	err   error
	// final: this disk will never be looked at again.
	final bool
}

// diskWatcher watches one disk. It may hang in the kernel forever; then its looks
// grow old, and that is all the keeper has to know.
type diskWatcher struct {
	number int
	disk   *disk
	header Header
	slot   int
	node   string
}

// openWatchers prepares all disks before the watchdog is armed. ErrStalePill
// is returned when a message of an earlier fence is there.
func openWatchers(ctx context.Context, paths []string, node string, timeout time.Duration,
	now func() time.Duration) ([]*diskWatcher, error) {
	var watchers []*diskWatcher
	fail := func(err error) ([]*diskWatcher, error) {
		for _, s := range watchers {
			s.disk.close()
		}
		return nil, err
	}
	for number, path := range paths {
		d, err := openDisk(path)
		if err != nil {
			return fail(err)
		}
		s := &diskWatcher{number: number, disk: d, node: node}
		watchers = append(watchers, s)
		if err := s.prepare(ctx, timeout, now); err != nil {
			return fail(err)
		}
		if !s.header.sameTimes(watchers[0].header) {
			return fail(fmt.Errorf("%s and %s have other times in their headers; set them up again with the same",
				paths[0], path))
		}
	}
	return watchers, nil
}

func (s *diskWatcher) prepare(ctx context.Context, timeout time.Duration, now func() time.Duration) error {
	var err error
	if s.header, err = s.disk.header(); err != nil {
		return err
	}
	if s.header.Watchdog != timeout {
		return fmt.Errorf("%s says the watchdog's timeout is %v, the configuration says %v", s.disk.path, s.header.Watchdog,
			timeout)
	}
	if s.slot, err = s.disk.allocate(ctx, s.header, s.node, now); err != nil {
		return err
	}
	mail, err := s.disk.mail(s.slot)
	switch {
	case err != nil:
		return err
	case mail.Command == Empty:
		return nil
	case mail.Command == Test || mail.Command == Exit:
		// Nothing is armed and nothing runs here yet, so no fence can be lost.
		return s.disk.post(s.slot, Mail{})
	}
	return fmt.Errorf("%s: %w: %s from %s; see that its fence is closed, then clear it", s.disk.path, ErrStalePill,
		mail.Command, mail.From)
}

// run looks until the context ends or the disk is no longer the same.
func (s *diskWatcher) run(ctx context.Context, now func() time.Duration, out chan<- look) {
	defer s.disk.close()
	for {
		began := now()
		mail, final, err := s.look()
		select {
		case out <- look{disk: s.number, began: began, mail: mail, err: err, final: final}:
		case <-ctx.Done():
			return
		}
		if final || sleepUntil(ctx, now, began+s.header.Loop) != nil {
			return
		}
	}
}

// errChanged ends the watching of a disk.
var errChanged = errors.New("the disk was set up again or given to another node while it was watched")

func (s *diskWatcher) look() (mail Mail, final bool, err error) {
	header, err := s.disk.header()
	if err != nil {
		return Mail{}, errors.Is(err, ErrNoHeader), err
	}
	if header != s.header {
		return Mail{}, true, fmt.Errorf("%s: %w", s.disk.path, errChanged)
	}
	sector, err := s.disk.read(nodeSector(s.slot))
	if err != nil {
		return Mail{}, false, err
	}
	if !strings.EqualFold(decodeNode(sector), s.node) {
		return Mail{}, true, fmt.Errorf("%s: %w", s.disk.path, errChanged)
	}
	mail, err = s.disk.mail(s.slot)
	return mail, false, err
}

// take enters a look into the policy, and returns the message that ends this node
// when there is one. A test is not cleared: between the look and the clearing a
// pill could be written, and would be wiped.
func (w *policy) take(l look, log *slog.Logger) Command {
	if l.err != nil {
		if w.isNews(l.disk, l.err.Error()) {
			log.Error("a disk for fence messages cannot be read", "error", l.err, "final", l.final)
		}
		return Empty
	}
	switch l.mail.Command {
	case Empty:
		w.isNews(l.disk, "")
	case Test, Exit:
		if w.isNews(l.disk, l.mail.Command.String()) {
			log.Info("a fence message that changes nothing", "message", l.mail.Command.String(), "from", l.mail.From)
		}
	default:
		w.pill = l.mail.Command
		log.Error("this node was told to reset itself", "message", l.mail.Command.String(), "from", l.mail.From)
		return l.mail.Command
	}
	w.disks[l.disk] = l.began
	return Empty
}

// isNews reports whether something else was noted of a disk last.
func (w *policy) isNews(disk int, what string) bool {
	if w.noted == nil {
		w.noted = map[int]string{}
	}
	before := w.noted[disk]
	w.noted[disk] = what
	return before != what
}
