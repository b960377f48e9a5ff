package rules

import (
	"fmt"
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
		return Refusef("there is no service %s", c.Service)
	}
	if service.Intent != nil {
		return Refusef("%s has an open intent to %s since index %d", c.Service, service.Intent.Kind, service.Intent.Index)
	}
	if service.Flags&resources.Frozen != 0 {
		return Refusal{Code: cluster.CodeFrozen, Why: message.Sentence(c.Service + " is frozen")}
	}
	n, why := w.Workable(c.Node)
	if why != "" {
		return Refusef("%s", why)
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
	return Refusef("%q is no intent", c.Intent)
}

// Workable reports whether a node may be given an act at all.
func (w *World) Workable(name string) (cluster.Member, string) {
	n, known := w.Nodes.Get(name)
	switch {
	case !known:
		return n, "there is no node " + name
	case !n.Reachable():
		return n, fmt.Sprintf("%s is %s", name, n.State)
	case w.Fences.Has(name):
		return n, name + " is being fenced"
	}
	return n, ""
}

// MayRun reports whether a node may become a home of the service.
func (w *World) MayRun(service cluster.Service, n cluster.Member) string {
	switch {
	case n.Witness:
		return n.Name + " is a witness and runs no services"
	case n.State != cluster.NodeOnline:
		return fmt.Sprintf("%s is %s", n.Name, n.State)
	case n.Order != nil:
		return fmt.Sprintf("%s is %s", n.Name, n.OrderWhy())
	}
	if why := w.Unguarded(n); why != "" {
		return n.Name + " runs nothing yet: " + why
	}
	if why := n.HungWhy(service); why != "" {
		return n.Name + ": " + why
	}
	if legal, why := domain.Legal(w.DomainOf(service), n.Name); !legal {
		return fmt.Sprintf("%s: %s", n.Name, why)
	}
	return ""
}

// MayJoin is MayRun with the rules between services.
func (w *World) MayJoin(service cluster.Service, n cluster.Member) Refusal {
	if why := w.MayRun(service, n); why != "" {
		return Refusef("%s", why)
	}
	if why := w.ObjectionsTo(service).Why[n.Name]; why != "" {
		return RefuseAsf(cluster.CodeDependency, "%s: %s", n.Name, why)
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
				return message.Sentence(fmt.Sprintf("disk %s may be written by %s on %s", disks[0], other.Spec.Name, h.Node))
			}
		}
	}
	return message.Text{}
}

// startRefused: a start is legal only when nobody may be running the service,
// or only the very boot that is to start it (law L1).
func startRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	if service.State == resources.Started {
		return Refusef("%s runs on %s", c.Service, service.Owner)
	}
	if refused := w.MayJoin(service, n); refused != Accepted {
		return refused
	}
	if why := w.Lacks(service); why != "" {
		return Refusal{Code: cluster.CodeDependency, Why: message.Sentence(why)}
	}
	for _, h := range service.Holders {
		switch {
		case !cluster.OnBoot(n)(h):
			return Refusef("%s may be running on %s (boot %.8s)", c.Service, h.Node, h.Boot)
		case h.Ask:
			return Refusef("%s has not told yet whether it runs %s", h.Node, c.Service)
		case h.Definition != c.Definition:
			return Refusef("what is left of %s on %s was started from definition %.12s", c.Service, h.Node, h.Definition)
		case !h.StartsWith(service.Spec):
			return Refusef("what is left of %s on %s was started with other disks than it is declared with now",
				c.Service, h.Node)
		}
	}
	if c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition) {
		return Refusef("the definition %.12s is not the one in force for %s", c.Definition, c.Service)
	}
	if why := w.DisksFree(service); !why.IsZero() {
		return Refusef("%s", why)
	}
	if why := service.HoldsBack(); why != "" {
		return Refusal{Code: cluster.CodeInvalid, Why: message.Sentence(why)}
	}
	if !service.Enabled {
		return Refusef("%s is disabled", c.Service)
	}
	if why := w.LockedWhy(); !why.IsZero() {
		return Refusal{Code: cluster.CodeTemporary, Why: message.Sentence(why.String())}
	}
	return Accepted
}

