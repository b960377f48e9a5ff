package cluster

import (
	"fmt"
	"time"
)

const (
	// restartsApart is how long a daemon has to run to have started well: a start that comes
	// sooner after the one before it is one more round of a loop.
	restartsApart = 30 * time.Second
	// restartsKnown is how many starts in a row are nothing but restarts: upgrades and changes
	// of node.yaml take two or three.
	restartsKnown = 3
)

// Restarts are the starts of a node's daemon that came soon one after the other.
type Restarts struct {
	Count int       `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// another counts a start in. A clock that was set back begins anew.
func (r *Restarts) another(at time.Time) *Restarts {
	if r == nil || at.Before(r.Last) || at.Sub(r.Last) > restartsApart {
		return &Restarts{Count: 1, First: at, Last: at}
	}
	return &Restarts{Count: r.Count + 1, First: r.First, Last: at}
}

// loop reports whether there were more starts than anybody makes on purpose.
func (r *Restarts) loop() bool { return r != nil && r.Count > restartsKnown }

// told reports whether this round of a loop is told: the first ones, and then each doubling.
func (r *Restarts) told() bool { return !r.loop() || r.Count&(r.Count-1) == 0 }

func (r *Restarts) says() string {
	return fmt.Sprintf("its daemon has started %d times in %s, and none of them ran for %s", r.Count,
		r.Last.Sub(r.First).Round(time.Second), restartsApart)
}

// roundOf reports whether a change of a node's standing is one more round of its daemon's
// restarts, which are one thing and told as one.
func (n Member) roundOf(to NodeState, at time.Time) bool {
	switch to {
	case NodeLooking, NodeOnline, NodeSilent, NodeDeaf:
		return n.Restarts.loop() && !n.Restarts.told() && at.Sub(n.Restarts.Last) <= restartsApart
	}
	return false
}

// lately reports whether the newest start of a loop is so recent that the loop goes on. A clock
// that was set back by more than that ends it.
func (r *Restarts) lately(at time.Time) bool {
	return r.loop() && r.Last.Sub(at) <= restartsApart && at.Sub(r.Last) < restartsApart
}

// restless says that a node's daemon does not stay up; "" if it does. The time comes at
// which it has.
func (p *planner) restless(n Member) string {
	r := n.Restarts
	if !r.loop() || r.Last.Sub(p.clock()) > restartsApart || p.reached(r.Last.Add(restartsApart)) {
		return "" // in the first case the clock was set back
	}
	return r.says()
}

// noteRestarts tells of the nodes that get no work because their daemon starts again and again.
func (p *planner) noteRestarts() {
	for i, name := range p.Nodes.Keys() {
		n := p.Nodes.Rows()[i]
		if n.Ended() || n.State == NodeLeft {
			continue
		}
		if why := p.restless(*n); why != "" {
			p.wait(name, fmt.Sprintf("%s; it is given no work until one does", why),
				fmt.Sprintf("on %s: `journalctl -u clusterd` says why it ends", name))
		}
	}
}
