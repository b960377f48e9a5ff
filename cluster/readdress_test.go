package cluster

import "testing"

func TestWhoIsLookedForElsewhere(t *testing.T) {
	b := newBook(t, 3)
	other := b.node("node3").Address
	b.refused(SetAddress{Node: "node9", Address: "a:1"}, "no node node9")
	b.refused(SetAddress{Node: "node2", Address: "a:1"}, "is in touch at")
	b.lose("node2")
	b.refused(SetAddress{Node: "node2", Address: "a b"}, "is no address")
	b.refused(SetAddress{Node: "node2"}, "is empty")
	if other != "" {
		b.refused(SetAddress{Node: "node2", Address: other}, "is the address of node3")
	}
	before := len(b.s.Timeline)
	b.must(SetAddress{Node: "node2", Address: "a:1"})
	b.must(SetAddress{Node: "node2", Address: "a:1"})
	if b.node("node2").Address != "a:1" || len(b.s.Timeline) != before+1 {
		t.Errorf("%q after %d events", b.node("node2").Address, len(b.s.Timeline)-before)
	}
}
