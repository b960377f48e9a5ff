package daemon

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/logbook"
	"github.com/clusterd/clusterd/internal/message"
)

// votersAt are the voters of the log as the leader has them.
func (s *site) votersAt(leader string) []string {
	var names []string
	for _, m := range s.current(leader).log.Members() {
		if m.Voter {
			names = append(names, m.ID)
		}
	}
	slices.Sort(names)
	return names
}

func (s *site) allVote() bool {
	leader := s.leader()
	return leader != "" && len(s.votersAt(leader)) == 3 && s.current(leader).replica.Root().MayVote("node2").IsZero()
}

func (s *site) tells(name, words string) bool {
	for _, e := range s.current(s.leader()).replica.Root().Timeline {
		if e.Subject == name && strings.Contains(e.Why.String(), words) {
			return true
		}
	}
	return false
}

// TestAVoterWithoutItsLogHasNoVoteUntilItHoldsItAgain: its folder is emptied under a living key.
func TestAVoterWithoutItsLogHasNoVoteUntilItHoldsItAgain(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.kill("node2")
		life := s.current("node1").replica.Root()
		before, _ := life.Nodes.Get("node2")
		if err := os.RemoveAll(membership.Folder(s.members["node2"].node.DataDir).LogDir()); err != nil {
			t.Fatal(err)
		}
		s.start("node2")
		s.until("node2 votes again", func() bool { return s.tells("node2", "it holds the log again") && s.allVote() })
		if !s.tells("node2", "it has lost the log") {
			t.Error("the timeline does not say that the log was lost")
		}
		after, _ := s.current("node1").replica.Root().Nodes.Get("node2")
		if before.Log == "" || after.Log == before.Log || after.LogLost != 0 {
			t.Errorf("the log's life was %q and is %q, lost %d", before.Log, after.Log, after.LogLost)
		}
		s.until("the loss is forgotten", func() bool { return !s.hasFile("node2", membership.LostFile) })
	})
}

// TestAVoterWithoutItsLogGivesNobodyItsVote: the only node that holds what was acknowledged is
// down, so nobody may lead, however long it takes.
func TestAVoterWithoutItsLogGivesNobodyItsVote(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.kill("node2")
		s.kill("node1")
		if err := os.RemoveAll(membership.Folder(s.members["node2"].node.DataDir).LogDir()); err != nil {
			t.Fatal(err)
		}
		s.start("node2")
		time.Sleep(2 * time.Minute)
		for _, name := range []string{"node2", "node3"} {
			if s.current(name).role.Load().leader != "" {
				t.Errorf("%s follows a leader that was elected by a voter without its log", name)
			}
		}
		if !slices.ContainsFunc(s.current("node2").warnings.Texts(), func(w string) bool {
			return strings.Contains(w,
				"clusterd recover")
		}) {
			t.Errorf("node2 does not say what to do: %v", s.current("node2").warnings.Texts())
		}
		s.start("node1")
		s.until("all vote again", s.allVote)
	})
}

// TestAnEmptiedFolderElectsNobodyWhereNothingIsAppliedYet: what lay beside the key went with the
// log, so that only the other one can tell. It has just started and made no snapshot: its State is
// empty and names no log of anybody.
func TestAnEmptiedFolderElectsNobodyWhereNothingIsAppliedYet(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		folder := membership.Folder(s.members["node3"].node.DataDir)
		var kept logbook.Held
		s.until("node3 has written down what it heard of node2", func() bool {
			return folder.Read(membership.HeldFile, &kept) == nil && kept.Others["node2"].Life != ""
		})
		for _, name := range threeNodes {
			s.kill(name)
		}
		emptied := membership.Folder(s.members["node2"].node.DataDir)
		if err := errors.Join(os.RemoveAll(emptied.LogDir()), emptied.Remove(membership.HeldFile)); err != nil {
			t.Fatal(err)
		}
		s.start("node2")
		s.start("node3")
		if n := s.current("node3").replica.Root().Nodes.Len(); n != 0 {
			t.Fatalf("node3 knows %d nodes before anybody leads", n)
		}
		time.Sleep(2 * time.Minute)
		for _, name := range []string{"node2", "node3"} {
			if s.current(name).role.Load().leader != "" {
				t.Errorf("%s follows a leader that was elected by an emptied folder", name)
			}
		}
		s.start("node1")
		s.until("all vote again", s.allVote)
	})
}

