package cluster

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// The longest that what a machine says of itself may be. A name goes into certificates,
// heartbeats, paths and everybody's screen, so it is short and plain.
const (
	longestNodeName = 63
	longestWord     = 128
	longestAddress  = 260
)

// Unfit says what is wrong with what a machine says of itself, whatever the cluster
// knows of it; "" if nothing. It is asked before anything enters the log, and again by
// Apply: one entry that cannot be used by everybody would be in everybody's way.
func (c Join) Unfit() string {
	switch {
	case !plainWord(c.Node, longestNodeName, "._-") || !letterOrDigit(c.Node[0]):
		return fmt.Sprintf("%s is no name for a node; use up to %d letters, digits, dots, hyphens and underscores, "+
			"the first a letter or digit", quoted(c.Node), longestNodeName)
	case !plainWord(c.Fingerprint, longestWord, "-._"):
		return fmt.Sprintf("%s is no fingerprint of a key", quoted(c.Fingerprint))
	case !plainWord(c.HardwareUUID, longestWord, "-._:{}"):
		return fmt.Sprintf("%s is no hardware UUID; write one in the file that hardware_uuid_file names on "+
			"%s", quoted(c.HardwareUUID), c.Node)
	}
	return unfitAddress(c.Node, c.Address)
}

func unfitAddress(node, address string) string {
	if !plainWord(address, longestAddress, ".:-_[]%") {
		return fmt.Sprintf("%s is no address for %s; give the host and port under which the others reach "+
			"it", quoted(address), node)
	}
	return ""
}

// MayJoin says why a machine may not get this place, apart from its token; "" if it may.
func (s *State) MayJoin(c Join, replace string) string {
	if why := c.Unfit(); why != "" {
		return why
	}
	if gone, removed := s.Removed.Get(c.Fingerprint); removed {
		return fmt.Sprintf("this machine's key was removed from the cluster as %s; delete its data folder to join "+
			"with a new key", gone.Name)
	}
	old, known := s.Nodes.Get(c.Node)
	if known && old.HasKey(c.Fingerprint) {
		return "" // the same machine asked twice
	}
	if known && replace != c.Node {
		return fmt.Sprintf("a node named %s is already a member; use another name, or `clusterd node replace %s` if "+
			"its machine is to be replaced", c.Node, c.Node)
	}
	for _, name := range s.Nodes.Keys() {
		if other, _ := s.Nodes.Get(name); name != c.Node {
			if why := c.clash(other); why != "" {
				return why
			}
		}
	}
	if known {
		return s.MayReplace(c.Node)
	}
	return ""
}

// clash says what a machine has that belongs to another member. Two machines of one
// hardware UUID could not be told apart by their BMCs: the death of one would be taken
// for that of the other (law L3).
func (c Join) clash(other Member) string {
	switch {
	case other.HasKey(c.Fingerprint):
		return "this machine is a member already, as " + other.Name
	case fence.SamePlatform(c.HardwareUUID, other.HardwareUUID):
		return fmt.Sprintf("%s has the hardware UUID %s, and so has %s: a BMC that tells it could belong to either, "+
			"and the wrong machine would be taken for off; correct the UUID in the firmware of one of them, or write one "+
			"of its own in the file that hardware_uuid_file names in node.yaml of %s and set option identity of its BMC",
			c.Node, c.HardwareUUID, other.Name, c.Node)
	case strings.EqualFold(c.Address, other.Address):
		return fmt.Sprintf("%s has the address %s, and so has %s; give address in node.yaml of "+
			"%s", c.Node, c.Address, other.Name, c.Node)
	}
	return ""
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

// mayHaveAddress says why a node cannot be reached under an address. Two nodes that take
// over each other's addresses at once pass, one after the other, through none that both
// have: what counts as taken is the address of a node that is in touch.
func (s *State) mayHaveAddress(node, address string) string {
	if address == "" {
		return "" // it keeps the one that it has
	}
	if why := unfitAddress(node, address); why != "" {
		return why
	}
	for _, name := range s.Nodes.Keys() {
		other, _ := s.Nodes.Get(name)
		if name != node && other.Reachable() && strings.EqualFold(other.Address, address) {
			return fmt.Sprintf("%s asks for the address %s, which is that of %s; correct address in node.yaml of "+
				"%s", node, address, name, node)
		}
	}
	return ""
}
