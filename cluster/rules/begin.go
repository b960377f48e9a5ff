package rules

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// BeginRefused says why an intent may not be. It changes nothing: the planner asks
// it too, so that it never proposes forever what Apply refuses forever.
func BeginRefused(c cluster.Begin, w *World) Refusal {
	service, known := w.Services.Get(c.Service)
	if !known {
		return Refuse(message.ServiceUnknown.With(c.Service))
	}
	if i := service.Intent; i != nil {
		return Refuse(message.IntentOpen.With(c.Service, i.Kind, i.Index))
	}
	if service.Flags&resources.Frozen != 0 {
		return RefuseAs(cluster.CodeFrozen, message.IntentFrozen.With(c.Service))
	}
	n, why := w.Workable(c.Node)
	if !why.IsZero() {
		return Refuse(why)
	}
	switch c.Intent {
	case cluster.IntentStart:
		return startRefused(c, w, service, n)
	case cluster.IntentStop:
		return stopRefused(c, w, service, n)
	case cluster.IntentMigrate:
		return migrateRefused(c, w, service, n)
	case cluster.IntentConvalesce:
		return w.MayConvalesce(service)
	case cluster.IntentReconfigure:
		return reconfigureRefused(c, w, service, n)
	}
	return Refuse(message.IntentUnknown.With(c.Intent))
}

// Workable says why a node may not be given an act at all; nothing if it may.
func (w *World) Workable(name string) (cluster.Member, message.Text) {
	n, known := w.Nodes.Get(name)
	switch {
	case !known:
		return n, message.NodeUnknown.With(name)
	case !n.Reachable():
		return n, message.NodeInState.With(name, n.State)
	case w.Fences.Has(name):
		return n, message.FenceUnderWay.With(name)
	case n.StandsBy():
		return n, n.Hung
	}
	return n, message.Text{}
}

// MayRun says why a node may not become a home of the service; nothing if it may.
func (w *World) MayRun(service cluster.Service, n cluster.Member) message.Text {
	switch {
	case n.Witness:
		return message.NodeIsWitness.With(n.Name)
	case n.State != cluster.NodeOnline:
		return message.NodeInState.With(n.Name, n.State)
	case n.Order != nil:
		return message.TargetUnderOrder.With(n.Name, n.OrderWhy())
	}
	if why := w.Unguarded(n); why != "" {
		return message.TargetUnguarded.With(n.Name, why)
	}
	if why := n.HungWhy(service); !why.IsZero() {
		return message.TargetBarred.With(n.Name, why)
	}
	if legal, why := domain.Legal(w.DomainOf(service), n.Name); !legal {
		return message.TargetBarred.With(n.Name, why)
	}
	return message.Text{}
}

// MayJoin is MayRun with the rules between services, and with what the node has room for.
func (w *World) MayJoin(service cluster.Service, n cluster.Member) Refusal {
	if why := w.MayRun(service, n); !why.IsZero() {
		return Refuse(why)
	}
	if why := w.ObjectionsTo(service).Why[n.Name]; !why.IsZero() {
		return RefuseAs(cluster.CodeDependency, message.TargetBarred.With(n.Name, why))
	}
	if why := w.TooFull(&service, n.Name); !why.IsZero() {
		return Refuse(message.TargetBarred.With(n.Name, why))
	}
	return Accepted
}

// DomainOf returns the failover domain of a service, nil for none.
func (w *World) DomainOf(service cluster.Service) *domain.Domain {
	d, declared := w.Document.Domains[service.Spec.Domain]
	if !declared {
		return nil
	}
	return &d
}

// DisksFree enforces law L9 by what was started elsewhere.
func (w *World) DisksFree(service cluster.Service) message.Text {
	for _, other := range w.Others(service.Spec.Name, service.Spec.UUID) {
		for _, h := range other.Holders {
			if disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {
				return message.DiskTaken.With(disks[0], other.Spec.Name, h.Node)
			}
		}
	}
	return message.Text{}
}

