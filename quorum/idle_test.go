package quorum

import (
	"testing"
	"testing/synctest"
	"time"
)

// With raft's own pause of 50 ms it repeats the commit index so often that there is a good half
// more to write, for nothing: pusher has passed it on already.
func TestAnIdleLogIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		defer c.close()
		c.leader().mustPropose(t, "key", "value")
		time.Sleep(2 * time.Second) // by the bubble's clock
		before := c.network.Written()
		time.Sleep(30 * time.Second)
		if writes := (c.network.Written() - before) / 30; writes < 30 || writes > 80 {
			t.Errorf("%d writes a second between three nodes that have nothing to say", writes)
		}
	})
}
