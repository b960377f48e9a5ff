package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
)

// MayJoin says why a machine may not get this place, apart from its token; "" if it may.
func MayJoin(s *cluster.State, c cluster.Join, replace string) string {
	if why := c.Unfit(); why != "" {
		return why
	}
	if gone, removed := s.Removed.Get(c.Fingerprint); removed {
		return fmt.Sprintf("this machine's key was removed from the cluster as %s; delete its data folder to join "+
			"with a new key", gone.Name)
	}
	old, known := s.Nodes.Get(c.Node)
	if known && old.HasKey(c.Fingerprint) {
		return "" // the same machine asked twice
	}
	if known && replace != c.Node {
		return fmt.Sprintf("a node named %s is already a member; use another name, or `clusterd node replace %s` if "+
			"its machine is to be replaced", c.Node, c.Node)
	}
	for _, name := range s.Nodes.Keys() {
		if other, _ := s.Nodes.Get(name); name != c.Node {
			if why := c.Clash(other); why != "" {
				return why
			}
		}
	}
	if known {
		return MayReplace(s, c.Node)
	}
	return ""
}

// MayReplace says why another machine may not take a node's place yet; "" if it
// may.
func MayReplace(s *cluster.State, node string) string {
	n, _ := s.Nodes.Get(node)
	if held := Of(s).HeldBy(n); len(held) > 0 {
		return fmt.Sprintf("%s may still hold %s; fence it or ask it first, then replace it", node, held[0])
	}
	if s.Fences.Has(node) {
		return node + " is being fenced; wait for the result, then replace it"
	}
	return ""
}

// turnsKey says why no live migration begins between these nodes: one of them has told a new key,
// and its streams would be cut as soon as it uses it; "" if none has.
func (w *World) turnsKey(nodes ...string) string {
	for _, name := range nodes {
		if n, _ := w.Nodes.Get(name); n.Keys() > 1 {
			return fmt.Sprintf("%s is about to use a new identity key, which would cut a live migration from or to it; "+
				"it can begin when `clusterd keys status` shows the new key, or relocate it instead", name)
		}
	}
	return ""
}
