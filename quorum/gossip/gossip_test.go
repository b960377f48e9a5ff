package gossip

import (
	"fmt"
	"testing"
	"time"
)

type gossipChange struct {
	member Member
	alive  bool
}

func openGossip(t *testing.T, id, cluster string, key []byte) (*Gossip, chan gossipChange) {
	t.Helper()
	changes := make(chan gossipChange, 64)
	g, err := Open(Options{
		ID: id, Cluster: cluster, Listen: "127.0.0.1:0", Keys: [][]byte{key}, Meta: []byte("of " + id),
		RejoinInterval: 50 * time.Millisecond,
		Changed: func(member Member, alive bool) {
			select {
			case changes <- gossipChange{member, alive}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, changes
}

// awaitChange waits for a change that somebody else caused, with a deadline that only a failure
// reaches.
func awaitChange(t *testing.T, changes <-chan gossipChange, what string, matches func(gossipChange) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case change := <-changes:
			if matches(change) {
				return
			}
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestGossipJoinsTellsAndChangesKeys(t *testing.T) {
	first, second := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	a, heardByA := openGossip(t, "a", "blue", first)
	defer a.Close()
	b, _ := openGossip(t, "b", "blue", first)
	stranger, _ := openGossip(t, "s", "red", first)
	defer stranger.Close()
	for _, g := range []*Gossip{a, b, stranger} {
		if err := g.SetSeeds([]string{a.Address(), b.Address(), stranger.Address()}); err != nil {
			t.Fatal(err)
		}
	}
	awaitChange(t, heardByA, "a hears of b", func(c gossipChange) bool { return c.member.ID == "b" && c.alive })
	for _, keys := range [][][]byte{{first, second}, {second, first}, {second}} {
		for _, g := range []*Gossip{a, b} {
			if err := g.SetKeys(keys); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.SetMeta([]byte("newer")); err != nil {
		t.Fatal(err)
	}
	awaitChange(t, heardByA, "a reads b's new metadata under the new key",
		func(c gossipChange) bool { return c.member.ID == "b" && string(c.member.Meta) == "newer" })
	var ids []string
	for _, member := range a.Members() {
		ids = append(ids, member.ID)
	}
	if fmt.Sprint(ids) != "[a b]" {
		t.Errorf("members %v; the other cluster's node must not be among them", ids)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	awaitChange(t, heardByA, "a hears that b left", func(c gossipChange) bool { return c.member.ID == "b" && !c.alive })
}
