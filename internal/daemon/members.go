package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/quorum/voters"
)

// membersEvery is how often the links are brought in line with the State.
const membersEvery = time.Second

// wantedVoters is how many votes there shall be where there are enough nodes.
const wantedVoters = 5

// peers are the TLS addresses of the other nodes.
func (d *Daemon) peers() map[string]string { return d.book.Peers() }

// keepMembers brings, on the leader, the log's members in line with the State.
func (d *Daemon) keepMembers(ctx context.Context) {
	for {
		changed := d.replica.Changed()
		if d.role.Load().leading {
			if d.begun.Load() {
				d.vault.Renew(ctx)
			}
			if err := d.changeLogMembers(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, quorum.ErrNotLeader) {
				d.logger.Info("the log's members were not changed", "error", err)
			}
		}
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

func (d *Daemon) linkPeers() {
	var links []quorum.Peer
	var seeds, hosts []string
	peers, keys := d.peers(), d.keysOfPairs()
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
	roster := rosterOf(d.name, d.registry.Known(root), root)
	roster.Addresses = d.homesTold
	problem := ""
	if err := d.options.Addresses.set(roster, peers); err != nil {
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

// changeLogMembers makes one step: first who is a member at all, then who votes.
func (d *Daemon) changeLogMembers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	root := d.replica.Root()
	members := d.log.Members()
	known := map[string]quorum.Member{}
	for _, m := range members {
		known[m.ID] = m
		if !root.Nodes.Has(m.ID) && m.ID != d.name {
			return d.log.Remove(ctx, m.ID)
		}
	}
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		m, member := known[name]
		switch {
		case !member && n.Expelled != 0: // it has yet to set its old log aside
		case !member:
			return d.log.AddNonvoter(ctx, name, n.Address)
		case m.Address != n.Address && n.Address != "" && m.Voter && name != d.name:
			return d.log.AddVoter(ctx, name, n.Address)
		case m.Address != n.Address && n.Address != "" && name != d.name:
			return d.log.AddNonvoter(ctx, name, n.Address)
		}
	}
	return d.changeVoters(ctx, root, members)
}

func (d *Daemon) changeVoters(ctx context.Context, root *cluster.State, members []quorum.Member) error {
	healthy, sites, heard := map[string]bool{d.name: true}, map[string]string{}, d.pulse.Heard()
	applied := d.log.Applied()
	for _, name := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(name)
		sites[name] = root.Document.Nodes[name].Site
		beat, alive := heard[name]
		if name != d.name && alive && n.Reachable() {
			// A node without a vote gets one only when it is caught up.
			healthy[name] = applied < beat.Applied+200 && root.MayVote(name).IsZero()
		}
	}
	votes := wantedVoters
	if rules.TwoNodesVote(root) {
		votes = 2
		if left, err := d.giveBackVote(ctx, root, members); left {
			return err
		}
	}
	change, wanted := voters.Next(members, healthy, sites, votes)
	if !wanted {
		return nil
	}
	d.logger.Info("the voters change", "why", change.Why)
	if change.Promote != "" {
		for _, m := range members {
			if m.ID == change.Promote {
				return d.log.AddVoter(ctx, m.ID, m.Address)
			}
		}
		return fmt.Errorf("%s is no member of the log", change.Promote)
	}
	return d.log.Demote(ctx, change.Demote)
}

// giveBackVote takes the vote of one of two nodes that has left cleanly, before it
// goes down: the other one shall decide by itself then, and needs nobody to shoot.
func (d *Daemon) giveBackVote(ctx context.Context, root *cluster.State, members []quorum.Member) (left bool,
	err error) {
	for _, m := range members {
		n, _ := root.Nodes.Get(m.ID)
		switch {
		case !m.Voter || n.State != cluster.NodeLeft:
		case m.ID == d.name:
			return true, d.log.HandOver(ctx, "") // the next leader does it
		default:
			d.logger.Info("the voters change", "why", m.ID+" has left and gives its vote back")
			return true, d.log.Demote(ctx, m.ID)
		}
	}
	return false, nil
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
