package daemon

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/roster"
)

// rotateKeyOf asks one node for another key of a node.
func (s *site) rotateKeyOf(at, node string) (int, string) {
	asked := api.KeysRequest{ID: "rotate " + node, Op: api.RotateNode, Node: node, Reason: "a drill"}
	status, body := s.ask(at, rootUser, "POST", api.PathKeys, asked)
	return status, string(body)
}

// expectTurned checks that nothing is left of the key that a node had before, and that it is the
// same machine with the same incarnation.
func (s *site) expectTurned(t *testing.T, node string, old *pki.NodeKey, before cluster.Member) {
	t.Helper()
	d := s.members[node].daemon
	s.until(node+" has only its new key", func() bool {
		left := d.own.Left()
		return !left && d.replica.Root().RekeyWanted().IsZero()
	})
	own := d.store.Identity().Key
	kept, err := pki.LoadIdentity(string(d.options.Folder))
	if err != nil || kept.Key.Fingerprint() != own.Fingerprint() || own.Fingerprint() == old.Fingerprint() {
		t.Fatalf("%s uses %s, has %v on its disk and had %s: %v", node, own, kept, old, err)
	}
	if pki.KeysLeft(string(d.options.Folder)) {
		t.Errorf("%s keeps a key beside its own", node)
	}
	for _, at := range threeNodes {
		peer := s.members[at].daemon
		s.until(at+" knows the new key", func() bool {
			n, _ := peer.replica.Root().Nodes.Get(node)
			return n.Fingerprint == own.Fingerprint() && n.KeyTurn == nil
		})
		n, _ := peer.replica.Root().Nodes.Get(node)
		if n.Machine() != before.Machine() || n.Incarnation != before.Incarnation {
			t.Errorf("on %s it is machine %s with incarnation %d, and was %s with %d", at, n.Machine(), n.Incarnation,
				before.Machine(), before.Incarnation)
		}
		former := pki.Peer{Kind: pki.KindNode, Name: node, Fingerprint: old.Fingerprint()}
		for _, channel := range pki.Channels() {
			for _, direction := range []pki.Direction{pki.Accepting, pki.Dialing} {
				if peer.store.Admit(channel, direction, former) == nil {
					t.Errorf("on %s channel %s is open to the old key", at, channel)
				}
			}
		}
		roster := roster.Of(at, membership.RootKeys{State: peer.replica.Root()}, peer.replica.Root())
		if roster.Nodes[node] != own.Fingerprint() || len(roster.Next) != 0 ||
			!slices.Contains(sortedNames(roster.Removed), old.Fingerprint()) {
			t.Errorf("the forwarder of %s is told %+v", at, roster)
		}
		if s.openedBy(t, at, old) || !s.openedBy(t, at, own) {
			t.Errorf("on %s the data key opens with the old key, or not with the new one", at)
		}
		if at == node {
			continue
		}
		beats := peer.pulse.Heard()[node].Count
		s.until(at+" hears it", func() bool { return peer.pulse.Heard()[node].Count > beats })
	}
}

// TestANodesKeyIsRotatedUnderLoad: of each node in turn, the leader too, while requests go on, the
// data key changes and the lead with it. No node is lost for a moment, and nobody is shot.
func TestANodesKeyIsRotatedUnderLoad(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, threeNodes...)
		s.declare(map[string]string{"vm:a": "node2"})
		done := make(chan struct{})
		answered := 0
		go func() {
			defer close(done)
			for i := range 60 {
				s.ask("node1", rootUser, "POST", api.PathKeys, api.KeysRequest{ID: fmt.Sprint("k", i), Op: api.RotateGossip})
				status, _ := s.ask("node3", rootUser, "POST", api.PathTokens, api.TokenRequest{Validity: time.Minute})
				if status == http.StatusOK {
					answered++
				}
				time.Sleep(50 * time.Millisecond)
			}
		}()
		began := s.members["node1"].daemon.replica.Root().Index
		for i, node := range threeNodes {
			d := s.members[node].daemon
			old := d.store.Identity().Key
			before, _ := d.replica.Root().Nodes.Get(node)
			from := time.Now()
			if status, text := s.rotateKeyOf(threeNodes[(i+1)%3], node); status != http.StatusOK ||
				!strings.Contains(text, "Success: "+node+" has key") {
				t.Fatalf("%s: %d %s", node, status, text)
			}
			if took := time.Since(from); took > 5*time.Second {
				t.Errorf("%s had its key after %s", node, took)
			}
			if i == 1 {
				s.members[s.leader()].daemon.HandOver(context.Background())
			}
			s.expectTurned(t, node, old, before)
		}
		<-done
		s.keysAgree(t, threeNodes...)
		if answered < 50 {
			t.Errorf("%d of 60 requests were answered", answered)
		}
		s.expectOneAndNoShot("vm:a", 0)
		for _, event := range s.members["node1"].daemon.replica.Root().Timeline {
			if event.Index > began && slices.Contains(threeNodes, event.Subject) &&
				slices.Contains([]string{"silent", "deaf", "lost", "fenced"}, event.To) {
				t.Errorf("it was lost sight of: %s %s -> %s: %s", event.Subject, event.From, event.To, event.Why)
			}
		}
		var reply api.Reply
		s.must("node1", rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "s", Op: api.AuthorityStatus}, &reply)
		if strings.Count(reply.Text, " UTC") != 3 || strings.Contains(reply.Text, "since it joined") {
			t.Errorf("the status is %q", reply.Text)
		}
	})
}

// turnStep does what the daemon did of a turn before it ended.
type turnStep struct {
	name string
	do   func(t *testing.T, s *site, d *Daemon)
}

