package plan

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// StepFor finds how a service leaves the node on which it runs.
func (p *planner) StepFor(service cluster.Service) cluster.DrainStep {
	name, owner := service.Spec.Name, service.Owner
	step := cluster.DrainStep{Service: name, State: service.State.String(), Method: cluster.MethodLive}
	if !service.Spec.Traits().Live {
		step.Method = cluster.MethodCold
	}
	step.Blockers, step.Next = p.cannotLeave(service)
	verdicts := p.rank(service, service.FailedOn, true)
	movable := len(step.Blockers) == 0
	switch {
	case len(verdicts) > 0 && verdicts[0].Legal:
		step.Target, step.Why = verdicts[0].Node, verdicts[0].Why
		if what := service.Spec.NotLive(); what != "" {
			step.ColdTarget = step.Target
			step.Blockers = append(step.Blockers, boundBy(what))
			step.Next = step.Next.OrElse(message.DoRelocate.With(name))
		}
	case movable && p.coldTarget(service) != "":
		step.ColdTarget = p.coldTarget(service)
		step.Target = step.ColdTarget
		step.Blockers = append(step.Blockers, reasons(verdicts, owner)...)
		step.Next = message.DoMigrateOrRelocate.With(name, step.Target)
	default:
		step.Blockers = append(step.Blockers, reasons(verdicts, owner)...)
		if step.Next.IsZero() {
			step.Next = p.wouldFit(service).OrElse(message.DoNothingForLeave.With())
		}
	}
	if p.Lock() != nil && step.Method == cluster.MethodCold {
		step.Blockers = append(step.Blockers, p.LockedWhy())
		step.Next = p.UnlockNext()
	}
	if len(step.Blockers) > 0 {
		step.Method = cluster.MethodStays
	}
	return step
}

// cannotLeave are the reasons in the service itself.
func (p *planner) cannotLeave(service cluster.Service) (blockers []message.Text, next message.Text) {
	name := service.Spec.Name
	h, held := service.Holder(service.Owner)
	block := func(what, how message.Text) { blockers, next = append(blockers, what), next.OrElse(how) }
	if service.Flags&resources.Frozen != 0 {
		block(message.ServiceFrozen.With(), message.DoThawService.With(name))
	}
	if service.Intent != nil {
		block(message.StaysForAct.With(service.Intent.Kind), message.Text{})
	}
	if service.Wish != nil {
		block(message.StaysForWish.With(service.Wish.Op), message.Text{})
	}
	if !service.Enabled && service.State == resources.Started {
		block(message.StaysDisabled.With(), message.DoStopDisabled.With(name))
	}
	if service.State == resources.Failed {
		block(message.StaysFailed.With(), message.DoStopAgain.With(name))
	}
	if held && h.Condition != string(resources.Running) && h.Condition != "" {
		block(message.StaysUnwell.With(h.Condition, h.Reason), message.Text{})
	}
	if len(service.Holders) > 1 {
		block(message.StaysAmbiguous.With(cluster.HolderNames(service)), message.Text{})
	}
	return blockers, next
}
