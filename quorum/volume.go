package quorum

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// Health is the state of the log's volume on this node.
type Health struct {
	Writable bool
	// Reason says in words why not, and is empty otherwise.
	Reason string
	// Low says in words that room is running out, while there still is some.
	Low string
}

// volume looks after the place the log is written to. A leader that cannot write refuses
// proposals before raft fails on them, and hands leadership over; virtual machines are not
// touched by any of it.
type volume struct {
	log   *Log
	probe func() error // nil when there is nothing to look at
	room  func() string

	mu     sync.Mutex
	reason string
	low    string
	failed chan struct{} // wakes watch when a write failed between two looks
}

const handOverTimeout = 5 * time.Second

func newVolume(l *Log) *volume {
	v := &volume{log: l, probe: l.options.volumeProbe, failed: make(chan struct{}, 1)}
	if v.probe == nil && l.options.DataDir != "" {
		v.probe = func() error { return probeVolume(l.options.DataDir, l.options.FreeBytesMin) }
		v.room = func() string { return lowVolume(l.options.DataDir, l.options.FreeBytesMin) }
	}
	return v
}

// Health returns the state of the log's volume, at most Options.VolumeInterval old.
func (l *Log) Health() Health { return l.volume.health() }

func (v *volume) health() Health {
	v.mu.Lock()
	defer v.mu.Unlock()
	return Health{Writable: v.reason == "", Reason: v.reason, Low: v.low}
}

// note hears of each write. One failure is believed at once; recovery only by the next look that
// succeeds.
func (v *volume) note(err error) {
	if err == nil || v.probe == nil {
		return
	}
	v.mu.Lock()
	v.reason = fmt.Sprintf("a write to the log failed: %v", err)
	v.mu.Unlock()
	select {
	case v.failed <- struct{}{}:
	default:
	}
}

func (v *volume) watch() {
	l := v.log
	ticker := time.NewTicker(l.options.VolumeInterval)
	defer ticker.Stop()
	told := Health{Writable: true}
	results := make(chan error, 1)
	probing := false
	for {
		if !probing {
			probing = true
			go func() {
				err := v.probe()
				if v.room != nil {
					v.setLow(v.room())
				}
				results <- err
			}()
		}
		select {
		case err := <-results:
			probing = false
			v.set(err)
		case <-time.After(l.options.Profile.WriteLimit):
			v.set(errors.New("the volume does not answer"))
		case <-l.closing:
			return
		}
		if health := v.health(); health != told {
			told = health
			l.options.Logger.Warn("the health of the log's volume changed",
				"node", l.options.ID, "writable", health.Writable, "reason", health.Reason)
			if l.options.HealthChanged != nil {
				l.options.HealthChanged(health)
			}
		}
		if !told.Writable && l.raft.State() == raft.Leader {
			v.handOver()
		}
		select {
		case <-ticker.C:
		case <-v.failed:
		case <-l.closing:
			return
		}
	}
}

func (v *volume) set(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reason = ""
	if err != nil {
		v.reason = err.Error()
	}
}

func (v *volume) setLow(low string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.low = low
}

// handOver gives leadership away, to whomever raft finds most up to date. It is tried again at
// the next look if it fails: with one voter there is nobody, and proposals are refused until
// there is room.
func (v *volume) handOver() {
	ctx, cancel := context.WithTimeout(context.Background(), handOverTimeout)
	defer cancel()
	ctx, release := v.log.untilClosed(ctx)
	defer release()
	if err := v.log.HandOver(ctx, ""); err != nil {
		v.log.options.Logger.Warn("leadership was not handed over although the log cannot be written",
			"node", v.log.options.ID, "error", err)
	}
}

// probeVolume looks for room and writes a little, because a volume that turned read-only still
// reports free space.
func probeVolume(dir string, freeBytesMin uint64) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return fmt.Errorf("cannot look at the volume of %s: %w", dir, err)
	}
	if free := stat.Bavail * uint64(stat.Bsize); free < freeBytesMin {
		return fmt.Errorf("only %d MiB are free on the volume of %s, %d MiB are needed", free>>20, dir, freeBytesMin>>20)
	}
	path := filepath.Join(dir, "write-probe")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("the volume of %s is not writable: %w", dir, err)
	}
	_, err = file.Write(make([]byte, 512))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("the volume of %s is not writable: %w", dir, err)
	}
	return nil
}

// lowTimes is how many times the least room there has to be before nobody speaks of it.
const lowTimes = 4

// lowVolume says that room is running out. Its words change with each halving only, so
// that who is told is not told of each entry.
func lowVolume(dir string, freeBytesMin uint64) string {
	var stat syscall.Statfs_t
	if syscall.Statfs(dir, &stat) != nil {
		return ""
	}
	return roomWords(stat.Bavail*uint64(stat.Bsize), freeBytesMin, dir)
}

func roomWords(free, least uint64, dir string) string {
	for limit := least; limit < lowTimes*least; limit *= 2 {
		if free < 2*limit {
			return fmt.Sprintf("less than %d MiB are free on the volume of %s; below %d MiB nothing is written there",
				2*limit>>20, dir, least>>20)
		}
	}
	return ""
}
