package voters

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/clusterd/clusterd/quorum"
)

func voterNames(members []quorum.Member) string {
	names := ""
	for _, m := range members {
		if m.Voter {
			names += m.ID
		}
	}
	return names
}

// settle carries out changes until there are none, and checks each step on the way.
func settle(t *testing.T, members []quorum.Member, healthy map[string]bool, sites map[string]string,
	wanted int) []quorum.Member {
	t.Helper()
	healthyVoters := func() (count int) {
		for _, m := range members {
			if m.Voter && healthy[m.ID] {
				count++
			}
		}
		return count
	}
	for range 30 {
		before := healthyVoters()
		change, ok := Next(members, healthy, sites, wanted)
		if !ok {
			return members
		}
		if (change.Promote == "") == (change.Demote == "") || change.Why == "" {
			t.Fatalf("not one step with a reason: %+v", change)
		}
		for i, m := range members {
			switch m.ID {
			case change.Promote:
				if m.Voter || !healthy[m.ID] {
					t.Fatalf("%+v of %+v", change, m)
				}
				members[i].Voter = true
			case change.Demote:
				if !m.Voter {
					t.Fatalf("%+v of %+v", change, m)
				}
				members[i].Voter = false
			}
		}
		if after := healthyVoters(); after < before && after < odd(min(wanted, before)) {
			t.Fatalf("%+v leaves %d healthy voters of %d", change, after, before)
		}
	}
	t.Fatalf("no end of changes: %+v, healthy %v, sites %v, wanted %d", members, healthy, sites, wanted)
	return nil
}

func TestVotersAreReplacedAndSpread(t *testing.T) {
	all := func(ids string, voters string) (members []quorum.Member) {
		for _, id := range ids {
			members = append(members, quorum.Member{ID: string(id), Voter: containsRune(voters, id)})
		}
		return members
	}
	healthy := func(ids string) map[string]bool {
		set := map[string]bool{}
		for _, id := range ids {
			set[string(id)] = true
		}
		return set
	}
	for _, story := range []struct {
		name, ids, voters, healthy string
		sites                      map[string]string
		wanted                     int
		then                       string
	}{
		{"three of three", "abc", "abc", "abc", nil, 3, "abc"},
		{"two nodes have one voter", "ab", "a", "ab", nil, 3, "a"},
		{"a third node makes three voters", "abc", "a", "abc", nil, 3, "abc"},
		{"a dead voter is kept while nobody can replace it", "abc", "abc", "ab", nil, 3, "abc"},
		{"a dead voter is replaced", "abcd", "abc", "abd", nil, 3, "abd"},
		{"no step without a majority", "abcd", "abc", "ad", nil, 3, "abc"},
		{"five of seven", "abcdefg", "abc", "abcdefg", nil, 5, "abcde"},
		{"back to three", "abcde", "abcde", "abcde", nil, 3, "abc"},
		{"one voter in each site", "abcdef", "abc", "abcdef",
			map[string]string{"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": "z"}, 3, "adf"},
	} {
		t.Run(story.name, func(t *testing.T) {
			after := settle(t, all(story.ids, story.voters), healthy(story.healthy), story.sites, story.wanted)
			if got := voterNames(after); got != story.then {
				t.Errorf("voters %s, want %s", got, story.then)
			}
		})
	}
}

func containsRune(text string, wanted rune) bool {
	for _, r := range text {
		if r == wanted {
			return true
		}
	}
	return false
}

// Whatever the members, changes come to an end, and then the healthy voters are as many as they
// can be.
func TestVoterChangesAlwaysEnd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var members []quorum.Member
		healthy, sites := map[string]bool{}, map[string]string{}
		for i := range 1 + random.IntN(8) {
			id := fmt.Sprint("n", i)
			members = append(members, quorum.Member{ID: id, Voter: random.IntN(2) == 0})
			healthy[id] = random.IntN(4) > 0
			sites[id] = fmt.Sprint("site", random.IntN(3))
		}
		wanted := 3 + 2*random.IntN(2)
		members = settle(t, members, healthy, sites, wanted)
		voters, good, able := 0, 0, 0
		for _, m := range members {
			if m.Voter {
				voters++
			}
			if m.Voter && healthy[m.ID] {
				good++
			}
			if healthy[m.ID] {
				able++
			}
		}
		if 2*good > voters && good < odd(min(wanted, able)) {
			t.Fatalf("%d healthy voters of %d healthy nodes, wanted %d: %+v %v", good, able, wanted, members, healthy)
		}
	}
}

// TestTwoOfTwoVoteWhereTheyAreWanted: with 2 wanted both vote, and neither loses its vote
// because the other is gone.
func TestTwoOfTwoVoteWhereTheyAreWanted(t *testing.T) {
	both := map[string]bool{"a": true, "b": true}
	members := settle(t, []quorum.Member{{ID: "a", Voter: true}, {ID: "b"}}, both, nil, 2)
	if voterNames(members) != "ab" {
		t.Errorf("%s vote", voterNames(members))
	}
	if change, ok := Next(members, map[string]bool{"a": true}, nil, 2); ok {
		t.Errorf("with one of two gone the voters change: %+v", change)
	}
	if members = settle(t, []quorum.Member{{ID: "a", Voter: true}, {ID: "b"}}, both, nil, 5); voterNames(members) != "a" {
		t.Errorf("without the wish %s vote", voterNames(members))
	}
}
