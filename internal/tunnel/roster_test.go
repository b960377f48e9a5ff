package tunnel

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

// TestAKeyThatIsOnItsWayIsAMembers: beside the one that it takes the place of, and the old one is
// nobody's once it is barred.
func TestAKeyThatIsOnItsWayIsAMembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nodes.json")
	m := NewMembers(t.TempDir(), path, nil)
	standing := func(key string) pki.StandingKind {
		return m.standing(pki.Peer{Kind: pki.KindNode, Name: "node2", Fingerprint: key}).Kind
	}
	before := Roster{Nodes: map[string]string{"node1": "a", "node2": "old"}}
	amid := Roster{Nodes: before.Nodes, Next: map[string]string{"node2": "new"}}
	after := Roster{Nodes: map[string]string{"node1": "a", "node2": "new"},
		Removed: map[string]time.Time{"old": time.Now()}}
	for _, c := range []struct {
		roster   Roster
		old, new pki.StandingKind
	}{
		{before, pki.StandingMember, pki.StandingUnknown},
		{amid, pki.StandingMember, pki.StandingMember},
		{after, pki.StandingRemoved, pki.StandingMember},
	} {
		if err := WriteRoster(path, c.roster); err != nil {
			t.Fatal(err)
		}
		old, next := standing("old"), standing("new")
		if old != c.old || next != c.new || standing("") != pki.StandingUnknown {
			t.Errorf("by %+v the old key is %v and the new one %v", c.roster, old, next)
		}
	}
	if !sameKeys(amid, amid) || sameKeys(before, amid) || sameKeys(amid, after) {
		t.Error("connections are not held against keys that changed")
	}
}