// TestAnOlderCopyOfTheFolderIsFoundOutByTheOthers: the machine was taken back to a snapshot, so
// that nothing on its own disk tells.
func TestAnOlderCopyOfTheFolderIsFoundOutByTheOthers(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		folder := s.members["node2"].node.DataDir
		s.kill("node2")
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
		s.start("node2")
		s.until("node2 is online again", s.allVote)
		for range 3 {
			s.restart("node3")
		}
		time.Sleep(3 * time.Second)
		s.kill("node2")
		s.putBack(folder, copied)
		s.start("node2")
		s.until("it is found out", func() bool { return s.tells("node2", "an older copy of it was put back") })
		s.until("node2 votes again", s.allVote)
	})
}

func (s *site) restart(name string) {
	s.kill(name)
	s.start(name)
	s.until(name+" is online again", func() bool { return s.leader() != "" && s.stateOf(s.leader(), name) == "online" })
}

func (s *site) putBack(folder, copied string) {
	s.t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(folder, e.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.CopyFS(folder, os.DirFS(copied)); err != nil {
		s.t.Fatal(err)
	}
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestAStateThatDiffersStopsItsNode: equal index means equal State, and that is looked at.
func TestAStateThatDiffersStopsItsNode(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		victim := "node2"
		if s.leader() == victim {
			victim = "node3"
		}
		d := s.current(victim)
		time.Sleep(time.Second)
		synctest.Wait()
		d.replica.state.Generation += 7 // as if it had applied what nobody agreed upon
		d.replica.publish()
		s.until("it starts over", func() bool { return s.tells(victim, "and starts over with the log of") })
		s.until("all vote again", s.allVote)
		if g := s.current(victim).replica.Root().Generation; g != 1 {
			t.Errorf("its generation is %d", g)
		}
	})
}

// TestAStateThatDiffersIsActedOnByNobody: a node whose State is the wrong one, and that may not
// begin anew because another one is about to, stands by.
func TestAStateThatDiffersIsActedOnByNobody(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		leader := s.current(s.leader())
		victim, other := s.followers()[0], s.followers()[1]
		root := leader.replica.Root()
		n, _ := root.Nodes.Get(other)
		lost := cluster.LoseLog{Node: other, Log: "another", Before: n.Log, Why: message.LogGone.With(7)}
		if applied, err := leader.propose(context.Background(), lost); err != nil || applied.Err() != nil {
			t.Fatalf("%v, %v", applied, err)
		}
		d := s.current(victim)
		synctest.Wait()
		d.replica.state.Generation += 7
		d.replica.publish()
		s.until("it stands by", func() bool {
			return strings.Contains(strings.Join(d.warnings.Texts(), "\n"), "so it does nothing by it")
		})
		if may, why := d.door.Passable("5d2f7f6e-7a53-4f0f-9a07-3f9a26a4b3aa", "prepare"); may ||
			!strings.Contains(why, "not what the other nodes agreed upon") {
			t.Errorf("the doorkeeper lets a VM in: %s", why)
		}
		if s.tells(victim, "starts over with the log") || leader.comparing.Odd() {
			t.Error("it starts over, or the leader stands by as well")
		}
	})
}

// TestALogIsTakenOnlyUnderItsOwnName: Apply refuses a daemon with a log that it was not let in
// with.
func TestALogIsTakenOnlyUnderItsOwnName(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		root := s.current("node1").replica.Root()
		n, _ := root.Nodes.Get("node2")
		applied, err := s.current("node1").propose(context.Background(), cluster.NodeUp{Node: "node2",
			Fingerprint: n.Fingerprint, Boot: n.Boot, MaxLevel: cluster.CurrentLevel, Session: "another", Log: "other"})
		if err != nil || applied.Err() == nil {
			t.Errorf("it was admitted: %v", err)
		}
	})
}

// TestAVoterWithoutItsLogVouchesForKeys: the one that holds the log has a key that the one which
// was away does not know, and the only other one has lost its log. It still has the keys that it
// wrote down, and its word lets the two elect a leader, who lets it in.
func TestAVoterWithoutItsLogVouchesForKeys(t *testing.T) {
	inSecuredBubble(t, func(s *site) {
		s.keysAgree(t, threeNodes...)
		holds, away, loses := s.leader(), s.followers()[0], s.followers()[1]
		old := s.current(holds).store.Identity().Self.Fingerprint
		s.kill(away)
		s.until("it is away", func() bool { return s.stateOf(holds, away) != "online" })
		asked := api.KeysRequest{ID: "turn", Op: api.RotateNode, Node: holds, Anyway: true}
		if status, body := s.ask(loses, rootUser, "POST", api.PathKeys, asked); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		s.until("the key is turned", func() bool {
			n, _ := s.current(loses).replica.Root().Nodes.Get(holds)
			return n.Fingerprint != old && n.KeyTurn == nil
		})
		time.Sleep(2 * time.Second) // it is written down
		s.kill(loses)
		s.kill(holds)
		if err := os.RemoveAll(membership.Folder(s.members[loses].node.DataDir).LogDir()); err != nil {
			t.Fatal(err)
		}
		for _, name := range threeNodes {
			s.start(name)
		}
		s.until("the one that was away follows", func() bool { return s.current(away).role.Load().leader == holds })
		s.until("the other one is let in", func() bool { return s.tells(loses, "it has lost the log") })
		s.until("all vote again", func() bool { return len(s.votersAt(s.leader())) == 3 })
	})
}

