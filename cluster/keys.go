package cluster

import (
	"slices"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/internal/message"
)

// Secrets are the cluster's own keys. What is secret of them is sealed with the data key, which
// stands in no log: each member is given it sealed to the key of its own identity.
type Secrets struct {
	// Authority is the certificate, which is public, and AuthorityKey its sealed private key.
	Authority    string `json:"authority"`
	AuthorityKey []byte `json:"authorityKey"`
	// Next is the authority that takes its place; nil where none does.
	Next *NextAuthority `json:"next,omitempty"`
	// Epoch counts the data keys; 0 where there is none, in clusters on paper.
	Epoch uint64 `json:"epoch,omitempty"`
	// Wraps are the data key of this epoch as sealed to each member, by node.
	Wraps map[string][]byte `json:"wraps,omitempty"`
	// Sealed are the secrets that the document, its history and definitions refer to.
	Sealed map[string][]byte `json:"sealed,omitempty"`
	// Wanted says why a new data key is due; empty when none is.
	Wanted message.Text `json:"wanted,omitzero"`
	// Changed is the index at which this data key came into force.
	Changed uint64 `json:"changed,omitempty"`
}

// Rekey brings a new data key into force, with all that is sealed sealed anew.
type Rekey struct {
	Change
	// Epoch is the one that this key follows: what was made from an older State is refused.
	Epoch        uint64            `json:"epoch"`
	Wraps        map[string][]byte `json:"wraps"`
	AuthorityKey []byte            `json:"authorityKey"`
	// NextKey is that of the authority which takes the present one's place.
	NextKey []byte            `json:"nextKey,omitempty"`
	Sealed  map[string][]byte `json:"sealed,omitempty"`
	By      string            `json:"by,omitempty"`
	Why     message.Text      `json:"why"`
}

// WithoutDataKey is the first member with a recorded key that has no share in these; "" if none.
func (s *State) WithoutDataKey(wraps map[string][]byte) string {
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); len(n.Key) > 0 && len(wraps[name]) == 0 {
			return name
		}
	}
	return ""
}

// RekeyWanted says why a new data key is due; nothing when none is.
func (s *State) RekeyWanted() message.Text {
	switch missing := s.WithoutDataKey(s.Secrets.Wraps); {
	case s.Secrets.Epoch == 0:
		return message.Text{}
	case !s.Secrets.Wanted.IsZero():
		return s.Secrets.Wanted
	case missing != "":
		return message.DataKeyForMember.With(missing)
	}
	return message.Text{}
}

