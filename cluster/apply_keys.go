package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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
	Wanted string `json:"wanted,omitempty"`
	// Changed is the index at which this data key came into force.
	Changed uint64 `json:"changed,omitempty"`
}

// Rekey brings a new data key into force, with all that is sealed sealed anew.
type Rekey struct {
	// Epoch is the one that this key follows: what was made from an older State is refused.
	Epoch        uint64            `json:"epoch"`
	Wraps        map[string][]byte `json:"wraps"`
	AuthorityKey []byte            `json:"authorityKey"`
	// NextKey is that of the authority which takes the present one's place.
	NextKey []byte            `json:"nextKey,omitempty"`
	Sealed  map[string][]byte `json:"sealed,omitempty"`
	By      string            `json:"by,omitempty"`
	Why     string            `json:"why"`
}

// Kind implements Command.
func (Rekey) Kind() string { return "rekey" }

func (t *transaction) applyRekey(c Rekey) refusal {
	if c.Epoch != t.Secrets.Epoch {
		return refuse("data key %d is in force meanwhile, and not %d", t.Secrets.Epoch, c.Epoch)
	}
	if len(c.AuthorityKey) == 0 {
		return refuse("the authority's key is not there: no node could sign another certificate")
	}
	for _, node := range slices.Sorted(maps.Keys(c.Wraps)) {
		if n, known := t.Nodes.Get(node); !known || len(n.Key) == 0 {
			return refuse("%s is no member of the cluster, and must not have its data key", node)
		}
	}
	if node := t.withoutDataKey(c.Wraps); node != "" {
		return refuse("%s is a member and would not have the data key", node)
	}
	if why := c.sealsAnew(t.State); why != "" {
		return refuse("%s", why)
	}
	if next := t.Secrets.Next; (next != nil) != (len(c.NextKey) > 0) {
		return refuse("the authority began or ceased to be rotated meanwhile; try again")
	} else if next != nil {
		changed := *next
		changed.Key = c.NextKey
		t.Secrets.Next = &changed
	}
	t.Secrets.Epoch++
	t.Secrets.Sealed = maps.Clone(c.Sealed)
	t.Secrets.Wraps, t.Secrets.AuthorityKey = maps.Clone(c.Wraps), c.AuthorityKey
	t.Secrets.Wanted, t.Secrets.Changed = "", t.index
	why := fmt.Sprintf("data key %d is in force, and with it a new key of gossip: %s", t.Secrets.Epoch, c.Why)
	t.tell(Event{Subject: t.Cluster, By: c.By, Why: why})
	return accepted
}

// withoutDataKey is the first member with a recorded key that has no share in these; "" if none.
func (s *State) withoutDataKey(wraps map[string][]byte) string {
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); len(n.Key) > 0 && len(wraps[name]) == 0 {
			return name
		}
	}
	return ""
}

// RekeyWanted says why a new data key is due; "" when none is.
func (s *State) RekeyWanted() string {
	switch missing := s.withoutDataKey(s.Secrets.Wraps); {
	case s.Secrets.Epoch == 0:
		return ""
	case s.Secrets.Wanted != "":
		return s.Secrets.Wanted
	case missing != "":
		return missing + " is a member now"
	}
	return ""
}

// dropDataKey takes a machine's share in the data key away. It has seen that key, so another one
// is due.
func (t *transaction) dropDataKey(node, why string) {
	if t.Secrets.Epoch == 0 {
		return
	}
	wraps := maps.Clone(t.Secrets.Wraps)
	delete(wraps, node)
	t.Secrets.Wraps, t.Secrets.Wanted = wraps, why
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
	Node string `json:"node"`
	By   string `json:"by,omitempty"`
	Why  string `json:"why,omitempty"`
	// Anyway: also while other members are away, who would not know the new key.
	Anyway bool `json:"anyway,omitempty"`
}

// AbortKey takes the order back, as long as no new key was told.
type AbortKey struct {
	Node string `json:"node"`
	By   string `json:"by,omitempty"`
}

// TellKey tells the new key, which is believed beside the old one from then on.
type TellKey struct {
	Node        string `json:"node"`
	Since       uint64 `json:"since"`
	Fingerprint string `json:"fingerprint"`
	Key         []byte `json:"key"`
}

// TurnKey records the new key in the place of the old one.
type TurnKey struct {
	Node  string `json:"node"`
	Since uint64 `json:"since"`
	// Fingerprint is that of the key which the node uses by now.
	Fingerprint string `json:"fingerprint"`
	// Wrap is the data key of that epoch, sealed to the new key.
	Epoch uint64 `json:"epoch"`
	Wrap  []byte `json:"wrap,omitempty"`
}

