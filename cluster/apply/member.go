package apply

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// applyGoAlone holds the rule's own conditions, whoever claims them: two nodes and no
// witness, the document allows it, and the other one is confirmed off. A brake
// that never lets half of the nodes be shot would forbid it always, so this is
// its exception (law L8); the shot is counted like any other.
func (t *transaction) applyGoAlone(c cluster.GoAlone) rules.Refusal {
	if why := t.TwoNodeRule(); !why.IsZero() {
		return rules.Refuse(message.AloneWithoutRule.With(c.Node, why))
	}
	peer, known := t.Nodes.Get(c.Peer)
	if !known || c.Node == c.Peer || !t.Nodes.Has(c.Node) {
		return rules.Refuse(message.AloneWrongNodes.With(c.Node, c.Peer))
	}
	if peer.Expelled != 0 {
		return rules.Refuse(message.AloneAlready.With(peer.Expelled, c.Peer))
	}
	if c.Generation != t.Generation+1 {
		return rules.Refuse(message.AloneWrongGeneration.With(c.Generation, t.Generation))
	}
	if c.Result.Outcome != fence.Confirmed || c.Result.Proven.By() != fence.ByPower {
		return rules.Refuse(message.AlonePeerNotOff.With(c.Peer, c.Result.Outcome))
	}
	if peer.Incarnation > c.Through {
		return rules.Refuse(message.AlonePeerUpAgain.With(c.Peer))
	}
	t.Generation = c.Generation
	evidence := evidenceOf(c.Result, message.Text{})
	t.tell(cluster.Event{Node: c.Node, Subject: t.Cluster,
		Why: message.NodeGoesOnAlone.With(c.Node, c.Peer, c.Generation, c.Why)})
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
	peer = t.setNodeState(peer, cluster.NodeFenced, "", message.FenceConfirmed.With(c.Node, evidence), open.Story...)
	t.recoverFrom(peer, open)
	// Its daemon starts again: nothing is planned for it before it has looked.
	me, _ := t.Nodes.Get(c.Node)
	t.setNodeState(me, cluster.NodeLooking, "", message.NodeTookLogOver.With())
	for _, name := range t.Services.Keys() {
		if service, _ := t.Services.Get(name); service.Intent != nil {
			t.voidIntent(service, message.GenerationBegan.With())
		}
	}
	return rules.Accepted
}

func (t *transaction) applyReadmit(c cluster.Readmit) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Expelled == 0 {
		return rules.Refuse(message.ReadmitNotExpelled.With(c.Node))
	}
	if c.Generation != t.Generation {
		return rules.Refuse(message.ReadmitOutdated.With(c.Node, c.Generation, t.Generation))
	}
	n.Expelled, n.Log, n.LogLost = 0, "", 0
	// What its daemon said with the log that it set aside may come only now: it would name that log.
	n.Incarnation = t.index
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: message.NodeReadmitted.With()})
	return rules.Accepted
}

// mayHaveTwoNode says why a document may not have the two-node rule here.
func (t *transaction) mayHaveTwoNode(d cluster.Document) message.Text {
	if d.TwoNode == nil {
		return message.Text{}
	}
	for _, name := range words.SortedKeys(d.Nodes) {
		if w := fence.WantedBy(d.Nodes[name].Fence, d.Devices); w.Settings.Lease > 0 {
			return message.TwoNodeWithLease.With(name)
		}
	}
	for _, name := range t.Nodes.Keys() {
		if n, _ := t.Nodes.Get(name); n.Witness {
			return message.TwoNodeWithWitness.With(name)
		}
	}
	if t.Nodes.Len() > 2 {
		return message.TwoNodeTooMany.With(t.Nodes.Len())
	}
	return message.Text{}
}

