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

func TestWhichStateIsRight(t *testing.T) {
	for _, c := range []struct {
		name, self string
		told       map[string]string
		want       stateVerdict
	}{
		{"all the same", "a", map[string]string{"a": "x", "b": "x", "c": "x"},
			stateVerdict{told: true, right: "x", others: "a, b, c"}},
		{"the follower is alone", "b", map[string]string{"a": "x", "b": "y", "c": "x"},
			stateVerdict{told: true, odd: true, right: "x", others: "a, c"}},
		{"the leader is alone", "a", map[string]string{"a": "y", "b": "x", "c": "x"},
			stateVerdict{told: true, odd: true, right: "x", others: "b, c"}},
		{"the other one is alone", "c", map[string]string{"a": "y", "b": "x", "c": "x"},
			stateVerdict{told: true, right: "x", others: "b, c"}},
		{"one of three does not tell, and two differ", "b", map[string]string{"a": "x", "b": "y", "c": ""},
			stateVerdict{doubt: "a"}},
		{"one of three does not tell, and two agree", "b", map[string]string{"a": "x", "b": "x"},
			stateVerdict{told: true, right: "x", others: "a, b"}},
		{"all three differ", "a", map[string]string{"a": "x", "b": "y", "c": "z"}, stateVerdict{doubt: "b, c"}},
		{"nobody tells", "a", map[string]string{"a": "x"}, stateVerdict{}},
	} {
		if got := weighStates(c.told, []string{"a", "b", "c"}, c.self, "a"); got != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	two := map[string]string{"a": "x", "b": "y"}
	if got := weighStates(two, []string{"a", "b"}, "b", "a"); !got.odd || got.right != "x" {
		t.Errorf("of two voters the follower's: %+v", got)
	}
	if got := weighStates(two, []string{"a", "b"}, "a", "a"); got != (stateVerdict{told: true, right: "x", others: "a"}) {
		t.Errorf("of two voters the leader's: %+v", got)
	}
}
