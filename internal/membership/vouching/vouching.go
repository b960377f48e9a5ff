package vouching

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
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

// Round is which member is asked next, and behind whose name for others.
type Round struct {
	Next  int
	After string
}

// Run asks about the keys of strangers, one at a time.
func (r *Registry) Run(ctx context.Context) {
	var round Round
	for {
		peer, some := r.strangers.first()
		if !some {
			select {
			case <-ctx.Done():
				return
			case <-r.strangers.wake:
			}
			continue
		}
		r.noteWord(peer, r.AskAbout(ctx, peer, &round), time.Now())
		r.strangers.done(peer)
		if !sleep.For(ctx, vouchEvery) {
			return
		}
	}
}

// noteWord keeps what others said of a key: a yes and a no for long, and that nobody knew for a
// moment, because a log may tell of it soon.
func (r *Registry) noteWord(peer pki.Peer, word string, now time.Time) {
	switch word {
	case inquiry.Member:
		r.Logger.Info("a key that this node's log does not tell of yet is a member's, as others say", "node", peer.Name)
		r.Book.Vouch(peer, now)
	case inquiry.Removed:
		r.Book.AskedInVain(peer, now, membership.VouchedLife)
	default:
		r.Book.AskedInVain(peer, now, vouchAgain)
	}
}

// AskAbout asks a few members whose key this is, and returns inquiry.Member, inquiry.Removed or
// nothing. The first no is final, and silence is no yes. Whom it asks first is counted on in round:
// where some are down, others are asked the next time. Each tells some members' keys besides.
func (r *Registry) AskAbout(ctx context.Context, peer pki.Peer, round *Round) string {
	ctx, stop := context.WithTimeout(ctx, vouchWait)
	defer stop()
	peers := r.Peers()
	delete(peers, peer.Name) // its own word counts for nothing
	names := sortedNames(peers)
	word := ""
	for range min(len(names), vouchAsks) {
		if ctx.Err() != nil {
			break
		}
		node := names[round.Next%len(names)]
		round.Next++
		answer, err := r.Ask(ctx, peers[node], inquiry.Question{KeyOf: peer.Name, Key: peer.Fingerprint, Roster: true,
			After: round.After})
		if err != nil || answer.Cluster == "" {
			continue
		}
		round.After = r.expectThem(answer.Roster, time.Now())
		switch answer.Key {
		case inquiry.Removed:
			return inquiry.Removed
		case inquiry.Member:
			word = inquiry.Member
		}
	}
	return word
}

// expectThem puts those of the keys among the ones to be asked about that this node knows nothing
// of: a stranger's knock leads to the members who would otherwise have to find a place beside all
// strangers. It returns behind which name the next ones stand.
func (r *Registry) expectThem(roster map[string][]string, now time.Time) string {
	names := sortedNames(roster)
	for _, name := range names {
		for _, key := range roster[name] {
			peer := pki.Peer{Kind: pki.KindNode, Name: name, Fingerprint: key}
			if name != r.Node && r.Recorded(peer).Kind == pki.StandingUnknown && !r.Book.HeardOf(peer, now) {
				r.strangers.expect(peer)
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

// RosterAfter are the keys of the members behind a name.
func RosterAfter(root *cluster.State, after string) map[string][]string {
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

// Unaware waits a while until every other member says that the new key of this node is one of a
// member (cluster.KeyTurn.Ignorant), and returns those that did not.
func (r *Registry) Unaware(ctx context.Context, turn *cluster.KeyTurn) []string {
	ctx, cancel := context.WithTimeout(ctx, knownPatience)
	defer cancel()
	var ignorant []string
	for pause := knownEvery; ; pause *= 2 {
		asked := r.WithoutKey(ctx, turn)
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

// WithoutKey are the other members that do not say that they know a told key of this node.
func (r *Registry) WithoutKey(ctx context.Context, turn *cluster.KeyTurn) []string {
	question := inquiry.Question{KeyOf: r.Node, Key: turn.Fingerprint}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	root, peers := r.Log.Root(), r.Peers()
	names := sortedNames(peers)
	answers := make([]inquiry.Answer, len(names))
	answered := make([]bool, len(names))
	var asked sync.WaitGroup
	for i, name := range names {
		asked.Go(func() {
			var err error
			answers[i], err = r.Ask(ctx, peers[name], question)
			answered[i] = err == nil
		})
	}
	asked.Wait()
	says := map[string]bool{}
	for i, name := range names {
		if answered[i] {
			says[name] = answers[i].Key == inquiry.Member
		}
	}
	return turn.Ignorant(root, names, says)
}

// KeyAnswer says of a key what this node's own State does. It asks nobody else: else each question
// would bring back others.
func (r *Registry) KeyAnswer(name, fingerprint string) string {
	switch r.Recorded(pki.Peer{Kind: pki.KindNode, Name: name, Fingerprint: fingerprint}).Kind {
	case pki.StandingMember:
		// Whoever asks may drop its old key on this word. After a start the State lags behind, and what
		// would bring it up to date may come from nobody but that node: it has to be on disk.
		if err := r.Book.Take(r.Log.Root()); err != nil {
			r.Logger.Warn("a key is not vouched for, because it cannot be written down", "node", name, "why", err)
			return ""
		}
		return inquiry.Member
	case pki.StandingRemoved:
		return inquiry.Removed
	}
	return ""
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
