package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/domain"
)

// makeRoom moves off a node, live, what a service must not meet there, where that node
// is all that it has left and the others have somewhere else to go. It tells whether
// the service waits for that. Nothing is stopped for it, nor moved from where a person
// put it, and no node is emptied for an exclusive service: then advice says what would
// help.
func (p *planner) makeRoom(service Service) (advice string, waits bool) {
	if p.Lock() != nil || !p.objectionsTo(service).any() {
		return "", false
	}
	troubles := p.troubles(service)
	for _, node := range p.Nodes.Keys() {
		_, failed := troubles[node]
		legal, _ := domain.Legal(p.domainOf(service), node)
		if failed || !legal || p.barred(node) != "" {
			continue
		}
		inTheWay := p.inTheWay(service, node)
		targets, help, free := p.waysOut(inTheWay, node)
		if exclusive := p.objectionsTo(service).exclusive; free && exclusive {
			free, help = false, p.wouldHelp(inTheWay, targets)
		}
		if !free {
			advice = orElse(advice, help)
			continue
		}
		for _, other := range inTheWay {
			if target := targets[other.Spec.Name]; target != "" {
				p.take(*other, p.move(*other, target, "room",
					fmt.Sprintf("makes room for %s, which may run only on %s now", service.Spec.Name, node)))
				p.moved[other.Spec.Name] = true
			}
		}
		if len(inTheWay) > 0 {
			p.wait(service.Spec.Name, fmt.Sprintf("waits for room on %s, which %s makes by moving live", node,
				inTheWay[0].Spec.Name), "")
			return "", true
		}
	}
	return advice, false
}

func (o objections) any() bool { return len(o.why) > 0 }

// inTheWay are the services on a node that another one must not meet.
func (p *planner) inTheWay(service Service, node string) []*Service {
	var list []*Service
	for _, other := range p.others(service.Spec.Name, service.Spec.UUID) {
		if why, _ := clash(&service.Spec, &other.Spec); why == "" {
			continue
		}
		if _, held := other.holder(node); held || p.also[other.Spec.Name] == node {
			list = append(list, other)
		}
	}
	return list
}

// waysOut are where services on a node can move live, by name; one that is on its way
// already has none. Unless all are free to go, help says what a person could do.
func (p *planner) waysOut(services []*Service, node string) (targets map[string]string, help string, free bool) {
	targets = map[string]string{}
	for _, other := range services {
		name := other.Spec.Name
		if i := other.Intent; i != nil && i.Kind == IntentMigrate && i.Node == node || p.moved[name] {
			continue
		}
		target := ""
		for _, v := range p.rank(*other, other.FailedOn, true) {
			c := Begin{Service: name, Intent: IntentMigrate, Node: node, Target: v.Node}
			if v.Legal && c.refused(&p.World) == accepted {
				target = v.Node
				break
			}
		}
		switch {
		case target == "" || !other.Enabled || p.also[name] != "" || other.Spec.NotLive() != "":
			return nil, "", false
		case other.Wish != nil || other.placed():
			return nil, fmt.Sprintf("%s is in its way on %s, where somebody put it: `%s` makes room", name, node,
				moveCommand(*other, target)), false
		}
		targets[name] = target
	}
	return targets, "", true
}

// wouldHelp are the commands that empty a node.
func (p *planner) wouldHelp(services []*Service, targets map[string]string) string {
	var list []string
	for _, other := range services {
		if target := targets[other.Spec.Name]; target != "" {
			list = append(list, "`"+moveCommand(*other, target)+"`")
		}
	}
	if len(list) == 0 {
		return ""
	}
	return joined(list) + " makes room for it"
}
