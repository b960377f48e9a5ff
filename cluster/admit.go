package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// The longest that what a machine says of itself may be. A name goes into certificates,
// heartbeats, paths and everybody's screen, so it is short and plain.
const (
	longestNodeName = 63
	longestWord     = 128
	longestAddress  = 260
)

// Unfit says what is wrong with what a machine says of itself, whatever the cluster
// knows of it; nothing if it is well. It is asked before anything enters the log, and again by
// Apply: one entry that cannot be used by everybody would be in everybody's way.
func (c Join) Unfit() message.Text {
	switch {
	case !plainWord(c.Node, longestNodeName, "._-") || !letterOrDigit(c.Node[0]):
		return message.JoinNameUnfit.With(quoted(c.Node), longestNodeName)
	case !plainWord(c.Fingerprint, longestWord, "-._"):
		return message.JoinFingerprintUnfit.With(quoted(c.Fingerprint))
	case !plainWord(c.HardwareUUID, longestWord, "-._:{}"):
		return message.JoinUUIDUnfit.With(quoted(c.HardwareUUID), c.Node)
	}
	return UnfitAddress(c.Node, c.Address)
}

// UnfitAddress says why an address cannot be the one of a node; nothing if it can.
func UnfitAddress(node, address string) message.Text {
	if !plainWord(address, longestAddress, ".:-_[]%") {
		return message.AddressUnfit.With(quoted(address), node)
	}
	return message.Text{}
}

// Clash says what a machine has that belongs to another member. Two machines of one
// hardware UUID could not be told apart by their BMCs: the death of one would be taken
// for that of the other (law L3).
func (c Join) Clash(other Member) message.Text {
	switch {
	case other.HasKey(c.Fingerprint):
		return message.JoinedAlready.With(other.Name)
	case fence.SamePlatform(c.HardwareUUID, other.HardwareUUID):
		return message.JoinUUIDTaken.With(c.Node, c.HardwareUUID, other.Name)
	case strings.EqualFold(c.Address, other.Address):
		return message.JoinAddressTaken.With(c.Node, c.Address, other.Name)
	}
	return message.Text{}
}

// plainWord reports whether a text is short, not empty, and made of ASCII letters,
// digits and the given signs alone: nothing that a terminal, a path or a packet takes
// for something else.
func plainWord(text string, longest int, signs string) bool {
	if text == "" || len(text) > longest {
		return false
	}
	for i := range len(text) {
		if !letterOrDigit(text[i]) && strings.IndexByte(signs, text[i]) < 0 {
			return false
		}
	}
	return true
}

func letterOrDigit(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// quoted shows what a stranger sent without letting it act on a terminal, and not all
// of it.
func quoted(text string) string {
	if len(text) > longestNodeName {
		text = text[:longestNodeName] + "..."
	}
	return fmt.Sprintf("%+q", text)
}

// MayHaveAddress says why a node cannot be reached under an address. Two nodes that take
// over each other's addresses at once pass, one after the other, through none that both
// have: what counts as taken is the address of a node that is in touch.
func (s *State) MayHaveAddress(node, address string) message.Text {
	if address == "" {
		return message.Text{} // it keeps the one that it has
	}
	if why := UnfitAddress(node, address); !why.IsZero() {
		return why
	}
	for _, name := range s.Nodes.Keys() {
		other, _ := s.Nodes.Get(name)
		if name != node && other.Reachable() && strings.EqualFold(other.Address, address) {
			return message.AddressTaken.With(node, address, name)
		}
	}
	return message.Text{}
}

// FingerprintOf is the name that a public key goes by.
func FingerprintOf(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// HeldWhere reports whether the service has a holder that matches.
func (s Service) HeldWhere(match func(Holder) bool) bool {
	for _, h := range s.Holders {
		if match(h) {
			return true
		}
	}
	return false
}

// Client is a certificate of remote tools. Only what is recorded here is let in: the authority's
// signature alone makes nobody an administrator.
type Client struct {
	User    string    `json:"user"`
	Role    string    `json:"role"`
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires"`
}

// AddClient records a certificate before it is given out.
type AddClient struct {
	Change
	Fingerprint string    `json:"fingerprint"`
	User        string    `json:"user"`
	Role        string    `json:"role"`
	Expires     time.Time `json:"expires"`
	By          string    `json:"by,omitempty"`
}

// RevokeClients bars every certificate of a user for good, or the one whose key begins so.
type RevokeClients struct {
	Change
	User string `json:"user"`
	// Fingerprint is the beginning of a key's fingerprint; "" is all of them.
	Fingerprint string `json:"fingerprint,omitempty"`
	By          string `json:"by,omitempty"`
}

// MayBar says why no further keys can be barred. None is ever forgotten to make room: it would be
// welcome again.
func (s *State) MayBar(keys int) message.Text {
	if s.Removed.Len()+keys > MaxRemoved {
		return message.KeysBarredFull.With(s.Removed.Len())
	}
	return message.Text{}
}

// SetAddress records that a node is reached under another address from now on: its own
// word, proven by its key, or a person's. A node whose address changed cannot say so by
// NodeUp, because the leader brings it the log where it was.
type SetAddress struct {
	Change
	Node    string `json:"node"`
	Address string `json:"address"`
	By      string `json:"by,omitempty"`
}

// EachSecret visits the secrets of a document: references, and those that stand there as they are.
func (d Document) EachSecret(visit func(where message.Text, secret string)) {
	one := func(where message.Text, secret fence.Secret) {
		if secret != "" {
			visit(where, secret.Reveal())
		}
	}
	some := func(values map[string]string, where func(name string) message.Text) {
		for _, name := range words.SortedKeys(values) {
			fence.MapSecrets(name, values[name], func(secret string) string {
				visit(where(name), secret)
				return secret
			})
		}
	}
	for _, name := range words.SortedKeys(d.Devices) {
		one(message.SecretOfDevice.With(name), d.Devices[name].Password)
		some(d.Devices[name].Options, func(option string) message.Text {
			return message.SecretOfOption.With(option, name)
		})
	}
	for _, name := range words.SortedKeys(d.Alerts) {
		one(message.SecretOfAlert.With(name), d.Alerts[name].Secret)
		one(message.SecretOfAlertURL.With(name), d.Alerts[name].SecretURL)
	}
	for _, name := range words.SortedKeys(d.Services) {
		for _, place := range resources.StartOrder(d.Services[name].Tree) {
			some(place.Resource.Parameters, func(parameter string) message.Text {
				return message.SecretOfParameter.With(parameter, place.Resource.Label(), name)
			})
		}
	}
}

// SealsAnew refuses a new data key that would leave a secret behind, which nobody could open then.
func (c Rekey) SealsAnew(s *State) message.Text {
	for _, reference := range words.SortedKeys(s.Secrets.Sealed) {
		if len(c.Sealed[reference]) == 0 {
			return message.DataKeySecretNew.With()
		}
	}
	if len(c.Sealed) != len(s.Secrets.Sealed) {
		return message.DataKeySecretGone.With()
	}
	return message.Text{}
}
