package rules

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// takesLive is a node that may run a VM and to which no move of it has failed; "" where
// there is none, or where it cannot move live. Between a plan and its entry a node may
// have come, or its standby may have ended: the guest is not shut down for what was.
func (w *World) takesLive(service cluster.Service) string {
	h, _ := service.Holder(service.Owner)
	if !service.Spec.MovesLive() || len(service.Holders) != 1 ||
		h.Condition != string(resources.Running) || len(w.Companions(service.Spec.Name)) > 0 {
		return ""
	}
	w = w.Counted()
	for i, name := range w.Nodes.Keys() {
		n := *w.Nodes.Rows()[i]
		tried := service.TroubledOn(n, time.Time{}) // however long ago: the plan alone knows the time
		if name != service.Owner && !tried && w.BarredFor(name, n).IsZero() && w.MayJoin(service, n) == Accepted {
			return name
		}
	}
	return ""
}

// HeldBy lists the services that may be running on any boot of a machine.
func HeldBy(s *cluster.State, n cluster.Member) []string { return Of(s).HeldBy(n) }

// Maintained reports whether an order keeps a silent node from being fenced: it
// was empty, and nothing has been seen on it since.
func (w *World) Maintained(n cluster.Member) bool {
	if n.Order == nil || n.Order.Kind != cluster.OrderMaintenance || n.Order.Empty == 0 {
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

func (o objections) Any() bool { return len(o.Why) > 0 }

// NeedsFence says why a node is to be fenced for a stop that failed there; nothing
// where a person has to look. What is declared counts first. Left open, a
// VM's node is fenced only where the hypervisor does not answer and the cluster
// itself wanted to recover it: nothing else could ever tell that it no longer
// runs. Who asked for a stop by hand is there to look.
func (w *World) NeedsFence(service cluster.Service, node string) message.Text {
	h, held := service.Holder(node)
	n, known := w.Nodes.Get(node)
	if !known || !held || !cluster.OnBoot(n)(h) || !service.Enabled ||
		service.State != resources.Failed || service.Flags&resources.Frozen != 0 {
		return message.Text{}
	}
	byItself := service.StopFailed == cluster.ForRecovery || service.StopFailed == cluster.ForCleanup
	switch {
	case service.Spec.StopFailure == resources.FenceNode && service.StopFailed != "":
		return message.StopFailedFences.With(service.Spec.Name)
	case service.Spec.StopFailure == "" && service.Spec.Traits().Hypervisor && byItself &&
		h.Condition == string(resources.Unknown):
		return message.StopFailedUnknown.With(service.Spec.Name)
	}
	return message.Text{}
}

// Unheard says that the leader has not heard a node in its present incarnation, or not
// lately: what the State calls online may be from before an outage. Where nothing was
// measured, as on paper, nothing is said.
func Unheard(v cluster.View, world *World, n cluster.Member) message.Text {
	w, measured := v.Contacts[n.Name]
	switch {
	case !v.Leading || !measured || n.State != cluster.NodeOnline:
		return message.Text{}
	case n.Name == v.Self && w.Incarnation != n.Incarnation:
		return message.NodeDaemonStarting.With()
	case n.Name == v.Self:
		return message.Text{}
	case !w.Heard || w.Assumed || w.Incarnation != n.Incarnation:
		return message.NodeNotHeardYet.With(v.Self)
	case w.StoodStill:
		return message.NodeNotHeardSince.With(v.Self)
	case w.Silence >= cluster.TimingFor(world.Document.Timing).Lost:
		return message.NodeNotHeardNow.With(v.Self)
	case w.Log.Still >= cluster.TimingFor(world.Document.Timing).Deaf/2:
		return message.NodeLogStill.With(v.Self)
	}
	return message.Text{}
}

// FailedThere reports whether a failed start still counts: what failed on a node before
// its daemon started anew does not.
func (w *World) FailedThere(f cluster.FailedStart) bool {
	n, known := w.Nodes.Get(f.Node)
	return known && (f.Incarnation == 0 || f.Incarnation == n.Incarnation)
}
