package tunnel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain plays `clusterd forward` when a test starts this binary as one.
func TestMain(m *testing.M) {
	dir := os.Getenv("TUNNEL_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	config := Config{
		Dir: dir, Listen: os.Getenv("TUNNEL_TEST_LISTEN"), LibvirtSocket: os.Getenv("TUNNEL_TEST_LIBVIRT"),
		Security: plainSecurity{},
		DataUID:  os.Getuid(), DataGID: os.Getgid(), IdleProcess: 5 * time.Second,
		Drain: time.Millisecond, // a retired one does not hurry
	}
	if err := RunForwarder(context.Background(), config); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

func ensureProcess(t *testing.T, config Config) *Client {
	t.Helper()
	t.Setenv("TUNNEL_TEST_DIR", config.Dir)
	t.Setenv("TUNNEL_TEST_LISTEN", config.Listen)
	t.Setenv("TUNNEL_TEST_LIBVIRT", config.LibvirtSocket)
	client, err := Ensure(context.Background(), config, []string{os.Args[0]})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func pidOf(t *testing.T, client *Client) int {
	t.Helper()
	status, err := client.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return status.PID
}

// talkThrough sends a call over an open stream and wants it echoed.
func talkThrough(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write(hello9); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(hello9))
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, hello9) {
		t.Fatalf("the stream gave back %q: %v", got, err)
	}
}

func TestStreamsOutliveTheDaemonAndItsForwardersRetirement(t *testing.T) {
	config := testConfig(t)
	echo, err := net.Listen("unix", config.LibvirtSocket)
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn) }()
		}
	}()
	client := ensureProcess(t, config)
	first := pidOf(t, client)
	defer func() { _ = syscall.Kill(first, syscall.SIGKILL) }()
	route, err := client.Open(context.Background(), "node2", config.Listen, "1.9.0")
	if err != nil {
		t.Fatal(err)
	}
	api, _ := socketOf(t, route)
	stream, err := net.Dial("unix", api)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	talkThrough(t, stream)
	if session, err := syscall.Getpgid(first); err != nil || session != first {
		t.Fatalf("the forwarder %d is in process group %d: %v", first, session, err)
	}

	_ = client.Close() // As the end of the daemon does.
	talkThrough(t, stream)
	client = ensureProcess(t, config)
	if again := pidOf(t, client); again != first {
		t.Fatalf("a second forwarder %d was started beside %d", again, first)
	}
	if same, err := client.Open(context.Background(), "node2", config.Listen, "1.9.0"); err != nil || same != route {
		t.Fatalf("the restarted daemon's route: %v, %v", same, err)
	}

	if _, err := client.ask(context.Background(), request{Op: "retire"}); err != nil {
		t.Fatal(err)
	}
	until(t, "a successor answers", func() bool { return pidOf(t, client) != first })
	second := pidOf(t, client)
	talkThrough(t, stream)

	_ = syscall.Kill(second, syscall.SIGKILL)
	until(t, "a killed forwarder is replaced", func() bool { return pidOf(t, client) != second })
	third := pidOf(t, client)
	talkThrough(t, stream)
	_ = client.Close()
	_ = syscall.Kill(third, syscall.SIGTERM)
}

// TestAForwarderAtAnAddressThatIsGoneIsReplaced: it outlives daemons, and so the address that its
// node had; whoever moves a VM there would look for it at the new one.
func TestAForwarderAtAnAddressThatIsGoneIsReplaced(t *testing.T) {
	config := testConfig(t)
	client := ensureProcess(t, config)
	first := pidOf(t, client)
	defer func() { _ = syscall.Kill(first, syscall.SIGKILL) }()
	_ = client.Close()

	config.Listen = testConfig(t).Listen
	client = ensureProcess(t, config)
	defer client.Close()
	status, err := client.Status(context.Background())
	if err != nil || status.Listen != config.Listen || status.PID == first {
		t.Fatalf("the forwarder is %+v (%v), and the node is at %s now", status, err, config.Listen)
	}
	_ = syscall.Kill(status.PID, syscall.SIGTERM)
}

// What a forwarder that was just started says of itself does not change: the answer comes at once,
// with both addresses, and not after the time that one may take to answer.
func TestAForwarderAtAnotherAddressIsToldAtOnce(t *testing.T) {
	config := testConfig(t)
	t.Setenv("TUNNEL_TEST_DIR", config.Dir)
	other := freeAddress(t)
	t.Setenv("TUNNEL_TEST_LISTEN", other)
	t.Setenv("TUNNEL_TEST_LIBVIRT", config.LibvirtSocket)
	client, err := Ensure(t.Context(), config, []string{os.Args[0]})
	if err == nil {
		_ = client.Close()
		t.Fatal("it is taken for ours")
	}
	if said := err.Error(); errors.Is(err, context.DeadlineExceeded) || !strings.Contains(said, other) ||
		!strings.Contains(said, config.Listen) {
		t.Errorf("it says %v, and not both addresses: %s and %s", err, other, config.Listen)
	}
}
