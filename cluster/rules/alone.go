package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// TwoNodeRule tells why the rule is not in force; "" if it is.
func (w *World) TwoNodeRule() string {
	if w.Document.TwoNode == nil {
		return "the document has no two_node"
	}
	if w.Nodes.Len() != 2 {
		return fmt.Sprintf("there are %d members, and the rule is for two", w.Nodes.Len())
	}
	for _, name := range w.Nodes.Keys() {
		if n, _ := w.Nodes.Get(name); n.Witness {
			return name + " is a witness, its vote decides"
		}
		if len(w.Document.PowerLevels(name)) == 0 {
			return name + " has no fence level that cuts its power"
		}
	}
	return ""
}

// TwoNodeIdle says why a document's two-node rule is not in force; "" where it is,
// or where there is none.
func TwoNodeIdle(s *cluster.State) string {
	if s.Document.TwoNode == nil {
		return ""
	}
	return Of(s).TwoNodeRule()
}

// TwoNodesVote reports whether both nodes shall vote, so that what one of them has
// acknowledged lies on both.
func TwoNodesVote(s *cluster.State) bool { return Of(s).TwoNodeRule() == "" }

// WarrantFor makes the warrant of a node that is in quorum, or says why it gets
// none. The other has to be known to have applied the document, so that the two
// never hold warrants that favour both, or neither.
func WarrantFor(s *cluster.State, at cluster.Standing) (cluster.Warrant, string) {
	if why := Of(s).TwoNodeRule(); why != "" {
		return cluster.Warrant{}, why
	}
	me, known := s.Nodes.Get(at.Self)
	if !known || !me.Reachable() || me.Incarnation != at.Incarnation || me.Boot != at.Boot {
		return cluster.Warrant{}, at.Self + " is not admitted with this boot"
	}
	peer := s.Other(at.Self)
	switch {
	case !peer.Reachable():
		return cluster.Warrant{}, fmt.Sprintf("%s is %s", peer.Name, peer.State)
	case s.Disarmed != nil:
		return cluster.Warrant{}, s.Disarmed.String()
	case s.Fences.Len() > 0:
		return cluster.Warrant{}, s.Fences.Keys()[0] + " is being fenced"
	case !at.BothVote:
		return cluster.Warrant{}, "not both nodes vote yet"
	case at.PeerApplied < s.Config.Index:
		return cluster.Warrant{}, peer.Name + " is not known to have the present document"
	}
	w := cluster.Warrant{Node: at.Self, Boot: at.Boot, Generation: s.Generation, Document: s.Config.Version,
		Timing: s.Document.Timing,
		Delay:  s.Document.TwoNode.Delay, Favoured: s.Document.Favoured() == at.Self,
		Peer: fence.Target{Node: peer.Name, HardwareUUID: peer.HardwareUUID, Boot: peer.Boot,
			Claimed: s.Claimed(peer.Name)}}
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
	return w, ""
}
