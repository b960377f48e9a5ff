package watchdog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this program be the keeper and the helper of its own tests.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "keeper":
		w := world{arm: armPaper(os.Args[2]), now: Now, reset: func(Command) {}, log: silentLog}
		err = runKeeper(context.Background(), os.Args[3], w)
	case len(os.Args) == 2 && os.Args[1] == "helper":
		err = RunHelper(os.Stdin, os.Stdout)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// paperTimer writes down what happens to it.
type paperTimer struct {
	path string
	told Info
}

func armPaper(path string) armTimer {
	return func(device string, timeout time.Duration, _ bool) (timer, error) {
		return &paperTimer{path, Info{Device: device, Identity: "paper", Timeout: timeout}}, nil
	}
}

func (p *paperTimer) info() Info    { return p.told }
func (p *paperTimer) pet() error    { return p.note("pet\n") }
func (p *paperTimer) disarm() error { return p.note("disarmed\n") }

func (p *paperTimer) note(what string) error {
	file, err := os.OpenFile(p.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(what)
	return errors.Join(err, file.Close())
}

func startKeeper(t *testing.T) (*Client, KeeperOptions, string) {
	t.Helper()
	t.Parallel()
	dir, err := os.MkdirTemp("", "keeper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	notes := filepath.Join(dir, "notes")
	options := KeeperOptions{Socket: filepath.Join(dir, "socket"), Device: "/dev/paper", Timeout: time.Second,
		LongestLease: time.Minute}
	client, err := Start(t.Context(), options, []string{os.Args[0], "keeper", notes})
	if err != nil {
		t.Fatal(err)
	}
	state, err := client.State(t.Context())
	if err != nil || state.Armed {
		t.Fatalf("%+v, %v", state, err)
	}
	t.Cleanup(func() { _ = syscall.Kill(state.PID, syscall.SIGKILL) })
	return client, options, notes
}

// TestKeeperOutlivesItsDaemon plays two daemons, one after the other, with one
// keeper between them.
func TestKeeperOutlivesItsDaemon(t *testing.T) {
	client, options, notes := startKeeper(t)
	if err := client.Lease(t.Context(), Now()+50*time.Second); err != nil {
		t.Fatal(err)
	}
	first, err := client.State(t.Context())
	if err != nil || !first.Armed || !first.Petting || first.Info.Identity != "paper" {
		t.Fatalf("%+v, %v", first, err)
	}
	if err := client.Stop(t.Context()); !errors.Is(err, ErrHolding) {
		t.Errorf("stop while holding: %v", err)
	}
	// The next daemon finds it, and does not start another: /bin/false would fail.
	next, err := Start(t.Context(), options, []string{"/bin/false"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := next.State(t.Context())
	if err != nil || second.PID != first.PID || second.Until != first.Until || !second.Petting {
		t.Errorf("%+v, %v", second, err)
	}
	expectOneKeeper(t, options)
	if err := errors.Join(next.Free(t.Context()), next.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(notes)
	if err != nil || !strings.HasPrefix(string(told), "pet\n") || !strings.HasSuffix(string(told), "pet\ndisarmed\n") {
		t.Errorf("%q, %v", told, err)
	}
	if _, err := next.State(t.Context()); err == nil {
		t.Error("it answers after its end")
	}
}

// expectOneKeeper wants the keeper that is there to be the only one, with the settings that it has.
func expectOneKeeper(t *testing.T, options KeeperOptions) {
	t.Helper()
	changed := options
	changed.Timeout = 2 * time.Second
	if _, err := Start(t.Context(), changed, []string{"/bin/false"}); err == nil ||
		!strings.Contains(err.Error(), "other settings") {
		t.Errorf("other settings: %v", err)
	}
	if err := runKeeper(t.Context(),
		`{"socket":"`+options.Socket+`","device":"x","timeout":1000000000,"longestLease":1}`, world{}); err == nil ||
		!strings.Contains(err.Error(), "another") {
		t.Errorf("a second keeper: %v", err)
	}
}

func TestKeeperBearsNonsense(t *testing.T) {
	client, options, _ := startKeeper(t)
	for _, nonsense := range []string{"\n", "{", "[]\n", strings.Repeat("x", 3*maxLine)} {
		conn, err := net.Dial("unix", options.Socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(nonsense))
		_ = conn.Close()
	}
	var idle []net.Conn
	for range 2 * mostConnections {
		if conn, err := net.Dial("unix", options.Socket); err == nil {
			idle = append(idle, conn)
		}
	}
	for _, conn := range idle {
		_ = conn.Close()
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, err := client.State(t.Context())
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not answer any more: %v", err)
		}
	}
	info, err := os.Stat(options.Socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v, %v", info.Mode(), err)
	}
}

func TestKeeperOptions(t *testing.T) {
	good := KeeperOptions{Socket: "s", Device: "d", Timeout: 1, LongestLease: 1, Node: "a", Disks: []string{"1", "2", "3"}}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*KeeperOptions){
		"two disks": func(o *KeeperOptions) { o.Disks = o.Disks[:2] }, "no node": func(o *KeeperOptions) { o.Node = "" },
		"no lease": func(o *KeeperOptions) { o.LongestLease = 0 }, "no socket": func(o *KeeperOptions) { o.Socket = "" },
	} {
		o := good
		change(&o)
		if o.check() == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := armDevice("/dev/no-such-watchdog", 1500*time.Millisecond, false); !errors.Is(err, ErrNotAsAsked) ||
		!strings.Contains(err.Error(), "whole number") {
		t.Errorf("%v", err)
	}
	if _, err := armDevice("/dev/no-such-watchdog", 2*time.Second, false); !errors.Is(err, ErrNotAsAsked) ||
		!strings.Contains(err.Error(), "softdog") {
		t.Errorf("%v", err)
	}
}
