package daemon

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/quorum"
)

// at is the address that the leader's State records for a node, and whether that is in work.
func (s *site) at(name string) (string, bool) {
	leader := s.leader()
	if leader == "" {
		return "", false
	}
	n, _ := s.current(leader).replica.Root().Nodes.Get(name)
	return n.Address, n.State == cluster.NodeOnline
}

// TestANodeThatComesBackUnderAnotherAddressIsFound: the leader brings it the log where it
// was, so it hears of no leader, and says from where it asks.
func TestANodeThatComesBackUnderAnotherAddressIsFound(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		moved := s.followers()[0]
		s.kill(moved)
		s.members[moved].node.Address = "elsewhere"
		s.start(moved)
		s.until("it is in work under its new address", func() bool {
			address, online := s.at(moved)
			return address == addressOf("elsewhere") && online
		})
		if !s.tells(moved, "it asks from elsewhere:") {
			t.Error("the timeline does not tell")
		}
	})
}

// TestTwoNodesThatSwapAddressesAreFound by a majority that stays: each takes the other one's, and
// neither may wait for the other.
func TestTwoNodesThatSwapAddressesAreFound(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, dir, []string{"node1", "node2", "node3", "node4", "node5"})
		s.onDisk, s.secured = true, true
		defer s.close()
		s.found()
		swapped := s.followers()[:2]
		want := map[string]string{swapped[0]: swapped[1], swapped[1]: swapped[0]}
		for _, name := range swapped {
			s.kill(name)
		}
		for _, name := range swapped {
			s.members[name].node.Address = want[name]
			s.start(name)
		}
		for _, name := range swapped {
			s.until(name+" is in work under its new address", func() bool {
				address, online := s.at(name)
				return address == addressOf(want[name]) && online
			})
		}
	})
}

// TestWhoMovedFindsALeaderThatMoved: neither looks for the other one where it is, and a third
// member knows.
func TestWhoMovedFindsALeaderThatMoved(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, dir, []string{"node1", "node2", "node3", "node4", "node5"})
		s.onDisk, s.secured = true, true
		defer s.close()
		s.found()
		away, next := s.followers()[0], s.followers()[1]
		s.kill(away)
		s.kill(next)
		s.members[next].node.Address = "its-new-place"
		s.start(next)
		s.until(next+" is at its new place", func() bool {
			address, online := s.at(next)
			return address == addressOf("its-new-place") && online
		})
		s.until(next+" leads", func() bool {
			if leader := s.leader(); leader != "" && leader != next {
				_ = s.current(leader).log.HandOver(t.Context(), next)
			}
			return s.leader() == next
		})
		s.members[away].node.Address = "elsewhere"
		s.start(away)
		s.until(away+" is in work under its new address", func() bool {
			address, online := s.at(away)
			return address == addressOf("elsewhere") && online
		})
	})
}

// TestTheLogHasNoTwoMembersAtOneAddress: it refuses them, and nobody would ever be moved.
func TestTheLogHasNoTwoMembersAtOneAddress(t *testing.T) {
	one, other := quorum.Member{ID: "one", Address: "a", Voter: true}, quorum.Member{ID: "other", Address: "b"}
	members := []quorum.Member{one, other}
	if m, at := whoMoves(members, "self", one, "c"); m != one || at != "c" {
		t.Errorf("%v to %s", m, at)
	}
	if m, at := whoMoves(members, "self", one, "b"); m != other || at != noAddress("other") {
		t.Errorf("%v to %s", m, at)
	}
	if m, at := whoMoves(members, "other", one, "b"); m != one || at != "b" {
		t.Errorf("%v to %s, and a leader is where it is", m, at)
	}
}

// TestAllNodesGetNewAddressesAtOnce: nobody finds anybody by the log, and each node's own
// file says what moved where.
func TestAllNodesGetNewAddressesAtOnce(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		names := slices.Sorted(maps.Keys(s.members))
		moved := map[string]string{}
		for _, name := range names {
			s.kill(name)
			moved[name] = "new-" + name
		}
		for _, name := range names {
			s.members[name].node.Address, s.members[name].node.Moved = moved[name], moved
			s.start(name)
		}
		for _, name := range names {
			s.until(name+" is in work under its new address", func() bool {
				address, online := s.at(name)
				return address == addressOf(moved[name]) && online
			})
		}
	})
}

func TestMovedAddressesInTheNodesFile(t *testing.T) {
	n, err := nodefile.Parse("n", []byte("moved: {10.0.0.1: 10.1.0.1, old.example: new.example}\n"), "h")
	if err != nil || n.Moved["10.0.0.1"] != "10.1.0.1" || n.Moved["old.example"] != "new.example" {
		t.Errorf("%v, %v", n.Moved, err)
	}
	if _, err := nodefile.Parse("n", []byte("moved: {10.0.0.1: \"1:2\"}\n"), "h"); err == nil {
		t.Error("an address with a port was taken")
	}
}
