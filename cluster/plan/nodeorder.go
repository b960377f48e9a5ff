package plan

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// planEvacuation moves a service off a node that leaves: live to the first node
// that takes it, one after the other. It is shut down, so that the node's power can
// go, only where no node is left that could.
func (p *planner) planEvacuation(r *running) answer {
	if !r.known() || r.node.State != cluster.NodeLeaving {
		return answer{}
	}
	service := r.service
	name, owner := service.Spec.Name, service.Owner
	what, live := service.Spec.NotLive(), service.Spec.MovesLive()
	for _, v := range p.rank(service, service.FailedOn, true) {
		if !v.Legal || v.Node == owner {
			continue
		}
		c := cluster.Begin{Service: name, Intent: cluster.IntentMigrate, Node: owner, Target: v.Node, By: cluster.ByLeave,
			Why: message.LeaveLive.With(v.Node, owner)}
		if !live {
			c.Intent, c.Purpose = cluster.IntentStop, cluster.ForMove
			c.Why = message.LeaveCold.With(v.Node, owner, boundBy(what))
		}
		refused := rules.BeginRefused(c, &p.World)
		if refused == rules.Accepted {
			p.Load[v.Node]++
			return acting(c)
		}
		if h, _ := service.Holder(owner); refused.Code == cluster.CodeTemporary && live &&
			h.Condition == string(resources.Running) {
			return staying(message.LeaveLiveSoon.With(owner, v.Node, refused.Why), message.Text{})
		}
	}
	if node := p.takesItSoon(service); node != "" {
		return staying(message.LeaveForNode.With(owner, node), message.Text{})
	}
	return acting(cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: owner, Purpose: cluster.ForRecovery,
		By: cluster.ByLeave, Why: p.whyStopped(service)})
}

// boundBy says why a VM cannot move live; "" where what is none.
func boundBy(what string) message.Text {
	if what == "" {
		return message.Text{}
	}
	return message.BoundToHost.With(what)
}

// takesItSoon is a node that could take a running VM live if it were heard; "" if
// there is none. Either it is heard soon, or it is lost.
func (p *planner) takesItSoon(service cluster.Service) string {
	hushed, node := p.hushed(), ""
	h, _ := service.Holder(service.Owner)
	if len(hushed) == 0 || !service.Spec.MovesLive() ||
		h.Condition != string(resources.Running) {
		return ""
	}
	p.asIfThere(hushed, func() {
		if verdicts := p.rank(service, service.FailedOn, true); len(verdicts) > 0 && verdicts[0].Legal {
			node = verdicts[0].Node
		}
	})
	return node
}

// whyStopped says why a node that leaves cannot hand a service over live.
func (p *planner) whyStopped(service cluster.Service) message.Text {
	var tried []string
	for _, node := range words.SortedKeys(p.troubles(service)) {
		if p.troubles(service)[node].Kind == cluster.TroubleMove {
			tried = append(tried, node)
		}
	}
	h, _ := service.Holder(service.Owner)
	switch {
	case !service.Spec.Traits().Live:
		return message.LeaveNowhere.With(service.Owner)
	case h.Condition != string(resources.Running):
		return message.LeaveNotReady.With(service.Owner, h.Condition)
	case service.Spec.NotLive() != "":
		return message.LeaveBound.With(service.Owner, boundBy(service.Spec.NotLive()))
	case len(tried) > 0:
		return message.LeaveFailed.With(service.Owner, tried)
	}
	if full := p.fullFor(service); len(full) > 0 {
		return message.LeaveNoRoom.With(service.Owner, full)
	}
	return message.LeaveNotLive.With(service.Owner)
}

// fullFor says which nodes could take a service in but for what it needs, and of what they have too
// little.
func (p *planner) fullFor(service cluster.Service) (full []message.Text) {
	for _, node := range p.Nodes.Keys() {
		legal, _ := domain.Legal(p.DomainOf(service), node)
		why := p.TooFull(&service, node)
		if legal && node != service.Owner && p.Barred(node).IsZero() && !why.IsZero() {
			full = append(full, message.NodeRuledOut.With(node, why))
		}
	}
	return full
}

// planOrder moves a service off a node under an order, or says all that stands
// in the way.
func (p *planner) planOrder(r *running) answer {
	if !r.known() || r.node.Order == nil {
		return answer{}
	}
	service, n, order := r.service, r.node, *r.node.Order
	step := p.StepFor(service)
	late := !order.Deadline.IsZero() && p.reached(order.Deadline)
	cold := !service.Spec.Traits().Live
	switch {
	case step.Target == "":
	case step.Method == cluster.MethodLive || (cold && step.Method == cluster.MethodCold):
		return p.move(service, step.Target, string(order.Kind),
			message.OrderMoves.With(step.Target, n.Name, n.OrderWhy()))
	case late && step.ColdTarget != "":
		return acting(cluster.Begin{Service: service.Spec.Name, Intent: cluster.IntentStop, Node: service.Owner,
			Target: step.ColdTarget, Purpose: cluster.ForMove, By: string(order.Kind),
			Why: message.OrderDeadlinePassed.With(step.ColdTarget, n.Name)})
	}
	return staying(message.OrderStays.With(n.Name, n.OrderWhy(), step.Blockers), step.Next)
}

// planOrders tells how far each order is.
func (p *planner) planOrders() {
	for _, name := range p.Nodes.Keys() {
		n, _ := p.Nodes.Get(name)
		if n.Order == nil {
			continue
		}
		held, back := p.HeldBy(n), message.DoReturnNode.With(name)
		switch {
		case len(held) > 0:
			p.wait(name, message.OrderHolds.With(n.OrderWhy(), p.heldAs(held)), back)
		case n.Order.Empty == 0:
			p.decision.propose(cluster.NodeEmpty{Node: name, Order: n.Order.Index})
		case n.Order.Kind == cluster.OrderMaintenance:
			p.wait(name, message.OrderUnfenced.With(n.OrderWhy()), back)
		default:
			p.wait(name, message.OrderHoldsNone.With(n.OrderWhy()), back)
		}
	}
}

// heldAs says of services that hold an order up by themselves what they are.
func (p *planner) heldAs(names []string) []message.Text {
	list := make([]message.Text, 0, len(names))
	for _, name := range names {
		service, _ := p.Services.Get(name)
		switch {
		case service.State == resources.Failed:
			list = append(list, message.HeldFailed.With(name))
		case service.Flags&resources.Frozen != 0:
			list = append(list, message.HeldFrozen.With(name))
		default:
			list = append(list, message.Words(name))
		}
	}
	return list
}

// planReturn brings a service back that was moved away for an order or a leave
// which is over.
func (p *planner) planReturn(r *running) answer {
	if r.service.Home == "" || !r.well() {
		return answer{}
	}
	service := r.service
	n, known := p.Nodes.Get(service.Home)
	if !known || n.Order != nil || n.State != cluster.NodeOnline || n.Name == service.Owner {
		return answer{}
	}
	home := message.HomeIsBack.With(n.Name)
	if tr, troubled := p.troubles(service)[n.Name]; troubled {
		return p.notHome(service, n.Name, home, tr.TriedLater())
	}
	for _, v := range p.rank(service, service.FailedOn, false) {
		switch {
		case v.Node != n.Name:
		case v.Legal:
			return p.move(service, n.Name, "return", message.ReturnsHome.With(n.Name))
		default:
			return p.notHome(service, n.Name, home, v.Why)
		}
	}
	return answer{}
}
