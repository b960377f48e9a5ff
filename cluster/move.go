package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// rank judges the nodes for a start or a move of the cluster's own: by the
// failover domain, by the rules between services, by who runs together with it.
func (p *planner) rank(service Service, failedOn []FailedStart, gather bool) []domain.Verdict {
	list := p.rankable(service, failedOn, p.load)
	barred, last := map[string]string{}, map[string]string{}
	if gather {
		for _, c := range list {
			barred[c.Node] = c.Barred
		}
		barred = p.gathering(service, barred)
		last = p.cramped(service)
	}
	for i, c := range list {
		if c.Barred == "" {
			list[i].Barred = barred[c.Node]
		}
		list[i].Last = last[c.Node]
	}
	home := p.domainOf(service)
	if home == nil && gather {
		// Who has no wishes goes where those go that it runs together with.
		for _, other := range p.companions(service.Spec.Name) {
			if theirs := p.domainOf(*other); theirs != nil && other.Enabled {
				if verdicts := domain.Rank(theirs, list); len(verdicts) > 0 && verdicts[0].Legal {
					return verdicts
				}
			}
		}
	}
	return domain.Rank(home, list)
}

// gathers tells whether a start of the cluster's own goes where its companions
// are: not where a person chose, or asked for another node.
func (s Service) gathers() bool {
	return s.Wish == nil || (s.Wish.Op != OpRelocate && s.Wish.Target == "")
}

// move begins what takes a running service to another node: live if it is a VM.
func (p *planner) move(service Service, target, by, why string) {
	c := Begin{Service: service.Spec.Name, Intent: IntentMigrate, Node: service.Owner, Target: target, By: by, Why: why}
	if service.Spec.Kind() != resources.KindVM {
		c.Intent, c.Purpose = IntentStop, ForMove
	}
	p.begin(service, c)
}

// stopToMove remembers where a service goes that is stopped for it.
func (t *transaction) stopToMove(service Service, target string) Service {
	n, _ := t.Nodes.Get(target)
	service.Target, service.Moving = target, bounce(n)
	return service
}

// bounce names a target in its present incarnation.
func bounce(n Member) string { return fmt.Sprintf("%s@%d", n.Name, n.Incarnation) }

// arrived ends a move: one that ended elsewhere is not tried again by a rule
// before the target's daemon has started anew.
func (s Service) arrived(n Member) Service {
	if s.Moving != "" && s.Moving != bounce(n) {
		s.LastBounce = s.Moving
	}
	s.Moving = ""
	return s.arrivedHome(n.Name)
}

// arrivedHome forgets that the service belongs elsewhere, once it is there.
func (s Service) arrivedHome(node string) Service {
	if s.Home == node {
		s.Home = ""
	}
	return s
}

// planFailback moves a running service to a node that suits it better. Of
// services that run together one decides for all, so that they do not pull at
// each other.
func (p *planner) planFailback(service Service) {
	home := p.domainOf(service)
	if !home.Leaves(service.Owner) {
		return
	}
	list := p.rankable(service, service.FailedOn, p.load)
	group := p.companions(service.Spec.Name)
	if len(group) > 0 {
		if !p.head(service, group) {
			return
		}
		last := p.cramped(service)
		for i, c := range list {
			list[i].Barred = orElse(c.Barred, last[c.Node])
		}
	}
	target, why, move := domain.Failback(home, service.Owner, list)
	if !move || p.recentlyBounced(service, target) || p.placedByHand(service, target) {
		return
	}
	for _, other := range group {
		if p.placedByHand(*other, target) {
			return // who moved one of them moved all
		}
	}
	text := "fails back live: "
	if service.Spec.Kind() != resources.KindVM {
		text = "fails back: "
	}
	p.move(service, target, "failback", text+why)
}

// planTogether brings a running service to where the one of its companions is
// that came last to its node: it was put there for a reason. It tells whether
// it did.
func (p *planner) planTogether(service Service) bool {
	newest := service
	for _, other := range p.companions(service.Spec.Name) {
		if !other.up() {
			continue
		}
		if other.Intent != nil || other.Wish != nil || other.State != resources.Started {
			return false // first that one comes to rest
		}
		if other.Since > newest.Since {
			newest = *other
		}
	}
	target := newest.Owner
	if target == service.Owner {
		return false
	}
	name := service.Spec.Name
	if service.Spec.Kind() != resources.KindVM && p.restsOn(newest, name, map[string]bool{}) {
		// What it would follow goes down for the move: it would have no reason left, and
		// the two would take turns for ever.
		p.wait(name, fmt.Sprintf("it runs on %s, away from %s on %s, which needs it and would be stopped for its move", service.Owner, newest.Spec.Name, target),
			fmt.Sprintf("`clusvcadm -r %s -m %s` moves it all the same", name, target))
		return false
	}
	for _, v := range p.rank(service, service.FailedOn, false) {
		switch {
		case v.Node != target:
		case !v.Legal:
			p.wait(name, fmt.Sprintf("it runs on %s, away from %s on %s, because it may not run there: %s", service.Owner, newest.Spec.Name, target, v.Why), "")
		case p.recentlyBounced(service, target):
			p.wait(name, fmt.Sprintf("it runs on %s, away from %s on %s, because its move there failed", service.Owner, newest.Spec.Name, target), "")
		default:
			p.move(service, target, "together", fmt.Sprintf("follows %s to %s", newest.Spec.Name, target))
			return true
		}
	}
	return false
}

// noteRules says which rule is broken where a service runs: rules that came
// later, and what people move by hand, do not stop anything.
func (p *planner) noteRules(service Service) {
	if why := p.objectionsTo(service).why[service.Owner]; why != "" {
		p.wait(service.Spec.Name, fmt.Sprintf("it runs on %s against a rule: %s", service.Owner, why), "move one of the two, or change the rule")
	}
}
