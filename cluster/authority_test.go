package cluster

import (
	"strings"
	"testing"
)

// TestAnAuthorityIsDroppedWhenAllHaveTheNext: no step is taken before every member has told of the one
// before, whoever asks for it, and none of a rotation that is over counts for the next.
func TestAnAuthorityIsDroppedWhenAllHaveTheNext(t *testing.T) {
	b := newBook(t, 3)
	b.s.Secrets.Authority, b.s.Secrets.AuthorityKey = "old", []byte{1}
	tells := func(node string, held bool) NodeAuthority {
		since := uint64(0)
		if b.s.Secrets.Next != nil {
			since = b.s.Secrets.Next.Since
		}
		return NodeAuthority{Node: node, Since: since, Held: held}
	}
	begin := RotateAuthority{Certificate: "new", Key: []byte{2}, By: "root"}
	b.refused(AbortAuthority{}, "not being rotated")
	b.refused(RotateAuthority{Certificate: "old", Key: []byte{2}}, "no new authority")
	b.refused(RotateAuthority{Certificate: "new", Key: []byte{2}, Epoch: 7}, "data key 0 is in force")
	b.must(begin)
	late := tells("node1", false)
	b.refused(begin, "is being rotated since")
	b.refused(tells("node1", true), "node1 does not believe it")
	b.refused(tells("ghost", false), "no node ghost")
	b.must(AbortAuthority{By: "root"})
	b.must(begin)
	b.refused(late, "is over")

	b.must(tells("node1", false), tells("node2", false), tells("node2", false))
	next := b.s.Secrets.Next
	if next.Signing || !strings.Contains(b.s.AuthorityWaits(), "until node3 says that it believes") {
		t.Fatalf("%+v, %s", next, b.s.AuthorityWaits())
	}
	b.must(tells("node3", false))
	if !b.s.Secrets.Next.Signing || b.s.Secrets.Authority != "old" {
		t.Fatal("all believe both, and the new one does not sign")
	}
	b.refused(AbortAuthority{}, "signs already")
	b.refused(Rekey{AuthorityKey: []byte{9}, Why: "w"}, "try again")
	b.must(Rekey{AuthorityKey: []byte{9}, NextKey: []byte{8}, Why: "w"})
	b.must(tells("node1", true), tells("node2", true))
	if b.s.Secrets.Authority != "old" || !strings.Contains(b.s.AuthorityWaits(), "until node3 has a certificate") {
		t.Fatalf("dropped before node3 has a new one: %s", b.s.AuthorityWaits())
	}
	b.must(RemoveNode{Node: "node3", By: "root"})
	if s := b.s.Secrets; s.Authority != "new" || s.AuthorityKey[0] != 8 || s.Next != nil || b.s.AuthorityWaits() != "" {
		t.Errorf("after the last one: %+v", s)
	}
}
