package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// byLeave is the rule that empties a node that leaves.
const byLeave = "leave"

// planEvacuation moves a service off a node that leaves: live to the first node
// that takes it, one after the other. It is shut down, so that the node's power can
// go, only where no node is left that could.
func (p *planner) planEvacuation(r *running) answer {
	if !r.known() || r.node.State != NodeLeaving {
		return answer{}
	}
	service := r.service
	name, owner := service.Spec.Name, service.Owner
	what := service.Spec.NotLive()
	live := service.Spec.Kind() == resources.KindVM && what == ""
	for _, v := range p.rank(service, service.FailedOn, true) {
		if !v.Legal || v.Node == owner {
			continue
		}
		c := Begin{Service: name, Intent: IntentMigrate, Node: owner, Target: v.Node, By: byLeave,
			Why: fmt.Sprintf("moves live to %s because %s leaves", v.Node, owner)}
		if !live {
			c.Intent, c.Purpose = IntentStop, ForMove
			c.Why = sentence(fmt.Sprintf("moves to %s because %s leaves", v.Node, owner), boundBy(what))
		}
		refused := c.refused(&p.World)
		if refused == accepted {
			p.load[v.Node]++
			return acting(c)
		}
		if h, _ := service.holder(owner); refused.Code == codeTemporary && live && h.Condition == string(resources.Running) {
			return staying(fmt.Sprintf("%s leaves, and it moves live to %s as soon as it can: %s", owner, v.Node,
				refused.Why), "")
		}
	}
	if node := p.takesItSoon(service); node != "" {
		return staying(fmt.Sprintf("%s leaves, and only %s could take it live, which is not heard at present: "+
			"that is waited for", owner, node), "")
	}
	return acting(Begin{Service: name, Intent: IntentStop, Node: owner, Purpose: ForRecovery, By: byLeave,
		Why: p.whyStopped(service)})
}

// notLive says why a service cannot move live.
func notLive(service Service) string {
	return service.Spec.Name + " is made of resources and cannot move live; relocate it"
}

// boundBy says why a VM cannot move live; "" where what is none.
func boundBy(what string) string {
	if what == "" {
		return ""
	}
	return "it cannot move live while it has " + what
}

// leftBehind says of a VM that came up on another node than the one on which it ran
// what is still there; "" for nothing.
func (s Service) leftBehind() string {
	stays := s.Spec.Stays()
	if stays == "" || s.LastOwner == "" || s.LastOwner == s.Owner || s.Owner == "" {
		return ""
	}
	return "it runs on " + s.Owner + " without what is in " + stays + " on " + s.LastOwner +
		", unless that is one and the same on both"
}

// takesLive is a node that may run a VM and to which no move of it has failed; "" where
// there is none, or where it cannot move live. Between a plan and its entry a node may
// have come, or its standby may have ended: the guest is not shut down for what was.
func (w *World) takesLive(service Service) string {
	h, _ := service.holder(service.Owner)
	if service.Spec.Kind() != resources.KindVM || service.Spec.NotLive() != "" || len(service.Holders) != 1 ||
		h.Condition != string(resources.Running) || len(w.companions(service.Spec.Name)) > 0 {
		return ""
	}
	for i, name := range w.Nodes.Keys() {
		n := *w.Nodes.Rows()[i]
		tried := service.troubledOn(n, time.Time{}) // however long ago: the plan alone knows the time
		if name != service.Owner && !tried && w.barredFor(name, n) == "" && w.mayJoin(service, n) == accepted {
			return name
		}
	}
	return ""
}

// takesItSoon is a node that could take a running VM live if it were heard; "" if
// there is none. Either it is heard soon, or it is lost.
func (p *planner) takesItSoon(service Service) string {
	hushed, node := p.hushed(), ""
	h, _ := service.holder(service.Owner)
	if len(hushed) == 0 || service.Spec.Kind() != resources.KindVM || service.Spec.NotLive() != "" ||
		h.Condition != string(resources.Running) {
		return ""
	}
	p.asIfThere(hushed, func() {
		if verdicts := p.rank(service, service.FailedOn, true); len(verdicts) > 0 && verdicts[0].Legal {
			node = verdicts[0].Node
		}
	})
	return node
}

// whyStopped says why a node that leaves cannot hand a service over live.
func (p *planner) whyStopped(service Service) string {
	var tried []string
	for _, node := range sortedKeys(p.troubles(service)) {
		if p.troubles(service)[node].Kind == TroubleMove {
			tried = append(tried, node)
		}
	}
	h, _ := service.holder(service.Owner)
	switch {
	case service.Spec.Kind() != resources.KindVM:
		return service.Owner + " leaves and no other node may run it now"
	case h.Condition != string(resources.Running):
		return fmt.Sprintf("%s leaves, and it is %s and cannot move live", service.Owner, h.Condition)
	case service.Spec.NotLive() != "":
		return fmt.Sprintf("%s leaves, no other node may run it now, and %s", service.Owner,
			boundBy(service.Spec.NotLive()))
	case len(tried) > 0:
		return fmt.Sprintf("%s leaves, no other node takes it live: its moves to %s failed", service.Owner, joined(tried))
	}
	return service.Owner + " leaves and no other node can take it live"
}
