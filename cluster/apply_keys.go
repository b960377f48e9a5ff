package cluster

import (
	"fmt"
	"maps"
	"slices"
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

func (c Rekey) apply(t *transaction) refusal {
	if c.Epoch != t.Secrets.Epoch {
		return refuse("data key %d is in force meanwhile, and not %d", t.Secrets.Epoch, c.Epoch)
	}
	if len(c.AuthorityKey) == 0 {
		return refuse("the authority's key is not there: no node could sign a certificate any more")
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