// stopRefused: only what may be there is stopped. A stop on request needs the
// request, so that a late twin of an intent stops nothing twice (law L7).
func stopRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	h, held := service.Holder(n.Name)
	if !held || !cluster.OnBoot(n)(h) {
		return Refusef("%s does not hold %s", n.Name, c.Service)
	}
	op, byRequest := map[cluster.Purpose]cluster.Operation{cluster.ForDisable: cluster.OpDisable,
		cluster.ForStop: cluster.OpStop, cluster.ForRestart: cluster.OpRestart,
		cluster.ForRelocate: cluster.OpRelocate}[c.Purpose]
	if byRequest && (service.Wish == nil || service.Wish.Op != op) {
		return Refusef("there is no longer a request to %s %s", op, c.Service)
	}
	if why := service.ThrowsAway(); why != "" && c.Purpose != cluster.ForCleanup {
		return Refusal{Code: cluster.CodeInvalid, Why: message.Sentence(why)}
	}
	switch {
	case c.Purpose == cluster.ForRecovery && c.By == cluster.ByLeave && n.State != cluster.NodeLeaving:
		return Refusef("%s is no longer leaving", n.Name)
	case c.Purpose == cluster.ForRecovery && n.State == cluster.NodeLeaving && w.takesLive(service) != "":
		return Refusef("%s leaves, and %s can take %s live", n.Name, w.takesLive(service), c.Service)
	case c.Purpose == cluster.ForDepend && w.Follows(service) == "":
		return Refusef("what %s depends on is there", c.Service)
	case c.Purpose == cluster.ForAhead &&
		!slices.ContainsFunc(service.Spec.Depend, func(d resources.Dependency) bool { return d.Mode == resources.Hard }):
		return Refusef("%s depends on nothing", c.Service)
	case c.Purpose == cluster.ForHalt && (w.Lock() == nil || !w.Lock().Stop):
		return Refusef("the cluster is not being stopped")
	case c.Purpose == cluster.ForMove:
		return w.mayMoveTo(service, c.Target)
	}
	return Accepted
}

// mayMoveTo asks before a stop whether the service may be started where it is to
// go.
func (w *World) mayMoveTo(service cluster.Service, target string) Refusal {
	n, why := w.Workable(target)
	if why != "" {
		return Refusal{Code: cluster.CodeNodeDead, Why: message.Sentence(why)}
	}
	if refused := w.MayJoin(service, n); refused != Accepted {
		return refused
	}
	if why := w.Lacks(service); why != "" {
		return Refusal{Code: cluster.CodeDependency, Why: message.Sentence(why)}
	}
	if why := w.LockedWhy(); !why.IsZero() {
		return Refusal{Code: cluster.CodeTemporary, Why: message.Sentence(why.String())}
	}
	return Accepted
}

func migrateRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	target, why := w.Workable(c.Target)
	if why != "" {
		return Refusal{Code: cluster.CodeNodeDead, Why: message.Sentence(why)}
	}
	if refused := w.MayJoin(service, target); refused != Accepted {
		return Refusal{Code: cluster.CodeDependency, Why: refused.Why}
	}
	if !service.Spec.Traits().Live {
		return Refusal{Code: cluster.CodeInvalid, Why: cluster.NotLive(service)}
	}
	if service.Owner != n.Name || service.State != resources.Started || target.Name == n.Name {
		return Refusef("%s is %s on %q, it cannot migrate from %s to %s", c.Service, service.State, service.Owner, n.Name,
			target.Name)
	}
	if len(service.Holders) != 1 || service.Holders[0].Ask || service.Holders[0].Condition != string(resources.Running) {
		return RefuseAsf(cluster.CodeTemporary, "%s is not known to run on %s alone (it may be on %s)", c.Service, n.Name,
			cluster.HolderNames(service))
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
		return RefuseAsf(cluster.CodeInvalid, "%s is %s, not started", name, service.State)
	case service.Flags&resources.Partial == 0:
		return w.Running(service, cluster.CodeRunning, message.Sentence(fmt.Sprintf("no part of %s is down", name)))
	}
	return Accepted
}

// reconfigureRefused: only what runs whole on one node takes a change in, and what
// it then writes to must be nobody else's (law L9).
func reconfigureRefused(c cluster.Begin, w *World, service cluster.Service, n cluster.Member) Refusal {
	h, held := service.Holder(n.Name)
	switch {
	case !service.Spec.Traits().Parts:
		return Refusef("%s is a VM, which takes its definition in when it starts", c.Service)
	case service.State != resources.Started || service.Owner != n.Name || !held || !cluster.OnBoot(n)(h):
		return Refusef("%s does not run on %s", c.Service, n.Name)
	case len(service.Holders) > 1 || h.Ask || h.Condition != string(resources.Running):
		return Refusef("it is not known that %s runs on %s and nowhere else", c.Service, n.Name)
	case c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition):
		return Refusef("the definition %.12s is not the one in force for %s", c.Definition, c.Service)
	case h.Definition == c.Definition:
		return Refusef("%s was started from definition %.12s already", c.Service, c.Definition)
	}
	if why := w.DisksFree(service); !why.IsZero() {
		return Refusef("%s", why)
	}
	if why := w.LockedWhy(); !why.IsZero() {
		return Refusal{Code: cluster.CodeTemporary, Why: message.Sentence(why.String())}
	}
	return Accepted
}
