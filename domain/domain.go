// Package domain decides who may run a service, in which order, and why:
// failover domains as rgmanager had them (reference: rgmanager's
// fo_domain.c), with its quirks resolved: a member without a priority comes
// last, never first, and equal nodes are told apart by load and then by name,
// never by chance.
//
// The package is pure and knows neither services' states nor the log.
package domain

import (
	"sort"

	"github.com/clusterd/clusterd/internal/message"
)

// Domain is a failover domain.
type Domain struct {
	Name string `json:"name"`
	// Ordered prefers members by ascending priority.
	Ordered bool `json:"ordered,omitempty"`
	// Restricted allows members only.
	Restricted bool `json:"restricted,omitempty"`
	// NoFailback leaves a service on a member when a better member appears.
	NoFailback bool     `json:"nofailback,omitempty"`
	Members    []Member `json:"members"`
}

// Member is one node of a domain. Priority is 1 (best) to 100; 0 is none and
// comes last.
type Member struct {
	Node     string `json:"node"`
	Priority int    `json:"priority,omitempty"`
}

// lastPriority is where members without a priority stand.
const lastPriority = 101

// member returns the priority under which a node stands in the domain.
func (d *Domain) member(node string) (priority int, found bool) {
	for _, m := range d.Members {
		if m.Node == node {
			if !d.Ordered {
				return 1, true
			}
			if m.Priority == 0 {
				return lastPriority, true
			}
			return m.Priority, true
		}
	}
	return 0, false
}

// Candidate is one node as the planner sees it.
type Candidate struct {
	Node string
	// Barred is the rule outside the domain that rules the node out (it is offline,
	// it is being fenced); empty when none does.
	Barred message.Text
	// Failed tells that a start was tried there and failed; such a node comes last.
	Failed bool
	// Last says why the node comes after all others; empty when it does not.
	Last message.Text
	// Memory and CPUs order nodes that are otherwise equal: how much of what the node may give would
	// be taken, in percent; both are 0 where that is not known of all of them.
	Memory, CPUs int
	// Load orders those that are still equal: the number of services there.
	Load int
}

// Verdict is what the domain says about one candidate.
type Verdict struct {
	Node  string `json:"node"`
	Legal bool   `json:"legal"`
	// Why is the rule that ruled it out, or what speaks for it.
	Why message.Text `json:"why"`

	outside  bool
	priority int
	failed   bool
	shares   [2]int
	load     int
}

// Rank judges every candidate: legal ones first, best first. A nil domain
// allows every node alike.
func Rank(d *Domain, candidates []Candidate) []Verdict {
	verdicts := make([]Verdict, 0, len(candidates))
	for _, c := range candidates {
		verdicts = append(verdicts, judge(d, c))
	}
	sort.Slice(verdicts, func(i, j int) bool { return better(verdicts[i], verdicts[j]) })
	return verdicts
}

func judge(d *Domain, c Candidate) Verdict {
	v := Verdict{Node: c.Node, failed: c.Failed, shares: [2]int{c.Memory, c.CPUs}, load: c.Load}
	if !c.Barred.IsZero() {
		v.Why = c.Barred
		return v
	}
	v.Legal = true
	v.Why = message.PlacementAnyNode.With()
	if d != nil {
		v = d.place(v)
	}
	switch {
	case v.Legal && c.Failed:
		v.Why = message.PlacementStartFailed.With(v.Why)
	case v.Legal && !c.Last.IsZero():
		v.failed = true
		v.Why = message.PlacementLast.With(v.Why, c.Last)
	}
	return v
}

func (d *Domain) place(v Verdict) Verdict {
	priority, inside := d.member(v.Node)
	switch {
	case inside && d.Ordered && priority == lastPriority:
		v.priority, v.Why = priority, message.DomainUnranked.With(d.Name)
	case inside && d.Ordered:
		v.priority, v.Why = priority, message.DomainPriority.With(priority, d.Name)
	case inside:
		v.priority, v.Why = priority, message.DomainMember.With(d.Name)
	case d.Restricted:
		v.Legal, v.Why = false, message.DomainForbids.With(d.Name)
	default:
		v.outside, v.Why = true, message.DomainOutside.With(d.Name)
	}
	return v
}

func better(a, b Verdict) bool {
	switch {
	case a.Legal != b.Legal:
		return a.Legal
	case a.failed != b.failed:
		return b.failed
	case a.outside != b.outside:
		return b.outside
	case a.priority != b.priority:
		return a.priority < b.priority
	case a.shares[0] != b.shares[0]:
		return a.shares[0] < b.shares[0]
	case a.shares[1] != b.shares[1]:
		return a.shares[1] < b.shares[1]
	case a.load != b.load:
		return a.load < b.load
	}
	return a.Node < b.Node
}

// Leaves reports whether a service leaves owner when a better node can be had, by
// the domain alone. It is asked before Failback, because most services run where
// they belong.
func (d *Domain) Leaves(owner string) bool {
	if d == nil {
		return false
	}
	priority, inside := d.member(owner)
	if !inside {
		return true
	}
	if d.NoFailback || !d.Ordered {
		return false
	}
	for _, m := range d.Members {
		if other, _ := d.member(m.Node); other < priority {
			return true
		}
	}
	return false
}

// Failback reports whether a service that runs well on owner should move, and
// where: into the domain from outside always, to a better member only when the
// domain is ordered and allows failback. The sentence says why.
func Failback(d *Domain, owner string, candidates []Candidate) (node string, why message.Text, move bool) {
	if !d.Leaves(owner) {
		return "", message.Text{}, false
	}
	verdicts := Rank(d, candidates)
	if len(verdicts) == 0 || !verdicts[0].Legal || verdicts[0].Node == owner || verdicts[0].outside || verdicts[0].failed {
		return "", message.Text{}, false
	}
	best := verdicts[0]
	priority, inside := d.member(owner)
	if !inside {
		return best.Node, message.FailbackIntoDomain.With(best.Node, d.Name, owner), true
	}
	switch {
	case best.priority >= priority:
		return "", message.Text{}, false
	case priority == lastPriority:
		return best.Node, message.FailbackUnranked.With(best.Node, best.priority, d.Name, owner), true
	}
	return best.Node, message.FailbackPriority.With(best.Node, best.priority, d.Name, owner, priority), true
}

// Legal reports whether the domain lets the node run the service, and why not.
func Legal(d *Domain, node string) (bool, message.Text) {
	v := judge(d, Candidate{Node: node})
	return v.Legal, v.Why
}
