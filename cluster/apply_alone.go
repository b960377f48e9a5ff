package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// GoAlone begins a new generation without the other of two nodes: the exception
// of laws L4 and L8. It is the first command of the log that a node goes on with
// by itself.
type GoAlone struct {
	Generation uint64 `json:"generation"`
	Node       string `json:"node"`
	Peer       string `json:"peer"`
	// Through is where the log ended when it was decided.
	Through uint64 `json:"through"`
	Why     string `json:"why"`
	// LastHeard and Decided are for the story of what is recovered.
	LastHeard time.Time    `json:"lastHeard,omitzero"`
	Decided   time.Time    `json:"decided,omitzero"`
	Result    fence.Result `json:"result"`
}

// Readmit lets an expelled node into the log again, once its own was set aside.
type Readmit struct {
	Node       string `json:"node"`
	Generation uint64 `json:"generation"`
}

// Kind names the commands in the log.
func (GoAlone) Kind() string { return "go-alone" }
func (Readmit) Kind() string { return "readmit" }

func (GoAlone) level() int { return levelTwo }
func (Readmit) level() int { return levelTwo }

// apply holds the rule's own conditions, whoever claims them: two nodes and no
// witness, the document allows it, and the other one is confirmed off. A brake
// that never lets half of the nodes be shot would forbid it always, so this is
// its exception (law L8); the shot is counted like any other.
func (t *transaction) applyGoAlone(c GoAlone) refusal {
	if why := t.twoNodeRule(); why != "" {
		return refuse("%s does not go on alone: %s", c.Node, why)
	}
	peer, known := t.Nodes.Get(c.Peer)
	if !known || c.Node == c.Peer || !t.Nodes.Has(c.Node) {
		return refuse("%s and %s are not the two nodes of this cluster", c.Node, c.Peer)
	}
	if peer.Expelled != 0 {
		return refuse("generation %d began without %s already", peer.Expelled, c.Peer)
	}
	if c.Generation != t.Generation+1 {
		return refuse("generation %d does not follow %d", c.Generation, t.Generation)
	}
	if c.Result.Outcome != fence.Confirmed || c.Result.Proven.By() != fence.ByPower {
		return refuse("%s is not confirmed off: %s", c.Peer, c.Result.Outcome)
	}
	if peer.Incarnation > c.Through {
		return refuse("%s came up again after it was decided to go on without it", c.Peer)
	}
	t.Generation = c.Generation
	evidence := strings.Join(c.Result.Evidence, "; ")
	t.tell(Event{Node: c.Node, Subject: t.Cluster, Why: fmt.Sprintf("%s goes on without %s by the two-node rule: generation %d begins (%s)", c.Node, c.Peer, c.Generation, c.Why)})
	t.Shots = append(t.Shots, Shot{Node: c.Peer, Index: t.index, At: t.at})
	if excess := len(t.Shots) - maxShots; excess > 0 {
		t.Shots = append([]Shot(nil), t.Shots[excess:]...)
	}
	open := Fence{Node: c.Peer, Boot: peer.Boot, Index: t.index, Generation: c.Generation, At: t.at, Why: c.Why}
	open = open.afterAttempt(fence.Attempt{Fencer: c.Node, Outcome: c.Result.Outcome}, evidence)
	open.Story = []Phase{{What: "last heard", At: c.LastHeard}, {What: "decided", At: c.Decided}}
	for _, p := range c.Result.Phases {
		open.Story = appendPhases(open.Story, Phase{What: p.What, At: p.At})
	}
	t.closeFence(open, EndedConfirmed, evidence)
	peer.Expelled, peer.Before = c.Generation, ""
	peer = t.setNodeState(peer, NodeFenced, "", fmt.Sprintf("confirmed off by %s: %s", c.Node, evidence), open.Story...)
	t.recoverFrom(peer, open)
	// Its daemon starts again: nothing is planned for it before it has looked.
	me, _ := t.Nodes.Get(c.Node)
	t.setNodeState(me, NodeLooking, "", "its daemon starts again with the log that it took over")
	for _, name := range t.Services.Keys() {
		if service, _ := t.Services.Get(name); service.Intent != nil {
			t.voidIntent(service, "a new generation began")
		}
	}
	return accepted
}

func (t *transaction) applyReadmit(c Readmit) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Expelled == 0 {
		return refuse("%s is not expelled", c.Node)
	}
	if c.Generation != t.Generation {
		return refuse("%s asks to come back into generation %d, this is %d", c.Node, c.Generation, t.Generation)
	}
	n.Expelled, n.Log, n.LogLost = 0, "", 0
	t.Nodes.Set(c.Node, n)
	t.tell(Event{Node: c.Node, Subject: c.Node, Why: "it has set the log of the old generation aside and gets this one"})
	return accepted
}

// barredByGeneration says why a node that was left behind is not admitted.
func (n Member) barredByGeneration() string {
	if n.Expelled == 0 {
		return ""
	}
	return fmt.Sprintf("generation %d of the cluster began without %s; it is admitted when it has set its old log aside, which its daemon does by itself", n.Expelled, n.Name)
}

// mayHaveTwoNode says why a document may not have the two-node rule here.
func (t *transaction) mayHaveTwoNode(d Document) string {
	if d.TwoNode == nil {
		return ""
	}
	for _, name := range sortedKeys(d.Nodes) {
		if w := fence.WantedBy(d.Nodes[name].Fence, d.Devices); w.Settings.Lease > 0 {
			return fmt.Sprintf("%s has a watchdog with a lease, and of two nodes that have lost each other neither gets one: both would be reset; take two_node or the watchdog out of the document", name)
		}
	}
	for _, name := range t.Nodes.Keys() {
		if n, _ := t.Nodes.Get(name); n.Witness {
			return fmt.Sprintf("two_node is for two nodes without a witness; %s is one, its vote decides: take two_node out of the document", name)
		}
	}
	if t.Nodes.Len() > 2 {
		return fmt.Sprintf("two_node is for two nodes, this cluster has %d: with three votes the majority decides; take two_node out of the document", t.Nodes.Len())
	}
	return ""
}
