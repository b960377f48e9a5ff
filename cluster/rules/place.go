package rules

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
)

// place is a question of placement: may the service run on the node?
type place struct {
	service    *cluster.Service
	failedOn   []cluster.FailedStart
	objections objections
	node       string
}

// filter rules a node out. Its reason is what is shown of the node; none lets it stand.
type filter struct {
	name string
	why  func(w *World, p *place) message.Text
}

// filters are asked in this order, and the first reason is the one that is shown: what keeps
// everything off a node is said before what keeps this service off it. What they let stand is
// ranked by domain.Rank: where nothing failed and nothing is to be avoided, inside the failover
// domain, by priority, by the share of its memory and processors that would be taken, by the number
// of services there, and then by name.
var filters = []filter{
	{"work", func(w *World, p *place) message.Text { return w.Barred(p.node) }},
	{"affinity", func(_ *World, p *place) message.Text { return p.objections.Why[p.node] }},
	{"hypervisor", (*World).hungAt},
	{"failed start", (*World).failedAt},
	{"capacity", (*World).fullAt},
}

// ruledOut is the reason of the first filter that has one.
func (w *World) ruledOut(p *place) message.Text {
	for _, f := range filters {
		if why := f.why(w, p); !why.IsZero() {
			return why
		}
	}
	return message.Text{}
}

func (w *World) hungAt(p *place) message.Text {
	if n, _ := w.Nodes.Get(p.node); !n.Hung.IsZero() {
		return n.HungWhy(*p.service)
	}
	return message.Text{}
}

func (w *World) failedAt(p *place) message.Text {
	for _, failed := range p.failedOn {
		if failed.Node == p.node && w.FailedThere(failed) {
			return message.PlacementFailedHere.With(failed.Why)
		}
	}
	return message.Text{}
}

func (w *World) fullAt(p *place) message.Text { return w.TooFull(p.service, p.node) }

// Candidates are the nodes as placement sees them.
func (w *World) Candidates(service cluster.Service) []domain.Candidate {
	return w.Rankable(service, service.FailedOn, w.Loads())
}

// Loads counts the services on each node, those on their way to it included.
func (w *World) Loads() map[string]int {
	load := map[string]int{}
	for _, service := range w.Services.Rows() {
		if service.Intent != nil && service.Intent.Kind == cluster.IntentStart {
			load[service.Intent.Node]++
		} else if service.Owner != "" {
			load[service.Owner]++
		}
	}
	return load
}

// Rankable are the candidates, given where a start failed and how much each
// node has.
func (w *World) Rankable(service cluster.Service, failedOn []cluster.FailedStart,
	load map[string]int) []domain.Candidate {
	if !service.Spec.Demand.None() {
		w = w.Counted()
	}
	p := &place{service: &service, failedOn: failedOn, objections: w.ObjectionsTo(service)}
	list, open := make([]domain.Candidate, 0, w.Nodes.Len()), make([]string, 0, w.Nodes.Len())
	for _, p.node = range w.Nodes.Keys() {
		c := domain.Candidate{Node: p.node, Load: load[p.node], Barred: w.ruledOut(p)}
		if c.Barred.IsZero() {
			open = append(open, p.node)
		}
		if p.node == service.Avoid {
			c.Last = message.PlacementAvoided.With()
		}
		list = append(list, c)
	}
	if shares := w.shares(&service, open); shares != nil {
		for i, c := range list {
			list[i].Memory, list[i].CPUs = shares[c.Node].memory, shares[c.Node].cpus
		}
	}
	return list
}

// Barred says what keeps every service off a node; nothing if nothing does.
func (w *World) Barred(node string) message.Text {
	if w.Ruled != nil {
		return w.Ruled.Barred[node]
	}
	n, _ := w.Nodes.Get(node)
	return w.BarredFor(node, n)
}

// BarredFor says why a node is given no work; nothing if it may be.
func (w *World) BarredFor(name string, n cluster.Member) message.Text {
	switch {
	case n.Witness:
		return message.PlacementWitness.With()
	case w.Fences.Has(name):
		return message.PlacementFencing.With()
	case n.State != cluster.NodeOnline:
		return message.PlacementNodeState.With(n.State)
	case n.Order != nil:
		return n.OrderWhy()
	}
	return message.Words(w.Unguarded(n))
}