// How much of a boot id and of a definition's hash tells it apart for a reader.
const (
	bootDigits       = 8
	definitionDigits = 12
)

// brief is the beginning of an id.
func brief(id string, digits int) string { return id[:min(len(id), digits)] }

// startRefused: a start is legal only when nobody may be running the service,
// or only the very boot that is to start it (law L1).
func startRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	if service.State == resources.Started {
		return Refuse(message.ServiceRunsAlready.With(c.Service, service.Owner))
	}
	if refused := w.MayJoin(service, n); refused != Accepted {
		return refused
	}
	if why := w.Lacks(service); !why.IsZero() {
		return RefuseAs(cluster.CodeDependency, why)
	}
	for _, h := range service.Holders {
		switch {
		case !cluster.OnBoot(n)(h):
			return Refuse(message.StartMayRun.With(c.Service, h.Node, brief(h.Boot, bootDigits)))
		case h.Ask:
			return Refuse(message.StartUnanswered.With(h.Node, c.Service))
		case h.Definition != c.Definition:
			return Refuse(message.StartLeftover.With(c.Service, h.Node, brief(h.Definition, definitionDigits)))
		case !h.StartsWith(service.Spec):
			return Refuse(message.StartLeftoverDisks.With(c.Service, h.Node))
		}
	}
	if c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition) {
		return Refuse(message.IntentDefinition.With(brief(c.Definition, definitionDigits), c.Service))
	}
	if why := w.DisksFree(service); !why.IsZero() {
		return Refuse(why)
	}
	if why := service.HoldsBack(); !why.IsZero() {
		return RefuseAs(cluster.CodeInvalid, why)
	}
	if !service.Enabled {
		return Refuse(message.StartDisabled.With(c.Service))
	}
	if why := w.LockedWhy(); !why.IsZero() {
		return RefuseAs(cluster.CodeTemporary, why)
	}
	return Accepted
}

// stopRefused: only what may be there is stopped. A stop on request needs the
// request, so that a late twin of an intent stops nothing twice (law L7).
func stopRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	h, held := service.Holder(n.Name)
	if !held || !cluster.OnBoot(n)(h) {
		return Refuse(message.StopNotHeld.With(n.Name, c.Service))
	}
	op, byRequest := map[cluster.Purpose]cluster.Operation{cluster.ForDisable: cluster.OpDisable,
		cluster.ForStop: cluster.OpStop, cluster.ForRestart: cluster.OpRestart,
		cluster.ForRelocate: cluster.OpRelocate}[c.Purpose]
	if byRequest && (service.Wish == nil || service.Wish.Op != op) {
		return Refuse(message.StopNoRequest.With(op, c.Service))
	}
	if why := service.ThrowsAway(); !why.IsZero() && c.Purpose != cluster.ForCleanup {
		return RefuseAs(cluster.CodeInvalid, why)
	}
	return stopPointless(c, w, service, n)
}

// stopPointless refuses a stop whose purpose is no longer there, or was not from the start.
func stopPointless(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	switch {
	case c.Purpose == cluster.ForRecovery && c.By == cluster.ByLeave && n.State != cluster.NodeLeaving:
		return Refuse(message.StopLeaveOver.With(n.Name))
	case c.Purpose == cluster.ForRecovery && n.State == cluster.NodeLeaving && w.takesLive(service) != "":
		return Refuse(message.StopMovesLive.With(n.Name, w.takesLive(service), c.Service))
	case c.Purpose == cluster.ForDepend && w.Follows(service).IsZero():
		return Refuse(message.StopNeedsUp.With(c.Service))
	case c.Purpose == cluster.ForAhead &&
		!slices.ContainsFunc(service.Spec.Depend, func(d resources.Dependency) bool { return d.Mode == resources.Hard }):
		return Refuse(message.StopIndependent.With(c.Service))
	case c.Purpose == cluster.ForHalt && (w.Lock() == nil || !w.Lock().Stop):
		return Refuse(message.StopNoHalt.With())
	case c.Purpose == cluster.ForMove:
		return w.mayMoveTo(service, c.Target)
	}
	return Accepted
}

