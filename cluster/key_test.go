package cluster

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
)

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

// TestNoSecretEntersTheLogAsItIs: a document brings what it refers to, sealed with the key in force,
// and a new data key leaves nothing behind that only the one before opens.
func TestNoSecretEntersTheLogAsItIs(t *testing.T) {
	b := newBook(t, 2)
	b.must(Rekey{AuthorityKey: []byte{2}, Why: "the first"})
	reference, other := fence.Reference(strings.Repeat("a", 32)), fence.Reference(strings.Repeat("b", 32))
	with := func(password fence.Secret, sealed ...string) Configure {
		d := document()
		device := d.Devices["bmc-node1"]
		device.Password = password
		d.Devices["bmc-node1"] = device
		c := configure(d, b.s.Config.Version)
		c.Text, c.SealedBy, c.Sealed = "password: "+string(password), b.s.Secrets.Epoch, map[string][]byte{}
		for _, reference := range sealed {
			c.Sealed[reference] = []byte("sealed")
		}
		return c
	}
	b.refused(with("hunter22"), "the password of device bmc-node1 is not sealed")
	b.refused(with(fence.Hidden), "is not sealed")
	b.refused(with(fence.Secret(reference)), "does not hold")
	late := with(fence.Secret(reference), reference)
	late.SealedBy--
	b.refused(late, "sealed with data key 0, and 1 is in force")
	d := document()
	d.Devices["bmc-node1"] = fence.Device{Name: "bmc-node1", Driver: "agent",
		Options: map[string]string{"community": "public"}}
	b.refused(configure(d, b.s.Config.Version), "community of device bmc-node1 is not sealed")

	b.must(with(fence.Secret(reference), reference))
	rekey := Rekey{Epoch: 1, AuthorityKey: []byte{3}, Why: "asked for"}
	b.refused(rekey, "could no longer be opened")
	rekey.Sealed = map[string][]byte{reference: {1}, other: {1}}
	b.refused(rekey, "no longer holds")
	rekey.Sealed = map[string][]byte{reference: {1}}
	b.must(rekey)

	b.must(with(fence.Secret(other), other))
	if held := b.s.Secrets.Sealed; len(held) != 2 {
		t.Errorf("an earlier document and the old login refer to a secret that was forgotten: %v", held)
	}
	b.s.OldLogins = Table[Login]{}
	b.must(with(fence.Secret(other)))
	if held := b.s.Secrets.Sealed; len(held) != 2 {
		t.Errorf("an earlier document refers to a secret that was forgotten: %v", held)
	}
	b.s.History = nil
	b.must(with(fence.Secret(other)))
	b.s.History = nil
	b.must(with(fence.Secret(other)))
	if held := b.s.Secrets.Sealed; len(held) != 1 || held[other] == nil {
		t.Errorf("held are %v, and nothing refers to the first any more", held)
	}
}
