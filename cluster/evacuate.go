package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// planEvacuation moves a service off a node that leaves: live to the first node
// that takes it, one after the other. It is shut down, so that the node's power can
// go, only where no node is left that could.
func (p *planner) planEvacuation(service Service) {
	name, owner := service.Spec.Name, service.Owner
	live := service.Spec.Kind() == resources.KindVM
	for _, v := range p.rank(service, service.FailedOn, true) {
		if !v.Legal || v.Node == owner {
			continue
		}
		c := Begin{Service: name, Intent: IntentMigrate, Node: owner, Target: v.Node, By: "leave",
			Why: fmt.Sprintf("moves live to %s because %s leaves", v.Node, owner)}
		if !live {
			c.Intent, c.Purpose, c.Why = IntentStop, ForMove, fmt.Sprintf("moves to %s because %s leaves", v.Node, owner)
		}
		refused := c.refused(p.transaction)
		if refused == accepted {
			p.load[v.Node]++
			p.begin(service, c)
			return
		}
		if h, _ := service.holder(owner); refused.Code == codeTemporary && live && h.Condition == string(resources.Running) {
			p.wait(name, fmt.Sprintf("%s leaves, and it moves live to %s as soon as it can: %s", owner, v.Node, refused.Why), "")
			return
		}
	}
	p.begin(service, Begin{Service: name, Intent: IntentStop, Node: owner, Purpose: ForRecovery, By: "leave",
		Why: p.whyStopped(service)})
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
	case len(tried) > 0:
		return fmt.Sprintf("%s leaves, no other node takes it live: its moves to %s failed", service.Owner, joined(tried))
	}
	return service.Owner + " leaves and no other node can take it live"
}
