package plan

import (
	"maps"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// makeRoom moves off a node, live, what a service must not meet there, where that node
// is all that it has left and the others have somewhere else to go. It reports whether
// the service waits for that. Nothing is stopped for it, nor moved from where a person
// put it, and no node is emptied for an exclusive service: then advice says what would
// help.
func (p *planner) makeRoom(service cluster.Service) (advice message.Text, waits bool) {
	if p.Lock() != nil || !p.ObjectionsTo(service).Any() {
		return message.Text{}, false
	}
	troubles := p.troubles(service)
	for _, node := range p.Nodes.Keys() {
		_, failed := troubles[node]
		legal, _ := domain.Legal(p.DomainOf(service), node)
		if failed || !legal || !p.Barred(node).IsZero() {
			continue
		}
		inTheWay := p.inTheWay(service, node)
		if !p.fitsWithout(&service, node, inTheWay) {
			continue
		}
		targets, help, free := p.waysOut(inTheWay, node)
		if exclusive := p.ObjectionsTo(service).Exclusive; free && exclusive {
			free, help = false, p.wouldHelp(inTheWay, targets)
		}
		if !free {
			advice = advice.OrElse(help)
			continue
		}
		for _, other := range inTheWay {
			if target := targets[other.Spec.Name]; target != "" {
				p.take(*other, p.move(*other, target, "room",
					message.MakesRoom.With(service.Spec.Name, node)))
				p.moved[other.Spec.Name] = true
			}
		}
		if len(inTheWay) > 0 {
			p.wait(service.Spec.Name, message.WaitsForRoom.With(node, inTheWay[0].Spec.Name), message.Text{})
			return message.Text{}, true
		}
	}
	return advice, false
}

// fitsWithout reports whether a node has enough for a service once others have left it.
func (p *planner) fitsWithout(service *cluster.Service, node string, others []*cluster.Service) bool {
	var gone resources.Demand
	for _, other := range others {
		taken, _ := other.TakesOn(node)
		gone = gone.Plus(taken)
	}
	return p.TooFullWithout(service, node, gone).IsZero()
}

// inTheWay are the services on a node that another one must not meet.
func (p *planner) inTheWay(service cluster.Service, node string) []*cluster.Service {
	var list []*cluster.Service
	for _, other := range p.Others(service.Spec.Name, service.Spec.UUID) {
		if why, _ := cluster.Clash(&service.Spec, &other.Spec); why.IsZero() {
			continue
		}
		if _, held := other.Holder(node); held || p.Also[other.Spec.Name] == node {
			list = append(list, other)
		}
	}
	return list
}

// waysOut are where services on a node can move live, by name; one that is on its way
// already has none. Unless all are free to go, help says what a person could do.
func (p *planner) waysOut(services []*cluster.Service, node string) (
	targets map[string]string, help message.Text, free bool,
) {
	targets = map[string]string{}
	counted := p.Taken
	p.Taken = maps.Clone(counted) // each takes its place from the next one; none has moved yet
	defer func() { p.Taken = counted }()
	for _, other := range services {
		name := other.Spec.Name
		if i := other.Intent; i != nil && i.Kind == cluster.IntentMigrate && i.Node == node || p.moved[name] {
			continue
		}
		target := ""
		for _, v := range p.rank(*other, other.FailedOn, true) {
			c := cluster.Begin{Service: name, Intent: cluster.IntentMigrate, Node: node, Target: v.Node}
			if v.Legal && rules.BeginRefused(c, &p.World) == rules.Accepted {
				target = v.Node
				break
			}
		}
		switch {
		case target == "" || !other.Enabled || p.Also[name] != "" || other.Spec.NotLive() != "":
			return nil, message.Text{}, false
		case other.Wish != nil || other.IsPlaced():
			return nil, message.DoMoveObstacle.With(name, node, moveCommand(*other, target)), false
		}
		targets[name] = target
		p.takes(other, target)
	}
	return targets, message.Text{}, true
}

// wouldHelp are the commands that empty a node.
func (p *planner) wouldHelp(services []*cluster.Service, targets map[string]string) message.Text {
	var list []string
	for _, other := range services {
		if target := targets[other.Spec.Name]; target != "" {
			list = append(list, "`"+moveCommand(*other, target)+"`")
		}
	}
	if len(list) == 0 {
		return message.Text{}
	}
	return message.DoMoveObstacles.With(list)
}
