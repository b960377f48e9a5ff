package plan

import (
	"cmp"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// InOrder are the services in the order in which they are planned: by tier, then by priority, then
// what needs more memory first, where that is counted, then by name. Small ones fit in beside a
// large one; put first, they leave it no node.
func (p *planner) InOrder() []string {
	rows := p.Services.Rows()
	if slices.IsSortedFunc(rows, p.goesBefore) {
		return p.Services.Keys()
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, p.goesBefore)
	names := make([]string, 0, len(rows))
	for _, service := range rows {
		names = append(names, service.Spec.Name)
	}
	return names
}

// goesBefore compares two services by what is planned first.
func (p *planner) goesBefore(a, b *cluster.Service) int {
	order := cmp.Or(cmp.Compare(a.Spec.Tier, b.Spec.Tier), cmp.Compare(a.Spec.Priority, b.Spec.Priority))
	if p.Taken == nil {
		return order
	}
	return cmp.Or(order, cmp.Compare(b.Spec.Demand.Memory, a.Spec.Demand.Memory))
}

// ready reports whether a service that is up answers, where a probe was declared
// for it; or whether it was waited for long enough.
func (p *planner) ready(service cluster.Service) bool {
	if service.Spec.Probe == "" || service.State != resources.Started || service.Answered >= service.Since {
		return true
	}
	return p.reached(service.SinceAt.Add(cluster.ReadyWithin))
}

// gate says which services of lower tiers a start waits for. One that will not
// come up by itself holds nothing up: a tier is an order, not a dependency.
func (p *planner) gate(service cluster.Service) message.Text {
	tier := service.Spec.Tier
	if tier == 0 {
		return message.Text{}
	}
	if gate, known := p.gates[tier]; known {
		return gate.why
	}
	p.gates[tier] = remembered{p.gateOf(tier)}
	return p.gates[tier].why
}

func (p *planner) gateOf(tier int) message.Text {
	var waits []message.Text
	more := 0
	for _, lower := range p.Services.Rows() {
		if lower.Spec.Tier >= tier || !lower.Enabled {
			continue
		}
		var text message.Text
		switch {
		case lower.Up() && p.ready(*lower):
		case lower.Up():
			text = message.LowerTierProbe.With(lower.Spec.Name)
		case p.idle(lower).IsZero():
			text = message.LowerTier.With(lower.Spec.Name, lower.Spec.Tier, lower.State)
		}
		switch {
		case text.IsZero():
		case len(waits) < 3:
			waits = append(waits, text)
		default:
			more++
		}
	}
	if len(waits) == 0 {
		return message.Text{}
	}
	if more > 0 {
		waits = append(waits, message.LowerTierMore.With(more))
	}
	return message.WaitsForTiers.With(tier, waits)
}

// full says that no further start may begin now; nothing if one may.
func (p *planner) full() message.Text {
	if most := p.Document.StartAtOnce; most > 0 && p.starting >= most {
		return message.WaitsForTurn.With(p.starting, most)
	}
	return message.Text{}
}

// idle says why a service that is down will not come up by itself; "" if it is
// on its way.
func (p *planner) idle(service *cluster.Service) message.Text {
	name := service.Spec.Name
	if idle, known := p.idles[name]; known {
		return idle.why
	}
	p.idles[name] = remembered{message.IdleCycle.With()}
	p.idles[name] = remembered{p.idleNow(*service)}
	return p.idles[name].why
}

func (p *planner) idleNow(service cluster.Service) message.Text {
	switch {
	case !service.Enabled:
		return message.IdleDisabled.With()
	case service.Flags&resources.Frozen != 0:
		return message.ServiceFrozen.With()
	case service.Held:
		return message.IdleStopped.With()
	case service.State == resources.Failed:
		return service.Reason
	case service.Intent != nil:
		return message.Text{}
	}
	for _, h := range service.Holders {
		n, _ := p.Nodes.Get(h.Node)
		foreign := h.Condition == string(resources.Paused) && !h.Creating && !h.Ask
		if p.stuck(h) || (foreign && n.Reachable()) {
			return message.IdleStuck.With(h.Node)
		}
	}
	for _, d := range service.Spec.Depend {
		if needed, known := p.Services.Get(d.Service); known && !needed.Up() {
			switch why := p.idle(&needed); {
			case why.Is(message.IdleDepends):
				return why // the last one of the chain is the one that has to be seen to
			case !why.IsZero():
				return message.IdleDepends.With(d.Service, why)
			}
		}
	}
	if why := p.disksTaken(service); !why.IsZero() {
		return why
	}
	if len(service.Holders) > 0 {
		return message.Text{}
	}
	node, why := p.choose(service)
	if node == "" {
		return why
	}
	return p.DisksFree(service) // law L9 would refuse the start
}

// planHalt stops a service with the whole cluster, after those that were started
// after it.
func (p *planner) planHalt(service cluster.Service) {
	name := service.Spec.Name
	if !p.stoppable(&service) {
		p.wait(name, message.StopUnasked.With(service.Owner), message.Text{})
		return
	}
	for _, other := range p.Services.Rows() {
		stopping := other.Intent != nil && other.Intent.Kind == cluster.IntentStop
		_, needs := other.Spec.Needs(name)
		if (!other.Up() && !stopping) || other.Flags&resources.Frozen != 0 ||
			(other.Spec.Tier <= service.Spec.Tier && !needs) {
			continue
		}
		if p.stoppable(other) {
			p.wait(name, message.StopAfterOther.With(other.Spec.Name), message.Text{})
			return
		}
	}
	if service.Wish != nil {
		p.giveUp(service, cluster.CodeTemporary, p.LockedWhy())
		return
	}
	p.begin(service, cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: service.Owner,
		Purpose: cluster.ForHalt, By: "stop", Why: message.StopWithCluster.With()})
}
