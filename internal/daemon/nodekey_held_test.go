package daemon

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/membership/ownkeys"
	"github.com/clusterd/clusterd/internal/pki"
)

// ordered orders another key of a node whose own steps are held up, so that the test takes them.
// The returned function lets the node go on.
func (s *site) ordered(t *testing.T, node string) (*Daemon, func()) {
	t.Helper()
	d := s.members[node].daemon
	goOn := d.own.Pause()
	order := cluster.RotateKey{Node: node, By: "root"}
	if err := s.members[s.leader()].daemon.proposed(context.Background(), order); err != nil {
		t.Fatal(err)
	}
	s.until("it is ordered", func() bool { return d.turn() != nil })
	return d, goOn
}

// proposed puts one command into the log; a refusal is an error.
func (d *Daemon) proposed(ctx context.Context, command cluster.Command) error {
	applied, err := d.propose(ctx, command)
	if err != nil {
		return err
	}
	return applied.Err()
}

func (d *Daemon) turn() *cluster.KeyTurn {
	me, _ := d.replica.Root().Nodes.Get(d.name)
	return me.KeyTurn
}

// expectHeld checks that a step is held up with such words, which the node's status has too.
func expectHeld(t *testing.T, d *Daemon, err error, words string) {
	t.Helper()
	var held ownkeys.Held
	if !errors.As(err, &held) || !strings.Contains(held.Error(), words) {
		t.Errorf("the step says %v, and not that it is held up: %s", err, words)
	}
	if texts := d.warnings.Texts(); !strings.Contains(strings.Join(texts, "\n"), words) {
		t.Errorf("the node warns of %q, and not of %q", texts, words)
	}
}

// TestANewKeyIsNotUsedUnderAMovingGuest: its certificate would end the forwarder that carries it.
func TestANewKeyIsNotUsedUnderAMovingGuest(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, threeNodes...)
		s.declare(map[string]string{"vm:a": "node2"})
		d, goOn := s.ordered(t, "node2")
		old := d.store.Identity().Key.Fingerprint()
		var reply api.Reply
		move := api.Request{ID: "move", Op: cluster.OpMigrate, Service: "vm:a", Node: "node3"}
		go s.ask("node1", rootUser, "POST", api.PathRequests, move)
		s.until("it moves", func() bool { return !d.replica.Root().CarriesMove("node2").IsZero() })
		s.told(t, d)
		if err := d.own.TakeStep(context.Background()); err != nil {
			t.Fatal(err)
		}
		if root := d.replica.Root(); root.CarriesMove("node2").IsZero() {
			t.Fatal("the move was over before the node could use its key")
		}
		if d.store.Identity().Key.Fingerprint() != old {
			t.Error("the node uses its new key while a guest moves from it")
		}
		s.must("node1", rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "s", Op: api.AuthorityStatus}, &reply)
		if !strings.Contains(reply.Text, "vm:a is migrating from node2 to node3") {
			t.Errorf("the status is %q", reply.Text)
		}
		goOn()
		s.until("the key is turned after the move", func() bool {
			return d.turn() == nil && d.store.Identity().Key.Fingerprint() != old
		})
		s.until("the guest is there", func() bool { return s.service(s.leader(), "vm:a").Owner == "node3" })
		s.expectOneAndNoShot("vm:a", 0)
	})
}

// TestANewKeyIsUsedOnlyWhenAllKnowIt: a majority that committed it is not enough, unless whoever
// orders it leaves those out that are away.
func TestANewKeyIsUsedOnlyWhenAllKnowIt(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, threeNodes...)
		node, away := s.leader(), s.followers()[0]
		d, goOn := s.ordered(t, node)
		old := d.store.Identity().Key.Fingerprint()
		if none := d.registry.WithoutKey(context.Background(), &cluster.KeyTurn{Fingerprint: "unheard of"}); len(none) != 2 {
			t.Errorf("a key that nobody knows is unknown to %v", none)
		}
		s.told(t, d)
		s.until("all know it", func() bool { return len(d.registry.WithoutKey(context.Background(), d.turn())) == 0 })
		s.kill(away)
		expectHeld(t, d, d.own.TakeStep(context.Background()), "no such answer from "+away+":")
		if d.store.Identity().Key.Fingerprint() != old {
			t.Fatal("the new key is used")
		}
		s.until("it is away", func() bool { return s.stateOf(node, away) != "online" })
		expectHeld(t, d, d.own.TakeStep(context.Background()), "no such answer from "+away+":")
		order := cluster.RotateKey{Node: node, By: "root", Anyway: true}
		if err := d.proposed(context.Background(), order); err != nil {
			t.Fatal(err)
		}
		if err := d.own.TakeStep(context.Background()); err != nil || d.store.Identity().Key.Fingerprint() == old {
			t.Errorf("with --anyway the new key is not used: %v", err)
		}
		if texts := d.warnings.Texts(); strings.Contains(strings.Join(texts, "\n"), ownkeys.Trouble+":") {
			t.Errorf("it goes on, and warns of %q", texts)
		}
		goOn()
		s.start(away)
		s.until("it is back", func() bool { return s.stateOf(s.leader(), away) == "online" })
	})
}

