package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/clusterd/clusterd/internal/config/placing"
)

// placing is what the document says about where services may run, for faults that only several of
// its sentences make together.
func (p *parser) placing() *placing.Rules {
	services := make(map[string]placing.Service, len(p.document.Services))
	for name, spec := range p.document.Services {
		services[name] = placing.Service{Nodes: p.allowed(spec.Domain), Together: spec.Together, Apart: spec.Apart,
			Exclusive: spec.Exclusive}
	}
	return placing.New(slices.Sorted(maps.Keys(p.document.Nodes)), services)
}

// allowed are the nodes of a restricted domain; nil for any other.
func (p *parser) allowed(name string) []string {
	d, declared := p.document.Domains[name]
	if !declared || !d.Restricted {
		return nil
	}
	nodes := []string{}
	for _, m := range d.Members {
		nodes = append(nodes, m.Node)
	}
	slices.Sort(nodes)
	return nodes
}

// checkPlaces finds services that could never all run by the rules. Each contradiction is told
// once, with the fewest services that make it.
func (p *parser) checkPlaces() {
	p.rules = p.placing()
	p.checkGroups(p.rules)
	p.checkCrowds(p.rules)
}

// checkGroups: what runs together needs a node that all of it may have, and may not be kept apart
// by way of others.
func (p *parser) checkGroups(rules *placing.Rules) {
	for _, set := range rules.Disjoint() {
		p.Fault(p.places.services[set[0]],
			"services %s run together, and their restricted domains have no node in common: they could never all run",
			joinNames(set))
	}
	for _, pair := range rules.Parted() {
		p.Fault(p.places.services[pair.One], "service %s shall be apart from %s, and runs together with it by way of %s",
			pair.One, pair.Other, joinNames(pair.By))
	}
}

// checkCrowds: services of which no two share a node need as many nodes as they are.
func (p *parser) checkCrowds(rules *placing.Rules) {
	crowds, whole := rules.TooMany()
	for _, crowd := range crowds {
		at := p.places.services[crowd.Groups[0][0]]
		if crowd.Anywhere {
			p.Fault(at, "no two of the services %s may share a node, and %s: they could never all run. If there are further "+
				"nodes, declare them under nodes", joinGroups(crowd.Groups), declaredNodes(crowd.Nodes))
			continue
		}
		p.Fault(at, "services %s may run on %s only, and no two of them on one node: they could never all run",
			joinGroups(crowd.Groups), joinNames(crowd.Nodes))
	}
	rings, wholeRings := rules.Squeezed(crowds)
	for _, ring := range rings {
		where := "may run on " + joinNames(ring.Nodes) + " only"
		if ring.Anywhere {
			where = "have no more than the declared nodes " + joinNames(ring.Nodes)
		}
		p.Fault(p.places.services[ring.Groups[0][0]], "services %s %s, and there is no way to keep apart all of them that "+
			"shall be apart: they could never all run", joinGroups(ring.Groups), where)
	}
	p.places.unsearched = !whole || !wholeRings
}

func declaredNodes(names []string) string {
	if len(names) == 1 {
		return "only " + names[0] + " is declared"
	}
	return "only " + joinNames(names) + " are declared"
}

// joinGroups names groups by their first services, and who runs together with these.
func joinGroups(groups [][]string) string {
	names := make([]string, 0, len(groups))
	for _, group := range groups {
		name := group[0]
		if len(group) > 1 {
			name += " (runs together with " + joinNames(group[1:]) + ")"
		}
		names = append(names, name)
	}
	return joinNames(names)
}

// mostNamed is how many names a sentence has; what comes after them is counted.
const mostNamed = 24

// joinNames writes names as a sentence has them.
func joinNames(names []string) string {
	text := ""
	if more := len(names) - mostNamed; more > 0 {
		names = append(slices.Clone(names[:mostNamed]), fmt.Sprintf("%d more", more))
	}
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " and "
		default:
			text += ", "
		}
		text += name
	}
	return text
}
