package apply

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
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
			return rules.RefuseAs(cluster.CodeDependency,
				message.RequestDependencyDown.With(service.Spec.Name, d.Service, needed.State))
		}
	}
	return rules.Accepted
}

// longestFreeze bounds how far ahead a freeze may end by itself.
const longestFreeze = 366 * 24 * time.Hour

func (t *transaction) mayFreeze(service cluster.Service, c cluster.Ask) rules.Refusal {
	if s := service.State; s != resources.Started && s != resources.Stopped && s != resources.Disabled {
		return rules.RefuseAs(cluster.CodeTemporary, message.ServiceInState.With(c.Service, s))
	}
	if c.For < 0 || c.For > longestFreeze {
		return rules.RefuseAs(cluster.CodeInvalid, message.RequestFreezeLimit.With(longestFreeze, c.For))
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
		return rules.Refuse(message.ThawOutdated.With(c.Service))
	}
	if t.At.Before(c.Until) {
		return rules.Refuse(message.ThawEarly.With(c.Service, service.Freeze.EndText()))
	}
	by := service.Freeze.By
	service.Flags &^= resources.Frozen
	service.Freeze = nil
	t.setService(service, service.State,
		cluster.Event{Node: service.Owner, By: "expiry", Why: message.FreezeOver.With(by)})
	t.thawed(c.Service)
	return rules.Accepted
}

func (t *transaction) applyLockCluster(c cluster.LockCluster) rules.Refusal {
	if t.Lock != nil && (t.Lock.Stop || !c.Stop) {
		return rules.Accepted // it is so already
	}
	t.Lock = &cluster.Lock{Index: t.index, At: t.At, By: c.By, Why: c.Why, Stop: c.Stop}
	why := message.ClusterLocked
	if c.Stop {
		why = message.ClusterStopped
	}
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: why.With(c.Why)})
	return rules.Accepted
}

func (t *transaction) applyUnlockCluster(c cluster.UnlockCluster) rules.Refusal {
	switch {
	case t.Lock == nil:
		return rules.Accepted
	case t.Lock.Stop && !c.Start:
		return rules.Refuse(message.UnlockStopped.With(t.Lock.By))
	}
	why := message.ClusterUnlocked
	if t.Lock.Stop {
		why = message.ClusterStarted
	}
	t.Lock = nil
	t.tell(cluster.Event{Subject: t.Cluster, By: c.By, Why: why.With(c.Why)})
	return rules.Accepted
}

// mayUnderLock refuses what could only end in a start, before anything is
// stopped for it.
func (t *transaction) mayUnderLock(service cluster.Service, op cluster.Operation) rules.Refusal {
	starts := op == cluster.OpRestart || op == cluster.OpRelocate || op == cluster.OpConvalesce ||
		(op == cluster.OpEnable && service.State != resources.Started)
	if why := t.LockedWhy(); !why.IsZero() && starts {
		return rules.RefuseAs(cluster.CodeTemporary, message.RequestLocked.With(why, t.UnlockNext()))
	}
	return rules.Accepted
}

// longestDeadline bounds the deadline of a drain.
const longestDeadline = 7 * 24 * time.Hour

func (t *transaction) applyOrderNode(c cluster.OrderNode) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.RefuseAs(cluster.CodeNodeDead, message.NodeUnknown.With(c.Node))
	case n.Witness:
		return rules.Refuse(message.NodeIsWitness.With(c.Node))
	case c.Within < 0 || c.Within > longestDeadline:
		return rules.Refuse(message.OrderDeadline.With(longestDeadline, c.Within))
	case c.Order == "":
		return t.takeBack(c, n)
	case c.Order != cluster.OrderStandby && c.Order != cluster.OrderDrain && c.Order != cluster.OrderMaintenance:
		return rules.Refuse(message.OrderUnknown.With(c.Order,
			[]string{string(cluster.OrderStandby), string(cluster.OrderDrain), string(cluster.OrderMaintenance)}))
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
	why := message.OrderOver.With(kind, c.Why)
	switch {
	case n.State != cluster.NodeOnline || t.Fences.Has(n.Name):
		why = message.OrderOverAway.With(kind, c.Why)
	case t.Lock != nil:
		why = message.OrderOverLocked.With(kind, c.Why)
	case !n.Hung.IsZero():
		why = message.OrderOverHung.With(kind, c.Why)
	}
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, By: c.By, Why: why})
	return rules.Accepted
}

func (t *transaction) applyNodeEmpty(c cluster.NodeEmpty) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Order == nil || n.Order.Index != c.Order || n.Order.Empty != 0 {
		return rules.Refuse(message.OrderOutdated.With(c.Node))
	}
	if held := t.HeldBy(n); len(held) > 0 {
		return rules.Refuse(message.NodeMayRun.With(c.Node, held[0]))
	}
	order := *n.Order
	order.Empty = t.index
	n.Order = &order
	t.Nodes.Set(c.Node, n)
	why := message.OrderEmpty
	if order.Kind == cluster.OrderMaintenance {
		why = message.OrderMaintenanceReady
	}
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Cause: order.Index, Why: why.With()})
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