// KeyTurn is the way of a member to another identity key. First the log tells the new key, which
// the member made itself and shows from then on; both are believed. Then the new one is recorded in
// the place of the old one, which is barred for good: at no instant is there a member that nobody
// believes, and a daemon that ended in between finds a key of its own that the others believe.
type KeyTurn struct {
	// Since is the index at which it was ordered, and names it.
	Since uint64    `json:"since"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	// Fingerprint and Key are those of the new key; empty until the node has made it.
	Fingerprint string `json:"fingerprint,omitempty"`
	Key         []byte `json:"key,omitempty"`
	// Anyway: members that are away are not waited for.
	Anyway bool `json:"anyway,omitempty"`
}

// RotateKey orders a member to make itself a new identity key.
type RotateKey struct {
	Change
	Node string `json:"node"`
	By   string `json:"by,omitempty"`
	Why  string `json:"why,omitempty"`
	// Anyway: also while other members are away, who would not know the new key.
	Anyway bool `json:"anyway,omitempty"`
}

// AbortKey takes the order back, as long as no new key was told.
type AbortKey struct {
	Change
	Node string `json:"node"`
	By   string `json:"by,omitempty"`
}

// TellKey tells the new key, which is believed beside the old one from then on.
type TellKey struct {
	Change
	Node        string `json:"node"`
	Since       uint64 `json:"since"`
	Fingerprint string `json:"fingerprint"`
	Key         []byte `json:"key"`
}

// TurnKey records the new key in the place of the old one.
type TurnKey struct {
	Change
	Node  string `json:"node"`
	Since uint64 `json:"since"`
	// Fingerprint is that of the key which the node uses by now.
	Fingerprint string `json:"fingerprint"`
	// Wrap is the data key of that epoch, sealed to the new key.
	Epoch uint64 `json:"epoch"`
	Wrap  []byte `json:"wrap,omitempty"`
}

// KeyStep is what a member has to do next about its own key.
type KeyStep string

// The steps. Each is written down by the node before it is told.
const (
	// KeyRests: nothing, or nothing yet.
	KeyRests KeyStep = ""
	// KeyDrops: no other key than the recorded one is to be left.
	KeyDrops KeyStep = "drop"
	KeyTold  KeyStep = "tell"
	// KeyUsed: the told key becomes that of its identity, once the others know it.
	KeyUsed   KeyStep = "use"
	KeyTurned KeyStep = "turn"
)

// KeyStep says what a member that uses a key by now has to do next.
func (s *State) KeyStep(node, used string) KeyStep {
	me, known := s.Nodes.Get(node)
	switch turn := me.KeyTurn; {
	case !known, turn == nil && me.Fingerprint != used:
		return KeyRests // this node is not who it was
	case turn == nil:
		return KeyDrops
	case turn.Fingerprint == "":
		return KeyTold
	case !s.CarriesMove(node).IsZero():
		// None begins from here on, and its end is another State. A new certificate would let the
		// forwarder retire, which cuts what takes longer than its patience (law L5).
		return KeyRests
	case turn.Fingerprint != used:
		return KeyUsed
	}
	return KeyTurned
}

// Ignorant are those of the others who have not said that they know the told key. A majority that
// committed it is not enough: one that lags and one that has dropped the old key could not speak to
// each other, were they all that is left. Who is away, and was to be left out, is not waited for,
// as long as somebody is left to tell it.
func (k KeyTurn) Ignorant(s *State, others []string, says map[string]bool) []string {
	var ignorant []string
	for _, name := range others {
		knows, answered := says[name]
		n, _ := s.Nodes.Get(name)
		leftOut := !answered && k.Anyway && !n.Reachable() && s.canBeTold(n, others, k.Since)
		if !knows && !leftOut {
			ignorant = append(ignorant, name)
		}
	}
	return ignorant
}

// canBeTold reports whether a member that is away knows one of the others that are in touch by its
// key, so that this one can tell it of a key that it is left out of. Were it left out of the keys
// of all of them, one after the other, it would be a stranger to them for good, and they to it, and
// its vote lost with nobody saying so. A turn that was ordered earlier may be at its end by the
// time that this one, ordered at since, is; of two at once the later one waits.
func (s *State) canBeTold(away Member, others []string, since uint64) bool {
	for _, name := range others {
		n, _ := s.Nodes.Get(name)
		turning := n.KeyTurn != nil && n.KeyTurn.Since < since
		if n.Reachable() && !turning && n.KeySince <= away.Away {
			return true
		}
	}
	return false
}

// Estranges are the members that are away and would know nobody, were they left out of a new key of
// a node that was ordered at since.
func (s *State) Estranges(node string, since uint64) []string {
	others := slices.DeleteFunc(slices.Clone(s.Nodes.Keys()), func(name string) bool { return name == node })
	return slices.DeleteFunc(s.AwayBut(node), func(name string) bool {
		away, _ := s.Nodes.Get(name)
		return s.canBeTold(away, others, since)
	})
}

// AwayBut are the other members that are not in touch.
func (s *State) AwayBut(node string) []string {
	var away []string
	for _, n := range s.Nodes.Rows() {
		if n.Name != node && !n.Reachable() {
			away = append(away, n.Name)
		}
	}
	return away
}

// Refused says why a State does not take the command; nothing if it does. A proposer asks first:
// each refusal is an entry too.
func (c TellKey) Refused(s *State) message.Text {
	n, why := s.turning(c.Node, c.Since)
	switch turn := n.KeyTurn; {
	case !why.IsZero():
		return why
	case turn.Fingerprint == c.Fingerprint:
		return message.Text{} // told twice, because its outcome was not known
	case turn.Fingerprint != "":
		return message.KeyToldOther.With(c.Node)
	case len(c.Key) == 0 || FingerprintOf(c.Key) != c.Fingerprint:
		return message.KeyFingerprintMismatch.With(c.Node)
	}
	return s.keyTaken(c.Fingerprint)
}

// turning finds a member that is on its way to another key.
func (s *State) turning(node string, since uint64) (Member, message.Text) {
	n, known := s.Nodes.Get(node)
	if !known {
		return n, message.NodeUnknown.With(node)
	}
	if n.KeyTurn == nil || n.KeyTurn.Since != since {
		return n, message.KeyOrderOver.With()
	}
	return n, message.Text{}
}

// keyTaken says whose a key is, or was; nothing if nobody's. A key names one machine for good.
func (s *State) keyTaken(fingerprint string) message.Text {
	if gone, removed := s.Removed.Get(fingerprint); removed {
		return message.KeyBarred.With(gone.Name)
	}
	if client, known := s.Clients.Get(fingerprint); known {
		return message.KeyOfClient.With(client.User)
	}
	for _, n := range s.Nodes.Rows() {
		if n.HasKey(fingerprint) {
			return message.KeyOfNode.With(n.Name)
		}
	}
	return message.Text{}
}

// HasKey reports whether a key is one that the member is believed by: its own, or the new one that
// it has told.
func (n Member) HasKey(fingerprint string) bool {
	return n.Fingerprint == fingerprint || n.KeyTurn != nil && n.KeyTurn.Fingerprint == fingerprint && fingerprint != ""
}

// Keys are how many keys it is believed by.
func (n Member) Keys() int {
	if n.KeyTurn != nil && n.KeyTurn.Fingerprint != "" {
		return 2
	}
	return 1
}

// Refused says why a State does not take the command; nothing if it does. A proposer asks first:
// each refusal is an entry too.
func (c TurnKey) Refused(s *State) message.Text {
	n, why := s.turning(c.Node, c.Since)
	switch {
	case !why.IsZero():
		return why
	case n.KeyTurn.Fingerprint == "" || n.KeyTurn.Fingerprint != c.Fingerprint:
		return message.KeyNotTold.With(c.Node)
	case c.Epoch != s.Secrets.Epoch:
		return message.DataKeyOutdated.With(s.Secrets.Epoch, c.Epoch)
	case c.Epoch != 0 && len(c.Wrap) == 0:
		return message.DataKeyMissing.With(c.Node)
	}
	if why := s.CarriesMove(c.Node); !why.IsZero() {
		return why
	}
	return s.MayBar(1)
}

// CarriesMove says which live migration goes from or to a node: its streams are authenticated with
// the key that the node has now, and would be cut with it.
func (s *State) CarriesMove(node string) message.Text {
	for _, service := range s.Services.Rows() {
		i := service.Intent
		if i != nil && i.Kind == IntentMigrate && !i.Settling && (i.Node == node || i.Target == node) {
			return message.KeyCarriesMove.With(service.Spec.Name, i.Node, i.Target, node)
		}
	}
	return message.Text{}
}

// NextAuthority is the authority that takes the place of the present one. First every member
// says that it believes both, then every member gets a certificate of the new one, and then the
// old one is dropped: at no instant is there a member that another one does not believe.
type NextAuthority struct {
	// Certificate is public, and Key its sealed private key.
	Certificate string `json:"certificate"`
	Key         []byte `json:"key"`
	// Since is the index at which this began, and names it.
	Since uint64    `json:"since"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	// Signing: all members believe both, and the new one signs.
	Signing bool `json:"signing,omitempty"`
	// Believed are the members that have written down that they believe both, and Held those that
	// have a certificate of the new one.
	Believed map[string]bool `json:"believed,omitempty"`
	Held     map[string]bool `json:"held,omitempty"`
}

