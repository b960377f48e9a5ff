package daemon

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// request puts an administrator's wish in at a node.
func (s *site) request(at string, asked api.Request) api.Reply {
	s.t.Helper()
	var reply api.Reply
	s.must(at, rootUser, "POST", api.PathRequests, asked, &reply)
	return reply
}

// outcome waits for the end of a request.
func (s *site) outcome(at, id string) api.Reply {
	s.t.Helper()
	var reply api.Reply
	s.until("request "+id+" is done", func() bool {
		status, body := s.ask(at, rootUser, "GET", api.PathRequests+"/"+id+"?wait=10s", nil)
		if status == http.StatusOK {
			reply = decoded[api.Reply](s.t, body)
		}
		return reply.Done
	})
	return reply
}

func (s *site) shotAt(victim string) int {
	count := 0
	for _, fired := range s.world.shotsFired() {
		if fired.victim == victim {
			count++
		}
	}
	return count
}

// eventAt finds the first event about a subject that reaches a state after an instant.
func (s *site) eventAt(at, subject, to string, after time.Time) (cluster.Event, bool) {
	for _, e := range s.members[at].daemon.replica.Root().Timeline {
		if e.Subject == subject && e.To == to && e.At.After(after) {
			return e, true
		}
	}
	return cluster.Event{}, false
}

func TestServicesStartWhereTheirDomainPrefers(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2", "vm:c": "node3"})
		for i, node := range threeNodes {
			if on := s.world.runsOn(uuidOf(i)); len(on) != 1 || on[0] != node {
				t.Errorf("service %d runs on %v, want %s", i, on, node)
			}
		}
		if shots := s.world.shotsFired(); len(shots) != 0 {
			t.Errorf("somebody was fenced: %v", shots)
		}
	})
}

func TestARequestMovesAServiceLiveAndIsNeverDoneTwice(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1"})
		asked := api.Request{ID: "move-1", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2"}
		for range 2 { // the same id again, as a client does that lost the answer
			s.request("node3", asked)
		}
		if reply := s.outcome("node3", "move-1"); reply.Code != 0 || reply.Owner != "node2" || reply.Total != migrateTakes {
			t.Errorf("the answer is %+v", reply)
		}
		if again := s.request("node1", asked); !again.Done || again.Owner != "node2" {
			t.Errorf("asked again after its end: %+v", again)
		}
		if on := s.world.runsOn(uuidOf(0)); !slices.Equal(on, []string{"node2"}) {
			t.Errorf("it runs on %v", on)
		}
	})
}

// TestALostHostsServicesComeBackInTime measures each phase, for a follower's
// host and for the leader's.
func TestALostHostsServicesComeBackInTime(t *testing.T) {
	for _, story := range []struct {
		name               string
		leaders            bool
		lostWithin, within time.Duration
	}{
		{"a follower", false, 1150 * time.Millisecond, 2 * time.Second},
		{"the leader", true, 1600 * time.Millisecond, 2500 * time.Millisecond},
	} {
		t.Run(story.name, func(t *testing.T) {
			inBubble(t, func(s *site) {
				leader, followers := s.leader(), s.followers()
				victim, survivor := followers[0], leader
				if story.leaders {
					victim, survivor = leader, followers[0]
				}
				s.declare(map[string]string{"vm:a": victim})
				cut := time.Now()
				s.world.powerOff(victim)
				took := s.until("vm:a runs elsewhere", func() bool { return len(s.world.runsOn(uuidOf(0))) > 0 })
				if took > story.within {
					t.Errorf("from power cut to VM running: %s, want at most %s", took, story.within)
				}
				lost, told := s.eventAt(survivor, victim, "lost", cut)
				if !told || lost.At.Sub(cut) > story.lostWithin {
					t.Errorf("lost after %s (%v), want at most %s", lost.At.Sub(cut), told, story.lostWithin)
				}
				if s.shotAt(victim) != 1 || len(s.world.shotsFired()) != 1 {
					t.Errorf("the shots were %v, want one at %s", s.world.shotsFired(), victim)
				}
				if shot := s.world.shotsFired()[0]; shot.fencer == victim || shot.at.Before(lost.At) {
					t.Errorf("the shot was %v, and lost came at %s", shot, lost.At)
				}
				s.until("the victim is told fenced", func() bool { return s.stateOf(s.leader(), victim) == "fenced" })
				t.Logf("lost after %s, running after %s", lost.At.Sub(cut), took)
			})
		})
	}
}

