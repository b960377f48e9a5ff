package cluster_test

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
)

// TestAnAuthorityIsDroppedWhenAllHaveTheNext: no step is taken before every member has told of
// the one before, whoever asks for it, and none of a rotation that is over counts for the next.
func TestAnAuthorityIsDroppedWhenAllHaveTheNext(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.S.Secrets.Authority, b.S.Secrets.AuthorityKey = "old", []byte{1}
	tells := func(node string, held bool) cluster.NodeAuthority {
		since := uint64(0)
		if b.S.Secrets.Next != nil {
			since = b.S.Secrets.Next.Since
		}
		return cluster.NodeAuthority{Node: node, Since: since, Held: held}
	}
	begin := cluster.RotateAuthority{Certificate: "new", Key: []byte{2}, By: "root"}
	b.Refused(cluster.AbortAuthority{}, "not being rotated")
	b.Refused(cluster.RotateAuthority{Certificate: "old", Key: []byte{2}}, "no new authority")
	b.Refused(cluster.RotateAuthority{Certificate: "new", Key: []byte{2}, Epoch: 7}, "data key 0 is in force")
	b.Must(begin)
	late := tells("node1", false)
	b.Refused(begin, "is being rotated since")
	b.Refused(tells("node1", true), "node1 does not believe it")
	b.Refused(tells("ghost", false), "no node ghost")
	b.Must(cluster.AbortAuthority{By: "root"})
	b.Must(begin)
	b.Refused(late, "is over")

	b.Must(tells("node1", false), tells("node2", false), tells("node2", false))
	next := b.S.Secrets.Next
	if next.Signing || !strings.Contains(b.S.AuthorityWaits().String(), "until node3 says that it believes") {
		t.Fatalf("%+v, %s", next, b.S.AuthorityWaits())
	}
	b.Must(tells("node3", false))
	if !b.S.Secrets.Next.Signing || b.S.Secrets.Authority != "old" {
		t.Fatal("all believe both, and the new one does not sign")
	}
	b.Refused(cluster.AbortAuthority{}, "signs already")
	b.Refused(cluster.Rekey{AuthorityKey: []byte{9}, Why: message.Words("w")}, "try again")
	b.Must(cluster.Rekey{AuthorityKey: []byte{9}, NextKey: []byte{8}, Why: message.Words("w")})
	b.Must(tells("node1", true), tells("node2", true))
	if b.S.Secrets.Authority != "old" ||
		!strings.Contains(b.S.AuthorityWaits().String(), "until node3 has a certificate") {
		t.Fatalf("dropped before node3 has a new one: %s", b.S.AuthorityWaits())
	}
	b.Must(cluster.RemoveNode{Node: "node3", By: "root"})
	if s := b.S.Secrets; s.Authority != "new" || s.AuthorityKey[0] != 8 || s.Next != nil ||
		!b.S.AuthorityWaits().IsZero() {
		t.Errorf("after the last one: %+v", s)
	}
}
