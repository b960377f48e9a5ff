package apply

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
)

// applyGoAlone holds the rule's own conditions, whoever claims them: two nodes and no
// witness, the document allows it, and the other one is confirmed off. A brake
// that never lets half of the nodes be shot would forbid it always, so this is
// its exception (law L8); the shot is counted like any other.
func (t *transaction) applyGoAlone(c cluster.GoAlone) rules.Refusal {
	if why := t.TwoNodeRule(); why != "" {
		return rules.Refuse("%s does not go on alone: %s", c.Node, why)
	}
	peer, known := t.Nodes.Get(c.Peer)
	if !known || c.Node == c.Peer || !t.Nodes.Has(c.Node) {
		return rules.Refuse("%s and %s are not the two nodes of this cluster", c.Node, c.Peer)
	}
	if peer.Expelled != 0 {
		return rules.Refuse("generation %d began without %s already", peer.Expelled, c.Peer)
	}
	if c.Generation != t.Generation+1 {
		return rules.Refuse("generation %d does not follow %d", c.Generation, t.Generation)
	}
	if c.Result.Outcome != fence.Confirmed || c.Result.Proven.By() != fence.ByPower {
		return rules.Refuse("%s is not confirmed off: %s", c.Peer, c.Result.Outcome)
	}
	if peer.Incarnation > c.Through {
		return rules.Refuse("%s came up again after it was decided to go on without it", c.Peer)
	}
	t.Generation = c.Generation
	evidence := strings.Join(c.Result.Evidence, "; ")
	t.tell(cluster.Event{Node: c.Node, Subject: t.Cluster,
		Why: fmt.Sprintf("%s goes on without %s by the two-node rule: generation %d begins (%s)", c.Node, c.Peer,
			c.Generation, c.Why)})
	t.Shots = append(t.Shots, cluster.Shot{Node: c.Peer, Index: t.index, At: t.At})
	if excess := len(t.Shots) - cluster.MaxShots; excess > 0 {
		t.Shots = append([]cluster.Shot(nil), t.Shots[excess:]...)
	}
	open := cluster.Fence{Node: c.Peer, Boot: peer.Boot, Index: t.index, Generation: c.Generation, At: t.At, Why: c.Why}
	open = open.AfterAttempt(fence.Attempt{Fencer: c.Node, Outcome: c.Result.Outcome}, evidence)
	open.Story = []cluster.Phase{{What: "last heard", At: c.LastHeard}, {What: "decided", At: c.Decided}}
	for _, p := range c.Result.Phases {
		open.Story = appendPhases(open.Story, cluster.Phase{What: p.What, At: p.At})
	}
	t.closeFence(open, cluster.EndedConfirmed, evidence)
	peer.Expelled, peer.Before = c.Generation, ""
	peer = t.setNodeState(peer, cluster.NodeFenced, "", fmt.Sprintf("confirmed off by %s: %s", c.Node, evidence),
		open.Story...)
	t.recoverFrom(peer, open)
	// Its daemon starts again: nothing is planned for it before it has looked.
	me, _ := t.Nodes.Get(c.Node)
	t.setNodeState(me, cluster.NodeLooking, "", "its daemon starts again with the log that it took over")
	for _, name := range t.Services.Keys() {
		if service, _ := t.Services.Get(name); service.Intent != nil {
			t.voidIntent(service, "a new generation began")
		}
	}
	return rules.Accepted
}

func (t *transaction) applyReadmit(c cluster.Readmit) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Expelled == 0 {
		return rules.Refuse("%s is not expelled", c.Node)
	}
	if c.Generation != t.Generation {
		return rules.Refuse("%s asks to come back into generation %d, this is %d", c.Node, c.Generation, t.Generation)
	}
	n.Expelled, n.Log, n.LogLost = 0, "", 0
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node,
		Why: "it has set the log of the old generation aside and gets this one"})
	return rules.Accepted
}

// mayHaveTwoNode says why a document may not have the two-node rule here.
func (t *transaction) mayHaveTwoNode(d cluster.Document) string {
	if d.TwoNode == nil {
		return ""
	}
	for _, name := range words.SortedKeys(d.Nodes) {
		if w := fence.WantedBy(d.Nodes[name].Fence, d.Devices); w.Settings.Lease > 0 {
			return fmt.Sprintf("%s has a watchdog with a lease, and of two nodes that have lost each other neither gets "+
				"one: both would be reset; take two_node or the watchdog out of the document", name)
		}
	}
	for _, name := range t.Nodes.Keys() {
		if n, _ := t.Nodes.Get(name); n.Witness {
			return fmt.Sprintf("two_node is for two nodes without a witness; %s is one, its vote decides: take two_node "+
				"out of the document", name)
		}
	}
	if t.Nodes.Len() > 2 {
		return fmt.Sprintf("two_node is for two nodes, this cluster has %d: with three votes the majority decides; take "+
			"two_node out of the document", t.Nodes.Len())
	}
	return ""
}

