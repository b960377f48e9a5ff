package daemon

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/clusterd/clusterd/internal/membership/inquiry"
)

// TestANodeAsksForItselfAlone: a member asks in its own name, and is answered. In the name of
// another one it gets no answer, and changes neither that node's address nor its place.
func TestANodeAsksForItselfAlone(t *testing.T) {
	inSecuredBubble(t, func(s *site) {
		leader, asker, other := s.leader(), s.followers()[0], s.followers()[1]
		d := s.members[asker].daemon
		before, _ := d.replica.Root().Nodes.Get(other)
		ask := func(name string) []byte {
			question, err := json.Marshal(inquiry.Question{Cluster: d.membership.ID, Node: name, Empty: true,
				Address: "192.0.2.7:7440"})
			if err != nil {
				t.Fatal(err)
			}
			reply, err := d.wire.Ask(context.Background(), d.peers()[leader], question)
			if err != nil && name == asker {
				t.Errorf("in its own name: %v", err)
			}
			return reply
		}
		if reply := ask(other); len(reply) != 0 {
			t.Errorf("in the name of %s it is answered %s", other, reply)
		}
		if after, _ := s.members[leader].daemon.replica.Root().Nodes.Get(other); after.Address != before.Address {
			t.Errorf("%s gave %s the address %s", asker, other, after.Address)
		}
		if reply := ask(asker); len(reply) == 0 {
			t.Error("in its own name it is not answered")
		}
	})
}
