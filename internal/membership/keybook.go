package membership

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// KeysFile holds whose key is whose, as this node knew it last. After a start the
// State lags behind until a leader commits something, and a leader can be elected
// only by links: without the file nodes could not tell each other from strangers.
const KeysFile = "keys.json"

// vouchedLife is how long a member's word for a key lasts: until then the log has
// told, or the member is asked again. That a key was removed is kept as long. maxVouched bounds
// each of the lists.
const (
	VouchedLife = 10 * time.Minute
	MaxVouched  = 64
)

// KeyBook are the keys that are known beside the State.
type KeyBook struct {
	folder  Folder
	cluster string
	// stranger is told of each node whose key nobody here knows.
	stranger func(pki.Peer)

	mu      sync.Mutex
	saved   SavedKeys
	vouched map[string]vouch
	// vain are keys that were asked about and are no member's, as far as anybody said: nobody is
	// asked about them again until then.
	vain map[string]vouch
}

// SavedKeys is what KeysFile holds.
type SavedKeys struct {
	api.NodeKeys
	Cluster string `json:"cluster"`
}

// KeySource tells whose key is whose.
type KeySource interface {
	// IsKeyOf reports whether a node is believed by a key.
	IsKeyOf(name, fingerprint string) bool
	// RemovedAt says when the key was removed, if it was.
	RemovedAt(fingerprint string) (at time.Time, removed bool)
	// Keys are all of them, in the form in which they travel.
	Keys() api.NodeKeys
}

// RootKeys are the keys of a State, as a KeySource.
type RootKeys struct{ *cluster.State }

// IsKeyOf implements KeySource.
func (k RootKeys) IsKeyOf(name, fingerprint string) bool {
	n, known := k.Nodes.Get(name)
	return known && n.HasKey(fingerprint)
}

// Keys implements KeySource.
func (k RootKeys) Keys() api.NodeKeys { return KeysOf(k.State) }

// RemovedAt implements KeySource.
func (k RootKeys) RemovedAt(fingerprint string) (time.Time, bool) {
	gone, removed := k.Removed.Get(fingerprint)
	return gone.At, removed
}

type vouch struct {
	name  string
	until time.Time
}

// OpenKeyBook reads what the folder holds of it.
func OpenKeyBook(folder Folder, clusterID string) (*KeyBook, error) {
	book := &KeyBook{
		folder: folder, cluster: clusterID, stranger: func(pki.Peer) {},
		vouched: map[string]vouch{}, vain: map[string]vouch{},
	}
	err := folder.ReadLarge(KeysFile, &book.saved)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err != nil:
		err = fmt.Errorf("read %s: %w; remove it, and this node asks the others", folder.path(KeysFile), err)
	}
	if book.saved.Cluster != clusterID {
		book.saved = SavedKeys{} // of a cluster that this node belonged to before
	}
	return book, err
}

// OnStranger has the function told of each node whose key nobody here knows. It must not block, and
// is set before the book is asked.
func (b *KeyBook) OnStranger(told func(pki.Peer)) { b.stranger = told }

// Words counts the keys that a member's word is remembered for, and those that nobody vouched for.
func (b *KeyBook) Words() (vouched, vain int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.vouched), len(b.vain)
}

// IsKeyOf implements KeySource.
func (s *SavedKeys) IsKeyOf(name, fingerprint string) bool {
	return fingerprint != "" && (s.Nodes[name] == fingerprint || s.Next[name] == fingerprint)
}

// Keys implements KeySource.
func (s *SavedKeys) Keys() api.NodeKeys { return s.NodeKeys }

// RemovedAt implements KeySource.
func (s *SavedKeys) RemovedAt(fingerprint string) (time.Time, bool) {
	at, removed := s.Removed[fingerprint]
	return at, removed
}

// NewerThan returns the keys that were written down if the State is behind them,
// else nil.
func (b *KeyBook) NewerThan(root *cluster.State) KeySource {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved.Index > root.Index && b.saved.Generation >= root.Generation {
		saved := b.saved // its maps are replaced whole
		return &saved
	}
	return nil
}

