package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/strict"
)

// twoNode reads the rule by which one of two nodes may go on without the other.
func (p *parser) twoNode(node *yaml.Node) {
	rule := cluster.TwoNode{Delay: cluster.TwoNodeDelay}
	p.places.twoNode = node
	if node.ShortTag() != "!!null" {
		p.Mapping(node, "two_node", strict.Fields{
			"favour": func(value *yaml.Node) {
				name, ok := p.Word(value, "favour")
				if !ok {
					return
				}
				rule.Favour = name
				p.places.nodeUses = append(p.places.nodeUses, use{name: name, by: "two_node", at: value})
			},
			"delay": p.Duration(&rule.Delay, "delay", cluster.TwoNodeDelayShortest, cluster.TwoNodeDelayLongest),
		})
	}
	p.document.TwoNode = &rule
}

// checkTwoNode holds what the rule needs: two nodes that can be fenced. Whether one
// of them is a witness is known to the cluster alone, which refuses it then.
func (p *parser) checkTwoNode() {
	if p.document.TwoNode == nil {
		return
	}
	if count := len(p.document.Nodes); count != 2 {
		p.Fault(p.places.twoNode, "two_node is for exactly two nodes, and %d stand under nodes: with three votes the "+
			"majority decides, and with one there is nobody to go on without", count)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.document.Nodes)) {
		if len(p.document.Nodes[name].Fence) == 0 {
			p.Fault(p.places.nodes[name], "two_node needs a fence device for %s: without one, nobody can know that it is "+
				"off, and the other one waits forever", name)
		}
	}
}

func twoNodeText(document cluster.Document) string {
	if document.TwoNode == nil {
		return "none"
	}
	text := fmt.Sprintf("%s is favoured, the other waits %s longer", document.Favoured(),
		cmp.Or(document.TwoNode.Delay, cluster.TwoNodeDelay))
	if document.TwoNode.Favour == "" {
		text += " (by the services' domains)"
	}
	return text
}
