package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// OrderKind is what an administrator ordered for a node, until it is taken back.
type OrderKind string

// The orders. All of them keep services off the node and move those away that
// are there; the node stays a member, and votes.
const (
	// OrderStandby moves what can move, and is in no hurry.
	OrderStandby OrderKind = "standby"
	// OrderDrain empties the node, by a deadline if one was given.
	OrderDrain OrderKind = "drain"
	// OrderMaintenance is a drain after which the node is not fenced: it may be
	// switched off, because it holds nothing.
	OrderMaintenance OrderKind = "maintenance"
)

// longestDeadline bounds the deadline of a drain.
const longestDeadline = 7 * 24 * time.Hour

// Order is a standing order about a node. It outlives daemons and boots.
type Order struct {
	Kind  OrderKind `json:"kind"`
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	// Deadline is when what could not move live is stopped and started elsewhere;
	// zero is never.
	Deadline time.Time `json:"deadline,omitzero"`
	// Empty is the index at which the node was known to hold nothing; 0 before.
	Empty uint64 `json:"empty,omitempty"`
}

// OrderNode gives a node a standing order, or takes it back where Order is empty.
type OrderNode struct {
	Node  string    `json:"node"`
	Order OrderKind `json:"order,omitempty"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	// Within is how long live moves are waited for; 0 is as long as it takes.
	Within time.Duration `json:"within,omitempty"`
}

// NodeEmpty notes that a node under an order holds nothing any more.
type NodeEmpty struct {
	Node  string `json:"node"`
	Order uint64 `json:"order"`
}

// Kind names the commands in the log.
func (OrderNode) Kind() string { return "order-node" }
func (NodeEmpty) Kind() string { return "node-empty" }

func (OrderNode) level() int { return levelTwo }
func (NodeEmpty) level() int { return levelTwo }

func (t *transaction) applyOrderNode(c OrderNode) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return refusal{Code: codeNodeDead, Why: "there is no node " + c.Node}
	case n.Witness:
		return refuse("%s is a witness and runs no services", c.Node)
	case c.Within < 0 || c.Within > longestDeadline:
		return refuse("a deadline lies between now and %s from now, not %s", longestDeadline, c.Within)
	case c.Order == "":
		return t.takeBack(c, n)
	case c.Order != OrderStandby && c.Order != OrderDrain && c.Order != OrderMaintenance:
		return refuse("%q is no order; there are %s, %s, %s", c.Order, OrderStandby, OrderDrain, OrderMaintenance)
	}
	order := Order{Kind: c.Order, Index: t.index, At: t.at, By: c.By, Why: c.Why}
	if c.Within > 0 {
		order.Deadline = t.at.Add(c.Within).Round(time.Second)
	}
	if n.Order != nil {
		order.Empty = n.Order.Empty // what is empty stays so under another order
	}
	n.Order = &order
	t.Nodes.Set(c.Node, n)
	t.tell(Event{Node: c.Node, Subject: c.Node, By: c.By, Why: sentence(order.beginning(), c.Why)})
	return accepted
}

// beginning says what an order means.
func (o Order) beginning() string {
	text := map[OrderKind]string{
		OrderStandby:     "on standby: it takes no services, those on it move away live where they can",
		OrderDrain:       "is drained: it takes no services, those on it move away",
		OrderMaintenance: "goes into maintenance: it takes no services, those on it move away, and once it holds nothing it is not fenced",
	}[o.Kind]
	if !o.Deadline.IsZero() {
		text += "; from " + o.Deadline.UTC().Format("2006-01-02 15:04:05 MST") + " on also by stop and start"
	}
	return text
}

func (t *transaction) takeBack(c OrderNode, n Member) refusal {
	if n.Order == nil {
		return accepted
	}
	kind := n.Order.Kind
	n.Order = nil
	t.Nodes.Set(n.Name, n)
	t.tell(Event{Node: n.Name, Subject: n.Name, By: c.By, Why: sentence(fmt.Sprintf("its %s is over: it takes services again, and those that were moved away for it come back", kind), c.Why)})
	return accepted
}

func (t *transaction) applyNodeEmpty(c NodeEmpty) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Order == nil || n.Order.Index != c.Order || n.Order.Empty != 0 {
		return refuse("%s is under no such order", c.Node)
	}
	if held := t.heldBy(n); len(held) > 0 {
		return refuse("%s may still be running %s", c.Node, held[0])
	}
	order := *n.Order
	order.Empty = t.index
	n.Order = &order
	t.Nodes.Set(c.Node, n)
	why := "it no longer holds anything"
	if order.Kind == OrderMaintenance {
		why += ": it may be restarted or switched off, and is not fenced for it"
	}
	t.tell(Event{Node: c.Node, Subject: c.Node, Cause: order.Index, Why: why})
	return accepted
}

// orderWhy says that an order keeps services off the node; "" if none does.
func (n Member) orderWhy() string {
	if n.Order == nil {
		return ""
	}
	text := map[OrderKind]string{OrderStandby: "on standby", OrderDrain: "being drained", OrderMaintenance: "in maintenance"}[n.Order.Kind]
	return sentence(text+" by order of "+orElse(n.Order.By, "an administrator"), n.Order.Why)
}

// HeldBy lists the services that may be running on any boot of a machine.
func (s *State) HeldBy(n Member) []string { return s.world().heldBy(n) }

// maintained tells whether an order keeps a silent node from being fenced: it
// was empty, and nothing has been seen on it since.
func (w *World) maintained(n Member) bool {
	if n.Order == nil || n.Order.Kind != OrderMaintenance || n.Order.Empty == 0 {
		return false
	}
	for _, service := range w.Services.Rows() {
		for _, h := range service.Holders {
			if h.Machine == n.Machine() && (h.Condition != "" || h.Creating) {
				return false
			}
		}
	}
	return true
}

// sentAway remembers, when a service begins to leave a node that is under an order
// or leaves itself, that it belongs there.
func (t *transaction) sentAway(service Service, n Member) Service {
	switch {
	case service.Wish != nil:
		return service
	case n.Order == nil && n.State != NodeLeaving:
		service.Home = "" // another rule moves it on its own account
		return service
	}
	home, known := t.Nodes.Get(service.Home)
	if !known || (home.Order == nil && home.State == NodeOnline) {
		service.Home = n.Name
	}
	return service
}

// planOrder moves a service off a node under an order, or says all that stands
// in the way.
func (p *planner) planOrder(r *running) answer {
	if !r.known() || r.node.Order == nil {
		return answer{}
	}
	service, n, order := r.service, r.node, *r.node.Order
	step := p.stepFor(service)
	late := !order.Deadline.IsZero() && p.reached(order.Deadline)
	cold := service.Spec.Kind() != resources.KindVM
	switch {
	case step.Target == "":
	case step.Method == MethodLive || (cold && step.Method == MethodCold):
		return p.move(service, step.Target, string(order.Kind),
			fmt.Sprintf("moves to %s because %s is %s", step.Target, n.Name, n.orderWhy()))
	case late && step.coldTarget != "":
		return acting(Begin{Service: service.Spec.Name, Intent: IntentStop, Node: service.Owner, Target: step.coldTarget,
			Purpose: ForMove, By: string(order.Kind),
			Why: fmt.Sprintf("stopping to start it on %s: the deadline to leave %s live is over", step.coldTarget, n.Name)})
	}
	return staying(fmt.Sprintf("stays on %s, which is %s: %s", n.Name, n.orderWhy(), strings.Join(step.Blockers, "; ")),
		step.Next)
}

// planOrders tells how far each order is.
func (p *planner) planOrders() {
	for _, name := range p.Nodes.Keys() {
		n, _ := p.Nodes.Get(name)
		if n.Order == nil {
			continue
		}
		held, back := p.heldBy(n), "`clusterd node return "+name+"`"
		switch {
		case len(held) > 0:
			p.wait(name, fmt.Sprintf("%s; still holds %s", n.orderWhy(), joined(p.heldAs(held))), back)
		case n.Order.Empty == 0:
			p.decision.propose(NodeEmpty{Node: name, Order: n.Order.Index})
		case n.Order.Kind == OrderMaintenance:
			p.wait(name, n.orderWhy()+"; it holds nothing and is not fenced", back)
		default:
			p.wait(name, n.orderWhy()+"; it holds nothing", back)
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
	if !known || n.Order != nil || n.State != NodeOnline || n.Name == service.Owner {
		return answer{}
	}
	home := fmt.Sprintf("it was moved away from %s, which takes services again", n.Name)
	if tr, troubled := p.troubles(service)[n.Name]; troubled {
		return p.notHome(service, n.Name, home, tr.triedLater())
	}
	for _, v := range p.rank(service, service.FailedOn, false) {
		switch {
		case v.Node != n.Name:
		case v.Legal:
			return p.move(service, n.Name, "return", fmt.Sprintf("returns to %s, which takes services again", n.Name))
		default:
			return p.notHome(service, n.Name, home, v.Why)
		}
	}
	return answer{}
}
