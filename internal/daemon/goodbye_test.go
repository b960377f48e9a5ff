package daemon

import (
	"context"
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
