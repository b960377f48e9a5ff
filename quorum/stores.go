package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"github.com/clusterd/clusterd/quorum/internal/librarylog"
)

const (
	snapshotsKept    = 2
	segmentBytes     = 16 << 20 // preallocated per segment of the log
	logCacheEntries  = 512
	stableRetryPause = 500 * time.Millisecond
	afterPause       = 500 * time.Millisecond
)

// stores are where one log lies: files in DataDir, or memory.
type stores struct {
	log       raft.LogStore
	stable    raft.StableStore
	snapshots raft.SnapshotStore
	closeLog  func() error
	// dir is where the files lie; empty for a log in memory.
	dir string
}

// openStores opens or makes them. note hears the outcome of every write of the log.
func openStores(options *Options, closing <-chan struct{}, note func(error), holding *holding) (*stores, error) {
	if options.DataDir == "" {
		memory := raft.NewInmemStore()
		return watchStores(&stores{
			log: memory, stable: memory, snapshots: raft.NewInmemSnapshotStore(), closeLog: func() error { return nil },
		}, options, closing, note, holding)
	}
	files, err := openFiles(options)
	if err != nil {
		return nil, err
	}
	return watchStores(files, options, closing, note, holding)
}

func openFiles(options *Options) (*stores, error) {
	logDir := filepath.Join(options.DataDir, "log")
	if err := os.MkdirAll(logDir, 0o700); err != nil {
		return nil, err
	}
	// Also when it was there before: entries may carry passwords.
	if err := os.Chmod(options.DataDir, 0o700); err != nil {
		return nil, err
	}
	release, err := lockFolder(options.DataDir)
	if err != nil {
		return nil, err
	}
	files, err := openLocked(options, logDir)
	if err != nil {
		release()
		return nil, err
	}
	closeLog := files.closeLog
	files.closeLog = func() error { return errors.Join(closeLog(), release()) }
	return files, nil
}

// lockFolder keeps a second process out. The store's own lock would make it wait forever,
// without a word.
func lockFolder(dir string) (release func() error, err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s is in use by another process; stop the daemon first: %w", dir, err)
	}
	return file.Close, nil
}

func openLocked(options *Options, logDir string) (*stores, error) {
	log, err := wal.Open(logDir, wal.WithSegmentSize(segmentBytes),
		wal.WithLogger(librarylog.New(options.Logger, "raft-wal")))
	if err != nil {
		return nil, fmt.Errorf("open the log in %s: %w", logDir, err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(options.DataDir, snapshotsKept,
		librarylog.New(options.Logger, "raft-snapshots"))
	if err != nil {
		log.Close()
		return nil, fmt.Errorf("open the snapshots in %s: %w", options.DataDir, err)
	}
	return &stores{log: log, stable: log, snapshots: snapshots, closeLog: log.Close, dir: options.DataDir}, nil
}

func watchStores(s *stores, options *Options, closing <-chan struct{}, note func(error),
	holding *holding) (*stores, error) {
	held, err := s.held(options.Life)
	if err != nil {
		return nil, errors.Join(err, s.closeLog())
	}
	holding.held = held
	watchdog := &writeWatchdog{limit: options.Profile.WriteLimit, fatal: options.Fatal}
	cached, err := raft.NewLogCache(logCacheEntries, &watchedLog{s.log, watchdog, note, holding})
	if err != nil {
		return nil, errors.Join(err, s.closeLog())
	}
	s.log = cached
	s.stable = &watchedStable{StableStore: s.stable, watchdog: watchdog, note: note, closing: closing, holding: holding}
	return s, nil
}

func (s *stores) close() error { return s.closeLog() }

// writeWatchdog tells the daemon to end when one write does not return. Raft never replaces a
// leader whose disk hangs: its heartbeats do not pass through the disk.
type writeWatchdog struct {
	limit time.Duration
	fatal func(string)
	once  sync.Once
}

// guard watches one write until done is called. When the time is up the write gets another
// moment: after a pause of the whole process its timer has run out too, and the write is
// finished at once.
func (w *writeWatchdog) guard(what string) (done func()) {
	finished := make(chan struct{})
	timer := time.AfterFunc(w.limit, func() {
		select {
		case <-finished:
			return
		case <-time.After(afterPause):
		}
		w.once.Do(func() {
			w.fatal(fmt.Sprintf("%s has not finished after %s: the volume of the log hangs; "+
				"another node takes over when this process has ended", what, w.limit))
		})
	})
	return func() {
		timer.Stop()
		close(finished)
	}
}

// watchedLog is a log store whose writes are watched.
type watchedLog struct {
	raft.LogStore
	watchdog *writeWatchdog
	note     func(error)
	holding  *holding
}

// IsMonotonic passes on what raft must know of the store below: raft-wal refuses gaps, so raft
// has to empty it after it took a snapshot from the leader. A wrapper that hides this leaves
// such a follower unable to append.
func (w *watchedLog) IsMonotonic() bool {
	store, ok := w.LogStore.(raft.MonotonicLogStore)
	return ok && store.IsMonotonic()
}

func (w *watchedLog) StoreLog(entry *raft.Log) error { return w.StoreLogs([]*raft.Log{entry}) }

func (w *watchedLog) StoreLogs(entries []*raft.Log) error {
	if err := w.holding.before(entries); err != nil {
		return err
	}
	defer w.watchdog.guard("a write to the log")()
	err := w.LogStore.StoreLogs(entries)
	w.note(err)
	if err == nil && len(entries) > 0 {
		last := entries[len(entries)-1]
		w.holding.reached(last.Index, last.Term)
	}
	return err
}

func (w *watchedLog) DeleteRange(low, high uint64) error {
	defer w.watchdog.guard("shortening the log")()
	return w.LogStore.DeleteRange(low, high)
}

// watchedStable keeps term and vote. Raft panics when the term cannot be written; here such a
// write is repeated until it works or the log is closed. The node takes no part in elections
// meanwhile, as it must not, and its daemon lives on, says why, and leaves its virtual machines
// alone.
type watchedStable struct {
	raft.StableStore
	watchdog *writeWatchdog
	note     func(error)
	closing  <-chan struct{}
	holding  *holding
}

func (w *watchedStable) Set(key, value []byte) error {
	return w.persist(func() error { return w.StableStore.Set(key, value) })
}

func (w *watchedStable) SetUint64(key []byte, value uint64) error {
	return w.persist(func() error {
		if err := w.StableStore.SetUint64(key, value); err != nil || !bytes.Equal(key, keyCurrentTerm) {
			return err
		}
		return w.holding.newTerm(value)
	})
}

func (w *watchedStable) persist(write func() error) error {
	for {
		done := w.watchdog.guard("writing down term and vote")
		err := write()
		done()
		w.note(err)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(stableRetryPause):
		case <-w.closing:
			// Not an error: raft would panic on the way out, and an unwritten vote of a node that ends is
			// never used.
			return nil
		}
	}
}
