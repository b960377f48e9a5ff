package config

import (
	"fmt"
	"maps"
	"slices"
	"sort"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/placing"
	"github.com/clusterd/clusterd/internal/config/strict"
)

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
	p.warnOfOneNode(p.rules)
	p.warnOfCrowds(p.rules)
}

// warnOfOneNode: what may run on one node only is down as long as that is.
func (p *parser) warnOfOneNode(rules *placing.Rules) {
	alone := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(p.document.Services)) {
		domain := p.document.Services[name].Domain
		if nodes := p.allowed(domain); len(nodes) == 1 {
			alone[name] = true
			p.warn(p.places.services[name], "%s may run on %s only (domain %s): while that node is down, it is down",
				name, nodes[0], domain)
		}
	}
	for _, bound := range rules.Bound() {
		untold := func(name string) bool { return !alone[name] }
		if len(bound.Nodes) == 1 && slices.ContainsFunc(bound.Services, untold) {
			p.warn(p.places.services[bound.Services[0]],
				"services %s run together, and %s is the only node that all their domains allow: "+
					"while that is down, they do not run together", joinNames(bound.Services), bound.Nodes[0])
		}
	}
}

// warnOfCrowds: services of which no two share a node, and that are as many as the nodes that
// they may have, leave one of them down when one node is.
func (p *parser) warnOfCrowds(rules *placing.Rules) {
	for _, crowd := range rules.JustEnough() {
		p.warn(p.places.services[crowd.Groups[0][0]], "no two of the services %s may share a node, and there are %d nodes "+
			"for them (%s): when one is down, one of them does not run", joinGroups(crowd.Groups), len(crowd.Nodes),
			joinNames(crowd.Nodes))
	}
	if p.places.unsearched {
		names := slices.Sorted(maps.Keys(p.document.Services))
		p.warn(p.places.services[names[0]], "so many services are kept apart that it was not worked out to the end whether "+
			"all of them could run at once; `clustat --why SERVICE` says what keeps one down")
	}
}
