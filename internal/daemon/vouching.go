package daemon

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// A member that was away for long must be able to hear from a leader that joined
// meanwhile, whose key its State does not know. It asks the members that it does
// know. Their word lets a key speak the log's own channel to this node, and no more.

// vouchEvery brakes the questions: strangers can come as often as they like. vouchAsks is how many
// members are asked about a key, and vouchWait how long that may take: members that are down
// answer nothing. vouchAgain is when a key that nobody knew may be asked about again, mostStrangers
// how many wait for it.
const (
	vouchEvery    = 500 * time.Millisecond
	vouchAsks     = 3
	vouchWait     = 10 * time.Second
	vouchAgain    = 5 * time.Second
	mostStrangers = 8
)

// keyAnswer is what a member says of a key, in its answer to a standingQuestion.
const (
	keyOfMember = "member"
	keyRemoved  = "removed"
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

// vouchers is who is asked next, and behind which member's name for others.
type vouchers struct {
	next  int
	after string
}

// keepVouching asks about the keys of strangers, one at a time.
func (d *Daemon) keepVouching(ctx context.Context) {
	var round vouchers
	for {
		peer, some := d.strangers.first()
		if !some {
			select {
			case <-ctx.Done():
				return
			case <-d.strangers.wake:
			}
			continue
		}
		d.noteWord(peer, d.askAbout(ctx, peer, &round), time.Now())
		d.strangers.done(peer)
		if !sleep.For(ctx, vouchEvery) {
			return
		}
	}
}

// noteWord keeps what others said of a key: a yes and a no for long, and that nobody knew for a
// moment, because a log may tell of it soon.
func (d *Daemon) noteWord(peer pki.Peer, word string, now time.Time) {
	switch word {
	case keyOfMember:
		d.logger.Info("a key that this node's log does not tell of yet is a member's, as others say", "node", peer.Name)
		d.keys.Vouch(peer, now)
	case keyRemoved:
		d.keys.AskedInVain(peer, now, membership.VouchedLife)
	default:
		d.keys.AskedInVain(peer, now, vouchAgain)
	}
}

// askAbout asks a few members whose key this is, and returns keyOfMember, keyRemoved or nothing.
// The first no is final, and silence is no yes. Whom it asks first is counted on in round: where
// some are down, others are asked the next time. Each tells some members' keys besides.
func (d *Daemon) askAbout(ctx context.Context, peer pki.Peer, round *vouchers) string {
	ctx, stop := context.WithTimeout(ctx, vouchWait)
	defer stop()
	peers := d.peers()
	delete(peers, peer.Name) // its own word counts for nothing
	names := sortedNames(peers)
	word := ""
	for range min(len(names), vouchAsks) {
		if ctx.Err() != nil {
			break
		}
		node := names[round.next%len(names)]
		round.next++
		question, err := json.Marshal(standingQuestion{Cluster: d.membership.ID, Node: d.name, KeyOf: peer.Name,
			Key: peer.Fingerprint, Roster: true, After: round.after})
		if err != nil {
			return ""
		}
		reply, err := d.wire.Ask(ctx, peers[node], question)
		var answer standingAnswer
		if err != nil || json.Unmarshal(reply, &answer) != nil || answer.Cluster != d.membership.ID {
			continue
		}
		round.after = d.expectThem(answer.Roster, time.Now())
		switch answer.Key {
		case keyRemoved:
			return keyRemoved
		case keyOfMember:
			word = keyOfMember
		}
	}
	return word
}

// expectThem puts those of the keys among the ones to be asked about that this node knows nothing
// of: a stranger's knock leads to the members who would otherwise have to find a place beside all
// strangers. It returns behind which name the next ones stand.
func (d *Daemon) expectThem(roster map[string][]string, now time.Time) string {
	names := sortedNames(roster)
	for _, name := range names {
		for _, key := range roster[name] {
			peer := pki.Peer{Kind: pki.KindNode, Name: name, Fingerprint: key}
			if name != d.name && d.recorded(peer).Kind == pki.StandingUnknown && !d.keys.HeardOf(peer, now) {
				d.strangers.expect(peer)
			}
		}
	}
	if len(names) < rosterPage {
		return ""
	}
	return names[len(names)-1]
}

// rosterPage is how many members' keys are told at once: an answer is small (quorum.Wire).
const rosterPage = 12

// rosterAfter are the keys of the members behind a name.
func rosterAfter(root *cluster.State, after string) map[string][]string {
	roster := map[string][]string{}
	for _, n := range root.Nodes.Rows() {
		if n.Name <= after || n.Fingerprint == "" || len(roster) == rosterPage {
			continue
		}
		roster[n.Name] = []string{n.Fingerprint}
		if n.Keys() > 1 {
			roster[n.Name] = append(roster[n.Name], n.KeyTurn.Fingerprint)
		}
	}
	return roster
}

// How long one try waits until the others know a new key of this node, and its first pause between
// two rounds of questions; each further one is twice as long. All are asked at once, and each has
// answerPatience.
const (
	knownPatience  = 3 * time.Second
	knownEvery     = 100 * time.Millisecond
	answerPatience = time.Second
)

// unaware waits a while until every other member says that the new key of this node is one of a
// member (cluster.KeyTurn.Ignorant), and returns those that did not.
func (d *Daemon) unaware(ctx context.Context, turn *cluster.KeyTurn) []string {
	ctx, cancel := context.WithTimeout(ctx, knownPatience)
	defer cancel()
	var ignorant []string
	for pause := knownEvery; ; pause *= 2 {
		asked := d.withoutKey(ctx, turn)
		if len(asked) == 0 {
			return nil
		}
		if ctx.Err() == nil || ignorant == nil { // when the time is up, nobody answers any longer
			ignorant = asked
		}
		if !sleep.For(ctx, pause) {
			return ignorant
		}
	}
}

// withoutKey are the other members that do not say that they know a told key of this node.
func (d *Daemon) withoutKey(ctx context.Context, turn *cluster.KeyTurn) []string {
	question, err := json.Marshal(standingQuestion{
		Cluster: d.membership.ID, Node: d.name, KeyOf: d.name, Key: turn.Fingerprint,
	})
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	root, peers := d.replica.Root(), d.peers()
	names := sortedNames(peers)
	answers := make([]standingAnswer, len(names))
	answered := make([]bool, len(names))
	var asked sync.WaitGroup
	for i, name := range names {
		asked.Go(func() {
			reply, failed := d.wire.Ask(ctx, peers[name], question)
			if answered[i] = err == nil && failed == nil; answered[i] && json.Unmarshal(reply, &answers[i]) != nil {
				answers[i] = standingAnswer{}
			}
		})
	}
	asked.Wait()
	says := map[string]bool{}
	for i, name := range names {
		if answered[i] {
			says[name] = answers[i].Cluster == d.membership.ID && answers[i].Key == keyOfMember
		}
	}
	return turn.Ignorant(root, names, says)
}

// keyAnswer says of a key what this node's own State does. It asks nobody else: else each question
// would bring back others.
func (d *Daemon) keyAnswer(name, fingerprint string) string {
	switch d.recorded(pki.Peer{Kind: pki.KindNode, Name: name, Fingerprint: fingerprint}).Kind {
	case pki.StandingMember:
		// Whoever asks may drop its old key on this word. After a start the State lags behind, and what
		// would bring it up to date may come from nobody but that node: it has to be on disk.
		if err := d.keys.Take(d.replica.Root()); err != nil {
			d.logger.Warn("a key is not vouched for, because it cannot be written down", "node", name, "why", err)
			return ""
		}
		return keyOfMember
	case pki.StandingRemoved:
		return keyRemoved
	}
	return ""
}