// Take writes the State's keys down if they are others than those in the file,
// and the State is not behind it.
func (b *KeyBook) Take(root *cluster.State) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved.Index > root.Index && b.saved.Generation >= root.Generation {
		return nil
	}
	next := SavedKeys{NodeKeys: KeysOf(root), Cluster: b.cluster}
	if maps.Equal(next.Nodes, b.saved.Nodes) && maps.Equal(next.Next, b.saved.Next) &&
		maps.Equal(next.Removed, b.saved.Removed) &&
		slices.Equal(next.Authorities, b.saved.Authorities) && next.Generation == b.saved.Generation {
		return nil
	}
	if err := b.folder.Write(KeysFile, next); err != nil {
		return err
	}
	b.saved = next
	return nil
}

// KeysOf are the keys of a State, in the form in which they travel.
func KeysOf(root *cluster.State) api.NodeKeys {
	keys := api.NodeKeys{
		Generation: root.Generation, Index: root.Index,
		Nodes: map[string]string{}, Removed: map[string]time.Time{},
	}
	if root.Secrets.Authority != "" {
		keys.Authorities = append(keys.Authorities, root.Secrets.Authority)
	}
	if next := root.Secrets.Next; next != nil {
		keys.Authorities = append(keys.Authorities, next.Certificate)
	}
	for _, n := range root.Nodes.Rows() {
		keys.Nodes[n.Name] = n.Fingerprint
		if turn := n.KeyTurn; turn != nil && turn.Fingerprint != "" {
			if keys.Next == nil {
				keys.Next = map[string]string{}
			}
			keys.Next[n.Name] = turn.Fingerprint
		}
	}
	for _, fingerprint := range root.Removed.Keys() {
		gone, _ := root.Removed.Get(fingerprint)
		keys.Removed[fingerprint] = gone.At
	}
	return keys
}

// VouchedFor is the standing of a key that neither the State nor the file knows; who is met for the
// first time, or again some time after nobody vouched for it, is told to whoever can ask about it.
func (b *KeyBook) VouchedFor(peer pki.Peer, now time.Time) pki.Standing {
	b.mu.Lock()
	word, known := b.vouched[peer.Fingerprint]
	no, asked := b.vain[peer.Fingerprint]
	b.mu.Unlock()
	if known && word.name == peer.Name && now.Before(word.until) {
		return pki.Standing{Kind: pki.StandingVouched}
	}
	if !asked || !now.Before(no.until) {
		b.stranger(peer)
	}
	return pki.Standing{Kind: pki.StandingUnknown}
}

// HeardOf reports whether members were asked about a key a while ago.
func (b *KeyBook) HeardOf(peer pki.Peer, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	word, known := b.vouched[peer.Fingerprint]
	no, asked := b.vain[peer.Fingerprint]
	return (known && word.name == peer.Name && now.Before(word.until)) || (asked && now.Before(no.until))
}

// Vouch notes a member's word for a key.
func (b *KeyBook) Vouch(peer pki.Peer, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.vain, peer.Fingerprint)
	dropPast(b.vouched, now)
	if len(b.vouched) < MaxVouched {
		b.vouched[peer.Fingerprint] = vouch{name: peer.Name, until: now.Add(VouchedLife)}
	}
}

// AskedInVain notes that nobody vouched for a key, for a while. The list is bounded: where it is
// full, what ends first makes room.
func (b *KeyBook) AskedInVain(peer pki.Peer, now time.Time, while time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dropPast(b.vain, now)
	if _, known := b.vain[peer.Fingerprint]; !known && len(b.vain) >= MaxVouched {
		first := slices.MinFunc(slices.Collect(maps.Keys(b.vain)), func(x, y string) int {
			return b.vain[x].until.Compare(b.vain[y].until)
		})
		delete(b.vain, first)
	}
	b.vain[peer.Fingerprint] = vouch{name: peer.Name, until: now.Add(while)}
}

func dropPast(words map[string]vouch, now time.Time) {
	maps.DeleteFunc(words, func(_ string, word vouch) bool { return !now.Before(word.until) })
}
