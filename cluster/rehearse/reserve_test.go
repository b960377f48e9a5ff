package rehearse

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/domain"
)

func TestReserveTellsWhatOneMoreWouldCost(t *testing.T) {
	always := func([]string) bool { return true }
	majority := func(lost []string) bool { return 2*(3-len(lost)) > 3 }
	for _, tc := range []struct {
		name       string
		only       []string
		unfenced   string
		votes      func([]string) bool
		sets       int
		hosts      int
		lost       []string
		short      []string
		minority   bool
		incomplete bool
	}{
		{"anywhere", nil, "", always, 100, 2, nil, nil, false, false},
		{"one of two nodes", []string{"node1", "node2"}, "", always, 100, 1, []string{"node1", "node2"},
			[]string{"vm:a"}, false, false},
		{"a majority has to be left", nil, "", majority, 100, 1, []string{"node1", "node2"}, nil, true, false},
		{"its only node", []string{"node1"}, "", always, 100, 0, []string{"node1"}, []string{"vm:a"}, false, false},
		{"a node that nobody can fence", nil, "node1", always, 100, 0, []string{"node1"}, []string{"vm:a"}, false, false},
		{"no time for all pairs", nil, "", always, 4, 1, nil, nil, false, true},
		{"no time at all", nil, "", always, 0, 0, nil, nil, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := runningOnly(t, tc.only...)
			if tc.unfenced != "" {
				b.S.Document.Nodes[tc.unfenced] = cluster.NodeSpec{}
			}
			tried := 0
			more := func() bool {
				tried++
				return tried <= tc.sets
			}
			got := Reserve(b.S, cluster.View{Self: "node3", Leading: true}, 2, tc.votes, more)
			var short []string
			for _, step := range got.Short {
				short = append(short, step.Service)
			}
			if got.Hosts != tc.hosts || !slices.Equal(got.Lost, tc.lost) || !slices.Equal(short, tc.short) ||
				got.Minority != tc.minority || got.Bounded != tc.incomplete {
				t.Errorf("got %+v", got)
			}
			if is := b.Service("vm:a").Owner; is != "node1" {
				t.Errorf("it was on node1 and is on %q", is)
			}
		})
	}
}

// runningOnly is a book in which vm:a runs on node1, and may run on these nodes alone; on all where
// none is named.
func runningOnly(t *testing.T, nodes ...string) *clustertest.Book {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	if len(nodes) == 0 {
		return b
	}
	d := domain.Domain{Name: "few", Restricted: true}
	for _, node := range nodes {
		d.Members = append(d.Members, domain.Member{Node: node})
	}
	b.S.Document.Domains = map[string]domain.Domain{"few": d}
	service := b.Service("vm:a")
	service.Spec.Domain = "few"
	b.S.Services.Set("vm:a", service)
	return b
}

func TestSetsAreAllOfThem(t *testing.T) {
	var found []string
	whole := sets([]string{"a", "b", "c", "d"}, 2, func(set []string) bool {
		found = append(found, set[0]+set[1])
		return true
	})
	if want := []string{"ab", "ac", "ad", "bc", "bd", "cd"}; !whole || !slices.Equal(found, want) {
		t.Errorf("got %v, %t", found, whole)
	}
	if sets([]string{"a", "b"}, 1, func([]string) bool { return false }) {
		t.Error("one that was ended counts as whole")
	}
}
