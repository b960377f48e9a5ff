package systemd

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestTheServiceManagerIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := manager.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	Tell("READY=1", "STATUS=up")
	heard := make([]byte, 64)
	n, err := manager.Read(heard)
	if want := "READY=1\nSTATUS=up"; err != nil || string(heard[:n]) != want {
		t.Errorf("it heard %q (%v), not %q", heard[:n], err, want)
	}
}