func TestAFencedHostBootsAndIsAdmittedAgain(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		victim := s.followers()[0]
		s.declare(map[string]string{"vm:a": victim})
		s.world.powerOff(victim)
		s.until("vm:a runs elsewhere", func() bool { return len(s.world.runsOn(uuidOf(0))) > 0 })
		s.boot(victim)
		s.until("the booted host is online", func() bool { return s.stateOf(s.leader(), victim) == "online" })
		s.until("its new boot is in its own State", func() bool {
			n, _ := s.members[victim].daemon.replica.Root().Nodes.Get(victim)
			return n.Boot == victim+"-boot-1"
		})
		if s.shotAt(victim) != 1 {
			t.Errorf("%v", s.world.shotsFired())
		}
	})
}

func TestADaemonKilledInTheMiddleOfAStartLeavesOneVM(t *testing.T) {
	for _, wait := range []time.Duration{100 * time.Millisecond, createTakes + 50*time.Millisecond} {
		t.Run(wait.String(), func(t *testing.T) {
			inBubbleWith(t, true, func(s *site) {
				owner := s.followers()[0]
				s.declare(map[string]string{"vm:a": owner})
				s.request(s.leader(), api.Request{ID: "stop", Op: cluster.OpDisable, Service: "vm:a"})
				s.outcome(s.leader(), "stop")
				s.request(s.leader(), api.Request{ID: "start", Op: cluster.OpEnable, Service: "vm:a", Node: owner})
				s.until("the start is under way", func() bool { return s.service(s.leader(), "vm:a").Intent != nil })
				time.Sleep(wait)
				s.kill(owner)
				time.Sleep(50 * time.Millisecond)
				s.start(owner)
				s.until("vm:a is started", func() bool { return s.service(s.leader(), "vm:a").State.String() == "started" })
				s.expectOneAndNoShot("vm:a", 0)
			})
		})
	}
}

// expectOneAndNoShot: one VM, where the cluster says it is, and nobody fenced.
func (s *site) expectOneAndNoShot(name string, i int) {
	s.t.Helper()
	time.Sleep(20 * time.Second) // whatever is late comes now
	on := s.world.runsOn(uuidOf(i))
	owner := s.service(s.leader(), name).Owner
	if len(on) != 1 || on[0] != owner {
		s.t.Errorf("%s runs on %v, the cluster says %q (%+v)", name, on, owner, s.service(s.leader(), name))
	}
	if shots := s.world.shotsFired(); len(shots) != 0 {
		s.t.Errorf("somebody was fenced: %v", shots)
	}
}

func TestADaemonKilledInTheMiddleOfAMigrationLeavesOneVM(t *testing.T) {
	for _, end := range []string{"source", "target", "leader"} {
		t.Run(end, func(t *testing.T) {
			inBubbleWith(t, true, func(s *site) {
				leader, followers := s.leader(), s.followers()
				source, target := followers[0], followers[1]
				victim := map[string]string{"source": source, "target": target, "leader": leader}[end]
				s.declare(map[string]string{"vm:a": source})
				s.request(leader, api.Request{ID: "move", Op: cluster.OpMigrate, Service: "vm:a", Node: target})
				time.Sleep(migrateTakes / 2)
				s.kill(victim)
				time.Sleep(200 * time.Millisecond)
				s.start(victim)
				reply := s.outcome(s.leader(), "move")
				s.until("vm:a is settled", func() bool { return s.service(s.leader(), "vm:a").Intent == nil })
				s.expectOneAndNoShot("vm:a", 0)
				t.Logf("the answer: %+v", reply)
			})
		})
	}
}

func TestAnIsolatedLeaderStartsNothingAndSaysSo(t *testing.T) {
	inBubble(t, func(s *site) {
		leader := s.leader()
		s.declare(map[string]string{"vm:a": leader})
		before := len(s.world.started())
		s.world.setUnproven(leader, true) // so that it stays up to be looked at
		s.isolate(leader)
		time.Sleep(3 * time.Second)
		status := s.status(leader)
		if status.Quorate || status.Leader != "" {
			t.Errorf("without a quorum its status says %+v", status)
		}
		for _, n := range status.Nodes {
			if n.Online != (n.Name == leader) {
				t.Errorf("without a quorum %s is shown online: %v", n.Name, n.Online)
			}
		}
		if _, err := s.members[leader].daemon.propose(context.Background(),
			cluster.Ask{Request: "x", Op: cluster.OpStop, Service: "vm:a"}); err == nil {
			t.Error("a proposal of an isolated node was accepted")
		}
		code, body := s.ask(leader, rootUser, "POST", api.PathRequests,
			api.Request{ID: "r", Op: cluster.OpStop, Service: "vm:a"})
		if failure := decoded[api.Failure](t, body); code != http.StatusServiceUnavailable ||
			(failure.Code != "no_leader" && failure.Code != "outcome_unknown") {
			t.Errorf("a request without a quorum: %d %s", code, body)
		}
		if code, body := s.ask(leader, anybody, "GET", api.PathStatus+"?fresh=1",
			nil); code != http.StatusServiceUnavailable {
			t.Errorf("a fresh read without a quorum: %d %s", code, body)
		}
		s.expectNoActOf(leader, before)
	})
}

