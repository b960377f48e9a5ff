package cluster

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// settlingTime is how long a new leader waits at most for nodes that are on their way
// before it starts elsewhere what they could run.
const settlingTime = 5 * time.Second

// mayTakeWork says why no new work is given to a node, as a word about it; "" if it
// may have some. Placement, moves and fencing ask here, so that what the State says of
// a node (barredFor) and what this leader has measured itself are always both asked.
func (p *planner) mayTakeWork(name string, n Member) string {
	return orElse(p.barredFor(name, n), orElse(p.view.unheard(&p.World, n), p.restless(n)))
}

// unheard says that the leader has not heard a node in its present incarnation, or not
// lately: what the State calls online may be from before an outage. Where nothing was
// measured, as on paper, nothing is said.
func (v View) unheard(world *World, n Member) string {
	w, measured := v.Contacts[n.Name]
	switch {
	case !v.Leading || !measured || n.State != NodeOnline:
		return ""
	case n.Name == v.Self && w.Incarnation != n.Incarnation:
		return "its daemon is only starting"
	case n.Name == v.Self:
		return ""
	case !w.Heard || w.Incarnation != n.Incarnation:
		return "not heard yet by " + v.Self + ", which leads"
	case w.StoodStill:
		return "not heard yet since " + v.Self + ", which leads, stood still"
	case w.Silence >= TimingFor(world.Document.Timing).Lost:
		return "not heard at present by " + v.Self + ", which leads"
	case w.Log.Still >= TimingFor(world.Document.Timing).Deaf/2:
		return "heard by " + v.Self + ", which leads, and takes nothing of the log at present"
	}
	return ""
}

// deaf says of an intent that its node has not been heard; "" if it has.
func (p *planner) deaf(c Begin) string {
	for _, name := range []string{c.Node, c.Target} {
		n, known := p.Nodes.Get(name)
		if c.Intent == IntentStop && name == c.Node {
			continue // where it is, it is stopped as soon as that is heard
		}
		if why := p.view.unheard(&p.World, n); known && why != "" {
			return fmt.Sprintf("waits for %s, which is %s", name, why)
		}
	}
	return ""
}

// coming are the nodes that are expected to take work at any moment: a new leader has
// not heard them yet, or they are still looking what runs there. The leader stops
// expecting them once it has led for the settling time.
func (p *planner) coming() []string {
	if !p.view.Leading || p.view.Led >= settlingTime {
		return nil
	}
	var list []string
	for i, name := range p.Nodes.Keys() {
		n := p.Nodes.Rows()[i]
		if n.Witness || n.Order != nil || p.Fences.Has(name) {
			continue
		}
		if n.State == NodeLooking || p.view.unheard(&p.World, *n) != "" {
			list = append(list, name)
		}
	}
	return list
}

// expected is the node on its way that would be chosen for a service if it were there;
// "" where the choice is among those that are. So nobody waits at a cold start whose
// node is ready, and the first node does not get what the others would have. Who asked
// for the service waits for nobody.
func (p *planner) expected(service Service) string {
	coming := p.coming()
	if len(coming) == 0 || service.Wish != nil || service.Moving != "" || len(service.Holders) > 0 {
		return ""
	}
	node := ""
	p.asIfThere(coming, func() { node, _ = p.choose(service) })
	if !slices.Contains(coming, node) {
		return ""
	}
	p.load[node]++
	return node
}

// asIfThere looks at the nodes as if some that are not heard were.
func (p *planner) asIfThere(names []string, look func()) {
	barred := p.ruled.barred
	p.ruled.barred = maps.Clone(barred)
	for _, name := range names {
		p.ruled.barred[name] = ""
	}
	look()
	p.ruled.barred = barred
}

// hushed are the nodes that only have not been heard, or not for long enough: soon they are, or they are lost.
func (p *planner) hushed() []string {
	var list []string
	for i, name := range p.Nodes.Keys() {
		if n := p.Nodes.Rows()[i]; p.barredFor(name, *n) == "" && orElse(p.view.unheard(&p.World, *n), p.restless(*n)) != "" {
			list = append(list, name)
		}
	}
	return list
}

// failedThere tells whether a failed start still counts: what failed on a node before
// its daemon started anew does not.
func (w *World) failedThere(f FailedStart) bool {
	n, known := w.Nodes.Get(f.Node)
	return known && (f.Incarnation == 0 || f.Incarnation == n.Incarnation)
}
