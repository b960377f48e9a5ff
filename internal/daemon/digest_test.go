package daemon

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestALeaderWhoseStateDiffersBeginsAnew: of three States at one index the two that are the same
// are right, whoever leads. Nobody else begins anew.
func TestALeaderWhoseStateDiffersBeginsAnew(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		victim := s.leader()
		d := s.current(victim)
		time.Sleep(time.Second)
		synctest.Wait()
		d.replica.state.Generation += 7
		d.replica.publish()
		s.until("another one leads", func() bool { return s.leader() != "" && s.leader() != victim })
		s.until("it starts over", func() bool { return s.tells(victim, "and starts over with the log of") })
		s.until("all vote again", s.allVote)
		for _, name := range threeNodes {
			if g := s.current(name).replica.Root().Generation; g != 1 {
				t.Errorf("the generation of %s is %d", name, g)
			}
			if name != victim && s.tells(name, "starts over") {
				t.Errorf("%s began anew as well", name)
			}
		}
	})
}
