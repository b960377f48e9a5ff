package daemon

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// A daemon that is stopped on purpose says so: its host is not fenced after the 15 s of one that
// fell silent, its VM runs on, and the note says until when it has to be back.
func TestAStoppedDaemonCostsNoHost(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node2"})
		s.until("vm:a runs on node2", func() bool { return s.service("node1", "vm:a").Owner == "node2" })
		s.members["node2"].daemon.Goodbye(context.Background())
		s.kill("node2")
		s.until("there is a leader", func() bool { return s.leader() != "" })
		time.Sleep(2 * time.Minute)
		if shots := s.shotAt("node2"); shots != 0 {
			t.Errorf("%d shots at a host whose daemon was stopped on purpose", shots)
		}
		if got := s.service(s.leader(), "vm:a"); got.Owner != "node2" {
			t.Errorf("vm:a is on %q", got.Owner)
		}
		said := false
		for _, note := range s.status(s.leader()).Notes {
			said = said || note.Subject == "node2" && note.Next.String() == "systemctl start clusterd on node2"
		}
		if !said {
			t.Errorf("no note says what to do: %v", s.status(s.leader()).Notes)
		}
		s.start("node2")
		s.until("node2 is online", func() bool { return s.stateOf("node1", "node2") == string(cluster.NodeOnline) })
	})
}

// managerOf listens as a service manager does; what it returns reads what a daemon told meanwhile.
func managerOf(t *testing.T) (path string, heard func() string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { manager.Close() })
	return path, func() string {
		if err := manager.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 4096)
		n, err := manager.Read(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(text[:n])
	}
}

func TestTheServiceManagerIsToldWhatAStopIsFollowedBy(t *testing.T) {
	path, heard := managerOf(t)
	inBubble(t, func(s *site) {
		s.t.Setenv("NOTIFY_SOCKET", path)
		s.members["node2"].daemon.Goodbye(context.Background())
		s.t.Setenv("NOTIFY_SOCKET", "")
	})
	want := "STOPPING=1\nSTATUS=stopped on purpose: back within 10m, or this host is fenced"
	if got := heard(); got != want {
		t.Errorf("it heard %q", got)
	}
}

// A grace that a watchdog does not keep is not promised; where nothing runs it is kept.
func TestAGuardedHostIsToldWhenItIsReset(t *testing.T) {
	path, heard := managerOf(t)
	inBubbleWith(t, true, func(s *site) {
		keepers := s.guardAll("[[wd]]")
		owner, empty := s.followers()[0], s.followers()[1]
		s.declare(map[string]string{"vm:a": owner})
		s.until("the empty one is petted freely", func() bool { return keepers[empty].state.Free })
		for _, node := range []string{owner, empty} {
			s.t.Setenv("NOTIFY_SOCKET", path)
			s.members[node].daemon.Goodbye(context.Background())
			s.t.Setenv("NOTIFY_SOCKET", "")
		}
	})
	for _, want := range []string{
		"stopped on purpose: back within 15s, or the watchdog resets this host all the same, with what runs here",
		"stopped on purpose: back within 10m, or this host is fenced"} {
		if got := heard(); got != "STOPPING=1\nSTATUS="+want {
			t.Errorf("it heard %q", got)
		}
	}
}
