package apply

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// mayLack refuses a request to start what depends on a service that nobody is
// about to start.
func (t *transaction) mayLack(service cluster.Service) rules.Refusal {
	for _, d := range service.Spec.Depend {
		needed, known := t.Services.Get(d.Service)
		if !known || needed.Up() {
			continue
		}
		if !needed.Enabled || needed.Held || needed.State == resources.Failed || needed.Flags&resources.Frozen != 0 {
			return rules.RefuseAsf(cluster.CodeDependency, "%s depends on %s, which is %s; enable that one first",
				service.Spec.Name, d.Service, needed.State)
		}
	}
	return rules.Accepted
}

// longestFreeze bounds how far ahead a freeze may end by itself.
const longestFreeze = 366 * 24 * time.Hour

func (t *transaction) mayFreeze(service cluster.Service, c cluster.Ask) rules.Refusal {
	if s := service.State; s != resources.Started && s != resources.Stopped && s != resources.Disabled {
		return rules.RefuseAsf(cluster.CodeTemporary, "%s is %s", c.Service, s)
	}
	if c.For < 0 || c.For > longestFreeze {
		return rules.RefuseAsf(cluster.CodeInvalid, "a freeze ends after 0s to %s, not after %s", longestFreeze, c.For)
	}
	return rules.Accepted
}

// freeze sets the flag and keeps who did it.
func (t *transaction) freeze(service cluster.Service, c cluster.Ask) cluster.Service {
	service.Flags |= resources.Frozen
	service.Freeze = &cluster.Freeze{At: t.At, By: c.By, Why: c.Reason}
	if c.For > 0 {
		service.Freeze.Until = t.At.Add(c.For).Round(time.Second)
	}
	return service
}

// applyThaw ends a freeze by the leader's clock, as it stands in the entry.
func (t *transaction) applyThaw(c cluster.Thaw) rules.Refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Freeze == nil || !service.Freeze.Until.Equal(c.Until) || c.Until.IsZero() {
		return rules.Refusef("%s is not frozen until then", c.Service)
	}
	if t.At.Before(c.Until) {
		return rules.Refusef("%s is frozen %s", c.Service, service.Freeze.EndText())
	}
	by := words.OrElse(service.Freeze.By, "an administrator")
	service.Flags &^= resources.Frozen
	service.Freeze = nil
	t.setService(service, service.State,
		cluster.Event{Node: service.Owner, By: "expiry", Why: message.Sentence("the time of the freeze by " + by + " is over")})
	t.thawed(c.Service)
	return rules.Accepted
}

func (t *transaction) applyLockCluster(c cluster.LockCluster) rules.Refusal {
	if t.Lock != nil && (t.Lock.Stop || !c.Stop) {
		return rules.Accepted // it is so already
	}
	t.Lock = &cluster.Lock{Index: t.index, At: t.At, By: c.By, Why: c.Why, Stop: c.Stop}
	why := "locked: no service is started until it is unlocked; stops and live migrations work"
	if c.Stop {
		why = "the whole cluster is stopped: all services in the reverse order of their start; what is enabled starts " +
			"again with the cluster"
	}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: message.Sentence(words.Sentence(why, c.Why))})
	return rules.Accepted
}

func (t *transaction) applyUnlockCluster(c cluster.UnlockCluster) rules.Refusal {
	switch {
	case t.Lock == nil:
		return rules.Accepted
	case t.Lock.Stop && !c.Start:
		return rules.Refusef("the whole cluster was stopped by %s; `clusterd cluster start` starts it again",
			words.OrElse(t.Lock.By, "an administrator"))
	}
	why := "unlocked: services may start again"
	if t.Lock.Stop {
		why = "the cluster is started again: services start in order"
	}
	t.Lock = nil
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: message.Sentence(words.Sentence(why, c.Why))})
	return rules.Accepted
}

// mayUnderLock refuses what could only end in a start, before anything is
// stopped for it.
func (t *transaction) mayUnderLock(service cluster.Service, op cluster.Operation) rules.Refusal {
	starts := op == cluster.OpRestart || op == cluster.OpRelocate || op == cluster.OpConvalesce ||
		(op == cluster.OpEnable && service.State != resources.Started)
	if why := t.LockedWhy(); !why.IsZero() && starts {
		return rules.Refusal{Code: cluster.CodeTemporary, Why: message.Sentence(why.String() + "; " + t.UnlockNext().String() + " ends that")}
	}
	return rules.Accepted
}

// longestDeadline bounds the deadline of a drain.
const longestDeadline = 7 * 24 * time.Hour

func (t *transaction) applyOrderNode(c cluster.OrderNode) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.Refusal{Code: cluster.CodeNodeDead, Why: message.Sentence("there is no node " + c.Node)}
	case n.Witness:
		return rules.Refusef("%s is a witness and runs no services", c.Node)
	case c.Within < 0 || c.Within > longestDeadline:
		return rules.Refusef("a deadline lies between now and %s from now, not %s", longestDeadline, c.Within)
	case c.Order == "":
		return t.takeBack(c, n)
	case c.Order != cluster.OrderStandby && c.Order != cluster.OrderDrain && c.Order != cluster.OrderMaintenance:
		return rules.Refusef("%q is no order; there are %s, %s, %s", c.Order, cluster.OrderStandby, cluster.OrderDrain,
			cluster.OrderMaintenance)
	}
	order := cluster.Order{Kind: c.Order, Index: t.index, At: t.At, By: c.By, Why: c.Why}
	if c.Within > 0 {
		order.Deadline = t.At.Add(c.Within).Round(time.Second)
	}
	if n.Order != nil {
		order.Empty = n.Order.Empty // what is empty stays so under another order
	}
	n.Order = &order
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, By: c.By, Why: order.Beginning()})
	return rules.Accepted
}

func (t *transaction) takeBack(c cluster.OrderNode, n cluster.Member) rules.Refusal {
	if n.Order == nil {
		return rules.Accepted
	}
	kind := n.Order.Kind
	n.Order = nil
	t.Nodes.Set(n.Name, n)
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By,
		Why: message.Sentence(words.Sentence(fmt.Sprintf(
			"its %s is over: it takes services again, and those that were moved away for it come back", kind), c.Why))})
	return rules.Accepted
}

func (t *transaction) applyNodeEmpty(c cluster.NodeEmpty) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Order == nil || n.Order.Index != c.Order || n.Order.Empty != 0 {
		return rules.Refusef("%s is under no such order", c.Node)
	}
	if held := t.HeldBy(n); len(held) > 0 {
		return rules.Refusef("%s may still be running %s", c.Node, held[0])
	}
	order := *n.Order
	order.Empty = t.index
	n.Order = &order
	t.Nodes.Set(c.Node, n)
	why := "it no longer holds anything"
	if order.Kind == cluster.OrderMaintenance {
		why += ": it may be restarted or switched off, and is not fenced for it"
	}
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Cause: order.Index, Why: message.Sentence(why)})
	return rules.Accepted
}

// sentAway remembers, when a service begins to leave a node that is under an order
// or leaves itself, that it belongs there.
func (t *transaction) sentAway(service cluster.Service, n cluster.Member) cluster.Service {
	switch {
	case service.Wish != nil:
		return service
	case n.Order == nil && n.State != cluster.NodeLeaving:
		service.Home = "" // another rule moves it on its own account
		return service
	}
	home, known := t.Nodes.Get(service.Home)
	if !known || (home.Order == nil && home.State == cluster.NodeOnline) {
		service.Home = n.Name
	}
	return service
}
