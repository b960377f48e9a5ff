package config

import (
	"fmt"
	"maps"
	"slices"
	"sort"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/strict"
)

// mostJudged bounds the services that are looked through for those that need a node each.
const mostJudged = 400

// warn records what is no fault, and what somebody should know before a bad night.
func (p *parser) warn(at *yaml.Node, format string, arguments ...any) {
	if at == nil {
		return
	}
	p.warnings.Add(strict.Fault{File: p.File, Line: at.Line, Column: at.Column,
		Message: "warning: " + fmt.Sprintf(format, arguments...)})
}

// warned are the warnings in the order of the document.
func (p *parser) warned() strict.Faults {
	sort.SliceStable(p.warnings.List, func(i, j int) bool {
		a, b := p.warnings.List[i], p.warnings.List[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return p.warnings
}

// checkWarnings looks for what binds a VM to one host, and for what the loss of one node
// would make impossible.
func (p *parser) checkWarnings() {
	for _, name := range slices.Sorted(maps.Keys(p.document.Services)) {
		for _, line := range p.document.Services[name].BondWarnings() {
			p.warn(p.places.services[name], "%s: %s", name, line)
		}
	}
	if len(p.document.Nodes) == 2 && p.document.TwoNode == nil {
		p.warn(p.places.nodes[slices.Sorted(maps.Keys(p.document.Nodes))[0]],
			"there are two nodes and no two_node: when one is lost, the other has no quorum and starts nothing. "+
				"Say two_node, or add a witness")
	}
	for _, name := range slices.Sorted(maps.Keys(p.document.Devices)) {
		if p.document.Devices[name].Options[fence.OptionInsecure] == "true" {
			p.warn(p.places.devices[name], "device %s believes any certificate (insecure): who sits between this cluster "+
				"and the BMC learns the password and can say that a machine is off. Give fingerprint or ca instead", name)
		}
	}
	t := p.placing()
	p.warnOfOneNode(t)
	p.warnOfCrowds(t)
}

// warnOfOneNode: what may run on one node only is down as long as that is.
func (p *parser) warnOfOneNode(t placing) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.services)) {
		if nodes := t.allowed[name]; len(nodes) == 1 {
			seen[name] = true
			p.warn(p.places.services[name], "%s may run on %s only (domain %s): while that node is down, it is down",
				name, nodes[0], t.services[name].Domain)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.allowed)) {
		if seen[name] {
			continue
		}
		group := t.group(name)
		bound := slices.DeleteFunc(slices.Clone(group), func(member string) bool { return t.allowed[member] == nil })
		for _, member := range group {
			seen[member] = true
		}
		if common := t.common(bound); len(bound) > 1 && len(common) == 1 {
			p.warn(p.places.services[bound[0]],
				"services %s run together, and %s is the only node that all their domains allow: "+
					"while that is down, they do not run together", joinNames(bound), common[0])
		}
	}
}

// warnOfCrowds: services of which no two share a node, and that are as many as the nodes that
// they may have, leave one of them down when one node is.
func (p *parser) warnOfCrowds(t placing) {
	all := slices.Sorted(maps.Keys(p.document.Nodes))
	if len(all) < 2 {
		return
	}
	judged := t.clashing()
	allowed := func(name string) []string {
		if nodes := t.allowed[name]; nodes != nil {
			return nodes
		}
		return all
	}
	told := map[string]bool{}
	for _, nodes := range append(t.sets(), all) {
		if len(nodes) < 2 {
			continue
		}
		inside := slices.DeleteFunc(slices.Clone(judged), func(name string) bool {
			return slices.ContainsFunc(allowed(name), func(node string) bool { return !slices.Contains(nodes, node) })
		})
		for i := range inside {
			crowd := t.crowd(inside[i:], len(nodes))
			if key := joinNames(crowd); len(crowd) >= len(nodes) && !told[key] {
				told[key] = true
				p.warn(p.places.services[crowd[0]], "no two of the services %s may share a node, and there are %d nodes "+
					"for them (%s): when one is down, one of them does not run", key, len(nodes), joinNames(nodes))
				break
			}
		}
	}
}

// crowd gathers, from the first of a list on, services of which no two share a node; no
// more than one more than there are nodes.
func (t placing) crowd(names []string, nodes int) []string {
	crowd := names[:1:1]
	for _, other := range names[1:] {
		fits := func(name string) bool { return !t.clashes(name, other) }
		if len(crowd) <= nodes && !slices.ContainsFunc(crowd, fits) {
			crowd = append(crowd, other)
		}
	}
	return crowd
}

// clashing are the services that may not share a node with some other.
func (t placing) clashing() []string {
	named, exclusive := map[string]bool{}, false
	for name, spec := range t.services {
		exclusive = exclusive || spec.Exclusive
		if spec.Exclusive || len(spec.Apart) > 0 {
			named[name] = true
		}
		for _, other := range spec.Apart {
			if _, declared := t.services[other]; declared {
				named[other] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(named))
	if exclusive { // everything else keeps off its node
		for _, name := range slices.Sorted(maps.Keys(t.services)) {
			if !named[name] {
				names = append(names, name)
			}
		}
	}
	return names[:min(len(names), mostJudged)]
}

// placing is the document, seen by where services may run.
func (p *parser) placing() placing {
	t := placing{services: p.document.Services, allowed: map[string][]string{}}
	for name, spec := range t.services {
		d, declared := p.document.Domains[spec.Domain]
		if !declared || !d.Restricted {
			continue
		}
		nodes := []string{}
		for _, m := range d.Members {
			nodes = append(nodes, m.Node)
		}
		slices.Sort(nodes)
		t.allowed[name] = nodes
	}
	return t
}
