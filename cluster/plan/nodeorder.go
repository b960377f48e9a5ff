package plan

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
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
			Why: message.Sentence(fmt.Sprintf("moves live to %s because %s leaves", v.Node, owner))}
		if !live {
			c.Intent, c.Purpose = cluster.IntentStop, cluster.ForMove
			c.Why = message.Sentence(words.Sentence(fmt.Sprintf("moves to %s because %s leaves", v.Node, owner), boundBy(what).String()))
		}
		refused := rules.BeginRefused(c, &p.World)
		if refused == rules.Accepted {
			p.Load[v.Node]++
			return acting(c)
		}
		if h, _ := service.Holder(owner); refused.Code == cluster.CodeTemporary && live &&
			h.Condition == string(resources.Running) {
			return staying(message.Sentence(fmt.Sprintf("%s leaves, and it moves live to %s as soon as it can: %s", owner, v.Node,
				refused.Why)), message.Text{})
		}
	}
	if node := p.takesItSoon(service); node != "" {
		return staying(message.Sentence(fmt.Sprintf("%s leaves, and only %s could take it live, which is not heard at present: "+
			"that is waited for", owner, node)), message.Text{})
	}
	return acting(cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: owner, Purpose: cluster.ForRecovery,
		By:  cluster.ByLeave,
		Why: p.whyStopped(service)})
}

// boundBy says why a VM cannot move live; "" where what is none.
func boundBy(what string) message.Text {
	if what == "" {
		return message.Text{}
	}
	return message.Sentence("it cannot move live while it has " + what)
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
		return message.Sentence(service.Owner + " leaves and no other node may run it now")
	case h.Condition != string(resources.Running):
		return message.Sentence(fmt.Sprintf("%s leaves, and it is %s and cannot move live", service.Owner, h.Condition))
	case service.Spec.NotLive() != "":
		return message.Sentence(fmt.Sprintf("%s leaves, no other node may run it now, and %s", service.Owner,
			boundBy(service.Spec.NotLive())))
	case len(tried) > 0:
		return message.Sentence(fmt.Sprintf("%s leaves, no other node takes it live: its moves to %s failed", service.Owner,
			words.Joined(tried)))
	}
	return message.Sentence(service.Owner + " leaves and no other node can take it live")
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
			message.Sentence(fmt.Sprintf("moves to %s because %s is %s", step.Target, n.Name, n.OrderWhy())))
	case late && step.ColdTarget != "":
		return acting(cluster.Begin{Service: service.Spec.Name, Intent: cluster.IntentStop, Node: service.Owner,
			Target:  step.ColdTarget,
			Purpose: cluster.ForMove, By: string(order.Kind),
			Why: message.Sentence(fmt.Sprintf("stopping to start it on %s: the deadline to leave %s live is over", step.ColdTarget, n.Name))})
	}
	return staying(message.Sentence(fmt.Sprintf("stays on %s, which is %s: %s", n.Name, n.OrderWhy(), strings.Join(message.Sentences(step.Blockers), "; "))),
		step.Next)
}

// planOrders tells how far each order is.
func (p *planner) planOrders() {
	for _, name := range p.Nodes.Keys() {
		n, _ := p.Nodes.Get(name)
		if n.Order == nil {
			continue
		}
		held, back := p.HeldBy(n), "`clusterd node return "+name+"`"
		switch {
		case len(held) > 0:
			p.wait(name, message.Sentence(fmt.Sprintf("%s; still holds %s", n.OrderWhy(), words.Joined(p.heldAs(held)))), message.Sentence(back))
		case n.Order.Empty == 0:
			p.decision.propose(cluster.NodeEmpty{Node: name, Order: n.Order.Index})
		case n.Order.Kind == cluster.OrderMaintenance:
			p.wait(name, message.Sentence(n.OrderWhy().String()+"; it holds nothing and is not fenced"), message.Sentence(back))
		default:
			p.wait(name, message.Sentence(n.OrderWhy().String()+"; it holds nothing"), message.Sentence(back))
		}
	}
}

// heldAs says of services that hold an order up by themselves what they are.
func (p *planner) heldAs(names []string) []string {
	list := make([]string, 0, len(names))
	for _, name := range names {
		service, _ := p.Services.Get(name)
		switch {
		case service.State == resources.Failed:
			name += " (failed; `clusvcadm -d " + name + "` tries to stop it again)"
		case service.Flags&resources.Frozen != 0:
			name += " (frozen; `clusvcadm -U " + name + "`)"
		}
		list = append(list, name)
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
	home := message.Sentence(fmt.Sprintf("it was moved away from %s, which takes services again", n.Name))
	if tr, troubled := p.troubles(service)[n.Name]; troubled {
		return p.notHome(service, n.Name, home, tr.TriedLater())
	}
	for _, v := range p.rank(service, service.FailedOn, false) {
		switch {
		case v.Node != n.Name:
		case v.Legal:
			return p.move(service, n.Name, "return", message.Sentence(fmt.Sprintf("returns to %s, which takes services again", n.Name)))
		default:
			return p.notHome(service, n.Name, home, message.Sentence(v.Why.String()))
		}
	}
	return answer{}
}
