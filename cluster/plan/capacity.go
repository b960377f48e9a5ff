package plan

import (
	"sort"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Puts counts a service on the node where this decision puts it, so that what is planned after it
// finds less room there.
func (p *planner) Puts(service *cluster.Service, node string) {
	p.takes(service, node)
	p.Also[service.Spec.Name] = node
}

// takes counts what a service will take of a node.
func (p *planner) takes(service *cluster.Service, node string) {
	if p.Taken == nil || node == "" || p.Also[service.Spec.Name] == node {
		return
	}
	here, _ := service.TakesOn(node)
	p.Taken[node] = rules.Used{Demand: p.Taken[node].Minus(here).Plus(here.Most(rules.Need(service)))}
}

// noteCapacity says which nodes are not counted, and which are fuller than they may be. Nothing is
// moved away for it: what runs goes on.
func (p *planner) noteCapacity() {
	if p.Taken == nil {
		return
	}
	var unknown []string
	counts := false
	for _, service := range p.Services.Rows() {
		counts = counts || !service.Spec.Demand.None()
		if service.Spec.Traits().Hypervisor && service.Spec.Demand.Memory+service.Spec.Demand.Huge == 0 {
			unknown = append(unknown, service.Spec.Name)
		}
	}
	if len(unknown) > 0 {
		p.wait(p.Cluster(), message.DemandUnknown.With(firstOf(unknown)), message.DoApplyAgain.With())
	}
	for i, name := range p.Nodes.Keys() {
		n := p.Nodes.Rows()[i]
		room, known := p.RoomOn(name)
		switch {
		case n.Witness || !n.Reachable() || !counts:
		case !known:
			p.wait(name, message.CapacityUnknown.With(name), message.DoTellCapacity.With(name))
		case room.Over() && room.Taken.Memory > room.May.Memory:
			p.wait(name, message.CapacityOver.With(room.Taken.Memory, room.May.Memory), message.DoRelieveNode.With(name))
		}
	}
}

// mostNamed bounds the names in one note.
const mostNamed = 5

// firstOf are the first of some names, and how many more there are.
func firstOf(names []string) []string {
	if len(names) <= mostNamed {
		return names
	}
	return append(names[:mostNamed:mostNamed], message.MoreOfThem.With(len(names)-mostNamed).String())
}

// tenant is what one service takes of a node.
type tenant struct {
	name  string
	takes resources.Demand
}

// tenantsOf are the services that take something of a node, the smallest first, found once for a
// plan.
func (p *planner) tenantsOf(node string) []tenant {
	if p.tenants == nil {
		p.tenants = map[string][]tenant{}
	}
	list, known := p.tenants[node]
	if known {
		return list
	}
	for _, service := range p.Services.Rows() {
		if takes, there := service.TakesOn(node); there && !takes.None() {
			list = append(list, tenant{service.Spec.Name, takes})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].takes.Memory < list[j].takes.Memory })
	p.tenants[node] = list
	return list
}

// wouldFit is the smallest thing by which a service that fits nowhere would: which one service's
// leaving makes room, or which node's return. It is nothing where room is not what it lacks.
func (p *planner) wouldFit(service cluster.Service) message.Text {
	if p.Taken == nil || service.Spec.Demand.None() || p.advised >= mostAdvised {
		return message.Text{}
	}
	p.advised++
	var best tenant
	at, back := "", ""
	objections := p.ObjectionsTo(service).Why
	for i, node := range p.Nodes.Keys() {
		n := p.Nodes.Rows()[i]
		if legal, _ := domain.Legal(p.DomainOf(service), node); !legal || n.Witness || node == service.Owner {
			continue
		}
		full := !p.TooFull(&service, node).IsZero()
		away := !n.Reachable() || n.Order != nil
		switch {
		case !objections[node].IsZero():
		case !full && away && n.Capacity.Known() && back == "":
			back = node
		case full && !away && p.Barred(node).IsZero():
			best, at = p.smaller(&service, node, best, at)
		}
	}
	switch {
	case at != "":
		return message.DoFreeMemory.With(at, best.name, back)
	case back != "":
		return message.DoBringBack.With(back)
	}
	return message.Text{}
}

// mostAdvised bounds the services for which one plan looks what would make room: each asks about
// all that others take.
const mostAdvised = 32

// smaller is the one with the least memory of those on a node without which a service would fit
// there, and that node; or what was found elsewhere, where that has less.
func (p *planner) smaller(service *cluster.Service, node string, best tenant, at string) (tenant, string) {
	tenants, most := p.tenantsOf(node), resources.Demand{}
	for _, one := range tenants {
		most = most.Most(one.takes)
	}
	if !p.TooFullWithout(service, node, most).IsZero() {
		return best, at // no single one takes enough
	}
	for _, one := range tenants {
		if at != "" && one.takes.Memory >= best.takes.Memory {
			break
		}
		if one.name != service.Spec.Name && p.TooFullWithout(service, node, one.takes).IsZero() {
			return one, node
		}
	}
	return best, at
}
