package plan

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// planEnd ends a migration that does not end by itself, or says how a person can. It
// reports whether there is nothing more to be said.
func (p *planner) planEnd(service cluster.Service) bool {
	intent, name := service.Intent, service.Spec.Name
	if intent.Kind != cluster.IntentMigrate {
		return false
	}
	if intent.Ending {
		for _, node := range []string{intent.Node, intent.Target} {
			if _, held := service.Holder(node); held {
				p.wait(name, message.MigrationBeingEnded.With(node), message.DoDestroyVM.With(service.Spec.Short(), node))
			}
		}
		return true
	}
	end := p.EndsMove(&service)
	w := p.view.Ends[name]
	if end.Since == 0 || w.Index != end.Since || w.For < end.Patience || !p.reached(end.Due) {
		return false
	}
	if !end.Keeps.IsZero() {
		p.wait(name, message.MigrationKept.With(end.Keeps), message.DoGiveUpMoving.With(name))
		return true
	}
	p.decision.propose(cluster.EndMove{Service: name, Act: intent.Index, By: end.By})
	return true
}

// unheard is the end of a migration that has not answered: the target is asked after
// the source.
func (p *planner) unheard(service cluster.Service) string {
	if service.Asking(service.Intent.Node) || service.Intent.SourceSeen == 0 {
		return service.Intent.Node
	}
	return service.Intent.Target
}

// planDown brings a disabled service to rest.
func (p *planner) planDown(service cluster.Service) {
	name := service.Spec.Name
	asked := service.Wish != nil && service.Wish.Op == cluster.OpDisable
	if len(service.Holders) == 0 {
		if service.Wish != nil {
			p.endWishDown(service, asked)
		}
		return
	}
	for _, h := range service.Holders {
		n, why := p.Workable(h.Node)
		crashed, leaving := h.Fallen(), n.State == cluster.NodeLeaving && service.Owner == h.Node
		switch {
		case !asked && !crashed && !leaving && !service.Leftover(h):
			continue
		case !why.IsZero() || !cluster.OnBoot(n)(h):
			p.wait(name, message.StopWhenBack.With(h.Node, n.State), message.Text{})
			continue
		case asked && p.afterDependents(service):
		case asked:
			p.begin(service, cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: h.Node,
				Purpose: cluster.ForDisable, By: service.Wish.By, Why: message.RequestDisables.With()})
		case crashed:
			p.begin(service, cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: h.Node,
				Purpose: cluster.ForCleanup, Kill: service.Killed(), By: "recovery",
				Why: service.CleanupWhy(h.Node)})
		case service.Leftover(h):
			p.begin(service, cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: h.Node,
				Purpose: cluster.ForCleanup, Kill: service.Killed(), By: "recovery",
				Why: message.CleanupAfterAct.With(h.Node)})
		default:
			p.begin(service, cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: h.Node,
				Purpose: cluster.ForCleanup, By: "leave", Why: message.LeaveDisabled.With(h.Node)})
		}
		return
	}
	p.waitDown(service, asked)
}

// waitDown says why a disabled service is not at rest although nothing of it is to be stopped.
func (p *planner) waitDown(service cluster.Service, asked bool) {
	name := service.Spec.Name
	switch {
	case asked && service.Owner == "":
		p.giveUp(service, cluster.CodeTemporary, message.RequestMayStillRun.With(cluster.HolderNames(service)))
	case service.Wish != nil && !asked:
		p.endWishDown(service, asked)
	case service.State == resources.Started && !asked:
		p.wait(name, message.DisabledRuns.With(service.Owner), message.DoKeepOrStop.With(name))
	default:
		if waits := p.waitsFor(service); !waits.IsZero() {
			p.wait(name, waits, message.Text{})
			return
		}
		if service.State == resources.Failed {
			p.wait(name, service.Reason, message.DoStopAgain.With(name))
			return
		}
		h := service.Holders[0]
		why := message.DisabledThere.With(h.Condition, h.Node, h.Reason)
		if h.Condition == "" {
			why = message.DisabledUnseen.With(h.Node, h.Reason)
		}
		p.wait(name, why, message.DoStopDisabled.With(name))
	}
}

func (p *planner) endWishDown(service cluster.Service, asked bool) {
	if asked {
		p.giveUp(service, cluster.CodeSuccess, message.ServiceDisabled.With())
		return
	}
	p.giveUp(service, cluster.CodeAborted, message.RequestServiceDown.With(service.Reason))
}

// planReconfigure has a running service take its changed declaration in, once for
// each declaration.
func (p *planner) planReconfigure(r *running) answer {
	spec, started := r.service.Spec, r.holder.Definition
	switch {
	case !r.well() || !spec.Traits().Parts:
		return answer{}
	case started == spec.Definition || started == "":
		return answer{}
	case r.service.Behind != nil && r.service.Behind.Definition == spec.Definition:
		return answer{}
	}
	return acting(cluster.Begin{Service: spec.Name, Intent: cluster.IntentReconfigure, Node: r.service.Owner,
		Definition: spec.Definition, By: "config", Why: message.DeclarationNew.With()})
}
