package daemon

import (
	"context"
	"errors"
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
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
)

func TestNothingOfAJoinThatIsRefusedStays(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(s *site) {
		s.members["node4"] = newSite(s.t, dir, []string{"node4"}).members["node4"]
		token := s.token("node1")
		twin, _ := s.members["node1"].daemon.State().Nodes.Get("node2")
		for what, change := range map[string]func(*api.JoinRequest){
			"a path for a name":     func(r *api.JoinRequest) { r.Node = "../../etc" },
			"an address of nobody":  func(r *api.JoinRequest) { r.Address = "0.0.0.0:7440" },
			"an address of many":    func(r *api.JoinRequest) { r.Address = "[ff02::1]:7440" },
			"an address, no port":   func(r *api.JoinRequest) { r.Address = "10.0.0.4" },
			"a port that is none":   func(r *api.JoinRequest) { r.Address = "10.0.0.4:0" },
			"another's address":     func(r *api.JoinRequest) { r.Address = twin.Address },
			"another's hardware":    func(r *api.JoinRequest) { r.HardwareUUID = twin.HardwareUUID },
			"an escape for a UUID":  func(r *api.JoinRequest) { r.HardwareUUID = "\x1b[31m" },
			"a name nobody may use": func(r *api.JoinRequest) { r.Addresses = []string{"no host!"} },
			"17 addresses":          func(r *api.JoinRequest) { r.Addresses = slices.Repeat([]string{"10.0.0.4"}, 17) },
		} {
			body := s.joinBody("node4", token.ID, token.Secret())
			change(&body)
			code, answer := s.ask("node1", joiner, "POST", api.PathJoin, body)
			if code != http.StatusBadRequest && code != http.StatusConflict {
				t.Errorf("%s: %d %s", what, code, answer)
			}
			if strings.Contains(decoded[api.Failure](t, answer).Message, "\x1b") {
				t.Errorf("%s: the answer carries an escape", what)
			}
			if root := s.members["node1"].daemon.State(); root.Nodes.Len() != 3 || !root.Tokens.Has(token.ID) {
				t.Fatalf("%s: half of it was applied: %v", what, root.Nodes.Keys())
			}
		}
		if code, failure := s.join("node1", "node4", token); code != http.StatusOK {
			t.Errorf("the good one is refused: %d %+v", code, failure)
		}
		delete(s.members, "node4")
	})
}

// empty leaves nothing of the cluster on a machine's disk.
func (s *site) empty(name string) {
	node := s.members[name].node
	files, err := os.ReadDir(node.DataDir)
	for _, file := range files {
		if path := filepath.Join(node.DataDir, file.Name()); path != node.BootIDFile && path != node.HardwareUUIDFile {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestARemovedNodesPlaceInTheLogIsNobodyElses: between the removal and the end of its vote the next
// machine of that name would come with an empty log and vote in its place.
func TestARemovedNodesPlaceInTheLogIsNobodyElses(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		leader, node := s.leader(), s.followers()[0]
		token := s.token(leader)
		s.kill(node)
		s.empty(node)
		if err := s.current(leader).proposed(context.Background(), cluster.RemoveNode{Node: node, By: "root"}); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(s.votersAt(leader), node) {
			t.Fatal("its vote ended with its removal")
		}
		if code, failure := s.join(leader, node, token); code != http.StatusServiceUnavailable ||
			!strings.Contains(failure.Message, "try again") {
			t.Errorf("it joins in the removed one's place: %d %+v", code, failure)
		}
		s.until("its vote has ended", func() bool { return !slices.Contains(s.votersAt(leader), node) })
		if code, failure := s.join(leader, node, token); code != http.StatusOK {
			t.Fatalf("it cannot join: %d %+v", code, failure)
		}
		s.start(node)
		s.until("it votes", s.allVote)
	})
}

// TestWhoIsRefusedAgainAndAgainIsToldOf: failed joins and unknown keys, on the node where they
// knock, until it has been quiet for a while; whoever is busy or joins well is not told of.
func TestWhoIsRefusedAgainAndAgainIsToldOf(t *testing.T) {
	inBubble(t, func(s *site) {
		told := func(at string) string { return strings.Join(s.status(at).Warnings, "\n") }
		d := s.members["node1"].daemon
		guesser := server.Caller{Kind: pki.KindJoiner, From: "10.0.0.9"}
		token := s.token("node1")
		for i := range 8 {
			body := s.joinBody("node2", token.ID, []byte(fmt.Sprint("guess ", i)))
			if code, _ := s.ask("node1", guesser, "POST", api.PathJoin, body); code != http.StatusForbidden {
				t.Fatalf("a guess was answered with %d", code)
			}
			d.register.RefusedPeer("10.0.0.8:4000", pki.ProtocolQuorum, fmt.Errorf("x: %w", pki.ErrStranger))
			d.register.RefusedPeer("10.0.0.7:4000", pki.ProtocolQuorum, fmt.Errorf("x: %w", pki.ErrRemoved))
			d.register.RefusedPeer("10.0.0.6:4000", pki.ProtocolQuorum, fmt.Errorf("x: %w", pki.ErrBusy))
			d.register.RefusedPeer("10.0.0.5:4000", pki.ProtocolQuorum, errors.New("protocol x is not served here"))
			time.Sleep(time.Second)
		}
		for _, want := range []string{"10.0.0.9 was refused 8 times", "join token", "10.0.0.8 was refused 8 times",
			"has not recorded", "10.0.0.7 was refused 8 times", "is barred"} {
			if !strings.Contains(told("node1"), want) {
				t.Errorf("told is %q, without %q", told("node1"), want)
			}
		}
		if text := told("node1"); strings.Contains(text, "10.0.0.6") || strings.Contains(text, "10.0.0.5") {
			t.Errorf("told of whoever is no stranger: %s", text)
		}
		if strings.Contains(told("node2"), "refused") {
			t.Errorf("another node tells it too: %s", told("node2"))
		}
		time.Sleep(31 * time.Minute)
		if strings.Contains(told("node1"), "refused") {
			t.Errorf("it is told of for ever: %s", told("node1"))
		}
	})
}
