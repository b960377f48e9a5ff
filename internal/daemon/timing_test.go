package daemon

import (
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
)

func TestTheDocumentsTimingReachesLogAndHeartbeats(t *testing.T) {
	inBubble(t, func(s *site) {
		leader := s.leader()
		var reply api.ConfigReply
		s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status(leader).ConfigVersion,
			Text: "timing: fast\n" + documentOf(map[string]string{"vm:a": "node1"})}, &reply)
		s.until("every node keeps the timing for its next start", func() bool {
			for _, m := range s.members {
				kept, err := membership.ReadOptional[keptTiming](m.daemon.options.Folder, timingFile)
				if err != nil || kept == nil || kept.Timing != "fast" {
					return false
				}
			}
			return true
		})
		follower := s.followers()[0]
		s.kill(follower)
		s.start(follower)
		d := s.members[follower].daemon
		if got := d.profileAtStart().Name; got != "fast" {
			t.Errorf("%s starts with the timing %s", follower, got)
		}
	})
}
