package plan

import (
	"fmt"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// rank judges the nodes for a start or a move of the cluster's own: by the
// failover domain, by the rules between services, by who runs together with it.
func (p *planner) rank(service cluster.Service, failedOn []cluster.FailedStart, gather bool) []domain.Verdict {
	list := p.Rankable(service, failedOn, p.Load)
	p.shun(service, list)
	barred, last := map[string]message.Text{}, map[string]message.Text{}
	if gather {
		for _, c := range list {
			barred[c.Node] = c.Barred.OrElse(c.Last)
			if c.Failed {
				barred[c.Node] = message.NodeStartFailed.With()
			}
		}
		barred = p.gathering(service, barred)
		last = p.cramped(service)
	}
	for i, c := range list {
		if c.Barred.IsZero() {
			list[i].Barred = barred[c.Node]
		}
		list[i].Last = last[c.Node].OrElse(c.Last)
	}
	home := p.DomainOf(service)
	if home == nil && gather {
		// Who has no wishes goes where those go that it runs together with.
		for _, other := range p.Companions(service.Spec.Name) {
			if theirs := p.DomainOf(*other); theirs != nil && other.Enabled {
				if verdicts := domain.Rank(theirs, list); len(verdicts) > 0 && verdicts[0].Legal {
					return verdicts
				}
			}
		}
	}
	return domain.Rank(home, list)
}

// move is what takes a running service to another node: live if it is a VM.
func (p *planner) move(service cluster.Service, target, by string, why message.Text) answer {
	if what := service.Spec.NotLive(); what != "" {
		return staying(message.StaysNotLive.With(service.Owner, why, boundBy(what)),
			message.DoRelocateThere.With(service.Spec.Name, target))
	}
	c := cluster.Begin{Service: service.Spec.Name, Intent: cluster.IntentMigrate, Node: service.Owner, Target: target,
		By: by, Why: why}
	if !service.Spec.Traits().Live {
		c.Intent, c.Purpose = cluster.IntentStop, cluster.ForMove
	}
	return acting(c)
}

// planFailback moves a running service to a node that suits it better. Of
// services that run together one decides for all, so that they do not pull at
// each other.
func (p *planner) planFailback(r *running) answer {
	home := p.DomainOf(r.service)
	if !r.well() || !home.Leaves(r.service.Owner) {
		return answer{}
	}
	service := r.service
	list := p.Rankable(service, service.FailedOn, p.Load)
	group := p.Companions(service.Spec.Name)
	var last map[string]message.Text
	if len(group) > 0 {
		if !p.head(service, group) {
			return answer{}
		}
		last = p.cramped(service)
		for i, c := range list {
			list[i].Barred = c.Barred.OrElse(last[c.Node])
		}
	}
	plain := slices.Clone(list)
	p.shun(service, list)
	target, why, move := domain.Failback(home, service.Owner, list)
	if !move {
		return p.notBetter(service, group, plain, last)
	}
	if other := p.placedOf(service, group, target); other != nil {
		return p.notHome(service, target, why, other.PlacedWhy())
	}
	if other := p.returnsTo(target, service); other != "" {
		return waiting(message.FailbackKept.With(service.Owner, target, other), message.Text{})
	}
	how := message.FailbackLive
	if !service.Spec.Traits().Live {
		how = message.FailbackCold
	}
	return p.move(service, target, "failback", how.With(why))
}

// notBetter says of the node that would suit a service best why it is not there. A
// node that is away, is fenced or is to be emptied tells of itself, and where a rule
// between services forbids a node the service waits for nothing; of one that seems to be
// there nobody would know what keeps the service away.
func (p *planner) notBetter(
	service cluster.Service, group []*cluster.Service, list []domain.Candidate, cramped map[string]message.Text,
) answer {
	bars, open, rules := map[string]message.Text{}, slices.Clone(list), p.ObjectionsTo(service).Why
	for i, c := range open {
		n, _ := p.Nodes.Get(c.Node)
		if p.BarredFor(c.Node, n).IsZero() {
			bars[c.Node] = c.Barred.OrElse(c.Last)
			open[i] = domain.Candidate{Node: c.Node, Load: c.Load,
				Barred: cramped[c.Node].OrElse(rules[c.Node])}
		}
	}
	target, better, would := domain.Failback(p.DomainOf(service), service.Owner, open)
	trouble, troubled := p.troubles(service)[target]
	if !would {
		return answer{}
	}
	if other := p.placedOf(service, group, target); other != nil {
		return p.notHome(service, target, better, other.PlacedWhy())
	}
	if bars[target].IsZero() && troubled {
		return p.notHome(service, target, better, trouble.TriedLater())
	}
	return waiting(message.FailbackBarred.With(service.Owner, better, target, bars[target]),
		message.DoNothingForMove.With())
}

// placedOf is a service, or one of its group, that an administrator put where it is rather than
// on a node that suits it better: moving one of them moved all. It is nil where there is none.
func (p *planner) placedOf(service cluster.Service, group []*cluster.Service, target string) *cluster.Service {
	for _, other := range append(slices.Clip(group), &service) {
		if p.placedByHand(*other, target) {
			return other
		}
	}
	return nil
}

// notHome says why a service is not where its domain would rather have it.
func (p *planner) notHome(service cluster.Service, target string, better, why message.Text) answer {
	return waiting(message.FailbackHeld.With(service.Owner, better, why),
		message.DoMoveAnyway.With(moveCommand(service, target)))
}

// moveCommand is how a person moves a service.
func moveCommand(service cluster.Service, target string) string {
	how := "-M"
	if !service.Spec.MovesLive() {
		how = "-r"
	}
	return fmt.Sprintf("clusvcadm %s %s -m %s", how, service.Spec.Name, target)
}

// planBanished moves a service off a node that its restricted domain forbids:
// whoever put it there, and whatever else speaks for that place.
func (p *planner) planBanished(r *running) answer {
	legal, why := domain.Legal(p.DomainOf(r.service), r.service.Owner)
	if legal || !r.well() {
		return answer{}
	}
	service, verdicts := r.service, p.rank(r.service, r.service.FailedOn, true)
	if len(verdicts) > 0 && verdicts[0].Legal {
		return p.move(service, verdicts[0].Node, "domain",
			message.BanishedMoves.With(verdicts[0].Node, service.Owner, why))
	}
	next := message.DoMakeDomainRoom.With()
	if cold := p.coldTarget(service); cold != "" {
		next = message.DoRelocateThere.With(service.Spec.Name, cold)
	}
	return staying(message.BanishedStays.With(service.Owner, why, reasons(verdicts, service.Owner)), next)
}

// coldTarget is where a service would be started that cannot move live; "" for
// nowhere.
func (p *planner) coldTarget(service cluster.Service) string {
	service.Troubles = nil
	if verdicts := p.rank(service, service.FailedOn, true); len(verdicts) > 0 && verdicts[0].Legal {
		return verdicts[0].Node
	}
	return ""
}

// reasons are why nodes other than one may not run a service.
func reasons(verdicts []domain.Verdict, but string) []message.Text {
	list := make([]message.Text, 0, len(verdicts))
	for _, v := range verdicts {
		if v.Node != but && !v.Legal {
			list = append(list, message.NodeRuledOut.With(v.Node, v.Why))
		}
	}
	if len(list) == 0 {
		list = append(list, message.OtherNodeMissing.With())
	}
	return list
}

// planTogether brings a running service to where the one of its companions is
// that came last to its node: it was put there for a reason.
func (p *planner) planTogether(r *running) answer {
	if !r.well() {
		return answer{}
	}
	service, newest := r.service, r.service
	for _, other := range p.Companions(service.Spec.Name) {
		if !other.Up() {
			continue
		}
		if other.Intent != nil || other.Wish != nil || other.State != resources.Started {
			return answer{} // first that one comes to rest
		}
		if other.Newer(newest) {
			newest = *other
		}
	}
	target := newest.Owner
	if target == service.Owner {
		return answer{}
	}
	name, other := service.Spec.Name, newest.Spec.Name
	anyway := message.DoMoveAnyway.With(moveCommand(service, target))
	if !service.Spec.Traits().Live && p.restsOn(newest, name, map[string]bool{}) {
		// What it would follow goes down for the move: it would have no reason left, and
		// the two would take turns forever.
		return waiting(message.AwayForNeed.With(service.Owner, other, target), anyway)
	}
	trouble, troubled := p.troubles(service)[target]
	for _, v := range p.rank(service, service.FailedOn, false) {
		switch {
		case v.Node != target:
		case troubled:
			return waiting(message.AwayForTrouble.With(service.Owner, other, target, trouble.TriedLater()), anyway)
		case !v.Legal:
			return waiting(message.AwayForRule.With(service.Owner, other, target, v.Why), message.Text{})
		default:
			return p.move(service, target, "together", message.FollowsOther.With(other, target))
		}
	}
	return answer{}
}

// noteRules says which rule is broken where a service runs: rules that came
// later, and what people move by hand, do not stop anything.
func (p *planner) noteRules(service cluster.Service) {
	if why := p.ObjectionsTo(service).Why[service.Owner]; !why.IsZero() {
		p.wait(service.Spec.Name, message.RuleBroken.With(service.Owner, why), message.DoMoveOrChangeRule.With())
	}
}

// returnsTo is the service that is down for a moment only, was on a node, and may not be there
// together with another service; "" if there is none. A rule that took its place meanwhile would
// be undone by whatever brings that service back, and take it anew the next time it goes down.
func (p *planner) returnsTo(node string, service cluster.Service) string {
	if len(p.Rules().Apart) == 0 {
		return ""
	}
	for _, other := range p.Services.Rows() {
		down := other.Enabled && !other.Held && other.State == resources.Stopped && other.LastOwner == node
		if !down || other.Spec.Name == service.Spec.Name {
			continue
		}
		if why, _ := cluster.Clash(&service.Spec, &other.Spec); why.IsZero() {
			continue
		}
		if _, comes := p.unmet(*other); comes {
			return other.Spec.Name
		}
	}
	return ""
}