// expectNoActOf: the isolated node's own hands did nothing.
func (s *site) expectNoActOf(isolated string, before int) {
	s.t.Helper()
	for _, start := range s.world.started()[before:] {
		if strings.HasSuffix(start, "@"+isolated) {
			s.t.Errorf("the isolated node acted: %s", start)
		}
	}
	for _, fired := range s.world.shotsFired() {
		if fired.fencer == isolated {
			s.t.Errorf("the isolated node shot: %v", fired)
		}
	}
}

func (w *world) started() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.starts)
}

func TestAShortPartitionHealsWithoutAShot(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2", "vm:c": "node3"})
		for _, node := range append(slices.Clone(threeNodes), s.leader()) {
			s.isolate(node)
			time.Sleep(700 * time.Millisecond)
			s.mend()
			time.Sleep(10 * time.Second)
		}
		for i, name := range []string{"vm:a", "vm:b", "vm:c"} {
			s.expectOneAndNoShot(name, i)
		}
	})
}

func TestOneBrokenLinkFencesNobody(t *testing.T) {
	for _, leaders := range []bool{false, true} {
		t.Run(fmt.Sprintf("the leader's: %v", leaders), func(t *testing.T) {
			inBubble(t, func(s *site) {
				s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2", "vm:c": "node3"})
				followers := s.followers()
				a := followers[1]
				if leaders {
					a = s.leader()
				}
				s.cutLink(a, followers[0])
				time.Sleep(time.Minute)
				if status := s.status(followers[0]); !status.Quorate {
					t.Errorf("%s is still cut off from the leader %s", followers[0], s.leader())
				}
				for i, name := range []string{"vm:a", "vm:b", "vm:c"} {
					s.expectOneAndNoShot(name, i)
				}
			})
		})
	}
}

// TestLeadershipLeavesABrokenLinkAtMostTwiceAMinute breaks the leader's link to
// a follower again and again.
func TestLeadershipLeavesABrokenLinkAtMostTwiceAMinute(t *testing.T) {
	inBubble(t, func(s *site) {
		time.Sleep(2 * changesWindow)
		for round := range 2 {
			leader, followers := s.leader(), s.followers()
			s.cutLink(leader, followers[0])
			took := s.until("another one leads", func() bool { return s.leader() != leader })
			if took > 3*time.Second {
				t.Errorf("round %d: leadership moved after %s", round, took)
			}
			if now := s.leader(); now != followers[1] {
				t.Errorf("round %d: %s leads, want %s, which reaches both", round, now, followers[1])
			}
			s.mend()
			time.Sleep(3 * time.Second)
		}
		leader, followers := s.leader(), s.followers()
		s.cutLink(leader, followers[0])
		time.Sleep(20 * time.Second)
		if s.leader() != leader {
			t.Errorf("leadership moved a third time within a minute, from %s to %s", leader, s.leader())
		}
		if warnings := s.status(leader).Warnings; len(warnings) == 0 {
			t.Error("nobody is told why the leadership stays")
		}
		s.until("the minute is over", func() bool { return s.leader() != leader })
		if shots := s.world.shotsFired(); len(shots) != 0 {
			t.Errorf("somebody was fenced: %v", shots)
		}
	})
}

// TestADaemonThatWasTakenForItsOlderBootComesUpOnceMore: the machine had booted
// and not told its inventory yet, when a person answered for its older boot.
func TestADaemonThatWasTakenForItsOlderBootComesUpOnceMore(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		victim := s.followers()[0]
		at := s.members[s.leader()].daemon
		me := func() cluster.Member {
			n, _ := at.replica.Root().Nodes.Get(victim)
			return n
		}
		older := me().Boot
		s.world.setMute(victim, true)
		s.world.powerOff(victim)
		s.boot(victim)
		s.until("the new boot looks", func() bool { return me().State == cluster.NodeLooking && me().Boot == older })
		first := me().Incarnation
		applied, err := at.propose(context.Background(),
			cluster.Contact{Node: victim, Incarnation: first, State: cluster.NodeLost, Why: message.Words("tested")},
			cluster.BeginFence{Node: victim, Boot: me().Boot, Fencer: at.name, Why: message.Words("tested"), Override: true},
			cluster.ConfirmFence{Node: victim, Boot: me().Boot, By: "root"})
		if err != nil || applied.Err() != nil || me().State != cluster.NodeFenced {
			t.Fatalf("%v, %v: %+v", err, applied.Err(), me())
		}
		s.world.setMute(victim, false)
		s.until("it is online", func() bool { return me().State == cluster.NodeOnline })
		if me().Boot == older || me().Incarnation == first {
			t.Errorf("it came up as %+v", me())
		}
	})
}
