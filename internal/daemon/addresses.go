package daemon

import (
	"maps"
	"sync"

	"github.com/clusterd/clusterd/cluster"
)

// AddressBook tells the tunnel where the other nodes are and which keys they
// have; the daemon keeps it in line with the State.
type AddressBook struct {
	mu           sync.Mutex
	addresses    map[string]string
	fingerprints map[string]string
	// Changed, if set, is called after each change, with the keys by node.
	Changed func(fingerprints map[string]string)
}

// Address returns the TLS address of a node.
func (b *AddressBook) Address(node string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	address, known := b.addresses[node]
	return address, known
}

func (b *AddressBook) set(root *cluster.State, addresses map[string]string) {
	fingerprints := map[string]string{}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		fingerprints[name] = n.Fingerprint
	}
	b.mu.Lock()
	changed := !maps.Equal(b.fingerprints, fingerprints)
	b.addresses, b.fingerprints = addresses, fingerprints
	b.mu.Unlock()
	if changed && b.Changed != nil {
		b.Changed(fingerprints)
	}
}
