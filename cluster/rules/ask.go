package rules

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Answers are held against the State they are made from: nothing is called running
// that is only remembered, nor done that was done somewhere else.

// Running says with a code that a started service runs where it belongs. Where that is
// only remembered, or it stands still, it says that instead.
func (w *World) Running(service cluster.Service, code int, why message.Text) Refusal {
	owner := service.Owner
	name := service.Spec.Name
	n, off := w.Workable(owner)
	h, _ := service.Holder(owner)
	switch {
	case w.Fences.Has(owner):
		return RefuseAs(cluster.CodeFencing, message.OwnerFencing.With(name, owner))
	case !off.IsZero():
		return RefuseAs(cluster.CodeTemporary, message.OwnerOutOfTouch.With(name, owner, n.State))
	case h.Condition != string(resources.Running):
		return RefuseAs(cluster.CodeTemporary, foundAs(name, owner, h))
	}
	return RefuseAs(code, why)
}

// foundAs says as what a service was seen last on a node.
func foundAs(name, node string, h cluster.Holder) message.Text {
	if h.Condition == "" {
		return message.ServiceNotSeen.With(name, node, h.Reason)
	}
	return message.ServiceSeenAs.With(name, h.Condition, node, h.Reason)
}

// ArrivedLive is the answer to a migration whose guest left its source: it may have fallen on its
// new node before anybody looked.
func ArrivedLive(s cluster.Service) Refusal {
	h, _ := s.Holder(s.Owner)
	if h.Condition == string(resources.Running) {
		return Accepted
	}
	if h.Condition == "" {
		return Refuse(message.MoveArrivedUnseen.With(s.Owner, h.Reason))
	}
	return Refuse(message.MoveArrivedAs.With(h.Condition, s.Owner, h.Reason))
}

// StoppedHere is the answer to a request to stop whose stop on one node is proven. Where the
// service is known to have been since, and nobody is asked, the request is not fulfilled.
func StoppedHere(s cluster.Service, node string) Refusal {
	if len(s.Holders) == 0 {
		return Accepted
	}
	for _, h := range s.Holders {
		if !h.Ask {
			why := message.StopCopyLeft.With(node, h.Condition, h.Node, h.Reason)
			if h.Condition == "" {
				why = message.StopCopyUnseen.With(node, h.Node, h.Reason)
			}
			return RefuseAs(cluster.CodeTemporary, why)
		}
	}
	return RefuseAs(cluster.CodeSuccess, message.StopAsksOthers.With(node, cluster.HolderNodes(s)))
}

// MayTarget checks a node that was named by the administrator.
func (w *World) MayTarget(service cluster.Service, node string, offline, illegal int) Refusal {
	n, known := w.Nodes.Get(node)
	if !known {
		return RefuseAs(cluster.CodeNodeDead, message.NodeUnknown.With(node))
	}
	if w.Fences.Has(node) {
		return RefuseAs(cluster.CodeFencing, message.FenceUnderWay.With(node))
	}
	if n.State != cluster.NodeOnline {
		return RefuseAs(offline, message.NodeInState.With(node, n.State))
	}
	if n.Order != nil {
		return RefuseAs(illegal, message.TargetOrdered.With(node, n.OrderWhy()))
	}
	if n.Restarts.Lately(w.At) {
		return RefuseAs(offline, message.TargetRestless.With(node, n.Restarts.Says()))
	}
	if why := w.MayRun(service, n); !why.IsZero() {
		return RefuseAs(illegal, why)
	}
	return w.MayJoin(service, n)
}

// MayRelocate says why a request to relocate is refused.
func (w *World) MayRelocate(service cluster.Service, c cluster.Ask) Refusal {
	switch service.State {
	case resources.Disabled, resources.Uninitialized, resources.Failed:
		return RefuseAs(cluster.CodeInvalid, message.ServiceInState.With(c.Service, service.State))
	case resources.Migrating, resources.Starting, resources.Stopping:
		return RefuseAs(cluster.CodeTemporary, message.ServiceInState.With(c.Service, service.State))
	}
	service = StartedAnew(service)
	if why := w.Lacks(service); !why.IsZero() && service.Up() {
		return RefuseAs(cluster.CodeDependency, message.RelocateLacks.With(why))
	}
	if c.Node != "" {
		// What is taken off its node for a recovery or a leave still belongs there, and is seen
		// running until it is gone: it has to be started again, so its node is a target like any.
		if c.Node == service.Owner && service.State == resources.Started {
			return w.Running(service, cluster.CodeSuccess, message.ServiceRunsThere.With(c.Service, c.Node))
		}
		return w.MayTarget(service, c.Node, cluster.CodeNodeDead, cluster.CodeDependency)
	}
	w = w.Counted()
	var out []message.Text
	full := false
	for _, v := range domain.Rank(w.DomainOf(service), w.Candidates(service)) {
		if v.Legal && v.Node != service.Owner {
			return Accepted
		}
		if v.Node != service.Owner {
			out = append(out, message.NodeRuledOut.With(v.Node, v.Why))
			full = full || !w.TooFull(&service, v.Node).IsZero()
		}
	}
	if full {
		return Refuse(message.StartNowhere.With(out))
	}
	if len(w.ObjectionsTo(service).Why) > 0 {
		return RefuseAs(cluster.CodeDependency, message.RelocateRules.With(c.Service))
	}
	return Refuse(message.RelocateNowhere.With(c.Service))
}

// MayMigrate says why a request to migrate is refused.
func (w *World) MayMigrate(service cluster.Service, c cluster.Ask) Refusal {
	if c.Node == "" {
		return RefuseAs(cluster.CodeInvalid, message.MigrateNoTarget.With())
	}
	if !service.Spec.Traits().Live {
		return RefuseAs(cluster.CodeInvalid, cluster.NotLive(service))
	}
	if refused := w.MayTarget(service, c.Node, cluster.CodeNodeDead, cluster.CodeDependency); refused != Accepted {
		return refused
	}
	switch service.State {
	case resources.Started:
	case resources.Starting, resources.Stopping, resources.Migrating, resources.Recovering, resources.Recoverable:
		return RefuseAs(cluster.CodeTemporary, message.ServiceInState.With(c.Service, service.State))
	default:
		return Refuse(message.ServiceNotStarted.With(c.Service, service.State))
	}
	if service.Owner == c.Node {
		return w.Running(service, cluster.CodeSuccess, message.ServiceRunsThere.With(c.Service, c.Node))
	}
	if len(service.Holders) != 1 {
		return RefuseAs(cluster.CodeTemporary, message.MigrateUnclear.With(c.Service, cluster.HolderNodes(service)))
	}
	if h, _ := service.Holder(service.Owner); h.Condition != string(resources.Running) {
		return RefuseAs(cluster.CodeTemporary, message.MigrateNotRunning.With(foundAs(c.Service, service.Owner, h)))
	}
	if why := w.turnsKey(service.Owner, c.Node); !why.IsZero() {
		return RefuseAs(cluster.CodeTemporary, why)
	}
	return Accepted
}

// DoneAtOnce is the answer to a request that needs no act. What was found running where nobody
// asked for it is kept, and it is not where it was asked for.
func DoneAtOnce(c cluster.Ask, service cluster.Service) Refusal {
	if c.Op != cluster.OpEnable || c.Node == "" || c.Node == service.Owner {
		return Accepted
	}
	return Refuse(message.EnabledElsewhere.With(service.Owner, c.Node, c.Service))
}
