package tunnel

import (
	"net"
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

// What the loss of the other node is noticed by is set on the connection of TCP, which has to be
// found below what admits members, at both ends.
func TestBothEndsOfAMembersConnectionRunOnTCP(t *testing.T) {
	w, _, roster := attacked(t)
	w.tell("node2", roster)
	address := freeAddress(t)
	listener, err := w.security("node1").Listen(t.Context(), address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	dialed, err := w.security("node2").Dial(t.Context(), "node1", address)
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	came := <-accepted
	defer came.Close()
	for end, conn := range map[string]net.Conn{"dialed": dialed, "accepted": came} {
		if _, is := tcpOf(conn); !is {
			t.Errorf("the %s end is a %T, and no TCP is found below it", end, conn)
		}
	}
}
