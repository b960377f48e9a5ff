package tunnel

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// plainSecurity stands where certificates would: these tests are about the
// carrying. Its addresses are real loopback ports.
type plainSecurity struct{}

func (plainSecurity) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

func (plainSecurity) Admit(net.Conn, string, string, bool) error { return nil }

func (plainSecurity) Guest(string) string { return guest9 }

func (plainSecurity) Listen(ctx context.Context, address string, _ func(string, error)) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// shortDir is a temporary directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tun")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func testConfig(t *testing.T) Config {
	t.Helper()
	dir := shortDir(t)
	return Config{
		Dir: dir, Listen: freeAddress(t), LibvirtSocket: filepath.Join(dir, "libvirt"), Security: plainSecurity{},
		DataUID: os.Getuid(), DataGID: os.Getgid(), Drain: 5 * time.Second,
	}
}

func run(t *testing.T, config Config) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- RunForwarder(ctx, config) }()
	until(t, "the forwarder answers", func() bool {
		conn, _, err := hello(config.controlPath())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !reached(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
	}
}

// answering listens on a UNIX socket, reads each connection to its end and
// then answers with what it read: half-closing must work for that.
func answering(t *testing.T, path string) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go answerOn(listener)
}

func answerOn(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			heard, _ := io.ReadAll(conn)
			_, _ = conn.Write(append([]byte("heard "), heard...))
		}()
	}
}

func socketOf(t *testing.T, route Route) (api, data string) {
	t.Helper()
	_, api, found := strings.Cut(route.APIURI, "?socket=")
	if !found {
		t.Fatalf("no socket in %q", route.APIURI)
	}
	return api, strings.TrimPrefix(route.MigrateURI, "unix://")
}

