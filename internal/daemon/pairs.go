package daemon

import "github.com/clusterd/clusterd/internal/pki"

// heartbeatPurpose keeps the key of heartbeats apart from others that a pair of nodes may come to
// have.
const heartbeatPurpose = "heartbeats"

// pairKeys are the keys that this node has in common with each other one, by the other's
// fingerprint: making one is dear, and the State changes often.
type pairKeys map[string][]byte

// keysOfPairs are the keys of heartbeats by node. Only who stands in the State with the public key
// of its fingerprint has one: a node that was removed or replaced is not heard from the entry on
// that says so.
func (d *Daemon) keysOfPairs() map[string][]byte {
	found, kept := map[string][]byte{}, pairKeys{}
	root := d.replica.Root()
	own, clusterID := d.own.Recorded(root), d.store.Identity().ClusterID
	if d.pairsOf != own.Fingerprint() {
		d.pairs, d.pairsOf = nil, own.Fingerprint() // this node has another key
	}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		public := pki.PublicKey(n.Key)
		if name == d.name || len(public) == 0 || public.Fingerprint() != n.Fingerprint {
			continue
		}
		key := d.pairs[n.Fingerprint]
		if key == nil {
			var err error
			if key, err = own.PairKey(public, clusterID, heartbeatPurpose); err != nil {
				d.logger.Warn("no heartbeats with this node", "node", name, "why", err)
				continue
			}
		}
		found[name], kept[n.Fingerprint] = key, key
	}
	d.pairs = kept
	return found
}