// RotateAuthority begins to put another authority in the place of the present one.
type RotateAuthority struct {
	Change
	Certificate string `json:"certificate"`
	Key         []byte `json:"key"`
	// Epoch is that of the data key which Key is sealed with.
	Epoch uint64 `json:"epoch"`
	By    string `json:"by,omitempty"`
	Why   string `json:"why,omitempty"`
}

// AbortAuthority gives that up, as long as the new one has signed nothing.
type AbortAuthority struct {
	Change
	By string `json:"by,omitempty"`
}

// NodeAuthority tells how far a member is.
type NodeAuthority struct {
	Change
	Node  string `json:"node"`
	Since uint64 `json:"since"`
	Held  bool   `json:"held,omitempty"`
}

// FirstMissing is the first member that is not among these; "" if all are.
func FirstMissing(s *State, names map[string]bool) string {
	for _, name := range s.Nodes.Keys() {
		if !names[name] {
			return name
		}
	}
	return ""
}

// AuthorityWaits says what a rotation of the authority waits for; nothing where there is none.
func (s *State) AuthorityWaits() message.Text {
	next := s.Secrets.Next
	if next == nil {
		return message.Text{}
	}
	names, waits := next.Believed, message.AuthorityWaitsForBelief
	if next.Signing {
		names, waits = next.Held, message.AuthorityWaitsForCertificate
	}
	missing := 0
	for _, name := range s.Nodes.Keys() {
		if !names[name] {
			missing++
		}
	}
	others := ""
	if missing > 1 {
		others = strconv.Itoa(missing - 1)
	}
	return waits.With(next.At.UTC().Format("2006-01-02 15:04"), FirstMissing(s, names), others)
}

// KeyTurns says of each member that is on its way to a new key what that waits for.
func (s *State) KeyTurns() []message.Text {
	var waits []message.Text
	for _, n := range s.Nodes.Rows() {
		if n.KeyTurn == nil {
			continue
		}
		ordered := n.KeyTurn.At.UTC().Format("2006-01-02 15:04")
		if n.KeyTurn.Fingerprint == "" {
			waits = append(waits, message.KeyWaitsToBeMade.With(n.Name, ordered))
			continue
		}
		waits = append(waits, message.KeyWaitsToBeUsed.With(n.Name, ordered, s.CarriesMove(n.Name)))
	}
	return waits
}
