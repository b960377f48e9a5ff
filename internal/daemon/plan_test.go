package daemon

import (
	"context"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
)

// TestAPlanOfAnOldLeaderIsNotPassedOn: what a node decided as the leader rests on
// its own view. When it no longer leads, its decision ends with it and is
// not handed to the next leader (law L6); results and reports are.
func TestAPlanOfAnOldLeaderIsNotPassedOn(t *testing.T) {
	inBubble(t, func(s *site) {
		d := s.members[s.followers()[0]].daemon
		token := func(id string) cluster.Command {
			return cluster.AddToken{ID: id, Token: cluster.Token{Expires: time.Now().Add(time.Hour)}}
		}
		d.carry(context.Background(), mind.Proposal{ID: 1_000_001, Commands: []cluster.Command{token("decided")},
			Planned: true})
		d.carry(context.Background(), mind.Proposal{ID: 1_000_002, Commands: []cluster.Command{token("reported")}})
		s.until("the report is in the log",
			func() bool { return s.members[s.leader()].daemon.replica.Root().Tokens.Has("reported") })
		time.Sleep(2 * proposeTimeout)
		if s.members[s.leader()].daemon.replica.Root().Tokens.Has("decided") {
			t.Error("what a node that does not lead had decided is in the log")
		}
	})
}
