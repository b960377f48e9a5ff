// Package roster tells the process that carries live moves where the other nodes are, which keys
// they have, and which moves are under way.
package roster

import (
	"reflect"
	"sync"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/tunnel"
)

// Book tells the tunnel where the other nodes are, which keys they have,
// and which migrations are under way; the daemon keeps it in line with the State. The way back it
// tells the daemon whom the forwarder refused.
type Book struct {
	mu        sync.Mutex
	addresses map[string]string
	roster    tunnel.Roster
	told      bool
	refused   func(tunnel.Refusal)
	// Changed, if set, is called after each change; an error makes it be called
	// again at the next look.
	Changed func(tunnel.Roster) error
}

// Address returns the TLS address of a node.
func (b *Book) Address(node string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	address, known := b.addresses[node]
	return address, known
}

// Refused passes on whom the forwarder sent away. It does not block.
func (b *Book) Refused(one tunnel.Refusal) {
	b.mu.Lock()
	hear := b.refused
	b.mu.Unlock()
	if hear != nil {
		hear(one)
	}
}

// Hear says who is told of refusals.
func (b *Book) Hear(refused func(tunnel.Refusal)) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = refused
}

// Set takes in what the forwarder may act on, and where the others are.
func (b *Book) Set(roster tunnel.Roster, addresses map[string]string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addresses = addresses
	if b.told && reflect.DeepEqual(roster, b.roster) || b.Changed == nil {
		return nil
	}
	if err := b.Changed(roster); err != nil {
		return err
	}
	b.roster, b.told = roster, true
	return nil
}

// Of is what the forwarder may act on.
func Of(self string, known membership.KeySource, root *cluster.State) tunnel.Roster {
	keys := known.Keys()
	roster := tunnel.Roster{Nodes: keys.Nodes, Next: keys.Next, Removed: keys.Removed, Authorities: keys.Authorities}
	for _, service := range root.Services.Rows() {
		if i := service.Intent; i != nil && i.Sends() && (i.Node == self || i.Target == self) {
			roster.Moves = append(roster.Moves, tunnel.Move{Act: i.Began(), From: i.Node, To: i.Target,
				Guest: service.Spec.UUID})
		}
	}
	return roster
}
