package ownkeys

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/pki"
)

// heartbeatPurpose keeps the key of heartbeats apart from others that a pair of nodes may come to
// have.
const heartbeatPurpose = "heartbeats"

// Pairs are the keys that this node has in common with each other one. Making one is dear, and the
// State changes often, so they are kept. One goroutine uses them.
type Pairs struct {
	Keys *Keys
	// kept are the keys by the other's fingerprint, made from the own key of.
	kept map[string][]byte
	of   string
}

// Heartbeats are the keys of heartbeats by node. Only who stands in the State with the public key
// of its fingerprint has one: a node that was removed or replaced is not heard from the entry on
// that says so.
func (p *Pairs) Heartbeats(root *cluster.State) map[string][]byte {
	found, kept := map[string][]byte{}, map[string][]byte{}
	own, clusterID := p.Keys.Recorded(root), p.Keys.Store.Identity().ClusterID
	if p.of != own.Fingerprint() {
		p.kept, p.of = nil, own.Fingerprint() // this node has another key
	}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		public := pki.PublicKey(n.Key)
		if name == p.Keys.Node || len(public) == 0 || public.Fingerprint() != n.Fingerprint {
			continue
		}
		key := p.kept[n.Fingerprint]
		if key == nil {
			var err error
			if key, err = own.PairKey(public, clusterID, heartbeatPurpose); err != nil {
				p.Keys.Logger.Warn("no heartbeats with this node", "node", name, "why", err)
				continue
			}
		}
		found[name], kept[n.Fingerprint] = key, key
	}
	p.kept = kept
	return found
}
