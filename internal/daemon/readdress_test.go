package daemon

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/tunnel"
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

// TestWhereMembersAreIsToldToThePorts: to this daemon's own and to the forwarder's, as soon as the
// State says it. A host name is looked up beside, which a simulated network does not do.
func TestWhereMembersAreIsToldToThePorts(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		moved := s.followers()[0]
		var rosters sync.Map
		for name := range s.members {
			if name != moved {
				s.kill(name)
				s.books = map[string]*roster.Book{name: {Changed: func(roster tunnel.Roster) error {
					rosters.Store(name, roster.Addresses)
					return nil
				}}}
				s.start(name)
			}
		}
		s.kill(moved)
		s.members[moved].node.Address = "10.9.0.7"
		s.start(moved)
		want := netip.MustParseAddr("10.9.0.7")
		for name := range s.members {
			if name == moved {
				continue
			}
			s.until(name+" knows the new address at its ports", func() bool {
				told, _ := rosters.Load(name)
				addresses, _ := told.([]netip.Addr)
				return s.current(name).homes.Has(want) && slices.Contains(addresses, want)
			})
		}
	})
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
