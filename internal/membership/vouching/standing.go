// Package vouching says whose key is whose: what the State records of it, what this node wrote down
// where its State is behind, and what other members vouch for.
package vouching

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/pki"
)

// Log is the State that follows from the replicated log.
type Log interface{ Root() *cluster.State }

// Options are what a registry stands on. All are required.
type Options struct {
	Node   string
	Logger *slog.Logger
	Log    Log
	// Book is what this node knows of keys beside its State.
	Book *membership.KeyBook
	// Ask puts a question to the node at an address.
	Ask func(ctx context.Context, address string, question inquiry.Question) (inquiry.Answer, error)
	// Peers are the addresses of the other nodes.
	Peers func() map[string]string
	// Visits reports whether a key is that of a person who visits this node's page.
	Visits func(peer pki.Peer) bool
}

// Registry is the one of a node.
type Registry struct {
	Options
	// strangers are those that this node met and could not place.
	strangers *strangerQueue
}

// New makes a registry, which hears of strangers from the book.
func New(options Options) *Registry {
	r := &Registry{Options: options}
	r.strangers = newStrangerQueue(func(name string) bool { return r.Log.Root().Nodes.Has(name) })
	r.Book.OnStranger(r.strangers.add)
	return r
}

// Standing is what the replicated State says about a peer's key. A State that is
// behind the keys this node wrote down is not asked: it has yet to be told.
func (r *Registry) Standing(peer pki.Peer) pki.Standing {
	standing := r.Recorded(peer)
	if standing.Kind == pki.StandingUnknown && peer.Kind == pki.KindNode {
		return r.Book.VouchedFor(peer, time.Now())
	}
	return standing
}

// Recorded is the standing of a key by what this node itself knows.
func (r *Registry) Recorded(peer pki.Peer) pki.Standing {
	root := r.Log.Root()
	known := r.Known(root)
	if at, removed := known.RemovedAt(peer.Fingerprint); removed {
		return pki.Standing{Kind: pki.StandingRemoved, RemovedAt: at}
	}
	if peer.Kind == pki.KindClient {
		return clientStanding(root, peer)
	}
	if peer.Kind == pki.KindVisitor && r.Visits(peer) {
		return pki.Standing{Kind: pki.StandingMember}
	}
	if peer.Kind == pki.KindNode && known.IsKeyOf(peer.Name, peer.Fingerprint) {
		return pki.Standing{Kind: pki.StandingMember}
	}
	return pki.Standing{Kind: pki.StandingUnknown}
}

// clientStanding is that of a certificate of remote tools, which is one that was
// recorded when it was given out: same key, same user, same role.
func clientStanding(root *cluster.State, peer pki.Peer) pki.Standing {
	client, known := root.Clients.Get(peer.Fingerprint)
	if known && client.User == peer.Name && client.Role == string(peer.Role) {
		return pki.Standing{Kind: pki.StandingMember}
	}
	return pki.Standing{Kind: pki.StandingUnknown}
}

// Known is where this node knows keys from: a State, or the file where that State is behind it.
func (r *Registry) Known(root *cluster.State) membership.KeySource {
	if saved := r.Book.NewerThan(root); saved != nil {
		return saved
	}
	return membership.RootKeys{State: root}
}

// Authorities are those that this node believes beside its own certificate's: what the State names,
// or the file where the State is behind it.
func (r *Registry) Authorities() []*x509.Certificate {
	return pki.ParseAuthorities(r.Known(r.Log.Root()).Keys().Authorities)
}
