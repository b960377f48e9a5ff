package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// stranger is an identity that the cluster's own authority signed and no State knows.
func (s *site) stranger(t *testing.T, name string) *pki.Identity {
	t.Helper()
	d := s.members[s.leader()].daemon
	ca, err := d.vault.Authority(d.replica.Root())
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.NewRequest(key, name)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.SignNode(request, name, nil, time.Now(), pki.NodeValidity)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := pki.NewIdentity(key, chain)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// knock tries to speak the log's protocol to a node as somebody.
func (s *site) knock(ctx context.Context, as *pki.Identity, node string) error {
	anybody := func(pki.Peer) pki.Standing { return pki.Standing{Kind: pki.StandingMember} }
	store := pki.NewStore(as, pki.Trust{Standing: anybody})
	store.Reach = s.network.Caller("somebody:1").Dial
	conn, err := pki.Dial(ctx, store, addressOf(node), node, pki.ProtocolQuorum, pki.ChannelRaft)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// fourth lets a fourth node join, and waits until it is online.
func (s *site) fourth(t *testing.T) {
	t.Helper()
	const name = "node4"
	s.members[name] = newSite(s.t, t.TempDir(), []string{name}).members[name]
	s.world.hosts[name] = &host{on: true, guests: map[string]*guest{}, calls: map[string]int{}}
	if code, failure := s.join(s.leader(), name, s.token(s.leader())); code != http.StatusOK {
		t.Fatalf("%s cannot join: %+v", name, failure)
	}
	s.start(name)
	s.until("it is online", func() bool { return s.stateOf(s.leader(), name) == "online" })
}

// TestALaggingMemberIsLetInByAMembersWord: a member was away while another node joined and took the
// lead. Its log does not tell of that leader's key, and comes from nobody else; members that it
// does know vouch for the key. For a key that they do not know either, nobody does.
func TestALaggingMemberIsLetInByAMembersWord(t *testing.T) {
	inSecuredBubble(t, func(s *site) {
		s.catchUpDespite(t, []*pki.Identity{s.stranger(t, "ghost")}, 100*time.Millisecond)
	})
}

// TestACrowdOfInventedNamesKeepsNoMemberOut: whoever stole the authority's key makes as many names
// as there are places, knocks with them far more often than members do, and under the new member's
// own name too.
func TestACrowdOfInventedNamesKeepsNoMemberOut(t *testing.T) {
	inSecuredBubble(t, func(s *site) {
		crowd := []*pki.Identity{s.stranger(t, "node4"), s.stranger(t, "node4")}
		for i := range 3 * 8 {
			crowd = append(crowd, s.stranger(t, fmt.Sprint("ghost", i)))
		}
		s.catchUpDespite(t, crowd, 10*time.Millisecond)
	})
}

// knockAll knocks at a node as one after the other, and counts the answers.
func (s *site) knockAll(ctx context.Context, crowd []*pki.Identity, every time.Duration, node string,
	refused, welcome *atomic.Int32) {
	for i := 0; sleep.For(ctx, every); i++ {
		switch err := s.knock(ctx, crowd[i%len(crowd)], node); {
		case err == nil:
			welcome.Add(1)
		case errors.Is(err, pki.ErrRefused):
			refused.Add(1)
		}
	}
}

// catchUpDespite lets a member come back that does not know the leader's key, while others knock
// all the time.
func (s *site) catchUpDespite(t *testing.T, crowd []*pki.Identity, every time.Duration) {
	t.Helper()
	s.keysAgree(t, threeNodes...)
	away := s.followers()[0]
	s.kill(away)
	s.fourth(t)
	defer s.kill("node4")
	s.until("it votes", func() bool {
		return slices.ContainsFunc(s.status(s.leader()).Nodes, func(n api.Node) bool { return n.Name == "node4" && n.Voter })
	})
	leader := s.leader()
	for i := range 20 { // it lags by more than the join
		s.ask(leader, rootUser, "POST", api.PathKeys, api.KeysRequest{ID: fmt.Sprint(i), Op: api.RotateGossip})
	}
	if err := s.members[leader].daemon.log.HandOver(context.Background(), "node4"); err != nil {
		t.Fatal(err)
	}
	s.until("node4 leads", func() bool { return s.members["node4"].daemon.role.Load().leading })
	time.Sleep(5 * time.Second) // the leader before it has nothing under way any longer
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var refused, welcome atomic.Int32
	go s.knockAll(ctx, crowd, every, away, &refused, &welcome)
	s.start(away)
	d := s.members[away].daemon
	if d.replica.Root().Nodes.Has("node4") {
		t.Fatal("it knows the leader before it was told")
	}
	took := s.until("it has caught up", func() bool {
		return s.stateOf("node4", away) == "online" && d.replica.Root().Nodes.Has("node4")
	})
	if took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	word := func(peer pki.Peer) bool { return d.keys.VouchedFor(peer, time.Now()).Kind == pki.StandingVouched }
	if !word(s.members["node4"].daemon.store.Identity().Self) {
		t.Error("it came back, and not by a member's word")
	}
	time.Sleep(10 * time.Second) // time enough for anybody's word
	if welcome.Load() > 0 || refused.Load() < 10 {
		t.Errorf("keys that nobody knows were let in %d times, refused %d times", welcome.Load(), refused.Load())
	}
	for _, ghost := range crowd {
		if word(ghost.Self) {
			t.Errorf("a key that nobody knows is vouched for, as %s", ghost.Self.Name)
		}
	}
}

// TestLinksOfATurnedKeyAreCut: over real TLS, connections that were made with the old key end
// within a second, new ones are refused with words, and the nodes stay in touch.
func TestLinksOfATurnedKeyAreCut(t *testing.T) {
	inSecuredBubble(t, func(s *site) {
		s.keysAgree(t, threeNodes...)
		for _, node := range []string{s.followers()[0], s.leader()} {
			old := s.members[node].daemon.store.Identity()
			before, _ := s.members[node].daemon.replica.Root().Nodes.Get(node)
			if err := s.knock(context.Background(), old, otherThan(node)); err != nil {
				t.Errorf("the key in force is refused: %v", err)
			}
			// A request that goes out on a link which was cut a moment ago did not arrive, and is
			// made again.
			for try := 1; ; try++ {
				status, text := s.rotateKeyOf(otherThan(node), node)
				if status == http.StatusOK {
					break
				}
				if !strings.Contains(text, "outcome_unknown") || try == 2 {
					t.Fatalf("try %d: %d %s", try, status, text)
				}
			}
			s.until("the key is turned", func() bool {
				n, _ := s.members[otherThan(node)].daemon.replica.Root().Nodes.Get(node)
				return n.KeyTurn == nil && n.Fingerprint != old.Self.Fingerprint
			})
			time.Sleep(time.Second)
			for _, at := range threeNodes {
				open := 0
				s.members[at].daemon.mux.Disconnect(func(peer pki.Peer) bool {
					if peer.Fingerprint == old.Self.Fingerprint {
						open++
					}
					return false
				})
				if open > 0 && at != node {
					t.Errorf("%s has %d connections of the old key of %s", at, open, node)
				}
				if err := s.knock(context.Background(), old, at); !errors.Is(err, pki.ErrRemoved) {
					t.Errorf("%s answers the old key of %s with %v", at, node, err)
				}
			}
			s.expectTurned(t, node, old.Key, before)
			s.keysAgree(t, threeNodes...)
		}
		s.until("all are online", func() bool {
			return !slices.ContainsFunc(s.status(s.leader()).Nodes, func(n api.Node) bool { return n.State != "online" })
		})
	})
}

func otherThan(node string) string {
	if node == threeNodes[0] {
		return threeNodes[1]
	}
	return threeNodes[0]
}
