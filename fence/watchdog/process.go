package watchdog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// RunKeeper is the keeper's whole life; the program named to Start calls it
// with its last argument. It returns nil after a clean stop. An error before it
// listens is a fault of the options, or means that another keeper runs.
func RunKeeper(options string, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	return runKeeper(ctx, options, world{arm: armDevice, now: Now, reset: sysrq, log: log})
}

func runKeeper(ctx context.Context, text string, w world) error {
	var o KeeperOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("options of the watchdog keeper: %w", err)
	}
	if err := o.check(); err != nil {
		return err
	}
	lock, err := lockSocket(o.Socket)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	_ = os.Remove(o.Socket)
	listener, err := net.Listen("unix", o.Socket)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if err := os.Chmod(o.Socket, 0o600); err != nil {
		return err
	}
	k := newKeeper(o, w)
	// The petting goroutine keeps its thread, which alone gets the priority.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	k.warnings = harden()
	ended := make(chan struct{})
	defer close(ended)
	places := make(chan struct{}, mostConnections)
	go serve(listener, k.words, ended, places)
	err = k.run(ctx)
	_ = listener.Close()
	drain(places)
	return err
}

// drain lets the answer to the last word go out before the process ends.
func drain(places chan<- struct{}) {
	limit := time.NewTimer(longestFarewell)
	defer limit.Stop()
	for range mostConnections {
		select {
		case places <- struct{}{}:
		case <-limit.C:
			return
		}
	}
}

// lockSocket makes sure that only one keeper pets.
func lockSocket(socket string) (*os.File, error) {
	lock, err := os.OpenFile(socket+".lock", os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("another watchdog keeper runs for %s: %w", socket, err)
	}
	return lock, nil
}

const (
	// mostConnections bounds who may talk at the same time.
	mostConnections = 8
	// longestTalk bounds one connection.
	longestTalk = 30 * time.Second
	// longestFarewell is how long a keeper that has ended waits for its callers
	// to read their answers.
	longestFarewell = time.Second
)

func serve(listener net.Listener, words chan<- asked, ended <-chan struct{}, places chan struct{}) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		select {
		case places <- struct{}{}:
		default:
			_ = conn.Close()
			continue
		}
		go func() {
			defer func() { <-places }()
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(longestTalk))
			if trusted(conn) {
				talk(conn, words, ended)
			}
		}()
	}
}

// trusted reports whether the other end is root or runs as the keeper does.
func trusted(conn net.Conn) bool {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	var problem error
	err = raw.Control(func(fd uintptr) {
		peer, problem = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET,
			unix.SO_PEERCRED)
	})
	return err == nil && problem == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
}

func talk(conn net.Conn, words chan<- asked, ended <-chan struct{}) {
	for scanner := lines(conn); scanner.Scan(); {
		var w word
		if err := json.Unmarshal(scanner.Bytes(), &w); err != nil {
			_ = writeLine(conn, tellBack{Problem: "this is no word: " + err.Error()})
			return
		}
		q := asked{word: w, answer: make(chan tellBack, 1)}
		select {
		case words <- q:
		case <-ended:
			return
		}
		select {
		case answer := <-q.answer:
			if writeLine(conn, answer) != nil {
				return
			}
		case <-ended:
			// A stop is answered just before the end.
			select {
			case answer := <-q.answer:
				_ = writeLine(conn, answer)
			default:
			}
			return
		}
	}
}

// harden gets for this process what petting on a busy host needs, and says
// what it could not get.
func harden() []string {
	var warnings []string
	note := func(what string, err error) {
		if err != nil {
			warnings = append(warnings, what+": "+err.Error())
		}
	}
	const onFault = 4
	note("memory is not locked", unix.Mlockall(unix.MCL_CURRENT|unix.MCL_FUTURE|onFault))
	note("not protected from the OOM killer", os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0))
	note("no real-time priority",
		unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 10}, 0))
	return warnings
}

// sysrq ends this host through the kernel, without asking anybody.
func sysrq(command Command) {
	letter := map[Command]byte{Off: 'o', CrashDump: 'c'}[command]
	if letter == 0 {
		letter = 'b'
	}
	err := os.WriteFile("/proc/sysrq-trigger", []byte{letter}, 0)
	slog.Error("the kernel was asked to end this host", "letter", string(letter), "error", errors.Join(err))
}
