package report

import (
	"slices"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// TestWithoutAQuorumOnlyWhatIsHeardIsOnline: the State of a node that is cut off is old, and calls
// nodes online that may have been off for days.
func TestWithoutAQuorumOnlyWhatIsHeardIsOnline(t *testing.T) {
	root := &cluster.State{}
	for _, name := range []string{"node1", "node2", "node3"} {
		root.Nodes.Set(name, cluster.Member{Name: name, State: cluster.NodeOnline})
	}
	online := func(f Facts) (names []string) {
		for _, n := range Status(root, f).Nodes {
			if n.Online {
				names = append(names, n.Name)
			}
		}
		return names
	}
	alone := Facts{Local: "node1", Heard: map[string]bool{"node3": true}}
	if got := online(alone); !slices.Equal(got, []string{"node1", "node3"}) {
		t.Errorf("without a leader %v are online", got)
	}
	led := Facts{Local: "node1", Leader: "node2"}
	if got := online(led); len(got) != 3 {
		t.Errorf("with a leader %v are online", got)
	}
}

// TestRestartsAreCountedFromTheTimeThatIsGiven: the page and the tools show the same number at the
// same time, whatever the clock of the host says.
func TestRestartsAreCountedFromTheTimeThatIsGiven(t *testing.T) {
	now := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	root := &cluster.State{}
	spec := resources.Spec{Name: "vm:a", RestartExpire: time.Hour}
	root.Services.Set("vm:a", cluster.Service{Spec: spec, Restarts: []time.Time{now.Add(-2 * time.Hour), now}})
	if got := Status(root, Facts{Now: now}).Services[0].Restarts; got != 1 {
		t.Errorf("%d restarts are counted", got)
	}
}

// TestAPageEndsWithAnEntry: the next page is asked for by an index, and would miss the rest of it.
func TestAPageEndsWithAnEntry(t *testing.T) {
	root := &cluster.State{}
	for _, index := range []uint64{1, 2, 2, 2, 3} {
		root.Timeline = append(root.Timeline, cluster.Event{Index: index, Subject: "vm:a"})
	}
	page := Events(root, 1, 2, Choice{})
	if len(page.Events) != 3 || page.Events[2].Index != 2 {
		t.Errorf("the page is %+v", page.Events)
	}
	if newest := Events(root, 0, 2, Choice{}); len(newest.Events) != 2 || newest.Events[1].Index != 3 {
		t.Errorf("without an index the newest are %+v", newest.Events)
	}
	if none := Events(root, 0, 10, Choice{Service: "vm:b"}); len(none.Events) != 0 || none.Oldest != 1 {
		t.Errorf("of another service %+v", none)
	}
}
