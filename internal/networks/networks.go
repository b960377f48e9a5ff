// Package networks says by the State which networks of guests a node has, and keeps this host so.
// It decides nothing about services: a network follows them.
package networks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/network"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/networks/users"
	"github.com/clusterd/clusterd/internal/sleep"
)

// wishes are the networks that a node is to have, and those of the names besides, by who uses
// which. Addresses are where the other nodes are reached. The error tells of the first network that
// an address keeps from being made right.
func wishes(s *cluster.State, used map[string][]string, self, own string, addresses map[string]string,
	besides []string) ([]network.Wish, error) {
	if len(used) == 0 {
		return nil, nil
	}
	local, unknown := hostOf(own)
	var found []network.Wish
	var err error
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !slices.Contains(used[name], self) && !slices.Contains(besides, name) {
			continue
		}
		err = cmp.Or(err, unknown)
		wish := network.Wish{Network: s.Document.Networks[name], Local: local}
		for _, node := range used[name] {
			if node == self {
				continue
			}
			peer, unreadable := hostOf(addresses[node])
			if unreadable != nil {
				err = fmt.Errorf("network %s does not reach %s: %w", name, node, unreadable)
				continue
			}
			wish.Peers = append(wish.Peers, peer)
		}
		found = append(found, wish)
	}
	return found, err
}

// hostOf is the address in HOST:PORT. Names are not looked up: a resolver may be a guest.
func hostOf(address string) (netip.Addr, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("its address %q has no port", address)
	}
	found, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("its address %q is a name; networks over VXLAN need IP addresses", host)
	}
	return found.Unmap(), nil
}

// Options of a Host.
type Options struct {
	Node string
	// Driver makes the networks.
	Driver network.Driver
	// Root is the newest State, and Changed is closed at the next one.
	Root    func() *cluster.State
	Changed func() <-chan struct{}
	// Admitted reports whether the node was admitted as it runs now.
	Admitted func() bool
	// Own is this node's address, and Addresses those of the others, as HOST:PORT.
	Own       func() string
	Addresses func() map[string]string
	// Warn shows what could not be done of a network; an empty text takes it back.
	Warn func(name, text string)
}

// Host keeps the networks of this host.
type Host struct {
	options Options
	keeper  *network.Keeper

	// used says who uses which network by the State counted. The keeper asks one at a time.
	used    map[string][]string
	counted *cluster.State
}

// New makes one. It does nothing by itself.
func New(options Options) *Host {
	h := &Host{options: options}
	h.keeper = network.NewKeeper(options.Driver, h.wanted)
	return h
}

// Before makes the networks of services before these come; see network.Keeper.Before.
func (h *Host) Before(do func(context.Context, agents.Act) agents.Result,
) func(context.Context, agents.Act) agents.Result {
	return h.keeper.Before(do)
}

func (h *Host) wanted(besides []string) ([]network.Wish, bool) {
	// Asked first: a State from before this node was admitted does not tell what runs here, and it may
	// be admitted at any moment. One that is newer than the answer only knows more.
	known := h.options.Admitted()
	root := h.options.Root()
	if root != h.counted {
		h.used, h.counted = users.Of(root), root
	}
	wished, err := wishes(root, h.used, h.options.Node, h.options.Own(), h.options.Addresses(), besides)
	h.options.Warn("addresses of networks", textOf(err))
	return wished, known
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Pauses of Run: between two rounds, so that a burst of entries is one; after a round of which
// something failed, doubled with each one; and at most without a change, so that what somebody
// else broke is mended.
const (
	between = 500 * time.Millisecond
	again   = time.Second
	atMost  = 30 * time.Second
)

// Run keeps the networks in line with the State until the context ends.
func (h *Host) Run(ctx context.Context) {
	warned := map[string]error{}
	rest := time.Duration(0)
	for {
		changed := h.options.Changed()
		failed := h.keeper.Tidy(ctx)
		for name := range warned {
			if failed[name] == nil {
				h.options.Warn("network "+name, "")
			}
		}
		for name, err := range failed {
			h.options.Warn("network "+name, textOf(err))
		}
		warned = failed
		rest = restAfter(rest, len(failed) > 0)
		if !sleep.For(ctx, between) || !wait(ctx, changed, cmp.Or(rest, atMost)) {
			return
		}
	}
}

// restAfter is how long Run rests after a round, at the most, by how long it rested before.
func restAfter(before time.Duration, failed bool) time.Duration {
	if !failed {
		return 0
	}
	return min(max(2*before, again), atMost)
}

// wait goes on at a change too; it reports whether the context does.
func wait(ctx context.Context, woken <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-woken:
	case <-timer.C:
	}
	return true
}
