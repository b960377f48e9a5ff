package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

// Admit implements quorum.Gate: the log's port divides into channels only after
// the handshake.
func (s *streams) Admit(connection net.Conn, channel string, dialed bool) error {
	peer, err := peerAt(connection)
	if err != nil {
		return err
	}
	return s.daemon.store.Admit(pki.Channel(channel), pki.Direction(dialed), peer)
}

// peerAt is who is at the other end of a connection, by the certificate.
func peerAt(connection net.Conn) (pki.Peer, error) {
	secured, is := connection.(interface{ ConnectionState() tls.ConnectionState })
	if !is {
		return pki.Peer{}, fmt.Errorf("a connection without TLS may use no channel")
	}
	return pki.PeerOf(secured.ConnectionState())
}

// linksEvery is how often the links are brought in line with the State where it does not change.
const linksEvery = time.Second

// keepLinks brings heartbeats, gossip, the keys that are written down and the
// connections that are open in line with the State. It waits for nothing else:
// a key that was removed is cut off within a moment.
func (d *Daemon) keepLinks(ctx context.Context) {
	index := ^uint64(0)
	defer d.closeGossip()
	for {
		changed := d.replica.Changed()
		if root := d.replica.Root(); root.Index != index {
			index = root.Index
			d.keepKeysOf(root)
			d.linkPeers()
			if changes, err := d.pace.Follow(root, d.log, d.pulse); changes {
				d.warnings.SetError("timing", err)
			}
			d.leaveIfRemoved(root)
		} else if !slices.Equal(d.homes.All(), d.homesTold) { // a name was found meanwhile
			d.tellForwarder(d.peers())
		}
		d.keepGossip()
		if !sleep.Until(ctx, changed, linksEvery) {
			return
		}
	}
}

func (d *Daemon) linkPeers() {
	var links []quorum.Peer
	var seeds, hosts []string
	peers, keys := d.peers(), d.pairs.Heartbeats(d.replica.Root())
	for _, node := range sortedNames(peers) {
		address := peers[node]
		hosts = append(hosts, hostOf(address))
		beats := []string{membership.WithPort(address, d.options.Node.HeartbeatPort)}
		links = append(links, quorum.Peer{ID: node, Beats: beats, Wire: address, Key: keys[node]})
		seeds = append(seeds, membership.WithPort(address, d.options.Node.GossipPort))
	}
	d.homes.Set(hosts)
	d.warnings.SetError("heartbeats", d.pulse.SetPeers(links))
	d.gossipSeeds = seeds
	if d.gossip != nil {
		if err := d.gossip.SetSeeds(seeds); err != nil {
			d.warnings.Set("gossip", err.Error())
		}
	}
	d.tellForwarder(peers)
}

// tellForwarder tells who is a member, and where they are.
func (d *Daemon) tellForwarder(peers map[string]string) {
	if d.homesTold = d.homes.All(); d.options.Addresses == nil {
		return
	}
	root := d.replica.Root()
	known := roster.Of(d.name, d.registry.Known(root), root)
	known.Addresses = d.homesTold
	problem := ""
	if err := d.options.Addresses.Set(known, peers); err != nil {
		problem = "the forwarder was not told who is a member, and lets nobody new in: " + err.Error()
	}
	d.warnings.Set("forwarder", problem)
}

// leaveIfRemoved stops the daemon of a node that was taken out of the cluster,
// and drops the connections of those that were, on either end.
func (d *Daemon) leaveIfRemoved(root *cluster.State) {
	if _, removed := root.Removed.Get(d.store.Identity().Self.Fingerprint); removed {
		d.returning.EndRemoved("")
		return
	}
	if d.mux == nil {
		return
	}
	d.mux.Recheck()
	d.wire.Recheck()
}

// keepKeysOf writes the keys of a State down when they changed.
func (d *Daemon) keepKeysOf(root *cluster.State) {
	if root.Nodes.Len() == 0 {
		return
	}
	if err := d.keys.Take(root); err != nil {
		d.warnings.Set("keys", "the nodes' keys could not be written down: "+err.Error())
		return
	}
	d.warnings.Set("keys", "")
}

// warnDates tells once per node that its certificate's dates were forgiven.
func (d *Daemon) warnDates(node, reason string) {
	if d.warnings.Set("certificate of "+node, reason) {
		d.logger.Warn("a known node's certificate dates were forgiven; check the clocks", "node", node, "why", reason)
	}
}

// peers are the TLS addresses of the other nodes.
func (d *Daemon) peers() map[string]string { return d.book.Peers() }

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Finding is what a doctor says about one thing.
type Finding = api.Finding
