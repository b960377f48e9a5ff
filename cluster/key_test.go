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