func (t *transaction) applyJoin(c cluster.Join) rules.Refusal {
	token, why := t.checkToken(c)
	if why != "" {
		return rules.Refuse("%s", why)
	}
	if len(c.Key) > 0 && cluster.FingerprintOf(c.Key) != c.Fingerprint {
		return rules.Refuse("the public key of %s is not the one its fingerprint stands for", c.Node)
	}
	if why := rules.MayJoin(t.State, c, token.Replace); why != "" {
		return rules.Refuse("%s", why)
	}
	old, known := t.Nodes.Get(c.Node)
	if known && old.HasKey(c.Fingerprint) {
		t.Tokens.Delete(c.Token)
		return rules.Accepted // the same machine asked twice
	}
	n := cluster.Member{Name: c.Node, Fingerprint: c.Fingerprint, Key: c.Key, HardwareUUID: c.HardwareUUID,
		Address: c.Address, Witness: c.Witness, KeySince: t.index}
	if known {
		if why := t.MayBar(old.Keys()); why != "" {
			return rules.Refuse("%s", why)
		}
		n.ID, n.Order = old.ID, old.Order
		t.forgetMachine(old, c.By)
	} else {
		t.NextNodeID++
		n.ID = t.NextNodeID
	}
	t.Tokens.Delete(c.Token)
	t.setNodeState(n, cluster.NodeJoining, c.By, "joined with a token; waiting for its daemon")
	return rules.Accepted
}

// checkToken lets the founder's own machine in without one.
func (t *transaction) checkToken(c cluster.Join) (cluster.Token, string) {
	if c.Token == "" && t.Nodes.Len() == 0 {
		return cluster.Token{}, ""
	}
	token, known := t.Tokens.Get(c.Token)
	if !known {
		return cluster.Token{}, "the join token is unknown or was used already; make a new one with `clusterd token`"
	}
	if t.At.After(token.Expires) {
		return cluster.Token{}, fmt.Sprintf("the join token expired %s ago; make a new one with `clusterd token`",
			t.At.Sub(token.Expires).Round(time.Second))
	}
	if token.Replace != "" && token.Replace != c.Node {
		return cluster.Token{}, fmt.Sprintf("the join token is for the machine that replaces %s, not for %s",
			token.Replace, c.Node)
	}
	return token, ""
}

// forgetMachine bars a machine's key for good.
func (t *transaction) forgetMachine(n cluster.Member, by string) {
	t.forgetAuthorityOf(n.Name)
	t.dropDataKey(n.Name, n.Name+" has gone, and knew the key before")
	t.Removed.Set(n.Fingerprint, cluster.Removed{Name: n.Name, At: t.At, By: by})
	if turn := n.KeyTurn; n.Keys() > 1 {
		t.Removed.Set(turn.Fingerprint, cluster.Removed{Name: n.Name, At: t.At, By: by})
	}
}

func (t *transaction) applyRemoveNode(c cluster.RemoveNode) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return rules.Refuse("there is no node %s", c.Node)
	}
	if held := t.HeldBy(n); len(held) > 0 {
		return rules.Refuse("%s may be running %s; move its services away first (`clusterd node leave %s`), "+
			"or have it fenced", c.Node, held[0], c.Node)
	}
	if t.Fences.Has(c.Node) {
		return rules.Refuse("%s is being fenced; wait for the result", c.Node)
	}
	if why := t.MayBar(n.Keys()); why != "" {
		return rules.Refuse("%s", why)
	}
	t.forgetMachine(n, c.By)
	t.Nodes.Delete(c.Node)
	t.settleAuthority()
	t.forgetReach()
	t.forgetStarts(c.Node)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, From: string(n.State), To: "removed", By: c.By,
		Why: words.Sentence("removed from the cluster, its key is no longer accepted", c.Why)})
	return rules.Accepted
}

func (t *transaction) applyLoseLog(c cluster.LoseLog) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.Refuse("there is no node %s in the cluster", c.Node)
	case c.Log == "":
		return rules.Refuse("the log that %s begins has no name", c.Node)
	case n.Expelled != 0:
		return rules.Refuse("generation %d of the cluster began without %s; it is let in again by that", n.Expelled, c.Node)
	case n.Log == c.Log && n.LogLost == 0:
		return rules.Refuse("%s holds this log already", c.Node)
	case n.Log == c.Log:
		return rules.Accepted // told twice
	case n.Log != c.Before:
		return rules.Refuse("%s has begun another log since that was asked for", c.Node)
	}
	n.Log, n.LogLost = c.Log, t.index
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node,
		Why: fmt.Sprintf("it has lost the log (%s); it has no vote until it holds all of it again", c.Why)})
	return rules.Accepted
}

// holdsLog takes over which log a node came up with: it has read it to the present end.
func (t *transaction) holdsLog(n cluster.Member, log string) cluster.Member {
	if n.LogLost != 0 {
		t.tell(cluster.Event{Node: n.Name, Subject: n.Name, Cause: n.LogLost, Why: "it holds the log again and may vote"})
	}
	n.Log, n.LogLost = log, 0
	return n
}
