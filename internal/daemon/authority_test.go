package daemon

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// authorityOf is the authority that signed a node's certificate, in use and on its disk.
func (s *site) authorityOf(t *testing.T, name string) string {
	t.Helper()
	d := s.members[name].daemon
	kept, err := pki.LoadIdentity(string(d.options.Folder))
	if err != nil {
		t.Fatal(err)
	}
	if inUse := d.store.Identity().Authority; !kept.Authority.Equal(inUse) {
		t.Errorf("%s uses a certificate of another authority than the one on its disk", name)
	}
	return pki.Fingerprint(kept.Authority)
}

func (s *site) rotated(t *testing.T, before string) bool {
	for _, name := range threeNodes {
		m := s.members[name]
		if m.daemon == nil || m.daemon.replica.Root().Secrets.Next != nil || s.authorityOf(t, name) == before {
			return false
		}
	}
	return true
}

// TestTheAuthorityIsRotatedUnderLoad: requests go on, the data key changes, the leader loses its
// lead in the middle; nobody is shot, and in the end every member has a certificate of the new
// authority and believes no other.
func TestTheAuthorityIsRotatedUnderLoad(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keysAgree(t, threeNodes...)
		s.declare(map[string]string{"vm:a": "node2"})
		before := s.authorityOf(t, "node1")
		old := s.tokenFor("node1", time.Hour)
		done := make(chan struct{})
		answered := 0
		go func() {
			defer close(done)
			for range 30 {
				s.ask("node1", rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "k", Op: api.RotateGossip})
				status, _ := s.ask("node3", rootUser, "POST", api.PathTokens, api.TokenRequest{Validity: time.Minute})
				if status == http.StatusOK {
					answered++
				}
			}
		}()
		var reply api.Reply
		s.until("the rotation has begun", func() bool {
			asked := api.KeysRequest{ID: "r", Op: api.RotateAuthority, Reason: "a drill"}
			status, _ := s.ask("node2", rootUser, "POST", api.PathKeys, asked)
			return status == http.StatusOK
		})
		s.members[s.leader()].daemon.HandOver(context.Background())
		s.until("all have the new authority", func() bool { return s.rotated(t, before) })
		<-done
		s.keysAgree(t, threeNodes...)
		after := s.authorityOf(t, "node1")
		// Whoever stole a token does not mind under which authority he joins.
		stolen := s.joinBody("node2", old.ID, old.Secret())
		if status, body := s.ask("node1", joiner, "POST", api.PathJoin, stolen); status != http.StatusForbidden {
			t.Errorf("a token from before is good for the new authority: %d %s", status, body)
		}
		for _, name := range threeNodes {
			d := s.members[name].daemon
			believed := d.registry.Authorities()
			if s.authorityOf(t, name) != after || len(believed) != 1 || pki.Fingerprint(believed[0]) != after {
				t.Errorf("%s believes %d authorities", name, len(believed))
			}
			ca, err := d.vault.Authority(d.replica.Root())
			if err != nil || ca.Pin() != after {
				t.Errorf("%s signs with another authority: %v", name, err)
			}
		}
		if answered < 10 {
			t.Errorf("%d of 30 requests were answered", answered)
		}
		s.expectOneAndNoShot("vm:a", 0)
		s.must("node1", rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "s", Op: api.AuthorityStatus}, &reply)
		if !strings.Contains(reply.Text, "is not being rotated") {
			t.Errorf("the status is %q", reply.Text)
		}
	})
}

// TestAMemberThatIsAwayHoldsTheAuthorityUp: nothing is signed that it would not believe when it
// is back, everybody is told what is waited for, and until then it can be given up.
func TestAMemberThatIsAwayHoldsTheAuthorityUp(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keysAgree(t, threeNodes...)
		before := s.authorityOf(t, "node1")
		away := s.followers()[0]
		s.kill(away)
		rotate := func() {
			var reply api.Reply
			s.must(s.leader(), rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "r", Op: api.RotateAuthority}, &reply)
		}
		rotate()
		leader := s.leader()
		s.until("the others believe both", func() bool {
			return len(s.members[leader].daemon.replica.Root().Secrets.Next.Believed) == 2
		})
		status := s.status(leader)
		if text := strings.Join(status.Warnings, "\n"); !strings.Contains(text, "it waits until "+away+" says") {
			t.Errorf("what is waited for is not told: %s", text)
		}
		if s.authorityOf(t, leader) != before {
			t.Error("the leader has a certificate that the member which is away would not believe")
		}
		s.must(leader, rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "a", Op: api.AbortAuthority}, &api.Reply{})
		if s.members[leader].daemon.replica.Root().Secrets.Next != nil {
			t.Error("it was not given up")
		}
		rotate()
		s.start(away)
		s.until("all have the new authority", func() bool { return s.rotated(t, before) })
	})
}
