package scsi

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// TestRealTarget drives tgtd over loopback through a user-space initiator: a
// real array of another make, which cannot preempt and abort.
func TestRealTarget(t *testing.T) {
	if os.Getenv("CLUSTERD_FENCE") == "" {
		t.Skip("the real tgtd is run by make test-fence (CLUSTERD_FENCE=1)")
	}
	if os.Geteuid() != 0 {
		t.Skip("tgtd needs root")
	}
	for _, program := range []string{"tgtd", "tgtadm", "cc"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian packages tgt and gcc)", program)
		}
	}
	dir, err := os.MkdirTemp("", "tgtd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	session := filepath.Join(dir, "session")
	if out, err := exec.Command("cc", "-O1", "-o", session, "testdata/session.c", "-liscsi").CombinedOutput(); err != nil {
		t.Skipf("the initiator cannot be compiled (Debian package libiscsi-dev): %v\n%s", err, out)
	}
	url := startTarget(t, dir)
	drivers, devices := map[string]*Driver{}, map[string]fence.Device{}
	for _, node := range []string{"a", "b"} {
		device := fence.Device{Name: "san", Driver: Kind,
			Options: map[string]string{"devices": url, "command": startSession(t, dir, session, url, node)}}
		driver := New(Options{Cluster: "tgtd", Node: node, Nodes: func() []string { return []string{"a", "b"} },
			Helper: []string{"/bin/false"}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err := driver.Validate(device); err != nil {
			t.Fatal(err)
		}
		if err := driver.Unfence(within(t, 20*time.Second), device); err != nil {
			t.Fatal(err)
		}
		drivers[node], devices[node] = driver, device
	}
	for _, node := range []string{"a", "b"} {
		findings, err := drivers[node].Survey(within(t, 20*time.Second), devices[node])
		if err != nil || findings[0].Problem != "" || !slices.Equal(findings[0].Nodes, []string{"a", "b"}) {
			t.Errorf("%s: %+v, %v", node, findings, err)
		}
	}
	request := against("a")
	request.Device = devices["b"]
	expect(t, drivers["b"].Fence(within(t, 20*time.Second), request), fence.Unknown, "cannot preempt and abort",
		"unsupported")
}

// startTarget runs tgtd on a free port and returns the disk's URL.
func startTarget(t *testing.T, dir string) string {
	t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	portal := probe.Addr().String()
	_ = probe.Close()
	control := strconv.Itoa(1000 + os.Getpid()%30000)
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.MkdirAll("/var/run/tgtd", 0o755)
	background(t, "tgtd", "-f", "-C", control, "--iscsi", "portal="+portal)
	administer := func(arguments ...string) error {
		out, err := exec.CommandContext(t.Context(), "tgtadm",
			append([]string{"-C", control, "--lld", "iscsi"}, arguments...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("tgtadm %v: %w: %s", arguments, err, out)
		}
		return nil
	}
	eventually(t, func() error { return administer("--op", "show", "--mode", "sys") })
	const name = "iqn.2026-01.test:pool"
	for _, step := range []string{"new --mode target --tid 1 -T " + name,
		"new --mode logicalunit --tid 1 --lun 1 -b " + image, "bind --mode target --tid 1 -I ALL"} {
		if err := administer(append([]string{"--op"}, strings.Fields(step)...)...); err != nil {
			t.Fatal(err)
		}
	}
	return "iscsi://" + portal + "/" + name + "/1"
}

// startSession holds a node's session and returns the command that reaches it.
func startSession(t *testing.T, dir, session, url, node string) string {
	t.Helper()
	socket, command := filepath.Join(dir, node+".socket"), filepath.Join(dir, node)
	background(t, session, url, "iqn.2026-01.test:"+node, socket)
	eventually(t, func() error {
		_, err := os.Stat(socket)
		return err
	})
	if err := os.WriteFile(command, fmt.Appendf(nil, "#!/bin/sh\nexec %s relay %s\n", os.Args[0], socket),
		0o755); err != nil {
		t.Fatal(err)
	}
	return command
}

// relay is the command: what it reads goes to the session, what comes back out.
func relay(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	if _, err := io.Copy(conn, os.Stdin); err != nil {
		return err
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, conn)
	return err
}

func background(t *testing.T, program string, arguments ...string) {
	t.Helper()
	command := exec.Command(program, arguments...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// eventually tries until it works; programs of others do not tell when they
// are ready.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
