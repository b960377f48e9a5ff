package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/quorum"
)

func TestOneOfTwoGoesOnAloneAndTheOtherComesBack(t *testing.T) {
	for _, dead := range pairOfNodes {
		t.Run(dead, func(t *testing.T) {
			inPair(t, favourNode1, func(s *site) {
				left := pairOfNodes[0]
				if dead == left {
					left = pairOfNodes[1]
				}
				s.world.powerOff(dead)
				took := s.until("both services run on "+left, s.bothRunOn(left))
				t.Logf("after %s both run on %s", took, left)
				if took > 12*time.Second {
					t.Errorf("a machine whose board says off was waited for: %s", took)
				}
				s.boot(dead)
				s.until(dead+" is back and votes", s.backAndVoting(left, dead, 2))
				s.until("its log was set aside", func() bool {
					return s.hasFile(dead, "raft-set-aside/log") &&
						!s.hasFile(dead, membership.RejoinFile)
				})
				s.until("both may go on alone again", func() bool {
					return s.hasFile("node1", membership.WarrantFile) &&
						s.hasFile("node2", membership.WarrantFile)
				})
			})
		})
	}
}

func TestOfTwoThatLoseEachOtherTheFavouredOneIsLeft(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		s.cutLink("node1", "node2")
		s.until("both services run on node1", s.bothRunOn("node1"))
		time.Sleep(time.Minute)
		if s.shotAt("node1") != 0 || s.shotAt("node2") == 0 {
			t.Errorf("node1 was shot %d times, node2 %d times", s.shotAt("node1"), s.shotAt("node2"))
		}
		s.mend()
		s.boot("node2")
		s.until("node2 is back", s.backAndVoting("node1", "node2", 2))
	})
}

// TestTheOtherOneShootsInItsTurn: the favoured node's shots come to nothing, so the
// other one has its turn.
func TestTheOtherOneShootsInItsTurn(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		s.world.setUnproven("node2", true)
		s.cutLink("node1", "node2")
		took := s.until("both services run on node2", s.bothRunOn("node2"))
		if took < 10*time.Second {
			t.Errorf("it did not wait for its turn: %s", took)
		}
		if s.shotAt("node2") != 0 {
			t.Error("node2 was shot")
		}
	})
}

// TestHeardBeforeItIsWrittenDownIsSpared, and what was written down is given up
// when nothing can come of it.
func TestHeardBeforeItIsWrittenDownIsSpared(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		s.cutLink("node1", "node2")
		time.Sleep(700 * time.Millisecond)
		s.mend()
		time.Sleep(30 * time.Second)
		if len(s.world.shotsFired()) != 0 || s.current("node1").replica.Root().Generation != 1 {
			t.Errorf("somebody was shot: %v", s.world.shotsFired())
		}
		for _, name := range pairOfNodes {
			s.world.setUnproven(name, true)
		}
		s.cutLink("node1", "node2")
		s.until("node1 has written it down", func() bool { return s.hasFile("node1", membership.PartingFile) })
		time.Sleep(time.Second)
		s.mend()
		s.until("node1 gives it up", func() bool { return !s.hasFile("node1", membership.PartingFile) })
		s.until("both are in quorum again", func() bool {
			return s.current("node1").inQuorum() && s.current("node2").inQuorum()
		})
		if s.current("node1").replica.Root().Generation != 1 {
			t.Error("a new generation began")
		}
	})
}

func TestANodeThatBootsAloneWaits(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		s.world.powerOff("node1")
		s.world.powerOff("node2")
		s.boot("node1")
		time.Sleep(2 * time.Minute)
		if shots := s.world.shotsFired(); len(shots) != 0 {
			t.Errorf("it shot: %v", shots)
		}
		texts := strings.Join(s.current("node1").warnings.Texts(), "\n")
		if !strings.Contains(texts, "has not been in quorum with node2 since it booted") ||
			!strings.Contains(texts, "clusterd recover") {
			t.Errorf("it does not say what it waits for:\n%s", texts)
		}
		s.boot("node2")
		s.until("both run again", func() bool {
			return len(s.world.runsOn(uuidOf(0))) == 1 &&
				len(s.world.runsOn(uuidOf(1))) == 1
		})
	})
}

