package apply

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

func TestWhoRanForLongIsInNoLoop(t *testing.T) {
	for _, c := range []struct {
		ran    time.Duration
		rounds int
	}{{time.Second, 8}, {cluster.LoopLives - time.Second, 8}, {cluster.LoopLives, 1}} {
		now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
		tx := begin(&cluster.State{}, 7, now)
		s := cluster.Service{State: resources.Started, SinceAt: now.Add(-c.ran)}
		s.Loop = &cluster.Loop{Rounds: 7, Starts: []time.Time{now.Add(-cluster.LoopForgets)}}
		if got := tx.fell(s, cluster.Member{Name: "node1"}, message.Words("it crashed")).Loop; got.Rounds != c.rounds ||
			len(got.Starts) != 1 {
			t.Errorf("after %s it is in round %d with %d starts, wanted %d and 1", c.ran, got.Rounds, len(got.Starts), c.rounds)
		}
	}
}
