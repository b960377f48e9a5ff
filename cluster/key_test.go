package cluster

import "testing"

func TestAKeyIsRecordedWithItsFingerprint(t *testing.T) {
	b := newBook(t, 1)
	b.must(AddToken{ID: "t", Token: Token{Expires: b.at.AddDate(0, 0, 1)}})
	public := []byte("a public key")
	join := Join{Token: "t", Node: "node2", Fingerprint: fingerprintOf([]byte("another one")), Key: public,
		HardwareUUID: "h", Address: "node2"}
	b.refused(join, "is not the one its fingerprint stands for")
	join.Fingerprint = fingerprintOf(public)
	b.must(join)
	if n := b.node("node2"); string(n.Key) != string(public) {
		t.Errorf("recorded: %q", n.Key)
	}
}

// TestTheDataKeyIsForMembersAlone: what would give it to others, or leave a member or the authority
// without, is refused whatever the shell thought.
func TestTheDataKeyIsForMembersAlone(t *testing.T) {
	b := newBook(t, 1)
	public := []byte("a public key")
	b.must(AddToken{ID: "t", Token: Token{Expires: b.at.AddDate(0, 0, 1)}})
	b.must(Join{Token: "t", Node: "node2", Fingerprint: fingerprintOf(public), Key: public,
		HardwareUUID: "h", Address: "node2"})
	good := Rekey{Wraps: map[string][]byte{"node2": {1}}, AuthorityKey: []byte{2}, Why: "asked for"}
	changed := func(change func(*Rekey)) Rekey {
		c := good
		change(&c)
		return c
	}
	b.refused(changed(func(c *Rekey) { c.Wraps = map[string][]byte{"node2": {1}, "ghost": {1}} }), "ghost is no member")
	b.refused(changed(func(c *Rekey) { c.Wraps = map[string][]byte{"node2": {1}, "node1": {1}} }), "node1 is no member")
	b.refused(changed(func(c *Rekey) { c.Wraps = nil }), "node2 is a member and would not have")
	b.refused(changed(func(c *Rekey) { c.AuthorityKey = nil }), "no node could sign")
	b.must(good)
	b.refused(good, "data key 1 is in force meanwhile")
	if why := b.s.RekeyWanted(); why != "" {
		t.Errorf("a new data key is due: %s", why)
	}
	b.must(RemoveNode{Node: "node2", By: "root"})
	if why := b.s.RekeyWanted(); why != "node2 has gone, and knew the key before" || len(b.s.Secrets.Wraps) != 0 {
		t.Errorf("node2 was removed, and a new data key is due because %q, given to %v", why, b.s.Secrets.Wraps)
	}
}
