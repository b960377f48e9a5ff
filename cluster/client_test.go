package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
)

func TestCertificatesOfToolsAreRecordedAndRevoked(t *testing.T) {
	s := clustertest.NewBook(t, 1).S
	at := time.Unix(1_000_000, 0)
	later := at.Add(time.Hour)
	do := func(c cluster.Command) string {
		return (apply.Apply(s, cluster.Entry{Index: s.Index + 1, At: at, Commands: []cluster.Command{c}}).Refused[0]).String()
	}
	alice := cluster.AddClient{Fingerprint: "fa", User: "alice", Role: "admin", Expires: at.Add(time.Hour), By: "root"}
	for name, c := range map[string]cluster.Command{
		"no key":          cluster.AddClient{User: "alice", Role: "admin", Expires: at.Add(time.Hour)},
		"an escape":       cluster.AddClient{Fingerprint: "f", User: "al\x1bice", Role: "admin", Expires: at.Add(time.Hour)},
		"a long name":     cluster.AddClient{Fingerprint: "f", User: strings.Repeat("a", 200), Role: "admin", Expires: later},
		"over":            cluster.AddClient{Fingerprint: "f", User: "alice", Role: "admin", Expires: at},
		"nobody's to end": cluster.RevokeClients{User: "alice"},
	} {
		if do(c) == "" {
			t.Errorf("%s: it was taken", name)
		}
	}
	if why := do(alice); why != "" {
		t.Fatal(why)
	}
	if why := do(cluster.RevokeClients{User: "alice", By: "root"}); why != "" {
		t.Fatal(why)
	}
	if s.Clients.Has("fa") || !s.Removed.Has("fa") {
		t.Errorf("clients %v, removed %v", s.Clients.Keys(), s.Removed.Keys())
	}
	if do(alice) == "" {
		t.Error("a revoked key was recorded again")
	}
	for number := range cluster.MaxClients {
		if why := do(cluster.AddClient{Fingerprint: fmt.Sprint(number), User: "bob", Role: "viewer",
			Expires: later}); why != "" {
			t.Fatal(why)
		}
	}
	if do(cluster.AddClient{Fingerprint: "x", User: "bob", Role: "viewer", Expires: at.Add(time.Hour)}) == "" {
		t.Error("one more than the limit was taken")
	}
	at = at.Add(2 * time.Hour)
	why := do(cluster.AddClient{Fingerprint: "x", User: "bob", Role: "viewer", Expires: at.Add(time.Hour)})
	if why != "" || s.Clients.Len() != 1 {
		t.Errorf("after all were over: %s, %d are left", why, s.Clients.Len())
	}
}

// TestOneCertificateOfSeveralIsRevoked: that of the laptop that was lost, and not the others.
func TestOneCertificateOfSeveralIsRevoked(t *testing.T) {
	s := clustertest.NewBook(t, 1).S
	at := time.Unix(1_000_000, 0)
	do := func(c cluster.Command) string {
		return (apply.Apply(s, cluster.Entry{Index: s.Index + 1, At: at, Commands: []cluster.Command{c}}).Refused[0]).String()
	}
	for key, user := range map[string]string{"fa01": "alice", "fa02": "alice", "0b": "alice", "fb": "bob"} {
		if why := do(cluster.AddClient{Fingerprint: key, User: user, Role: "viewer", Expires: at.Add(time.Hour)}); why != "" {
			t.Fatal(why)
		}
	}
	for key, says := range map[string]string{"fb": "begin with 0b, fa01, fa02", "fa": "several"} {
		if why := do(cluster.RevokeClients{User: "alice", Fingerprint: key}); !strings.Contains(why, says) {
			t.Errorf("key %s: %q does not say %q", key, why, says)
		}
	}
	if why := do(cluster.RevokeClients{User: "alice", Fingerprint: "fa01"}); why != "" {
		t.Fatal(why)
	}
	if s.Clients.Has("fa01") || !s.Removed.Has("fa01") || s.Clients.Len() != 3 || s.Removed.Len() != 1 {
		t.Errorf("left are %v, barred %v", s.Clients.Keys(), s.Removed.Keys())
	}
}

// TestARemovedKeyIsNeverForgotten: neither by many removals nor at the limit.
func TestARemovedKeyIsNeverForgotten(t *testing.T) {
	s := clustertest.NewBook(t, 1).S
	node, _ := s.Nodes.Get("node1")
	for number := range cluster.MaxRemoved {
		s.Removed.Set(fmt.Sprintf("gone-%d", number), cluster.Removed{Name: "old"})
	}
	removal := cluster.Entry{Index: 2, At: time.Unix(1_000_000, 0),
		Commands: []cluster.Command{cluster.RemoveNode{Node: "node1", By: "root"}}}
	applied := apply.Apply(s, removal)
	if !strings.Contains(applied.Refused[0].String(), "keys are barred for good") || !s.Nodes.Has("node1") {
		t.Errorf("at the limit: %q", applied.Refused[0])
	}
	s.Removed.Delete("gone-0")
	applied = apply.Apply(s, removal)
	if !applied.Refused[0].IsZero() || !s.Removed.Has(node.Fingerprint) || !s.Removed.Has("gone-1") {
		t.Errorf("below it: %q", applied.Refused[0])
	}
}
