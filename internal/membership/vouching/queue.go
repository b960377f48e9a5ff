package vouching

import (
	"slices"
	"sync"

	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
)

// strangerQueue are the keys to be asked about, the oldest first. Each name has one place: who
// knocks most takes no more than its own. Who has the authority's key can make as many names as he
// likes, so members have places beside those: each name that this node's State knows, and each key
// of which a member says that it is one.
type strangerQueue struct {
	isMember func(name string) bool

	mu      sync.Mutex
	waiting []pki.Peer
	members []pki.Peer
	// turn: a member was the last one.
	turn bool
	wake chan struct{}
}

func newStrangerQueue(isMember func(name string) bool) *strangerQueue {
	return &strangerQueue{isMember: isMember, wake: make(chan struct{}, 1)}
}

// add is told of strangers by the book of keys. Who finds no place has to come again.
func (q *strangerQueue) add(peer pki.Peer) {
	member := q.isMember(peer.Name)
	q.mu.Lock()
	defer q.mu.Unlock()
	list, most := &q.waiting, mostStrangers
	if member {
		list, most = &q.members, membership.MaxVouched
	}
	if placeOf(*list, peer) >= 0 || len(*list) >= most {
		return
	}
	*list = append(*list, peer)
	q.woken()
}

// expect takes in a key of which a member says that it is a member's. A key that somebody else has
// shown under that name gives way.
func (q *strangerQueue) expect(peer pki.Peer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch place := placeOf(q.members, peer); {
	case place >= 0:
		q.members[place] = peer
	case len(q.members) < membership.MaxVouched:
		q.members = append(q.members, peer)
	}
	q.woken()
}

func placeOf(list []pki.Peer, peer pki.Peer) int {
	return slices.IndexFunc(list, func(other pki.Peer) bool { return other.Name == peer.Name })
}

func (q *strangerQueue) woken() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// first returns whose turn it is; members and others take turns. It keeps its place until done,
// lest it takes another one meanwhile.
func (q *strangerQueue) first() (pki.Peer, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.members) > 0 && (!q.turn || len(q.waiting) == 0):
		return q.members[0], true
	case len(q.waiting) > 0:
		return q.waiting[0], true
	}
	return pki.Peer{}, false
}

// done takes off whom first returned. Where another key has got its place meanwhile, that stays.
func (q *strangerQueue) done(peer pki.Peer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	same := func(other pki.Peer) bool { return other == peer }
	q.turn = slices.ContainsFunc(q.members, same)
	q.waiting, q.members = slices.DeleteFunc(q.waiting, same), slices.DeleteFunc(q.members, same)
}
