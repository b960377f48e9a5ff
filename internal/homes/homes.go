// Package homes knows the IP addresses at which the nodes of a cluster are, also of those that are
// recorded by a host name. Ports ask it of each connection, so an answer never waits: names are
// looked up beside, and what was found is kept until something newer is.
package homes

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
)

const (
	// mostHosts bounds how many are known, and mostOfOne how many addresses one name may have.
	mostHosts = 4096
	mostOfOne = 16
	// patience is how long a name server may take over one name, atOnce how many it is asked for at
	// the same time, and again how often.
	patience = 2 * time.Second
	atOnce   = 8
	again    = time.Minute
)

// Lookup finds the addresses of a host name.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// Book is what is known. New makes one.
type Book struct {
	lookup Lookup
	logger *slog.Logger
	known  atomic.Pointer[[]netip.Addr] // sorted
	turned chan struct{}

	mu    sync.Mutex
	hosts []string
	found map[string][]netip.Addr
	// silent are names that were not found when they were last looked up.
	silent map[string]bool
}

// New makes a book that asks the system for names where no lookup is given.
func New(lookup Lookup, logger *slog.Logger) *Book {
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	b := &Book{lookup: lookup, logger: logger, turned: make(chan struct{}, 1), found: map[string][]netip.Addr{},
		silent: map[string]bool{}}
	b.known.Store(&[]netip.Addr{})
	return b
}

// Set tells which hosts there are, as addresses or names. Addresses count at once, names as soon as
// they are found. It never blocks.
func (b *Book) Set(hosts []string) {
	hosts = slices.Compact(slices.Sorted(slices.Values(hosts)))
	hosts = hosts[:min(len(hosts), mostHosts)]
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Equal(hosts, b.hosts) {
		return
	}
	b.hosts = hosts
	for host := range b.found {
		if _, there := slices.BinarySearch(hosts, host); !there {
			delete(b.found, host)
		}
	}
	for host := range b.silent {
		if _, there := slices.BinarySearch(hosts, host); !there {
			delete(b.silent, host)
		}
	}
	b.write()
	select {
	case b.turned <- struct{}{}:
	default:
	}
}

// Has reports whether a node is at an address. It never blocks.
func (b *Book) Has(address netip.Addr) bool {
	_, known := slices.BinarySearchFunc(*b.known.Load(), limits.Plain(address), netip.Addr.Compare)
	return known
}

// All are the addresses that are known, sorted; the caller changes none of them.
func (b *Book) All() []netip.Addr { return *b.known.Load() }

// write makes the list anew; the caller holds the lock.
func (b *Book) write() {
	var all []netip.Addr
	for _, host := range b.hosts {
		if address, err := netip.ParseAddr(host); err == nil {
			all = append(all, limits.Plain(address))
		}
		all = append(all, b.found[host]...)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	all = slices.Compact(all)
	b.known.Store(&all)
}

// Run looks names up until the context ends: when there are others, and now and then, because
// names move.
func (b *Book) Run(ctx context.Context) {
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	for {
		b.lookUp(ctx)
		select {
		case <-ctx.Done():
			return
		case <-b.turned:
		case <-ticker.C:
		}
	}
}

func (b *Book) lookUp(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	places := make(chan struct{}, atOnce)
	for _, host := range b.names() {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		group.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			addresses, err := b.lookup(ctx, host)
			b.take(host, addresses, err)
		})
	}
}

func (b *Book) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.hosts), func(host string) bool {
		_, err := netip.ParseAddr(host)
		return err == nil
	})
}

// take keeps what was found. A name server that does not answer takes nobody's address away.
func (b *Book) take(host string, addresses []netip.Addr, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, wanted := slices.BinarySearch(b.hosts, host); !wanted {
		return
	}
	if err != nil || len(addresses) == 0 {
		if !b.silent[host] {
			b.logger.Warn("the address of a node cannot be looked up; what was known of it stays", "host", host,
				"error", err)
		}
		b.silent[host] = true
		return
	}
	delete(b.silent, host)
	found := make([]netip.Addr, 0, min(len(addresses), mostOfOne))
	for _, address := range addresses[:min(len(addresses), mostOfOne)] {
		found = append(found, limits.Plain(address))
	}
	b.found[host] = found
	b.write()
}