// TestADaemonThatHearsNobodyForgetsNoLogs: after a start the State is empty until somebody leads,
// and so it names no members. What was heard of their logs is remembered all the same: it is what
// finds an older copy of one out.
func TestADaemonThatHearsNobodyForgetsNoLogs(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		var before, after logbook.Held
		folder := membership.Folder(s.members["node1"].node.DataDir)
		s.until("it is written down what was heard", func() bool {
			return folder.Read(membership.HeldFile, &before) == nil && len(before.Others) == 2 && len(before.Members) == 2
		})
		for _, name := range threeNodes {
			s.kill(name)
		}
		s.start("node1")
		time.Sleep(5 * time.Second)
		if err := folder.Read(membership.HeldFile, &after); err != nil {
			t.Fatal(err)
		}
		if len(after.Others) != 2 || !maps.Equal(before.Members, after.Members) {
			t.Errorf("of %+v there is left %+v", before, after)
		}
		s.start("node2")
		s.start("node3")
		s.until("all vote again", s.allVote)
	})
}

// losesItsLog empties the folder of a node's log, and starts its daemon.
func (s *site) losesItsLog(name string) {
	if err := os.RemoveAll(membership.Folder(s.members[name].node.DataDir).LogDir()); err != nil {
		s.t.Fatal(err)
	}
	s.start(name)
}

// joinsAgain removes a node, and joins its machine anew with nothing on its disk.
func (s *site) joinsAgain(name string) {
	leader := s.leader()
	request := api.NodeRequest{ID: "remove " + name, Op: "remove", Node: name}
	if status, body := s.ask(leader, rootUser, "POST", api.PathNodes, request); status != http.StatusOK {
		s.t.Fatalf("%s is not removed: %d %s", name, status, body)
	}
	s.until("it is no member of the log", func() bool { return len(s.current(s.leader()).log.Members()) == 2 })
	s.empty(name)
	if status, failure := s.join(s.leader(), name, s.token(s.leader())); status != http.StatusOK {
		s.t.Fatalf("%s cannot join: %+v", name, failure)
	}
	s.start(name)
}

// TestAVoteOfWhoWasLetInSinceTheSnapshotCounts: the snapshot of node3 is older than the log that
// node2 was let in or joined again with, and node3 was ended before it wrote down that it had heard
// of that. Node1 is gone, and node2 was away when node3 acknowledged its last entries: nobody but
// node3 can lead, nor without the vote of node2, and what lets that count lies unapplied in the log
// of node3.
func TestAVoteOfWhoWasLetInSinceTheSnapshotCounts(t *testing.T) {
	for _, begins := range []func(*site, string){(*site).losesItsLog, (*site).joinsAgain} {
		inBubbleWith(t, true, func(s *site) { s.leadsWithWhoBeganAnotherLog(t, begins) })
	}
}

func (s *site) leadsWithWhoBeganAnotherLog(t *testing.T, begins func(*site, string)) {
	folder := membership.Folder(s.members["node3"].node.DataDir)
	var before, after logbook.Held
	s.until("node3 has written down what it heard of node2", func() bool {
		return folder.Read(membership.HeldFile, &before) == nil && before.Others["node2"].Life != ""
	})
	if err := s.current("node3").log.Snapshot(); err != nil {
		t.Fatal(err)
	}
	s.kill("node2")
	begins(s, "node2")
	s.until("node2 votes again, with another log", func() bool {
		n, _ := s.current("node3").replica.Root().Nodes.Get("node2")
		return n.Log != "" && n.Log != before.Others["node2"].Life && n.LogLost == 0 && s.allVote()
	})
	s.kill("node2")
	held := s.current("node3").log.Held().LastIndex
	s.until("node3 holds more than node2", func() bool { return s.current("node3").log.Held().LastIndex >= held+2 })
	s.kill("node3")
	s.kill("node1")
	if err := folder.Read(membership.HeldFile, &after); err != nil {
		t.Fatal(err)
	}
	after.Others["node2"] = before.Others["node2"]
	if err := folder.Write(membership.HeldFile, after); err != nil {
		t.Fatal(err)
	}
	s.start("node3")
	s.start("node2")
	s.until("node3 leads", func() bool { return s.current("node3").role.Load().leading })
	s.start("node1")
	s.until("all vote again", s.allVote)
}