// Kind implements Command.
func (RotateKey) Kind() string { return "rotate-node-key" }

// Kind implements Command.
func (AbortKey) Kind() string { return "abort-node-key" }

// Kind implements Command.
func (TellKey) Kind() string { return "tell-node-key" }

// Kind implements Command.
func (TurnKey) Kind() string { return "turn-node-key" }

func (RotateKey) level() int { return levelTwo }
func (AbortKey) level() int  { return levelTwo }
func (TellKey) level() int   { return levelTwo }
func (TurnKey) level() int   { return levelTwo }

func (t *transaction) applyRotateKey(c RotateKey) refusal {
	n, known := t.Nodes.Get(c.Node)
	away := t.awayBut(c.Node)
	switch {
	case !known:
		return refuse("there is no node %s", c.Node)
	case n.KeyTurn != nil && c.Anyway && !n.KeyTurn.Anyway:
		turn := *n.KeyTurn
		turn.Anyway, n.KeyTurn = true, &turn
		t.Nodes.Set(n.Name, n)
		t.tell(Event{Node: n.Name, Subject: n.Name, By: c.By,
			Why: sentence("its new identity key no longer waits for members that are away", c.Why)})
		return accepted
	case n.KeyTurn != nil:
		return refuse("the order to give %s a new key dates from %s; see `clusterd keys status`", c.Node,
			n.KeyTurn.At.UTC().Format(time.DateTime))
	case n.State != NodeOnline:
		return refuse("%s is %s, and only the node itself can make its new key; bring it back, or, if its machine is lost "+
			"or in others' hands, `clusterd node replace %s` or `clusterd node remove %s`", c.Node, n.State, c.Node, c.Node)
	case len(n.Key) == 0:
		return refuse("the public key of %s is not recorded; use `clusterd node replace %s`", c.Node, c.Node)
	case len(away) > 0 && !c.Anyway:
		return refuse("%s would not know the new key of %s, and alone with it could not go on; bring it back first, "+
			"remove it, or say --anyway: then it learns the key from a third member when it is back",
			strings.Join(away, ", "), c.Node)
	}
	if why := t.mayBar(1); why != "" {
		return refuse("%s", why)
	}
	n.KeyTurn = &KeyTurn{Since: t.index, At: t.at, By: c.By, Anyway: c.Anyway}
	t.Nodes.Set(n.Name, n)
	t.tell(Event{Node: n.Name, Subject: n.Name, By: c.By, Why: sentence("a new identity key was ordered for it", c.Why)})
	return accepted
}

// awayBut are the other members that are not in touch.
func (s *State) awayBut(node string) []string {
	var away []string
	for _, n := range s.Nodes.Rows() {
		if n.Name != node && !n.Reachable() {
			away = append(away, n.Name)
		}
	}
	return away
}

func (t *transaction) applyAbortKey(c AbortKey) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return refuse("there is no node %s", c.Node)
	case n.KeyTurn == nil:
		return refuse("%s is not being given a new key", c.Node)
	case n.KeyTurn.Fingerprint != "":
		return refuse("%s uses its new key already, or is about to; let it come to its end, and rotate again. If that "+
			"key is lost (`clustat` on %s says so), use `clusterd node replace %s`", c.Node, c.Node, c.Node)
	}
	n.KeyTurn = nil
	t.Nodes.Set(n.Name, n)
	t.tell(Event{Node: n.Name, Subject: n.Name, By: c.By, Why: "the order to make a new identity key was taken back"})
	return accepted
}

// Refused says why a State does not take the command; "" if it does. Whoever would propose it asks
// first: each refusal is an entry too.
func (c TellKey) Refused(s *State) string {
	n, why := s.turning(c.Node, c.Since)
	switch turn := n.KeyTurn; {
	case why != "":
		return why
	case turn.Fingerprint == c.Fingerprint:
		return "" // told twice, because its outcome was not known
	case turn.Fingerprint != "":
		return c.Node + " has told another new key"
	case len(c.Key) == 0 || fingerprintOf(c.Key) != c.Fingerprint:
		return fmt.Sprintf("the public key of %s is not the one its fingerprint stands for", c.Node)
	}
	return s.keyTaken(c.Fingerprint)
}

