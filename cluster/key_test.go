package cluster_test

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

func TestAKeyIsRecordedWithItsFingerprint(t *testing.T) {
	b := clustertest.NewBook(t, 1)
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.AddDate(0, 0, 1)}})
	public := []byte("a public key")
	join := cluster.Join{Token: "t", Node: "node2", Fingerprint: cluster.FingerprintOf([]byte("another one")), Key: public,
		HardwareUUID: "h", Address: "node2"}
	b.Refused(join, "is not the one its fingerprint stands for")
	join.Fingerprint = cluster.FingerprintOf(public)
	b.Must(join)
	if n := b.Node("node2"); string(n.Key) != string(public) {
		t.Errorf("recorded: %q", n.Key)
	}
}

// TestTheDataKeyIsForMembersAlone: what would give it to others, or leave a member or the authority
// without, is refused whatever the shell thought.
func TestTheDataKeyIsForMembersAlone(t *testing.T) {
	b := clustertest.NewBook(t, 1)
	public := []byte("a public key")
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: b.At.AddDate(0, 0, 1)}})
	b.Must(cluster.Join{Token: "t", Node: "node2", Fingerprint: cluster.FingerprintOf(public), Key: public,
		HardwareUUID: "h", Address: "node2"})
	good := cluster.Rekey{Wraps: map[string][]byte{"node2": {1}}, AuthorityKey: []byte{2}, Why: message.Words("asked for")}
	changed := func(change func(*cluster.Rekey)) cluster.Rekey {
		c := good
		change(&c)
		return c
	}
	b.Refused(changed(func(c *cluster.Rekey) { c.Wraps = map[string][]byte{"node2": {1}, "ghost": {1}} }),
		"ghost is no member")
	b.Refused(changed(func(c *cluster.Rekey) { c.Wraps = map[string][]byte{"node2": {1}, "node1": {1}} }),
		"node1 is no member")
	b.Refused(changed(func(c *cluster.Rekey) { c.Wraps = nil }), "node2 is a member and would not have")
	b.Refused(changed(func(c *cluster.Rekey) { c.AuthorityKey = nil }), "no node could sign")
	b.Must(good)
	b.Refused(good, "data key 1 is in force meanwhile")
	if why := b.S.RekeyWanted(); !why.IsZero() {
		t.Errorf("a new data key is due: %s", why)
	}
	b.Must(cluster.RemoveNode{Node: "node2", By: "root"})
	if why := b.S.RekeyWanted(); why.String() != "node2 has gone, and knew the key before" || len(b.S.Secrets.Wraps) != 0 {
		t.Errorf("node2 was removed, and a new data key is due because %q, given to %v", why, b.S.Secrets.Wraps)
	}
}

// TestNoSecretEntersTheLogAsItIs: a document brings what it refers to, sealed with the key in
// force, and a new data key leaves nothing behind that only the one before opens.
func TestNoSecretEntersTheLogAsItIs(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	b.Must(cluster.Rekey{AuthorityKey: []byte{2}, Why: message.Words("the first")})
	reference, other := fence.Reference(strings.Repeat("a", 32)), fence.Reference(strings.Repeat("b", 32))
	with := func(password fence.Secret, sealed ...string) cluster.Configure {
		d := clustertest.Document()
		device := d.Devices["bmc-node1"]
		device.Password = password
		d.Devices["bmc-node1"] = device
		c := clustertest.Configure(d, b.S.Config.Version)
		c.Text, c.SealedBy, c.Sealed = "password: "+string(password), b.S.Secrets.Epoch, map[string][]byte{}
		for _, reference := range sealed {
			c.Sealed[reference] = []byte("sealed")
		}
		return c
	}
	b.Refused(with("hunter22"), "the password of device bmc-node1 is not sealed")
	b.Refused(with(fence.Hidden), "is not sealed")
	b.Refused(with(fence.Secret(reference)), "does not hold")
	late := with(fence.Secret(reference), reference)
	late.SealedBy--
	b.Refused(late, "sealed with data key 0, and 1 is in force")
	d := clustertest.Document()
	d.Devices["bmc-node1"] = fence.Device{Name: "bmc-node1", Driver: "agent",
		Options: map[string]string{"community": "public"}}
	b.Refused(clustertest.Configure(d, b.S.Config.Version), "community of device bmc-node1 is not sealed")

	b.Must(with(fence.Secret(reference), reference))
	rekey := cluster.Rekey{Epoch: 1, AuthorityKey: []byte{3}, Why: message.Words("asked for")}
	b.Refused(rekey, "could no longer be opened")
	rekey.Sealed = map[string][]byte{reference: {1}, other: {1}}
	b.Refused(rekey, "no longer holds")
	rekey.Sealed = map[string][]byte{reference: {1}}
	b.Must(rekey)

	b.Must(with(fence.Secret(other), other))
	if held := b.S.Secrets.Sealed; len(held) != 2 {
		t.Errorf("an earlier document and the old login refer to a secret that was forgotten: %v", held)
	}
	b.S.OldLogins = cluster.Table[cluster.Login]{}
	b.Must(with(fence.Secret(other)))
	if held := b.S.Secrets.Sealed; len(held) != 2 {
		t.Errorf("an earlier document refers to a secret that was forgotten: %v", held)
	}
	b.S.History = nil
	b.Must(with(fence.Secret(other)))
	b.S.History = nil
	b.Must(with(fence.Secret(other)))
	if held := b.S.Secrets.Sealed; len(held) != 1 || held[other] == nil {
		t.Errorf("held are %v, and nothing refers to the first any more", held)
	}
}
