package rules

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// TwoNodeRule tells why the rule is not in force; nothing if it is.
func (w *World) TwoNodeRule() message.Text {
	if w.Document.TwoNode == nil {
		return message.TwoNodeUndeclared.With()
	}
	if w.Nodes.Len() != 2 {
		return message.TwoNodeMembers.With(w.Nodes.Len())
	}
	for _, name := range w.Nodes.Keys() {
		if n, _ := w.Nodes.Get(name); n.Witness {
			return message.TwoNodeWitness.With(name)
		}
		if len(w.Document.PowerLevels(name)) == 0 {
			return message.TwoNodeWithoutPower.With(name)
		}
	}
	return message.Text{}
}

// TwoNodeIdle says why a document's two-node rule is not in force; nothing where it is,
// or where there is none.
func TwoNodeIdle(s *cluster.State) message.Text {
	if s.Document.TwoNode == nil {
		return message.Text{}
	}
	return Of(s).TwoNodeRule()
}

// TwoNodesVote reports whether both nodes shall vote, so that what one of them has
// acknowledged lies on both.
func TwoNodesVote(s *cluster.State) bool { return Of(s).TwoNodeRule().IsZero() }

// WarrantFor makes the warrant of a node that is in quorum, or says why it gets
// none. The other has to be known to have applied the document, so that the two
// never hold warrants that favour both, or neither.
func WarrantFor(s *cluster.State, at cluster.Standing) (cluster.Warrant, message.Text) {
	if why := Of(s).TwoNodeRule(); !why.IsZero() {
		return cluster.Warrant{}, why
	}
	me, known := s.Nodes.Get(at.Self)
	if !known || !me.Reachable() || me.Incarnation != at.Incarnation || me.Boot != at.Boot {
		return cluster.Warrant{}, message.WarrantNotAdmitted.With(at.Self)
	}
	peer := s.Other(at.Self)
	switch {
	case !peer.Reachable():
		return cluster.Warrant{}, message.NodeInState.With(peer.Name, peer.State)
	case s.Disarmed != nil:
		return cluster.Warrant{}, s.Disarmed.Says()
	case s.Fences.Len() > 0:
		return cluster.Warrant{}, message.FenceUnderWay.With(s.Fences.Keys()[0])
	case !at.BothVote:
		return cluster.Warrant{}, message.WarrantOneVotes.With()
	case at.PeerApplied < s.Config.Index:
		return cluster.Warrant{}, message.WarrantPeerOutdated.With(peer.Name)
	}
	w := cluster.Warrant{Node: at.Self, Boot: at.Boot, Generation: s.Generation, Document: s.Config.Version,
		Timing: s.Document.Timing,
		Delay:  s.Document.TwoNode.Delay, Favoured: s.Document.Favoured() == at.Self,
		Peer: fence.Target{Node: peer.Name, HardwareUUID: peer.HardwareUUID, Boot: peer.Boot,
			Claimed: s.Claimed(peer.Name).String()}}
	if w.Delay == 0 {
		w.Delay = cluster.TwoNodeDelay
	}
	w.Levels = s.Document.PowerLevels(peer.Name)
	for _, level := range w.Levels {
		for _, device := range level {
			if s.ProvenFor(device.Name, peer.Name) {
				w.Proven = append(w.Proven, device.Name)
			}
		}
	}
	return w, message.Text{}
}
