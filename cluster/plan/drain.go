package plan

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
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
		step.Target, step.Why = verdicts[0].Node, message.Sentence(verdicts[0].Why.String())
		if what := service.Spec.NotLive(); what != "" {
			step.ColdTarget = step.Target
			step.Blockers = append(step.Blockers, boundBy(what))
			step.Next = message.Sentence(words.OrElse(step.Next.String(), "`clusvcadm -r "+name+"` stops it and starts it on another node"))
		}
	case movable && p.coldTarget(service) != "":
		step.ColdTarget = p.coldTarget(service)
		step.Target = step.ColdTarget
		step.Blockers = append(step.Blockers, reasons(verdicts, owner)...)
		step.Next = message.Sentence("`clusvcadm -M " + name + " -m " + step.Target + "` tries it again, `clusvcadm -r " + name +
			"` stops and starts it")
	default:
		step.Blockers = append(step.Blockers, reasons(verdicts, owner)...)
		step.Next = message.Sentence(words.OrElse(step.Next.String(), "it goes by itself when a legal node is there"))
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
	block := func(what, how string) {
		blockers, next = append(blockers, message.Sentence(what)), message.Sentence(words.OrElse(next.String(), how))
	}
	if service.Flags&resources.Frozen != 0 {
		block("it is frozen", "`clusvcadm -U "+name+"`")
	}
	if service.Intent != nil {
		block(fmt.Sprintf("its %s is under way", service.Intent.Kind), "")
	}
	if service.Wish != nil {
		block(fmt.Sprintf("somebody asked to %s it", service.Wish.Op), "")
	}
	if !service.Enabled && service.State == resources.Started {
		block("it runs although it is disabled", "`clusvcadm -d "+name+"` stops it")
	}
	if service.State == resources.Failed {
		block("it is failed", "`clusvcadm -d "+name+"` tries to stop it again")
	}
	if held && h.Condition != string(resources.Running) && h.Condition != "" {
		block(words.Sentence(fmt.Sprintf("it is %s", h.Condition), h.Reason), "")
	}
	if len(service.Holders) > 1 {
		block("it may be on "+cluster.HolderNames(service)+", and moves when that is clear", "")
	}
	return blockers, next
}
