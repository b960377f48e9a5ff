package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

func (t *transaction) applyJoin(c Join) refusal {
	token, why := t.checkToken(c)
	if why != "" {
		return refuse("%s", why)
	}
	if len(c.Key) > 0 && fingerprintOf(c.Key) != c.Fingerprint {
		return refuse("the public key of %s is not the one its fingerprint stands for", c.Node)
	}
	if why := t.MayJoin(c, token.Replace); why != "" {
		return refuse("%s", why)
	}
	old, known := t.Nodes.Get(c.Node)
	if known && old.HasKey(c.Fingerprint) {
		t.Tokens.Delete(c.Token)
		return accepted // the same machine asked twice
	}
	n := Member{Name: c.Node, Fingerprint: c.Fingerprint, Key: c.Key, HardwareUUID: c.HardwareUUID,
		Address: c.Address, Witness: c.Witness}
	if known {
		if why := t.mayBar(old.keys()); why != "" {
			return refuse("%s", why)
		}
		n.ID, n.Order = old.ID, old.Order
		t.forgetMachine(old, c.By)
	} else {
		t.NextNodeID++
		n.ID = t.NextNodeID
	}
	t.Tokens.Delete(c.Token)
	t.setNodeState(n, NodeJoining, c.By, "joined with a token; waiting for its daemon")
	return accepted
}

// fingerprintOf is the name that a public key goes by.
func fingerprintOf(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// MayReplace says why another machine may not take a node's place yet; "" if it
// may.
func (s *State) MayReplace(node string) string {
	n, _ := s.Nodes.Get(node)
	if held := s.world().heldBy(n); len(held) > 0 {
		return fmt.Sprintf("%s may still hold %s; fence it or ask it first, then replace it", node, held[0])
	}
	if s.Fences.Has(node) {
		return node + " is being fenced; wait for the result, then replace it"
	}
	return ""
}

// checkToken lets the founder's own machine in without one.
func (t *transaction) checkToken(c Join) (Token, string) {
	if c.Token == "" && t.Nodes.Len() == 0 {
		return Token{}, ""
	}
	token, known := t.Tokens.Get(c.Token)
	if !known {
		return Token{}, "the join token is unknown or was used already; make a new one with `clusterd token`"
	}
	if t.at.After(token.Expires) {
		return Token{}, fmt.Sprintf("the join token expired %s ago; make a new one with `clusterd token`", t.at.Sub(token.Expires).Round(time.Second))
	}
	if token.Replace != "" && token.Replace != c.Node {
		return Token{}, fmt.Sprintf("the join token is for the machine that replaces %s, not for %s", token.Replace, c.Node)
	}
	return token, ""
}

// forgetMachine bars a machine's key for good.
func (t *transaction) forgetMachine(n Member, by string) {
	t.forgetAuthorityOf(n.Name)
	t.dropDataKey(n.Name, n.Name+" has gone, and knew the key before")
	t.Removed.Set(n.Fingerprint, Removed{Name: n.Name, At: t.at, By: by})
	if turn := n.KeyTurn; n.keys() > 1 {
		t.Removed.Set(turn.Fingerprint, Removed{Name: n.Name, At: t.at, By: by})
	}
}

func (t *transaction) applyRemoveNode(c RemoveNode) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return refuse("there is no node %s", c.Node)
	}
	if held := t.heldBy(n); len(held) > 0 {
		return refuse("%s may be running %s; move its services away first (`clusterd node leave %s`), or have it fenced", c.Node, held[0], c.Node)
	}
	if t.Fences.Has(c.Node) {
		return refuse("%s is being fenced; wait for the result", c.Node)
	}
	if why := t.mayBar(n.keys()); why != "" {
		return refuse("%s", why)
	}
	t.forgetMachine(n, c.By)
	t.Nodes.Delete(c.Node)
	t.settleAuthority()
	t.forgetReach()
	if t.Level >= levelTwo {
		t.forgetStarts(c.Node)
	}
	t.tell(Event{Node: c.Node, Subject: c.Node, From: string(n.State), To: "removed", By: c.By, Why: sentence("removed from the cluster, its key is no longer accepted", c.Why)})
	return accepted
}