// TestTheDaemonIsKilledAtEachStep: whatever of it was done, the next start goes on
// with it, and the VMs come up once.
func TestTheDaemonIsKilledAtEachStep(t *testing.T) {
	steps := map[string]func(s *site) bool{
		"before it is written down": func(s *site) bool { return !s.current("node1").inQuorum() },
		"when it is written down":   func(s *site) bool { return s.hasFile("node1", membership.PartingFile) },
		"while it shoots":           func(s *site) bool { return len(s.world.shotsFired()) > 0 },
		"when it is confirmed":      func(s *site) bool { return s.partingHas("node1", `"confirmed"`) },
		"when the log is taken over": func(s *site) bool {
			return s.hasFile("node1", membership.RecoveryFile)
		},
		"in the new generation": func(s *site) bool { return s.current("node1").replica.Root().Generation == 2 },
	}
	for name, reached := range steps {
		t.Run(name, func(t *testing.T) {
			inPair(t, favourNode1, func(s *site) {
				s.world.powerOff("node2")
				s.step(t, func() bool { return reached(s) })
				if name == "while it shoots" && !s.hasFile("node1", membership.PartingFile) {
					t.Error("it shoots, and that is not written down")
				}
				s.kill("node1")
				time.Sleep(500 * time.Millisecond)
				s.start("node1")
				s.until("both services run on node1", s.bothRunOn("node1"))
				s.boot("node2")
				s.until("node2 is back", s.backAndVoting("node1", "node2", 2))
			})
		})
	}
}

func TestWithoutTheRuleOneOfTwoVotes(t *testing.T) {
	inPair(t, "", func(s *site) {
		s.world.powerOff("node1")
		time.Sleep(time.Minute)
		if len(s.world.shotsFired()) != 0 || s.hasFile("node2", membership.WarrantFile) {
			t.Error("node2 goes on alone without the rule")
		}
	})
}

// TestNothingIsDecidedBeforeTheNewGeneration: the log that was taken over holds what
// the old generation began; a leader must not act on it before it is told that a
// new one has begun.
func TestNothingIsDecidedBeforeTheNewGeneration(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		s.world.powerOff("node2")
		s.until("node1 has taken its log over", func() bool { return s.hasFile("node1", membership.RecoveryFile) })
		s.until("the new generation begins", func() bool {
			d := s.current("node1")
			old := d.replica.Root().Generation != 2
			if old && d.role.Load().leading {
				t.Fatal("node1 decides in the old generation")
			}
			return !old
		})
	})
}

// TestALogThatWentOnIsNotTakenOver: what came into it after the decision came from
// the other one, which was let in again.
func TestALogThatWentOnIsNotTakenOver(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		d := s.current("node1")
		parting := cluster.Parting{Warrant: cluster.Warrant{Node: "node1", Boot: d.boot, Generation: 1,
			Delay: 10 * time.Second}, Through: d.log.LastIndex() - 1, Why: message.Words("lost"), At: time.Now(),
			Result: &fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off"}}}
		parting.Warrant.Peer.Node = "node2"
		s.kill("node1")
		if err := membership.Folder(s.members["node1"].node.DataDir).Write(membership.PartingFile, parting); err != nil {
			t.Fatal(err)
		}
		s.start("node1")
		s.until("both are in quorum again", func() bool {
			return s.current("node1").inQuorum() &&
				s.current("node2").inQuorum()
		})
		if s.hasFile("node1", membership.PartingFile) || s.current("node1").replica.Root().Generation != 1 ||
			len(s.current("node1").log.Members()) != 2 {
			t.Error("node1 took its log over")
		}
	})
}

// TestAHostThatBootsAfterItsDecisionWaitsForItsShots: what it had sent may still
// arrive, so it is in quorum again only when that has had its time.
func TestAHostThatBootsAfterItsDecisionWaitsForItsShots(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		s.world.setUnproven("node2", true)
		s.cutLink("node1", "node2")
		s.until("node1 has written it down", func() bool { return s.hasFile("node1", membership.PartingFile) })
		s.world.powerOff("node1")
		s.boot("node1") // which mends the link
		took := s.until("node1 gives it up", func() bool { return !s.hasFile("node1", membership.PartingFile) })
		if took < 4*time.Second || took > 7*time.Second {
			t.Errorf("it gave up after %s, half of the delay is 5s", took)
		}
		s.until("both are in quorum again", func() bool {
			return s.current("node1").inQuorum() &&
				s.current("node2").inQuorum()
		})
		if s.shotAt("node1")+s.shotAt("node2") != 0 {
			t.Errorf("somebody was shot: %v", s.world.shotsFired())
		}
	})
}