func (t *transaction) applyJoin(c cluster.Join) rules.Refusal {
	token, why := t.checkToken(c)
	if !why.IsZero() {
		return rules.Refuse(why)
	}
	if len(c.Key) > 0 && cluster.FingerprintOf(c.Key) != c.Fingerprint {
		return rules.Refuse(message.KeyFingerprintMismatch.With(c.Node))
	}
	if why := rules.MayJoin(t.State, c, token.Replace); !why.IsZero() {
		return rules.Refuse(why)
	}
	old, known := t.Nodes.Get(c.Node)
	if known && old.HasKey(c.Fingerprint) {
		t.Tokens.Delete(c.Token)
		return rules.Accepted // the same machine asked twice
	}
	n := cluster.Member{Name: c.Node, Fingerprint: c.Fingerprint, Key: c.Key, HardwareUUID: c.HardwareUUID,
		Address: c.Address, Witness: c.Witness, KeySince: t.index}
	if known {
		if why := t.MayBar(old.Keys()); !why.IsZero() {
			return rules.Refuse(why)
		}
		n.ID, n.Order = old.ID, old.Order
		t.forgetMachine(old, c.By)
	} else {
		t.NextNodeID++
		n.ID = t.NextNodeID
	}
	t.Tokens.Delete(c.Token)
	joined := message.NodeJoined.With()
	if c.Token == "" {
		joined = message.NodeFounded.With()
	}
	t.setNodeState(n, cluster.NodeJoining, c.By, joined)
	return rules.Accepted
}

// checkToken lets the founder's own machine in without one.
func (t *transaction) checkToken(c cluster.Join) (cluster.Token, message.Text) {
	if c.Token == "" && t.Nodes.Len() == 0 {
		return cluster.Token{}, message.Text{}
	}
	token, known := t.Tokens.Get(c.Token)
	if !known {
		return cluster.Token{}, message.TokenUnknown.With()
	}
	if t.At.After(token.Expires) {
		return cluster.Token{}, message.TokenExpired.With(t.At.Sub(token.Expires).Round(time.Second))
	}
	if token.Replace != "" && token.Replace != c.Node {
		return cluster.Token{}, message.TokenForOther.With(token.Replace, c.Node)
	}
	return token, message.Text{}
}

// forgetMachine bars a machine's key for good.
func (t *transaction) forgetMachine(n cluster.Member, by string) {
	t.forgetAuthorityOf(n.Name)
	t.dropDataKey(n.Name, message.DataKeyNodeGone.With(n.Name))
	t.Removed.Set(n.Fingerprint, cluster.Removed{Name: n.Name, At: t.At, By: by})
	if turn := n.KeyTurn; n.Keys() > 1 {
		t.Removed.Set(turn.Fingerprint, cluster.Removed{Name: n.Name, At: t.At, By: by})
	}
}

func (t *transaction) applyRemoveNode(c cluster.RemoveNode) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	}
	if held := t.HeldBy(n); len(held) > 0 {
		return rules.Refuse(message.RemoveNodeInUse.With(c.Node, held[0]))
	}
	if t.Fences.Has(c.Node) {
		return rules.Refuse(message.RemoveNodeFencing.With(c.Node))
	}
	if why := t.MayBar(n.Keys()); !why.IsZero() {
		return rules.Refuse(why)
	}
	t.forgetMachine(n, c.By)
	t.Nodes.Delete(c.Node)
	t.settleAuthority()
	t.forgetReach()
	t.forgetStarts(c.Node)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, From: string(n.State), To: "removed", By: c.By,
		Why: message.NodeRemoved.With(c.Why)})
	return rules.Accepted
}

func (t *transaction) applyLoseLog(c cluster.LoseLog) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	case c.Log == "":
		return rules.Refuse(message.LogWithoutName.With(c.Node))
	case n.Expelled != 0:
		return rules.Refuse(message.LogOfExpelled.With(n.Expelled, c.Node))
	case n.Log == c.Log && n.LogLost == 0:
		return rules.Refuse(message.LogHeldAlready.With(c.Node))
	case n.Log == c.Log:
		return rules.Accepted // told twice
	case n.Log != c.Before:
		return rules.Refuse(message.LogLossOutdated.With(c.Node))
	}
	n.Log, n.LogLost = c.Log, t.index
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: message.NodeLogLost.With(c.Why)})
	return rules.Accepted
}

// holdsLog takes over which log a node came up with: it has read it to the present end.
func (t *transaction) holdsLog(n cluster.Member, log string) cluster.Member {
	if n.LogLost != 0 {
		t.tell(cluster.Event{Node: n.Name, Subject: n.Name, Cause: n.LogLost, Why: message.NodeLogBack.With()})
	}
	n.Log, n.LogLost = log, 0
	return n
}

// forgetStarts forgets the failed starts on a node that is no longer a member.
func (t *transaction) forgetStarts(node string) {
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		var rest []cluster.FailedStart
		for _, f := range service.FailedOn {
			if f.Node != node {
				rest = append(rest, f)
			}
		}
		if len(rest) != len(service.FailedOn) {
			service.FailedOn = rest
			t.Services.Set(name, service)
		}
	}
}
