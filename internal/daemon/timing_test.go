package daemon

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pace"
	"github.com/clusterd/clusterd/quorum"
)

func TestTheDocumentsTimingReachesLogAndHeartbeats(t *testing.T) {
	inBubble(t, func(s *site) {
		leader := s.leader()
		normal, _ := quorum.ParseProfile("normal")
		if got := s.beatsOf(leader); got < 8*time.Second/normal.Beat-1 || got > 8*time.Second/normal.Beat+1 {
			t.Errorf("before it, %s beats %d times in eight seconds, not every %s", leader, got, normal.Beat)
		}
		var reply api.ConfigReply
		s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status(leader).ConfigVersion,
			Text: "timing: fast\n" + documentOf(map[string]string{"vm:a": "node1"})}, &reply)
		s.until("every node keeps the timing for its next start", func() bool {
			for _, m := range s.members {
				kept, err := membership.ReadOptional[pace.Kept](m.daemon.options.Folder, pace.File)
				if err != nil || kept == nil || kept.Timing != "fast" {
					return false
				}
			}
			return true
		})
		fast, _ := quorum.ParseProfile("fast")
		for name := range s.members {
			if got := s.beatsOf(name); got < 8*time.Second/fast.Beat-2 || got > 8*time.Second/fast.Beat+2 {
				t.Errorf("%s beats %d times in eight seconds, not every %s", name, got, fast.Beat)
			}
		}
		follower := s.followers()[0]
		s.kill(follower)
		s.start(follower)
		d := s.members[follower].daemon
		if got := d.pace.AtStart().Name; got != "fast" {
			t.Errorf("%s starts with the timing %s", follower, got)
		}
	})
}

// beatsOf counts the heartbeats of a node that another one hears within eight seconds.
func (s *site) beatsOf(name string) time.Duration {
	other := "node1"
	if name == other {
		other = "node2"
	}
	heard := func() uint64 { return s.members[other].daemon.pulse.Heard()[name].Count }
	before := heard()
	time.Sleep(8 * time.Second) // by the bubble's clock
	return time.Duration(heard() - before)
}