func (t *transaction) applyTellKey(c TellKey) refusal {
	if why := c.Refused(t.State); why != "" {
		return refuse("%s", why)
	}
	n, _ := t.Nodes.Get(c.Node)
	if n.KeyTurn.Fingerprint == c.Fingerprint {
		return accepted
	}
	changed := *n.KeyTurn
	changed.Fingerprint, changed.Key = c.Fingerprint, c.Key
	n.KeyTurn = &changed
	t.Nodes.Set(n.Name, n)
	return accepted
}

// turning finds a member that is on its way to another key.
func (s *State) turning(node string, since uint64) (Member, string) {
	n, known := s.Nodes.Get(node)
	if !known {
		return n, "there is no node " + node
	}
	if n.KeyTurn == nil || n.KeyTurn.Since != since {
		return n, "that order to make a new key is over"
	}
	return n, ""
}

// keyTaken says whose a key is, or was; "" if nobody's. A key names one machine for good.
func (s *State) keyTaken(fingerprint string) string {
	if gone, removed := s.Removed.Get(fingerprint); removed {
		return "that key was barred as one of " + gone.Name
	}
	if client, known := s.Clients.Get(fingerprint); known {
		return "that key is one of client " + client.User
	}
	for _, n := range s.Nodes.Rows() {
		if n.HasKey(fingerprint) {
			return "that key is one of " + n.Name
		}
	}
	return ""
}

// HasKey reports whether a key is one that the member is believed by: its own, or the new one that
// it has told.
func (n Member) HasKey(fingerprint string) bool {
	return n.Fingerprint == fingerprint || n.KeyTurn != nil && n.KeyTurn.Fingerprint == fingerprint && fingerprint != ""
}

// keys are how many keys it is believed by.
func (n Member) keys() int {
	if n.KeyTurn != nil && n.KeyTurn.Fingerprint != "" {
		return 2
	}
	return 1
}

// Refused says why a State does not take the command; "" if it does. Whoever would propose it asks
// first: each refusal is an entry too.
func (c TurnKey) Refused(s *State) string {
	n, why := s.turning(c.Node, c.Since)
	switch {
	case why != "":
		return why
	case n.KeyTurn.Fingerprint == "" || n.KeyTurn.Fingerprint != c.Fingerprint:
		return c.Node + " has not told that key"
	case c.Epoch != s.Secrets.Epoch:
		return fmt.Sprintf("data key %d is in force meanwhile, and not %d; try again", s.Secrets.Epoch, c.Epoch)
	case c.Epoch != 0 && len(c.Wrap) == 0:
		return c.Node + " would not have the data key"
	}
	if why := s.CarriesMove(c.Node); why != "" {
		return why
	}
	return s.mayBar(1)
}

func (t *transaction) applyTurnKey(c TurnKey) refusal {
	if why := c.Refused(t.State); why != "" {
		return refuse("%s", why)
	}
	n, _ := t.Nodes.Get(c.Node)
	turn := n.KeyTurn
	t.Removed.Set(n.Fingerprint, Removed{Name: n.Name, At: t.at, By: turn.By})
	if n.JoinedAs == "" {
		n.JoinedAs = n.Fingerprint // the machine stays the one it was (law L1)
	}
	n.Fingerprint, n.Key, n.KeyAt, n.KeyTurn = turn.Fingerprint, turn.Key, t.at, nil
	t.Nodes.Set(n.Name, n)
	t.turnDataKey(n.Name, c.Wrap)
	t.tell(Event{Node: n.Name, Subject: n.Name, Cause: turn.Since, By: turn.By,
		Why: fmt.Sprintf("it has a new identity key (%.16s); the one before is barred for good", n.Fingerprint)})
	return accepted
}

// turnDataKey gives a member the data key sealed to its new key. Who has the old one could open
// what stood there before, so another data key is due.
func (t *transaction) turnDataKey(node string, wrap []byte) {
	if t.Secrets.Epoch == 0 {
		return
	}
	wraps := maps.Clone(t.Secrets.Wraps)
	if wraps == nil {
		wraps = map[string][]byte{}
	}
	wraps[node] = wrap
	t.Secrets.Wraps = wraps
	t.Secrets.Wanted = node + " has a new key, and the one before opened the data key"
}

// CarriesMove says which live migration goes from or to a node: its streams are authenticated with
// the key that the node has now, and would be cut with it.
func (s *State) CarriesMove(node string) string {
	for _, service := range s.Services.Rows() {
		i := service.Intent
		if i != nil && i.Kind == IntentMigrate && !i.Settling && (i.Node == node || i.Target == node) {
			return fmt.Sprintf("%s is migrating from %s to %s, with the key that %s has now", service.Spec.Name, i.Node,
				i.Target, node)
		}
	}
	return ""
}
