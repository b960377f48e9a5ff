package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// openedBy reports whether a node's own key opens the data key that is in force.
func (s *site) openedBy(t *testing.T, at string, key *pki.NodeKey) bool {
	t.Helper()
	root := s.members[at].daemon.replica.Root()
	for _, wrapped := range root.Secrets.Wraps {
		if _, err := key.Unwrap(root.ID, wrapped); err == nil {
			return true
		}
	}
	return false
}

// keysAgree waits until all members have the same data key, and each can sign with the authority.
func (s *site) keysAgree(t *testing.T, names ...string) {
	t.Helper()
	s.until("all have one data key", func() bool {
		seen := map[string]bool{}
		for _, name := range names {
			d := s.members[name].daemon
			root := d.replica.Root()
			key, err := d.vault.DataKey(root)
			if _, signs := d.vault.Authority(root); err != nil || signs != nil || !root.RekeyWanted().IsZero() {
				return false
			}
			seen[string(key.Bytes())] = true
		}
		return len(seen) == 1
	})
}

func TestTheStateHoldsTheAuthoritysKeySealed(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keysAgree(t, "node1", "node2", "node3")
		d := s.members["node1"].daemon
		root := d.replica.Root()
		ca, err := d.vault.Authority(root)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), keyBody(string(ca.KeyPEM))) {
			t.Error("the State, which is in the log and in snapshots, holds the authority's key in the clear")
		}
	})
}

// TestARemovedNodesDiskOpensNothingNewer: with its removal a new data key comes into force by
// itself, and what is sealed from then on is sealed from that machine.
func TestARemovedNodesDiskOpensNothingNewer(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keysAgree(t, "node1", "node2", "node3")
		leader, holder, victim := s.leader(), s.followers()[0], s.followers()[1]
		stolen := s.members[victim].daemon.store.Identity().Key
		if !s.openedBy(t, leader, stolen) {
			t.Fatal("a member cannot open the data key")
		}
		before := s.members[leader].daemon.replica.Root().Secrets.Epoch
		removal := api.NodeRequest{ID: "r", Op: "remove", Node: victim}
		if status, body := s.ask(leader, rootUser, "POST", api.PathNodes, removal); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		if s.openedBy(t, leader, stolen) {
			t.Error("the removed node still has a share in the data key")
		}
		<-s.members[victim].ended
		s.members[victim].daemon = nil
		s.keysAgree(t, leader, holder)
		if after := s.members[leader].daemon.replica.Root().Secrets.Epoch; after != before+1 {
			t.Errorf("data key %d was in force, now it is %d", before, after)
		}
		if s.openedBy(t, leader, stolen) {
			t.Error("the removed node's key opens the new data key")
		}
	})
}

// TestKeysAreChangedUnderLoad: while requests go on and the leader dies, keys are changed again and
// again; nothing is lost, nobody is shot, and all agree in the end.
func TestKeysAreChangedUnderLoad(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keysAgree(t, "node1", "node2", "node3")
		s.declare(map[string]string{"vm:a": "node2"})
		first, shots := s.members["node1"].daemon.replica.Root().Secrets.Epoch, len(s.world.shotsFired())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 40 {
				op := api.KeysRequest{ID: fmt.Sprint("keys ", i), Op: api.RotateGossip}
				s.ask("node1", rootUser, "POST", api.PathKeys, op)
				s.ask("node2", rootUser, "POST", api.PathKeys, op)
			}
		}()
		answered := 0
		for i := range 40 {
			status, _ := s.ask("node3", rootUser, "POST", api.PathTokens, api.TokenRequest{Validity: time.Minute})
			if status == http.StatusOK {
				answered++
			}
			if i == 10 {
				s.members[s.leader()].daemon.HandOver(context.Background())
			}
		}
		<-done
		s.keysAgree(t, "node1", "node2", "node3")
		epoch := s.members["node1"].daemon.replica.Root().Secrets.Epoch
		if epoch < first+20 || answered < 20 {
			t.Errorf("%d changes of the data key, %d of 40 requests answered", epoch-first, answered)
		}
		if fired := len(s.world.shotsFired()); fired != shots {
			t.Errorf("%d shots", fired-shots)
		}
		s.expectOneAndNoShot("vm:a", 0)
		status, body := s.ask("node1", viewer, "POST", api.PathKeys, api.KeysRequest{Op: api.RotateGossip})
		if status != http.StatusForbidden {
			t.Errorf("a viewer changes keys: %d %s", status, body)
		}
	})
}
