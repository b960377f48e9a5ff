package cluster

import (
	"fmt"
	"strings"
)

// SetAddress records that a node is reached under another address from now on: its own
// word, proven by its key, or a person's. A node whose address changed cannot say so by
// NodeUp, because the leader brings it the log where it was.
type SetAddress struct {
	Node    string `json:"node"`
	Address string `json:"address"`
	By      string `json:"by,omitempty"`
}

// Kind is the word that names the command in the log.
func (SetAddress) Kind() string { return "set-address" }

func (t *transaction) applySetAddress(c SetAddress) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return refuse("there is no node %s in the cluster", c.Node)
	case strings.EqualFold(n.Address, c.Address):
		return accepted
	case c.Address == "":
		return refuse("the address of %s is empty", c.Node)
	}
	if why := unfitAddress(c.Node, c.Address); why != "" {
		return refuse("%s", why)
	}
	for _, other := range t.Nodes.Rows() {
		if other.Name != c.Node && strings.EqualFold(other.Address, c.Address) {
			return refuse("%s is the address of %s; change that first, or give %s another one", c.Address, other.Name, c.Node)
		}
	}
	if n.Reachable() {
		return refuse("%s is in touch at %s; write the new address into its node.yaml and restart clusterd there: it tells "+
			"the others by itself", c.Node, n.Address)
	}
	why := fmt.Sprintf("its address is %s now, and was %s", c.Address, n.Address)
	if c.By == "" {
		why = fmt.Sprintf("it asks from %s, and its address was %s: the others look for it there now", c.Address, n.Address)
	}
	n.Address = c.Address
	t.Nodes.Set(c.Node, n)
	t.tell(Event{Node: c.Node, Subject: c.Node, By: c.By, Why: why})
	return accepted
}