// TestALostNextKeyIsTold: the turn cannot go on, and the words say what can be done.
func TestALostNextKeyIsTold(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, threeNodes...)
		d, goOn := s.ordered(t, s.followers()[0])
		defer goOn()
		s.told(t, d)
		if err := os.Remove(filepath.Join(string(d.options.Folder), "node.key.next")); err != nil {
			t.Fatal(err)
		}
		err := d.own.TakeStep(context.Background())
		expectHeld(t, d, err, "clusterd node replace "+d.name)
		if pki.KeysLeft(string(d.options.Folder)) {
			t.Error("a key was made in the place of the lost one")
		}
	})
}

// TestAKeyThatIsRefusedIsNotProposed: each refusal would be an entry, and be tried again forever.
func TestAKeyThatIsRefusedIsNotProposed(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, threeNodes...)
		d, goOn := s.ordered(t, s.followers()[0])
		defer goOn()
		copyFile(t, d, "node.key", "node.key.next") // a key that is a member's already
		expectHeld(t, d, d.own.TakeStep(context.Background()), "that key is one of "+d.name)
	})
}

// TestAnOrderThatWasTakenBackIsNoSuccess: nor does the answer show the old key as if it were new.
func TestAnOrderThatWasTakenBackIsNoSuccess(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, threeNodes...)
		node := s.followers()[0]
		d := s.members[node].daemon
		defer d.own.Pause()()
		answers := make(chan string, 1)
		status := 0
		go func() {
			code, text := s.rotateKeyOf(s.leader(), node)
			status = code
			answers <- text
		}()
		s.until("it is ordered", func() bool { return d.turn() != nil })
		var reply api.Reply
		s.must(s.leader(), rootUser, "POST", api.PathKeys, api.KeysRequest{ID: "a", Op: api.AbortNode, Node: node}, &reply)
		select {
		case text := <-answers:
			if status != http.StatusConflict || !strings.Contains(text, "was taken back") {
				t.Errorf("the answer is %d %s", status, text)
			}
		case <-time.After(time.Minute):
			t.Error("no answer")
		}
	})
}

// TestAKeyThatIsVouchedForIsOnDisk: on that word a node drops its old key. Whoever gave it and ends
// before the key is written down comes back with an older State, and that node is a stranger to it.
func TestAKeyThatIsVouchedForIsOnDisk(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.keysAgree(t, threeNodes...)
		d, goOn := s.ordered(t, s.followers()[0])
		defer goOn()
		other := s.members[otherThan(d.name)].daemon
		// Nothing can be written down here from now on: a folder stands in the place of the file.
		path := filepath.Join(string(other.options.Folder), membership.KeysFile)
		if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
			t.Fatal(err)
		}
		fresh := s.told(t, d).Fingerprint()
		key := pki.Peer{Kind: pki.KindNode, Name: d.name, Fingerprint: fresh}
		s.until("it knows the key", func() bool { return other.registry.Recorded(key).Kind == pki.StandingMember })
		if word := other.registry.KeyAnswer(d.name, fresh); word != "" {
			t.Errorf("the answer is %q, and the key is not on disk", word)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if word := other.registry.KeyAnswer(d.name, fresh); word != inquiry.Member {
			t.Errorf("the answer is %q", word)
		}
		again, err := membership.OpenKeyBook(other.options.Folder, other.membership.ID)
		if err != nil {
			t.Fatal(err)
		}
		if saved := again.NewerThan(&cluster.State{}); saved == nil || !saved.IsKeyOf(d.name, fresh) {
			t.Errorf("on its disk is %+v", saved)
		}
	})
}
