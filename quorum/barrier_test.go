package quorum

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/clusterd/clusterd/quorum/quorumtest"
)

// gated is a register that can be held back, as a node that applies late is.
type gated struct {
	*register
	open chan struct{}
}

func (g *gated) Apply(entry Entry) any {
	<-g.open
	return g.register.Apply(entry)
}

// A leader that was elected with entries it has not applied must not say that its
// State is current: what its predecessor acknowledged would be missing.
func TestAFreshLeaderHasAppliedAllBeforeItVerifies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, network: quorumtest.New()}
		defer c.close()
		members := []Member{{ID: "node1", Address: "node1", Voter: true}, {ID: "node2", Address: "node2", Voter: true},
			{ID: "node3", Address: "node3", Voter: true}}
		machines := map[string]*gated{}
		for _, member := range members {
			wire := NewWire(c.network.Listen(member.ID), nil)
			machine := &gated{newRegister(), make(chan struct{})}
			close(machine.open)
			log, err := Open(Options{ID: member.ID, Address: member.ID, Wire: wire, Bootstrap: members}, machine)
			if err != nil {
				t.Fatal(err)
			}
			machines[member.ID] = machine
			c.nodes = append(c.nodes, &node{member.ID, wire, log, machine.register})
		}
		old := c.leader()
		next := c.follower()
		old.mustPropose(t, "key", "old")
		until(t, "the follower is as far as the leader", func() bool { return next.log.Applied() == old.log.Applied() })
		gate := make(chan struct{})
		machines[next.id].open = gate
		old.mustPropose(t, "key", "new")

		if err := old.log.raft.LeadershipTransferToServer(raft.ServerID(next.id),
			raft.ServerAddress(next.id)).Error(); err != nil {
			t.Fatal(err)
		}
		until(t, "the late node leads", func() bool { return next.log.Role().IsLeader })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := next.log.Verify(ctx); err == nil {
			t.Errorf("the new leader says that its state is current and reads %q, acknowledged was \"new\"",
				next.machine.get("key"))
		}
		close(gate)
		if err := next.log.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := next.machine.get("key"); got != "new" {
			t.Errorf("after Verify the new leader reads %q, acknowledged was \"new\"", got)
		}
	})
}
