package domain

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/message"
	"pgregory.net/rapid"
)

var nodes = []string{"node1", "node2", "node3", "node4", "node5"}

func drawDomain(t *rapid.T) *Domain {
	d := &Domain{
		Name:    "d",
		Ordered: rapid.Bool().Draw(t, "ordered"), Restricted: rapid.Bool().Draw(t, "restricted"),
		NoFailback: rapid.Bool().Draw(t, "nofailback"),
	}
	for _, node := range rapid.SliceOfDistinct(rapid.SampledFrom(nodes), rapid.ID[string]).Draw(t, "members") {
		d.Members = append(d.Members, Member{Node: node, Priority: rapid.IntRange(0, 3).Draw(t, "priority")})
	}
	return d
}

func drawCandidates(t *rapid.T) []Candidate {
	var candidates []Candidate
	for _, node := range rapid.SliceOfDistinct(rapid.SampledFrom(nodes), rapid.ID[string]).Draw(t, "candidates") {
		candidates = append(candidates, Candidate{
			Node: node, Barred: message.Words(rapid.SampledFrom([]string{"", "", "offline"}).Draw(t, "barred")),
			Failed: rapid.Bool().Draw(t, "failed"), Load: rapid.IntRange(0, 3).Draw(t, "load"),
		})
	}
	return candidates
}

func memberOf(d *Domain, node string) bool {
	for _, m := range d.Members {
		if m.Node == node {
			return true
		}
	}
	return false
}

// place is how good a node's place in the domain is, written down a second
// time: what rgmanager's administrator expects, lower is better.
func place(d *Domain, node string) int {
	for _, m := range d.Members {
		switch {
		case m.Node == node && (!d.Ordered || m.Priority > 0):
			if d.Ordered {
				return m.Priority
			}
			return 1
		case m.Node == node:
			return 1000
		}
	}
	return 2000
}

func TestRankKeepsTheDomainsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, candidates := drawDomain(t), drawCandidates(t)
		given := map[string]Candidate{}
		for _, c := range candidates {
			given[c.Node] = c
		}
		verdicts := Rank(d, candidates)
		if len(verdicts) != len(candidates) {
			t.Fatalf("%d verdicts on %d candidates", len(verdicts), len(candidates))
		}
		for i, v := range verdicts {
			c := given[v.Node]
			legal := c.Barred.IsZero() && (!d.Restricted || memberOf(d, v.Node))
			if v.Legal != legal || v.Why.IsZero() {
				t.Fatalf("verdict %+v, legal should be %v", v, legal)
			}
			if i == 0 || !v.Legal {
				continue
			}
			before := verdicts[i-1]
			b := given[before.Node]
			switch {
			case !before.Legal:
				t.Fatalf("illegal %s stands before legal %s", before.Node, v.Node)
			case b.Failed != c.Failed:
				if b.Failed {
					t.Fatalf("%s, where a start failed, stands before %s", before.Node, v.Node)
				}
			case place(d, before.Node) > place(d, v.Node):
				t.Fatalf("%s stands before %s, which has the better place", before.Node, v.Node)
			}
		}
	})
}

func TestRankDoesNotDependOnTheOrderOfItsInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, candidates := drawDomain(t), drawCandidates(t)
		shuffled := rapid.Permutation(candidates).Draw(t, "shuffled")
		one, two := Rank(d, candidates), Rank(d, shuffled)
		for i := range one {
			if one[i] != two[i] {
				t.Fatalf("place %d: %+v or %+v", i, one[i], two[i])
			}
		}
	})
}

func TestFailbackMovesOnceAndThenStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, candidates := drawDomain(t), drawCandidates(t)
		owner := rapid.SampledFrom(nodes).Draw(t, "owner")
		target, why, move := Failback(d, owner, candidates)
		if !move {
			if target != "" || why != "" {
				t.Fatalf("stays, but names %q, %q", target, why)
			}
			return
		}
		if legal, _ := Legal(d, target); !legal || !memberOf(d, target) || target == owner || why == "" {
			t.Fatalf("moves from %s to %s: %s", owner, target, why)
		}
		if place(d, target) >= place(d, owner) {
			t.Fatalf("moves from %s to %s, which is no better place", owner, target)
		}
		if memberOf(d, owner) && (d.NoFailback || !d.Ordered) {
			t.Fatalf("moves from member %s although the domain does not fail back", owner)
		}
		// The move itself shifts load; the service must stay all the same.
		for i := range candidates {
			candidates[i].Load = rapid.IntRange(0, 9).Draw(t, "load after")
		}
		if next, why, again := Failback(d, target, candidates); again {
			t.Fatalf("moved to %s and now on to %s: %s", target, next, why)
		}
	})
}

func TestNoDomainAllowsEveryNode(t *testing.T) {
	verdicts := Rank(nil, []Candidate{{Node: "b", Load: 2}, {Node: "c"}, {Node: "a", Barred: message.Words("offline")}})
	var order []string
	for _, v := range verdicts {
		order = append(order, v.Node)
	}
	if got := strings.Join(order, " "); got != "c b a" {
		t.Errorf("order %s", got)
	}
	if verdicts[2].Legal || verdicts[2].Why.String() != "offline" {
		t.Errorf("the offline node: %+v", verdicts[2])
	}
	if _, _, move := Failback(nil, "b", []Candidate{{Node: "c"}}); move {
		t.Error("fails back without a domain")
	}
}

func TestVerdictsSayWhy(t *testing.T) {
	d := &Domain{Name: "web", Ordered: true, Restricted: true,
		Members: []Member{{Node: "node1", Priority: 2}, {Node: "node2"}}}
	for node, want := range map[string]string{
		"node1": "priority 2 in domain web", "node2": "member of domain web without a priority",
		"node3": "not a member of restricted domain web",
	} {
		if _, why := Legal(d, node); why != want {
			t.Errorf("%s: %q, want %q", node, why, want)
		}
	}
}
