package plan

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/resources"
)

// Method is how a service leaves a node.
type Method string

// The methods.
const (
	// MethodLive: the guest moves and goes on running.
	MethodLive Method = "live"
	// MethodCold: stopped here, started there.
	MethodCold Method = "cold"
	// MethodStays: it cannot leave now; the blockers say why.
	MethodStays Method = "stays"
)

// DrainStep is what becomes of one service when its node is to be emptied.
type DrainStep struct {
	Service string `json:"service"`
	State   string `json:"state"`
	Method  Method `json:"method"`
	Target  string `json:"target,omitempty"`
	// Why is what speaks for the target.
	Why string `json:"why,omitempty"`
	// Blockers are all the reasons why it does not go (by that method).
	Blockers []string `json:"blockers,omitempty"`
	// Warnings are what it loses by going.
	Warnings []string `json:"warnings,omitempty"`
	// Next says what an administrator can do about it.
	Next string `json:"next,omitempty"`
	// Deadline tells that it is stopped and started on Target when the deadline of
	// the order comes, although it cannot move live.
	Deadline bool `json:"deadline,omitempty"`

	ColdTarget string
}

// StepFor finds how a service leaves the node on which it runs.
func (p *planner) StepFor(service cluster.Service) DrainStep {
	name, owner := service.Spec.Name, service.Owner
	step := DrainStep{Service: name, State: service.State.String(), Method: MethodLive}
	if service.Spec.Kind() != resources.KindVM {
		step.Method = MethodCold
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
			step.Next = words.OrElse(step.Next, "`clusvcadm -r "+name+"` stops it and starts it on another node")
		}
	case movable && p.coldTarget(service) != "":
		step.ColdTarget = p.coldTarget(service)
		step.Target = step.ColdTarget
		step.Blockers = append(step.Blockers, reasons(verdicts, owner)...)
		step.Next = "`clusvcadm -M " + name + " -m " + step.Target + "` tries it again, `clusvcadm -r " + name +
			"` stops and starts it"
	default:
		step.Blockers = append(step.Blockers, reasons(verdicts, owner)...)
		step.Next = words.OrElse(step.Next, "it goes by itself when a legal node is there")
	}
	if p.Lock() != nil && step.Method == MethodCold {
		step.Blockers = append(step.Blockers, p.LockedWhy())
		step.Next = p.UnlockNext()
	}
	if len(step.Blockers) > 0 {
		step.Method = MethodStays
	}
	return step
}

// cannotLeave are the reasons in the service itself.
func (p *planner) cannotLeave(service cluster.Service) (blockers []string, next string) {
	name := service.Spec.Name
	h, held := service.Holder(service.Owner)
	block := func(what, how string) { blockers, next = append(blockers, what), words.OrElse(next, how) }
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
