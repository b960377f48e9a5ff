package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrAlreadyRunning is returned by RunForwarder when another forwarder holds
// the directory.
var ErrAlreadyRunning = errors.New("another forwarder is running")

type forwarder struct {
	config  Config
	carried *streams
	// refusals wait for a daemon.
	refusals refusals

	mu      sync.Mutex
	routes  map[string]*openRoute
	daemons int
	// longLog: it was told that the log cannot be shortened.
	longLog bool
	// alone is since when no daemon has been connected.
	alone time.Time
	// retire ends the listening; closed once.
	retire  chan struct{}
	retired sync.Once
}

// RunForwarder is the forwarder process: it serves until no daemon and no
// stream has been there for Config.IdleProcess, until it is asked to retire,
// or until ctx ends (SIGTERM). Then it stops listening at once and lets the
// open streams end, for Config.Drain at most after ctx has ended. Being idle or
// retired is no error.
func RunForwarder(ctx context.Context, config Config) error {
	config = config.withDefaults()
	if config.Security == nil {
		return errors.New("the forwarder has no security")
	}
	f := &forwarder{
		config: config, carried: newStreams(config.MaxStreams, config.IdleStream),
		routes: map[string]*openRoute{}, alone: time.Now(), retire: make(chan struct{}),
	}
	if err := f.makeDirs(); err != nil {
		return err
	}
	unlock, err := lock(ctx, config.lockPath())
	if err != nil {
		return err
	}
	f.clearStale()
	outside, err := config.Security.Listen(ctx, config.Listen, f.sentAway)
	if err != nil {
		unlock()
		return fmt.Errorf("listen for migrations at %s: %w", config.Listen, err)
	}
	control, err := listenUNIX(config.controlPath())
	if err != nil {
		_ = outside.Close()
		unlock()
		return fmt.Errorf("listen for the daemon: %w", err)
	}
	go f.acceptNodes(outside)
	go f.acceptDaemons(control)
	f.wait(ctx)
	// The way is free for a successor before the last stream ends.
	_ = control.Close()
	_ = outside.Close()
	f.closeRoutes()
	unlock()
	f.drain(ctx)
	return nil
}

func (f *forwarder) makeDirs() error {
	for _, dir := range []string{f.config.Dir, f.config.apiDir(), f.config.dataDir()} {
		mode := os.FileMode(0o700)
		if dir == f.config.Dir {
			mode = 0o711 // QEMU's user passes through it to the data sockets.
		}
		if err := os.MkdirAll(dir, mode); err != nil {
			return fmt.Errorf("make the tunnel's directory: %w", err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			return fmt.Errorf("make the tunnel's directory: %w", err)
		}
	}
	if err := os.Chown(f.config.dataDir(), f.config.DataUID, f.config.DataGID); err != nil {
		return fmt.Errorf("hand the data directory to QEMU's user: %w", err)
	}
	return nil
}

// lockWait is how long a successor waits for a retired forwarder to let go.
const lockWait = 3 * time.Second

// lock holds the directory against a second forwarder.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the tunnel's directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { _ = file.Close() }, nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("%w (%s)", ErrAlreadyRunning, path)
		}
	}
}

// clearStale removes the api sockets of a forwarder that was killed. The data
// directory is left alone: a QEMU that receives a migration may listen there.
func (f *forwarder) clearStale() {
	left, err := filepath.Glob(filepath.Join(f.config.apiDir(), "*.sock"))
	if err != nil {
		return
	}
	for _, path := range left {
		_ = os.Remove(path) // A leftover is replaced when its act is opened again.
	}
}

func (f *forwarder) acceptNodes(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			f.retired.Do(func() { close(f.retire) }) // no port, no forwarder: another one takes the place
			return
		}
		if err != nil {
			f.config.Logger.Warn("accepting a migration failed", "error", err)
			select {
			case <-f.retire:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		go func() {
			if err := f.serve(context.Background(), conn); err != nil {
				f.config.Logger.Warn("a stream from another node ended badly", "peer", conn.RemoteAddr().String(), "error", err)
			}
		}()
	}
}

// wait returns when the forwarder is to stop listening.
func (f *forwarder) wait(ctx context.Context) {
	ticker := time.NewTicker(max(f.config.IdleProcess/20, 10*time.Millisecond))
	defer ticker.Stop()
	recheck := time.NewTicker(recheckEvery)
	defer recheck.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.retire:
			return
		case now := <-recheck.C:
			f.recheck(now)
		case <-ticker.C:
			f.releaseUnused()
			if f.idle() {
				f.config.Logger.Info("no daemon and no stream for a while; the forwarder ends")
				return
			}
		}
	}
}

// recheckEvery is how often open streams are held against who may have them.
const recheckEvery = 200 * time.Millisecond

func (f *forwarder) recheck(now time.Time) {
	if closed := f.carried.recheck(now, f.admit, f.config.AfterAct); closed > 0 {
		f.config.Logger.Warn("streams that are no longer allowed were cut", "streams", closed)
	}
	if err := shorten(f.config.logPath(), int64(f.config.LogBytes)); err != nil && !f.longLog {
		f.longLog = true // is told once, because telling it makes the log longer
		f.config.Logger.Warn("the log of the forwarder grows", "error", err)
	}
}

func (f *forwarder) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.daemons == 0 && time.Since(f.alone) > f.config.IdleProcess && f.carried.quiet() > f.config.IdleProcess
}

func (f *forwarder) closeRoutes() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for act, route := range f.routes {
		route.close()
		delete(f.routes, act)
	}
}

// drain lets open streams end. Each is bounded by its migration and by Config.IdleStream; whoever
// wants the process to end before says so by a SIGTERM.
func (f *forwarder) drain(ctx context.Context) {
	wanted, deadline := ctx.Done(), (<-chan time.Time)(nil)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	recheck := time.NewTicker(recheckEvery)
	defer recheck.Stop()
	for f.carried.count("") > 0 {
		select {
		case <-wanted:
			wanted, deadline = nil, time.After(f.config.Drain)
		case <-deadline:
			f.config.Logger.Warn("the forwarder ends with streams still open", "streams", f.carried.count(""))
			return
		case now := <-recheck.C:
			f.recheck(now)
		case <-ticker.C:
		}
	}
}
