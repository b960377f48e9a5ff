package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// SettlingTime is how long a new leader waits at most for nodes that are on their way
// before it starts elsewhere what they could run.
const SettlingTime = 5 * time.Second

// mayTakeWork says why no new work is given to a node, as a word about it; nothing if
// it may have some. Placement, moves and fencing ask here, so that what the State says of
// a node (BarredFor) and what this leader has measured itself are always both asked.
func (p *planner) mayTakeWork(name string, n cluster.Member) message.Text {
	return p.BarredFor(name, n).OrElse(rules.Unheard(p.view, &p.World, n)).OrElse(p.restless(n))
}

// deaf says of an intent that its node has not been heard; nothing if it has.
func (p *planner) deaf(c cluster.Begin) message.Text {
	for _, name := range []string{c.Node, c.Target} {
		n, known := p.Nodes.Get(name)
		if c.Intent == cluster.IntentStop && name == c.Node {
			continue // where it is, it is stopped as soon as that is heard
		}
		if why := rules.Unheard(p.view, &p.World, n); known && !why.IsZero() {
			return message.WaitsForNode.With(name, why)
		}
	}
	return message.Text{}
}

// coming are the nodes that are expected to take work at any moment: a new leader has
// not heard them yet, or they are still looking what runs there. The leader stops
// expecting them once it has led for the settling time.
func (p *planner) coming() []string {
	if !p.view.Leading || p.view.Led >= SettlingTime {
		return nil
	}
	var list []string
	for i, name := range p.Nodes.Keys() {
		n := p.Nodes.Rows()[i]
		if n.Witness || n.Order != nil || p.Fences.Has(name) {
			continue
		}
		if n.State == cluster.NodeLooking || !rules.Unheard(p.view, &p.World, *n).IsZero() {
			list = append(list, name)
		}
	}
	return list
}

// expected is the node on its way that would be chosen for a service if it were there;
// "" where the choice is among those that are. So nobody waits at a cold start whose
// node is ready, and the first node does not get what the others would have. Who asked
// for the service waits for nobody.
func (p *planner) expected(service cluster.Service) string {
	coming := p.coming()
	if len(coming) == 0 || service.Wish != nil || service.Moving != "" || len(service.Holders) > 0 {
		return ""
	}
	node := ""
	p.asIfThere(coming, func() { node, _ = p.choose(service) })
	if !slices.Contains(coming, node) {
		return ""
	}
	p.Load[node]++
	p.takes(&service, node)
	return node
}

// asIfThere looks at the nodes as if some that are not heard were.
func (p *planner) asIfThere(names []string, look func()) {
	barred := p.Ruled.Barred
	p.Ruled.Barred = maps.Clone(barred)
	for _, name := range names {
		p.Ruled.Barred[name] = message.Text{}
	}
	look()
	p.Ruled.Barred = barred
}

// hushed are the nodes that only have not been heard, or not for long enough: soon they are, or
// they are lost.
func (p *planner) hushed() []string {
	var list []string
	for i, name := range p.Nodes.Keys() {
		if n := p.Nodes.Rows()[i]; p.BarredFor(name, *n).IsZero() &&
			!rules.Unheard(p.view, &p.World, *n).OrElse(p.restless(*n)).IsZero() {
			list = append(list, name)
		}
	}
	return list
}
