package rules

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// MayJoin says why a machine may not get this place, apart from its token; nothing if it may.
func MayJoin(s *cluster.State, c cluster.Join, replace string) message.Text {
	if why := c.Unfit(); !why.IsZero() {
		return why
	}
	if gone, removed := s.Removed.Get(c.Fingerprint); removed {
		return message.JoinKeyBarred.With(gone.Name)
	}
	old, known := s.Nodes.Get(c.Node)
	if known && old.HasKey(c.Fingerprint) {
		return message.Text{} // the same machine asked twice
	}
	if known && replace != c.Node {
		return message.JoinNameTaken.With(c.Node)
	}
	for _, name := range s.Nodes.Keys() {
		if other, _ := s.Nodes.Get(name); name != c.Node {
			if why := c.Clash(other); !why.IsZero() {
				return why
			}
		}
	}
	if known {
		return MayReplace(s, c.Node)
	}
	return message.Text{}
}

// MayReplace says why another machine may not take a node's place yet; nothing if it
// may.
func MayReplace(s *cluster.State, node string) message.Text {
	n, _ := s.Nodes.Get(node)
	if held := Of(s).HeldBy(n); len(held) > 0 {
		return message.ReplaceHolds.With(node, held[0])
	}
	if s.Fences.Has(node) {
		return message.ReplaceWhileFenced.With(node)
	}
	return message.Text{}
}

// turnsKey says why no live migration begins between these nodes: one of them has told a new key,
// and its streams would be cut as soon as it uses it; nothing if none has.
func (w *World) turnsKey(nodes ...string) message.Text {
	for _, name := range nodes {
		if n, _ := w.Nodes.Get(name); n.Keys() > 1 {
			return message.KeyAboutToTurn.With(name)
		}
	}
	return message.Text{}
}