func ask(t *testing.T, socket string, words []byte) []byte {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		_, _ = conn.Write(words)
		_ = conn.(*net.UnixConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func connect(t *testing.T, config Config) *Client {
	t.Helper()
	client, err := Ensure(context.Background(), config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestBothKindsReachTheTarget(t *testing.T) {
	source, target := testConfig(t), testConfig(t)
	run(t, source)
	run(t, target)
	answering(t, target.LibvirtSocket)
	client := connect(t, source)
	route, err := client.Open(context.Background(), "node2", target.Listen, "1.7.0")
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.Open(context.Background(), "node2", target.Listen, "1.7.0")
	if err != nil || again != route {
		t.Fatalf("opening an act again: %v, %v", again, err)
	}
	api, data := socketOf(t, route)
	if got := ask(t, api, hello9); string(got) != "heard "+string(hello9) {
		t.Fatalf("the api stream answered %q", got)
	}
	// QEMU's socket appears only after the first attempt to reach it.
	go func() {
		if late, err := net.Listen("unix", target.dataPath("1.7.0")); err == nil {
			answerOn(late)
		}
	}()
	memory := bytes.Repeat([]byte("page"), 3<<20/4)
	if got := ask(t, data, memory); !bytes.Equal(got, append([]byte("heard "), memory...)) {
		t.Fatalf("the data stream gave back %d bytes", len(got))
	}
	client.Release("1.7.0")
	if _, err := os.Stat(api); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the api socket is still there after release: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	config := testConfig(t)
	config.MaxRoutes = 1
	config.DataWait = 20 * time.Millisecond
	run(t, config)
	client := connect(t, config)
	ctx := context.Background()
	if _, err := client.Open(ctx, "node2", config.Listen, "../../etc/passwd"); err == nil {
		t.Fatal("an act that leaves its directory was taken")
	}
	route, err := client.Open(ctx, "node2", config.Listen, "1.1.0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Open(ctx, "node3", config.Listen, "1.1.0"); err == nil {
		t.Fatal("one act leads to two nodes")
	}
	if _, err := client.Open(ctx, "node2", config.Listen, "1.2.0"); err == nil {
		t.Fatal("more routes than the limit")
	}
	if _, err := Ensure(ctx, testConfig(t), nil); err == nil {
		t.Fatal("a forwarder was found where none runs")
	}
	api, _ := socketOf(t, route)
	refused, err := net.Dial("unix", api)
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	_ = refused.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := refused.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("libvirtd is down, and the stream stays open: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := RunForwarder(ctx, config); !errors.Is(err, ErrAlreadyRunning) {
		t.Fatalf("a second forwarder on the same directory: %v", err)
	}
}

func TestHeader(t *testing.T) {
	for line, good := range map[string]bool{
		`{"kind":"api","act":"1.2.3"}`:               true,
		`{"kind":"data","act":"3.12.0"}`:             true,
		`{"kind":"shell","act":"1.2.3"}`:             false,
		`{"kind":"api","act":""}`:                    false,
		`{"kind":"api","act":"../x"}`:                false,
		`{"kind":"api","act":".."}`:                  false,
		`not json`:                                   false,
		strings.Repeat(" ", headerLimit+1) + `{}`:    false,
		`{"kind":"api","act":"1.2.3` + "\x00" + `"}`: false,
	} {
		var head header
		err := readLine(strings.NewReader(line+"\nrest"), headerLimit, &head)
		if err == nil {
			err = head.check()
		}
		if (err == nil) != good {
			t.Errorf("%.40q: %v", line, err)
		}
	}
	rest := strings.NewReader("{\"kind\":\"api\",\"act\":\"1\"}\nrest")
	var head header
	if err := readLine(rest, headerLimit, &head); err != nil {
		t.Fatal(err)
	}
	if left, _ := io.ReadAll(rest); string(left) != "rest" {
		t.Fatalf("what follows the header was swallowed: %q is left", left)
	}
}

func TestLimitsOfStreams(t *testing.T) {
	carried := newStreams(1, time.Second)
	a, b := net.Pipe()
	c, d := net.Pipe()
	first := make(chan error, 1)
	go func() { first <- carried.carry(a, c, about{act: "1"}) }()
	until(t, "one stream is carried", func() bool { return carried.count("1") == 1 })
	e, _ := net.Pipe()
	g, _ := net.Pipe()
	if err := carried.carry(e, g, about{act: "2"}); !errors.Is(err, ErrTooManyStreams) {
		t.Fatalf("a stream beyond the limit: %v", err)
	}
	<-first // Nothing flows, so it is closed.
	for _, far := range []net.Conn{b, d} {
		if _, err := far.Write([]byte("x")); err == nil {
			t.Fatal("an idle stream is still open")
		}
	}
}

func TestEndsByItself(t *testing.T) {
	config := testConfig(t)
	config.IdleProcess = 50 * time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- RunForwarder(context.Background(), config) }()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(config.controlPath()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the control socket is left behind: %v", err)
	}
}

// A forwarder that comes up a moment after its daemon is waited for; another fault is not.
func TestTheForwarderOfABootingNodeIsWaitedFor(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	tries := 0
	conn, err := dialWhenListening(t.Context(), 10*time.Second, func(context.Context) (net.Conn, error) {
		if tries++; tries < 3 {
			return nil, fmt.Errorf("connect: %w", refused)
		}
		here, _ := net.Pipe()
		return here, nil
	})
	if err != nil || conn == nil || tries != 3 {
		t.Fatalf("after %d tries: %v", tries, err)
	}
	tries = 0
	dead := errors.New("not a member")
	if _, err := dialWhenListening(t.Context(), 10*time.Second, func(context.Context) (net.Conn, error) {
		tries++
		return nil, dead
	}); !errors.Is(err, dead) || tries != 1 {
		t.Errorf("a fault that waiting does not mend was tried %d times: %v", tries, err)
	}
	if _, err := dialWhenListening(t.Context(), 120*time.Millisecond, func(context.Context) (net.Conn, error) {
		return nil, refused
	}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a forwarder that never comes up: %v", err)
	}
}

// A node that lost its power acknowledges nothing, and TCP alone would try for a quarter of an
// hour.
func TestTheLossOfTheOtherNodeIsNoticed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := impatient(tls.Client(conn, &tls.Config{})); err != nil {
		t.Fatal(err)
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ option, want int }{
		{unix.TCP_USER_TIMEOUT, 5000}, {unix.TCP_KEEPIDLE, 1}, {unix.TCP_KEEPINTVL, 1},
	} {
		err := raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, c.option); err != nil || got != c.want {
				t.Errorf("option %d is %d (%v), want %d", c.option, got, err, c.want)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