// TestTheOneLeftBehindIsKilledAtEachStep of coming back.
func TestTheOneLeftBehindIsKilledAtEachStep(t *testing.T) {
	for name, reached := range map[string]func(s *site) bool{
		"when it is told":             func(s *site) bool { return s.hasFile("node2", membership.RejoinFile) },
		"when its log is set aside":   func(s *site) bool { return s.hasFile("node2", "raft-set-aside") },
		"when it is let in":           func(s *site) bool { return s.memberOf("node1", "node2").Expelled == 0 },
		"when it is a member, joined": func(s *site) bool { return len(s.current("node1").log.Members()) == 2 },
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, favourNode1, func(s *site) {
				s.world.powerOff("node2")
				s.until("both services run on node1", s.bothRunOn("node1"))
				s.boot("node2")
				s.step(t, func() bool { return reached(s) })
				s.kill("node2")
				time.Sleep(500 * time.Millisecond)
				s.start("node2")
				s.until("node2 is back", s.backAndVoting("node1", "node2", 2))
				s.until("it is done with it", func() bool { return !s.hasFile("node2", membership.RejoinFile) })
			})
		})
	}
}

// TestANodeThatLeavesGivesItsVoteBack: its host goes down then, and the other one
// decides by itself, without shooting anybody.
func TestANodeThatLeavesGivesItsVoteBack(t *testing.T) {
	for _, leaving := range pairOfNodes {
		t.Run(leaving, func(t *testing.T) {
			inPair(t, favourNode1, func(s *site) {
				stays := pairOfNodes[0]
				if leaving == stays {
					stays = pairOfNodes[1]
				}
				var reply api.Reply
				s.must(leaving, rootUser, "POST", api.PathNodes, api.NodeRequest{ID: "leave-1", Op: "leave", Node: leaving}, &reply)
				s.until(leaving+" has left and has no vote", func() bool {
					votes := false
					for _, m := range s.current(stays).log.Members() {
						votes = votes || m.ID == leaving && m.Voter
					}
					return s.memberOf(stays, leaving).State == cluster.NodeLeft && !votes
				})
				s.world.powerOff(leaving)
				time.Sleep(10 * time.Second)
				if !s.current(stays).inQuorum() || len(s.world.shotsFired()) != 0 || !s.bothRunOn(stays)() {
					t.Errorf("%s is in quorum: %v, shots: %v", stays, s.current(stays).inQuorum(), s.world.shotsFired())
				}
				s.boot(leaving)
				s.until(leaving+" is back", s.backAndVoting(stays, leaving, 1))
			})
		})
	}
}

// TestRecoveredByHandInTheMiddleOfGoingOnAlone: what a person decides takes the
// place of what the rule had decided.
func TestRecoveredByHandInTheMiddleOfGoingOnAlone(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		s.world.setUnproven("node2", true)
		s.world.powerOff("node2")
		s.until("node1 has written it down", func() bool { return s.hasFile("node1", membership.PartingFile) })
		time.Sleep(10 * time.Second)
		s.kill("node1")
		folder := membership.Folder(s.members["node1"].node.DataDir)
		before, err := quorum.Inspect(folder.LogDir())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := membership.RecoverLog(s.members["node1"].node, []string{"node2"}, "root"); err != nil {
			t.Fatal(err)
		}
		left, err := membership.ReadOptional[membership.Recovery](folder, membership.RecoveryFile)
		if err != nil || left == nil {
			t.Fatal(left, err)
		}
		// What comes up behind that is not what the person has seen.
		if c := left.Command().(cluster.Recover); before.LastIndex == 0 || c.Through != before.LastIndex {
			t.Errorf("the log ended at %d, and the word about node2 is good through %d", before.LastIndex, c.Through)
		}
		s.start("node1")
		s.until("both services run on node1", s.bothRunOn("node1"))
		if s.hasFile("node1", membership.PartingFile) || len(s.world.shotsFired()) != 0 {
			t.Errorf("the rule went on with it: %v", s.world.shotsFired())
		}
	})
}

// TestAHostThatStoodStillKeepsItsTurns: a host that was suspended, and lost the other
// one meanwhile, counts that time. Else its turn would be the other one's.
func TestAHostThatStoodStillKeepsItsTurns(t *testing.T) {
	inPair(t, favourNode1, func(s *site) {
		time.Sleep(time.Second)
		s.mu.Lock()
		s.jump["node1"] = 40 * time.Second // in the middle of node2's second turn
		s.mu.Unlock()
		s.cutLink("node1", "node2")
		time.Sleep(10 * time.Second)
		if s.hasFile("node1", membership.PartingFile) || len(s.world.shotsFired()) != 0 {
			t.Errorf("node1 takes it for its turn: %v", s.world.shotsFired())
		}
		s.until("both services run on node2", s.bothRunOn("node2"))
	})
}
