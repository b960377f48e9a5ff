package mind

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
)

func TestWhatANodeSaysOfItsVolumeIsToldOnce(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	incarnation := b.Node("node2").Incarnation
	events := func() int { return len(b.S.Timeline) }
	failing := cluster.Volume{Why: message.Words("read-only file system"), Failing: true}
	b.Refused(cluster.NodeVolume{Node: "node2", Incarnation: incarnation + 1, Volume: failing}, "older incarnation")
	long := cluster.Volume{Why: message.Words(strings.Repeat("x", apply.MostVolumeWords+1))}
	b.Refused(cluster.NodeVolume{Node: "node2", Incarnation: incarnation, Volume: long}, "too long")
	before := events()
	b.Must(cluster.NodeVolume{Node: "node2", Incarnation: incarnation, Volume: failing})
	b.Must(cluster.NodeVolume{Node: "node2", Incarnation: incarnation, Volume: failing})
	b.Must(cluster.NodeVolume{Node: "node2", Incarnation: incarnation,
		Volume: cluster.Volume{Why: message.Words("no space"), Failing: true}})
	if events() != before+1 || b.Node("node2").Volume.Why.String() != "no space" {
		t.Errorf("%d events of one failure; known is %+v", events()-before, b.Node("node2").Volume)
	}
	b.Must(cluster.NodeVolume{Node: "node2", Incarnation: incarnation})
	if events() != before+2 || b.Node("node2").Volume != nil {
		t.Errorf("%d events after it is well, known is %+v", events()-before, b.Node("node2").Volume)
	}
}

// A node that cannot write sees nothing of what it says in its own State. It says it
// again after growing pauses, and calls a volume well only once it has been so for a while.
func TestHowOftenANodeSpeaksOfItsVolume(t *testing.T) {
	var w volumeWatch
	bad, well := cluster.Volume{Why: message.Words("bad"), Failing: true}, cluster.Volume{}
	known := well
	said := 0
	say := func(now time.Duration) {
		if w.due(now, known) {
			w.pause = min(max(2*w.pause, pauseVolume), pauseVolumeMost)
			w.said, w.at, w.ever = w.now, now, true
			said++
		}
	}
	w.now = bad
	for now := time.Hour; now < 2*time.Hour; now += time.Second {
		say(now)
	}
	if said < 5 || said > 14 {
		t.Errorf("it was said %d times within an hour in which nobody heard it", said)
	}
	known, said = bad, 0
	for now := 2 * time.Hour; now < 3*time.Hour; now += time.Second {
		next := bad
		if int(now.Seconds())%20 < 10 {
			next = well
		}
		if next != w.now {
			w.now, w.since = next, now
		}
		say(now)
	}
	if said != 0 {
		t.Errorf("a volume that comes and goes was told of %d times", said)
	}
}
