package voters

import (
	"cmp"
	"slices"

	"github.com/clusterd/clusterd/quorum"
)

// Change is one step of the voters, to be carried out with AddVoter or Demote before the next
// one is asked for.
type Change struct {
	// Promote gets a vote, or Demote loses it; the other one is empty.
	Promote string
	Demote  string
	// Why is a sentence for the timeline.
	Why string
}

// Next returns the next step towards the wanted number of voters, or false when there
// is nothing to do.
//
// A node counts as healthy when it is in touch and, being no voter, has caught up with the log;
// the caller knows that. Wanted is made odd and at least 1, except that 2 stays 2: then both of
// two nodes vote, and what either of them acknowledged lies on both, for a caller that lets one
// of them go on alone. Fewer members than wanted give the largest odd number that there are, so
// that two nodes have one voter unless both already vote: with two, the loss of either stops the
// cluster. A dead voter is replaced before it is dropped, and is kept when nobody can replace
// it: dropping it would make the majority smaller without need. No step is taken when the
// healthy voters are no majority, because it could not be committed.
func Next(members []quorum.Member, healthy map[string]bool, sites map[string]string, wanted int) (Change, bool) {
	var voters, healthyVoters, spares []quorum.Member
	for _, member := range members {
		switch {
		case member.Voter:
			voters = append(voters, member)
			if healthy[member.ID] {
				healthyVoters = append(healthyVoters, member)
			}
		case healthy[member.ID]:
			spares = append(spares, member)
		}
	}
	if 2*len(healthyVoters) <= len(voters) {
		return Change{}, false
	}
	target := votes(min(wanted, len(healthyVoters)+len(spares)), wanted)
	switch {
	case len(healthyVoters) < target:
		// Promote also when a dead voter fills the place, which is then dropped in the next step.
		chosen := pick(spares, healthyVoters, sites, false)
		why := chosen.ID + " gets a vote, because there are too few healthy voters"
		return Change{Promote: chosen.ID, Why: why}, true
	case len(voters) > len(healthyVoters) && len(healthyVoters) >= votes(wanted, wanted):
		dead := pickDead(voters, healthy)
		return Change{Demote: dead.ID, Why: dead.ID + " loses its vote, because it is not healthy and has been replaced"},
			true
	case len(healthyVoters) > votes(wanted, wanted):
		chosen := pick(healthyVoters, healthyVoters, sites, true)
		return Change{Demote: chosen.ID, Why: chosen.ID + " loses its vote, because there are more voters than wanted"}, true
	}
	return moveBetweenSites(healthyVoters, spares, sites, target, len(voters))
}

// votes is how many of so many nodes vote.
func votes(n, wanted int) int {
	if n == 2 && wanted == 2 {
		return 2
	}
	return odd(n)
}

// odd is the largest odd number not above n, and at least 1.
func odd(n int) int {
	if n%2 == 0 {
		n--
	}
	return max(n, 1)
}

// pick chooses the node whose site has the fewest voters (or, to demote, the most), and by name
// among equals.
func pick(from, voters []quorum.Member, sites map[string]string, fullest bool) quorum.Member {
	bySite := votesBySite(voters, sites)
	compare := func(a, b quorum.Member) int {
		byVotes := cmp.Compare(bySite[sites[a.ID]], bySite[sites[b.ID]])
		if fullest {
			// The last by name goes, so that the founders stay.
			return cmp.Or(-byVotes, -cmp.Compare(a.ID, b.ID))
		}
		return cmp.Or(byVotes, cmp.Compare(a.ID, b.ID))
	}
	return slices.MinFunc(from, compare)
}

func pickDead(voters []quorum.Member, healthy map[string]bool) quorum.Member {
	var dead []quorum.Member
	for _, voter := range voters {
		if !healthy[voter.ID] {
			dead = append(dead, voter)
		}
	}
	return slices.MinFunc(dead, func(a, b quorum.Member) int { return cmp.Compare(a.ID, b.ID) })
}

func votesBySite(voters []quorum.Member, sites map[string]string) map[string]int {
	votes := map[string]int{}
	for _, voter := range voters {
		votes[sites[voter.ID]]++
	}
	return votes
}

// moveBetweenSites evens out the sites: one vote too many is given where there are few, and
// taken where there are many in the step after that. It acts only when the difference is two or
// more, so that it never moves a vote to and fro.
func moveBetweenSites(voters, spares []quorum.Member, sites map[string]string, target, voterCount int) (Change, bool) {
	votes := votesBySite(voters, sites)
	if voterCount != target || len(spares) == 0 {
		return Change{}, false
	}
	to := pick(spares, voters, sites, false)
	from := pick(voters, voters, sites, true)
	if votes[sites[from.ID]]-votes[sites[to.ID]] < 2 {
		return Change{}, false
	}
	return Change{Promote: to.ID, Why: to.ID + " gets a vote, to spread the voters over the sites"}, true
}
