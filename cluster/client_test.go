package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCertificatesOfToolsAreRecordedAndRevoked(t *testing.T) {
	s := newBook(t, 1).s
	at := time.Unix(1_000_000, 0)
	later := at.Add(time.Hour)
	do := func(c Command) string {
		return Apply(s, Entry{Index: s.Index + 1, At: at, Commands: []Command{c}}).Refused[0]
	}
	alice := AddClient{Fingerprint: "fa", User: "alice", Role: "admin", Expires: at.Add(time.Hour), By: "root"}
	for name, c := range map[string]Command{
		"no key":          AddClient{User: "alice", Role: "admin", Expires: at.Add(time.Hour)},
		"an escape":       AddClient{Fingerprint: "f", User: "al\x1bice", Role: "admin", Expires: at.Add(time.Hour)},
		"a long name":     AddClient{Fingerprint: "f", User: strings.Repeat("a", 200), Role: "admin", Expires: later},
		"over":            AddClient{Fingerprint: "f", User: "alice", Role: "admin", Expires: at},
		"nobody's to end": RevokeClients{User: "alice"},
	} {
		if do(c) == "" {
			t.Errorf("%s: it was taken", name)
		}
	}
	if why := do(alice); why != "" {
		t.Fatal(why)
	}
	if why := do(RevokeClients{User: "alice", By: "root"}); why != "" {
		t.Fatal(why)
	}
	if s.Clients.Has("fa") || !s.Removed.Has("fa") {
		t.Errorf("clients %v, removed %v", s.Clients.Keys(), s.Removed.Keys())
	}
	if do(alice) == "" {
		t.Error("a revoked key was recorded again")
	}
	for number := range maxClients {
		if why := do(AddClient{Fingerprint: fmt.Sprint(number), User: "bob", Role: "viewer", Expires: later}); why != "" {
			t.Fatal(why)
		}
	}
	if do(AddClient{Fingerprint: "x", User: "bob", Role: "viewer", Expires: at.Add(time.Hour)}) == "" {
		t.Error("one more than the limit was taken")
	}
	at = at.Add(2 * time.Hour)
	why := do(AddClient{Fingerprint: "x", User: "bob", Role: "viewer", Expires: at.Add(time.Hour)})
	if why != "" || s.Clients.Len() != 1 {
		t.Errorf("after all were over: %s, %d are left", why, s.Clients.Len())
	}
}

// TestARemovedKeyIsNeverForgotten: neither by many removals nor at the limit.
func TestARemovedKeyIsNeverForgotten(t *testing.T) {
	s := newBook(t, 1).s
	node, _ := s.Nodes.Get("node1")
	for number := range maxRemoved {
		s.Removed.Set(fmt.Sprintf("gone-%d", number), Removed{Name: "old"})
	}
	removal := Entry{Index: 2, At: time.Unix(1_000_000, 0), Commands: []Command{RemoveNode{Node: "node1", By: "root"}}}
	applied := Apply(s, removal)
	if !strings.Contains(applied.Refused[0], "keys are barred for good") || !s.Nodes.Has("node1") {
		t.Errorf("at the limit: %q", applied.Refused[0])
	}
	s.Removed.Delete("gone-0")
	applied = Apply(s, removal)
	if applied.Refused[0] != "" || !s.Removed.Has(node.Fingerprint) || !s.Removed.Has("gone-1") {
		t.Errorf("below it: %q", applied.Refused[0])
	}
}
