package cluster

import "fmt"

// apply of an operator's word. It stands in for a device's Confirmed, so it is
// bound as tightly: to an open intent, to the boot that the intent names, and to
// a node that nobody hears. Who said it stays in the timeline. An attempt under
// way need not be waited for: it asks before each packet whether it is still
// wanted, and its result is refused once the intent is closed.
func (t *transaction) applyConfirmFence(c ConfirmFence) refusal {
	open, fencing := t.Fences.Get(c.Node)
	if !fencing {
		return refuse("%s is not being fenced, there is nothing to confirm", c.Node)
	}
	n, known := t.Nodes.Get(c.Node)
	if !known || open.Boot != c.Boot || n.Boot != c.Boot {
		return refuse("the fence intent for %s is for boot %.8s, not for %.8s", c.Node, open.Boot, c.Boot)
	}
	if showsLife(n) {
		return refuse("%s is %s: a machine that shows life is not off", c.Node, n.State)
	}
	open.Story = appendPhases(open.Story, Phase{What: "off confirmed by a person", At: t.at})
	t.closeFence(open, EndedByWord, sentence("answered for by "+c.By, c.Why))
	n = t.setNodeState(n, NodeFenced, c.By, sentence(fmt.Sprintf("%s answers for it that the machine is off", c.By), c.Why), open.Story...)
	t.recoverFrom(n, open)
	return accepted
}

// showsLife tells whether nobody may say of a machine that it is off.
func showsLife(n Member) bool {
	return n.Reachable() || n.stalled() || n.State == NodeLooking
}
