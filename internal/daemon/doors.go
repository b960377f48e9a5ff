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
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
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
			d.keepTiming()
			d.leaveIfRemoved(root)
		} else if !slices.Equal(d.homes.All(), d.homesTold) { // a name was found meanwhile
			d.tellForwarder(d.peers())
		}
		d.keepGossip()
		timer := time.NewTimer(membersEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
			if !sleep.For(ctx, 20*time.Millisecond) { // entries come in bursts
				return
			}
		case <-timer.C:
		}
	}
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

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Finding is what a doctor says about one thing.
type Finding = api.Finding
