package daemon

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/ownkeys"
	"github.com/clusterd/clusterd/internal/pki"
)

// TestARemovedNodesDaemonEnds: not while the node may run something; then it
// loses its vote, its key counts for nothing, and its daemon ends with words.
func TestARemovedNodesDaemonEnds(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		leader, holder, victim := s.leader(), s.followers()[0], s.followers()[1]
		s.declare(map[string]string{"vm:a": holder})
		remove := func(node string) (int, string) {
			status, body := s.ask(leader, rootUser, "POST", api.PathNodes, api.NodeRequest{ID: "remove " + node, Op: "remove",
				Node: node})
			return status, string(body)
		}
		if status, body := remove(holder); status == http.StatusOK || !strings.Contains(body, "may be running vm:a") {
			t.Errorf("a node that runs a service: %d %s", status, body)
		}
		if status, body := remove("nod1"); status != http.StatusNotFound || !strings.Contains(body, "Did you mean 'node1'?") {
			t.Errorf("a node that is not there: %d %s", status, body)
		}
		key := s.members[victim].daemon.store.Identity().Self
		if status, body := remove(victim); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		if err := <-s.members[victim].ended; !errors.Is(err, membership.ErrRemoved) {
			t.Errorf("its daemon ended with: %v", err)
		}
		removal, err := membership.Folder(s.members[victim].node.DataDir).Removal()
		if err != nil || removal == nil || removal.Node != victim || !errors.Is(*removal, membership.ErrRemoved) {
			t.Errorf("what its next start finds: %v, %v", removal, err)
		}
		s.members[victim].daemon = nil
		for _, at := range []string{leader, holder} {
			d := s.members[at].daemon
			if standing := d.registry.Standing(key); standing.Kind != pki.StandingRemoved {
				t.Errorf("on %s its key is %v", at, standing.Kind)
			}
			s.until("no beat of it counts on "+at, func() bool {
				_, heard := d.pulse.Heard()[victim]
				return !heard
			})
		}
		s.until("it has no vote any more", func() bool { return len(s.members[s.leader()].daemon.log.Members()) == 2 })
		if where := s.world.runsOn(uuidOf(0)); len(where) != 1 || where[0] != holder {
			t.Errorf("vm:a runs on %v", where)
		}
	})
}

// TestEachPairOfNodesHasItsOwnKey: what two nodes have in common is known to no third one, and is
// the same at both ends.
func TestEachPairOfNodesHasItsOwnKey(t *testing.T) {
	inBubble(t, func(s *site) {
		names := slices.Sorted(maps.Keys(s.members))
		keys := map[string]map[string][]byte{}
		for _, name := range names {
			d := s.members[name].daemon
			own := &ownkeys.Keys{Options: ownkeys.Options{Node: name, Store: d.store, Logger: d.logger}}
			keys[name] = (&ownkeys.Pairs{Keys: own}).Heartbeats(d.replica.Root())
		}
		seen := map[string]string{}
		for _, one := range names {
			for _, other := range names {
				if one == other {
					continue
				}
				key := string(keys[one][other])
				if len(key) != 32 || key != string(keys[other][one]) {
					t.Errorf("%s and %s do not have a key in common", one, other)
				}
				pair := min(one, other) + " and " + max(one, other)
				if before, used := seen[key]; used && before != pair {
					t.Errorf("%s have the key of %s", pair, before)
				}
				seen[key] = pair
			}
		}
	})
}
