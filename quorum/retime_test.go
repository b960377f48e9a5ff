package quorum

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestALogThatRunsFollowsAnotherTiming(t *testing.T) {
	for _, c := range []struct {
		start, next         string
		heartbeat, election time.Duration
	}{
		{"normal", "relaxed", time.Second, time.Second},
		// The lease of the start stays, and nobody elects another leader within it.
		{"normal", "fast", 250 * time.Millisecond, 250 * time.Millisecond},
		{"relaxed", "fast", 500 * time.Millisecond, 500 * time.Millisecond},
		{"fast", "normal", 500 * time.Millisecond, 500 * time.Millisecond},
	} {
		start, _ := ParseProfile(c.start)
		next, _ := ParseProfile(c.next)
		synctest.Test(t, func(t *testing.T) {
			alone := newCluster(t, 1, func(o *Options) { o.Profile = start })
			defer alone.close()
			l := alone.nodes[0].log
			if err := l.Retime(next); err != nil {
				t.Errorf("%s to %s: %v", c.start, c.next, err)
			}
			got := l.raft.ReloadableConfig()
			if got.HeartbeatTimeout != c.heartbeat || got.ElectionTimeout != c.election {
				t.Errorf("%s to %s: the log waits %v and %v", c.start, c.next, got.HeartbeatTimeout, got.ElectionTimeout)
			}
		})
	}
}

func TestBeatsComeAsOftenAsTheNewTimingSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b")
		defer p.close()
		time.Sleep(2 * time.Second)
		count := func() uint64 { return p.nodes["b"].Heard()["a"].Count }
		fast, _ := ParseProfile("fast")
		before := count()
		time.Sleep(8 * time.Second)
		usual := count() - before
		p.nodes["a"].Retime(fast)
		before = count()
		time.Sleep(8 * time.Second)
		if often := count() - before; usual < 49 || usual > 51 || often < 99 || often > 102 {
			t.Errorf("%d beats in eight seconds and then %d, want 50 and 100", usual, often)
		}
	})
}
