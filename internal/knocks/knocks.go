// Package knocks remembers who was refused at a node's door, and how often, so that a person is
// told of it when it repeats. It is for telling only: nobody is refused or let in by it.
//
// Strangers decide what comes in here, so everything has a bound: the number of addresses, the
// length of what is kept of each, and the time for which it is kept. No word of a stranger is kept.
package knocks

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Kind is what was shown at the door.
type Kind int

// The kinds.
const (
	// Token is a join token that is wrong, used, or expired.
	Token Kind = iota
	// Key is a certificate whose key the cluster has not recorded.
	Key
	// Barred is one whose key was removed, replaced or revoked.
	Barred
	kinds
)

// What each kind is called, and what a person can do about it.
var (
	shown = [kinds]string{
		Token:  "a join token that is wrong, used or expired",
		Key:    "a key that the cluster has not recorded",
		Barred: "a key that is barred",
	}
	advice = [kinds]string{
		Token: "if it is a machine of yours, make it a new token with `clusterd token`",
		Key: "if it is a machine or tool of yours, let it join again or make it a new certificate with " +
			"`clusterd client`",
		Barred: "if it is a node that was removed, stop clusterd there and empty its data folder",
	}
)

const (
	// mostAddresses bounds the book, and mostTold what is told of it.
	mostAddresses = 64
	mostTold      = 3
	// life is how long a knock is remembered after the last one from the same address.
	life = 30 * time.Minute
	// Fewer knocks than often, or all of them within a moment, are no repetition: a machine that
	// joins is a stranger for a moment to those whose log does not tell of it yet.
	often  = 3
	moment = 5 * time.Second
)

// Book is what is remembered. Its zero value is empty and ready for use, by many goroutines.
type Book struct {
	mu      sync.Mutex
	callers map[string]*caller
	// crowded is when an address last had to make room for another one.
	crowded time.Time
}

// caller is one address.
type caller struct {
	from        string
	first, last time.Time
	count       [kinds]uint64
}

func (c *caller) total() (all uint64, most Kind) {
	for kind, count := range c.count {
		all += count
		if count > c.count[most] {
			most = Kind(kind)
		}
	}
	return all, most
}

// repeats reports whether a person is told.
func (c *caller) repeats() bool {
	all, _ := c.total()
	return all >= often && c.last.Sub(c.first) >= moment
}

// Note remembers one refusal.
func (b *Book) Note(remote string, kind Kind, now time.Time) { b.NoteMany(remote, kind, 1, now) }

// NoteMany remembers so many refusals. Where the book is full, the address that knocked least makes
// room, and of those the one that has been quiet for longest: whoever comes from many addresses
// drives out his own.
func (b *Book) NoteMany(remote string, kind Kind, count uint64, now time.Time) {
	if kind < 0 || kind >= kinds {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.callers == nil {
		b.callers = map[string]*caller{}
	}
	from := placeOf(remote)
	c := b.callers[from]
	if c != nil && now.Sub(c.last) >= life {
		c = nil
	}
	if c == nil {
		b.makeRoom(from, now)
		c = &caller{from: from, first: now}
		b.callers[from] = c
	}
	c.count[kind] += count
	c.last = now
}

func (b *Book) makeRoom(from string, now time.Time) {
	delete(b.callers, from)
	b.forget(now)
	if len(b.callers) < mostAddresses {
		return
	}
	least := b.sorted()[len(b.callers)-1]
	delete(b.callers, least.from)
	b.crowded = now
}

func (b *Book) forget(now time.Time) {
	for from, c := range b.callers {
		if now.Sub(c.last) >= life {
			delete(b.callers, from)
		}
	}
}

// sorted are all, who knocked most and last first.
func (b *Book) sorted() []*caller {
	all := make([]*caller, 0, len(b.callers))
	for _, c := range b.callers {
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y *caller) int {
		one, _ := x.total()
		other, _ := y.total()
		return cmp.Or(cmp.Compare(other, one), y.last.Compare(x.last), cmp.Compare(x.from, y.from))
	})
	return all
}

// Texts tell of those who repeat it, a few lines at most; none when nobody does, or no longer.
func (b *Book) Texts(now time.Time) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(now)
	var texts []string
	more := 0
	for _, c := range b.sorted() {
		switch {
		case !c.repeats():
		case len(texts) == mostTold:
			more++
		default:
			texts = append(texts, c.text())
		}
	}
	if more > 0 {
		texts = append(texts, fmt.Sprintf("%d more addresses were refused again and again; see `clusterd audit`", more))
	}
	if !b.crowded.IsZero() && now.Sub(b.crowded) < life {
		texts = append(texts, fmt.Sprintf("more than %d addresses were refused within %s; let the firewall keep them "+
			"away, and see `clusterd audit`", mostAddresses, life))
	}
	return texts
}

func (c *caller) text() string {
	all, most := c.total()
	return fmt.Sprintf("%s was refused %d times since %s, last at %s, mostly with %s, and nothing came of it: %s; "+
		"if not, let the firewall keep it away; see `clusterd audit`", c.from, all, stamp(c.first), stamp(c.last),
		shown[most], advice[most])
}

func stamp(at time.Time) string { return at.Local().Format("2006-01-02 15:04:05") }

// wholeNetwork is how many bits of an IPv6 address name the network: whoever has one has the rest.
const wholeNetwork = 64

// placeOf is the address without its port, as it is shown; of IPv6 the network.
func placeOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	address, err := netip.ParseAddr(remote)
	if err != nil {
		return "an address that cannot be read"
	}
	address = address.WithZone("").Unmap()
	if address.Is6() {
		if network, err := address.Prefix(wholeNetwork); err == nil {
			return network.String()
		}
	}
	return address.String()
}
