package daemon

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// TestARemovedNodesDaemonEnds: not while the node may run something; then it
// loses its vote, its key counts for nothing, and its daemon ends with words.
func TestARemovedNodesDaemonEnds(t *testing.T) {
	inBubble(t, func(s *site) {
		leader, holder, victim := s.leader(), s.followers()[0], s.followers()[1]
		s.declare(map[string]string{"vm:a": holder})
		remove := func(node string) (int, string) {
			status, body := s.ask(leader, rootUser, "POST", api.PathNodes, api.NodeRequest{ID: "remove " + node, Op: "remove", Node: node})
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
		if err := <-s.members[victim].ended; !errors.Is(err, ErrRemoved) {
			t.Errorf("its daemon ended with: %v", err)
		}
		s.members[victim].daemon = nil
		for _, at := range []string{leader, holder} {
			d := s.members[at].daemon
			if standing := d.standing(key); standing.Kind != pki.StandingRemoved {
				t.Errorf("on %s its key is %v", at, standing.Kind)
			}
		}
		s.until("it has no vote any more", func() bool { return len(s.members[s.leader()].daemon.log.Members()) == 2 })
		if where := s.world.runsOn(uuidOf(0)); len(where) != 1 || where[0] != holder {
			t.Errorf("vm:a runs on %v", where)
		}
	})
}