// mayMoveTo asks before a stop whether the service may be started where it is to
// go.
func (w *World) mayMoveTo(service cluster.Service, target string) Refusal {
	n, why := w.Workable(target)
	if !why.IsZero() {
		return RefuseAs(cluster.CodeNodeDead, why)
	}
	if refused := w.MayJoin(StartedAnew(service), n); refused != Accepted {
		return refused
	}
	if why := w.Lacks(service); !why.IsZero() {
		return RefuseAs(cluster.CodeDependency, why)
	}
	if why := w.LockedWhy(); !why.IsZero() {
		return RefuseAs(cluster.CodeTemporary, why)
	}
	return Accepted
}

func migrateRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	target, why := w.Workable(c.Target)
	if !why.IsZero() {
		return RefuseAs(cluster.CodeNodeDead, why)
	}
	if refused := w.MayJoin(service, target); refused != Accepted {
		return RefuseAs(cluster.CodeDependency, refused.Why)
	}
	if !service.Spec.Traits().Live {
		return RefuseAs(cluster.CodeInvalid, cluster.NotLive(service))
	}
	if service.Owner != n.Name || service.State != resources.Started || target.Name == n.Name {
		return Refuse(message.MigrateWrongPlace.With(c.Service, service.State, service.Owner, n.Name, target.Name))
	}
	if len(service.Holders) != 1 || service.Holders[0].Ask || service.Holders[0].Condition != string(resources.Running) {
		return RefuseAs(cluster.CodeTemporary,
			message.MigrateNotAlone.With(c.Service, n.Name, cluster.HolderNodes(service)))
	}
	if why := w.turnsKey(n.Name, target.Name); !why.IsZero() {
		return RefuseAs(cluster.CodeTemporary, why)
	}
	// Nobody is asked about its disks: it brings along those that it has, and who else may
	// write to one does so already. To stop it instead would only add an outage to that.
	return Accepted
}

// MayConvalesce says why the failed parts of a service are not started again.
func (w *World) MayConvalesce(service cluster.Service) Refusal {
	name := service.Spec.Name
	switch {
	case service.State != resources.Started:
		return RefuseAs(cluster.CodeInvalid, message.ServiceNotStarted.With(name, service.State))
	case service.Flags&resources.Partial == 0:
		return w.Running(service, cluster.CodeRunning, message.ConvalesceNothing.With(name))
	}
	return Accepted
}

// reconfigureRefused: only what runs whole on one node takes a change in, and what
// it then writes to must be nobody else's (law L9).
func reconfigureRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	h, held := service.Holder(n.Name)
	switch {
	case !service.Spec.Traits().Parts:
		return Refuse(message.ReconfigureVM.With(c.Service))
	case service.State != resources.Started || service.Owner != n.Name || !held || !cluster.OnBoot(n)(h):
		return Refuse(message.ServiceNotHere.With(c.Service, n.Name))
	case len(service.Holders) > 1 || h.Ask || h.Condition != string(resources.Running):
		return Refuse(message.ReconfigureUnsure.With(c.Service, n.Name))
	case c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition):
		return Refuse(message.IntentDefinition.With(brief(c.Definition, definitionDigits), c.Service))
	case h.Definition == c.Definition:
		return Refuse(message.ReconfigureDone.With(c.Service, brief(c.Definition, definitionDigits)))
	}
	if why := w.DisksFree(service); !why.IsZero() {
		return Refuse(why)
	}
	if why := w.LockedWhy(); !why.IsZero() {
		return RefuseAs(cluster.CodeTemporary, why)
	}
	return Accepted
}