// turnSteps are the points at which a daemon may end: after each thing that it writes down or
// tells.
func turnSteps() []turnStep {
	certified := func(t *testing.T, s *site, d *Daemon) {
		key := s.told(t, d)
		identity, err := d.own.IdentityWith(d.replica.Root(), key)
		if err != nil {
			t.Fatal(err)
		}
		copyFile(t, d, "node.key", "node.key.old")
		if err := pki.SaveIdentity(string(d.options.Folder), identity); err != nil {
			t.Fatal(err)
		}
	}
	used := func(t *testing.T, s *site, d *Daemon) {
		s.told(t, d)
		me, _ := d.replica.Root().Nodes.Get(d.name)
		if err := d.own.UseNextKey(d.replica.Root(), me.KeyTurn); err != nil {
			t.Fatal(err)
		}
	}
	return []turnStep{
		{"ordered", func(*testing.T, *site, *Daemon) {}},
		{"made", func(t *testing.T, _ *site, d *Daemon) { nextKey(t, d) }},
		{"told", func(t *testing.T, s *site, d *Daemon) { s.told(t, d) }},
		{"the old key kept", func(t *testing.T, s *site, d *Daemon) {
			s.told(t, d)
			copyFile(t, d, "node.key", "node.key.old")
		}},
		{"the certificate written", certified},
		{"used", used},
		{"recorded", func(t *testing.T, s *site, d *Daemon) {
			used(t, s, d)
			if err := d.own.TurnKey(context.Background(), d.replica.Root()); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// TestADaemonThatEndsAmidATurnComesBackWithOneOfItsKeys: after each step that is written down,
// with the others up and told what it had told. The turn goes on by itself.
func TestADaemonThatEndsAmidATurnComesBackWithOneOfItsKeys(t *testing.T) {
	for _, step := range turnSteps() {
		t.Run(step.name, func(t *testing.T) {
			inBubbleWith(t, true, func(s *site) { s.endAmid(t, step) })
		})
	}
}

func (s *site) endAmid(t *testing.T, step turnStep) {
	s.keysAgree(t, threeNodes...)
	node := s.followers()[0]
	d := s.members[node].daemon
	old := d.store.Identity().Key
	before, _ := d.replica.Root().Nodes.Get(node)
	// Its own steps are held up, so that the test takes them.
	goOn := d.own.Pause()
	order := cluster.RotateKey{Node: node, By: "root"}
	if err := s.members[s.leader()].daemon.proposed(context.Background(), order); err != nil {
		t.Fatal(err)
	}
	s.until("it is told", func() bool {
		me, _ := d.replica.Root().Nodes.Get(node)
		return me.KeyTurn != nil
	})
	step.do(t, s, d)
	s.members[node].stop()
	goOn()
	s.kill(node)
	s.start(node)
	s.until("it is a member again", func() bool { return s.stateOf(s.leader(), node) == "online" })
	d = s.members[node].daemon
	s.until("the turn is over", func() bool {
		me, known := d.replica.Root().Nodes.Get(node)
		return known && d.admission.Admitted() && me.KeyTurn == nil && me.Fingerprint != old.Fingerprint()
	})
	after, _ := d.replica.Root().Nodes.Get(node)
	before.Incarnation = after.Incarnation // its daemon started anew
	s.expectTurned(t, node, old, before)
	s.keysAgree(t, threeNodes...)
}

func nextKey(t *testing.T, d *Daemon) *pki.NodeKey {
	t.Helper()
	key, err := pki.LoadOrCreateNextKey(string(d.options.Folder))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func copyFile(t *testing.T, d *Daemon, from, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(string(d.options.Folder), from))
	if err != nil {
		t.Fatal(err)
	}
	if err := pki.WriteSecret(filepath.Join(string(d.options.Folder), to), text); err != nil {
		t.Fatal(err)
	}
}

// told makes a node's next key and tells it.
func (s *site) told(t *testing.T, d *Daemon) *pki.NodeKey {
	t.Helper()
	me, _ := d.replica.Root().Nodes.Get(d.name)
	if err := d.own.TellKey(context.Background(), me.KeyTurn); err != nil {
		t.Fatal(err)
	}
	return nextKey(t, d)
}

// TestANodeThatCannotBeReachedGetsNoNewKey: it is to be replaced. Nor does another one get one as
// long as a member is away, unless asked for; who is a viewer changes no key.
func TestANodeThatCannotBeReachedGetsNoNewKey(t *testing.T) {
	inBubble(t, func(s *site) {
		s.keysAgree(t, threeNodes...)
		leader, away := s.leader(), s.followers()[0]
		if status, text := s.rotateKeyOf(leader, "nod1"); status != http.StatusNotFound || !strings.Contains(text, "node1") {
			t.Errorf("a node that is not there: %d %s", status, text)
		}
		asked := api.KeysRequest{ID: "v", Op: api.RotateNode, Node: away}
		if status, body := s.ask(leader, operator, "POST", api.PathKeys, asked); status != http.StatusForbidden {
			t.Errorf("an operator changes a key: %d %s", status, body)
		}
		s.kill(away)
		s.until("it is away", func() bool { return s.stateOf(leader, away) != "online" })
		if status, text := s.rotateKeyOf(leader, away); status != http.StatusConflict ||
			!strings.Contains(text, "clusterd node replace "+away) {
			t.Errorf("a node that is away: %d %s", status, text)
		}
		other := s.followers()[1]
		if other == away {
			other = s.followers()[0]
		}
		status, text := s.rotateKeyOf(leader, other)
		if status != http.StatusConflict || !strings.Contains(text, "--anyway") {
			t.Errorf("with another one away: %d %s", status, text)
		}
	})
}
