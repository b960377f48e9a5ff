package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// TestPastADeadlineOnlyWhatNobodyCanTellOfEnds: a guest that is known to run, one whose memory is
// at both ends, and one whose node is silent are left alone, whatever the deadline.
func TestPastADeadlineOnlyWhatNobodyCanTellOfEnds(t *testing.T) {
	running, split, incoming := string(resources.Running), string(resources.Split), string(resources.Incoming)
	type end struct {
		condition string
		ask       bool
	}
	for _, tc := range []struct {
		name           string
		source, target end
		clean, silent  bool
		booted         bool
		want           bool
	}{
		{"neither end tells", end{running, true}, end{incoming, true}, false, false, false, true},
		{"the source does not tell", end{running, true}, end{incoming, false}, false, false, false, true},
		{"it runs at the source", end{running, false}, end{incoming, true}, false, false, false, false},
		{"it runs at the target", end{running, true}, end{running, false}, false, false, false, false},
		{"its memory is at both ends", end{split, true}, end{split, true}, false, false, false, false},
		{"it moves", end{running, true}, end{incoming, true}, true, false, false, false},
		{"the target is silent", end{running, true}, end{incoming, true}, false, true, false, false},
		{"the target booted", end{running, true}, end{incoming, true}, false, false, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &cluster.State{}
			source := cluster.Member{Name: "node1", State: cluster.NodeOnline, Boot: "one",
				Order: &cluster.Order{Kind: cluster.OrderDrain, Index: 5, By: "root", Deadline: time.Unix(1000, 0)}}
			target := cluster.Member{Name: "node2", State: cluster.NodeOnline, Boot: "two"}
			if tc.silent {
				target.State = cluster.NodeLost
			}
			service := &cluster.Service{Owner: "node1", Intent: &cluster.Intent{Kind: cluster.IntentMigrate, Index: 9,
				Node: "node1", Target: "node2", Settling: !tc.clean},
				Holders: []cluster.Holder{
					{Node: "node1", Machine: source.Machine(), Boot: "one", Condition: tc.source.condition, Ask: tc.source.ask},
					{Node: "node2", Machine: target.Machine(), Boot: "two", Condition: tc.target.condition, Ask: tc.target.ask},
				}}
			if tc.booted {
				target.Boot = "three"
			}
			s.Nodes.Set("node1", source)
			s.Nodes.Set("node2", target)
			end := s.EndsMove(service)
			if (end.Since != 0) != tc.want {
				t.Fatalf("it has to end: %t, want %t", end.Since != 0, tc.want)
			}
			if tc.want && (end.Since != 9 || !end.Due.Equal(time.Unix(1000, 0)) || end.Patience < 30*time.Second) {
				t.Errorf("got %+v", end)
			}
		})
	}
}
