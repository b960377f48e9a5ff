package daemon

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/executor"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/resources"
)

// TestAFencerThatIsCutOffShootsNobody cuts the fencer off between the intent and
// the first packet.
func TestAFencerThatIsCutOffShootsNobody(t *testing.T) {
	inBubble(t, func(s *site) {
		leader, victim := s.leader(), s.followers()[0]
		s.declare(map[string]string{"vm:a": victim})
		s.world.setDial(2 * time.Second)
		s.world.powerOff(victim)
		s.until("the intent is in the log", func() bool { return s.members[leader].daemon.replica.Root().Fences.Has(victim) })
		s.isolate(leader)
		time.Sleep(20 * time.Second)
		if shots := s.world.shotsFired(); len(shots) != 0 {
			t.Errorf("a fencer without a quorum shot: %v", shots)
		}
		if on := s.world.runsOn(uuidOf(0)); len(on) != 0 {
			t.Errorf("vm:a was started on %v before %s was surely off", on, victim)
		}
		for _, other := range threeNodes {
			if other != victim && other != leader {
				s.mendLink(leader, other)
			}
		}
		s.until("vm:a runs again", func() bool { return len(s.world.runsOn(uuidOf(0))) == 1 })
		if len(s.world.shotsFired()) != 1 {
			t.Errorf("the shots were %v", s.world.shotsFired())
		}
	})
}

// TestAFenceThatProvesNothingIsTriedAgainAndFreesNothing holds law L3.
func TestAFenceThatProvesNothingIsTriedAgainAndFreesNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		victim := s.followers()[0]
		s.declare(map[string]string{"vm:a": victim})
		s.world.setUnproven(victim, true)
		s.world.powerOff(victim)
		time.Sleep(20 * time.Second)
		if on := s.world.runsOn(uuidOf(0)); len(on) != 0 {
			t.Errorf("vm:a was started on %v although nothing was proven", on)
		}
		open, _ := s.members[s.leader()].daemon.replica.Root().Fences.Get(victim)
		if open.TriedTotal < 2 {
			t.Errorf("%d attempts within 20 s", open.TriedTotal)
		}
		s.world.setUnproven(victim, false)
		s.until("vm:a runs again", func() bool { return len(s.world.runsOn(uuidOf(0))) == 1 })
	})
}

func TestAHypervisorThatDoesNotAnswerIsUnknownAndNotStopped(t *testing.T) {
	inBubble(t, func(s *site) {
		owner := s.followers()[0]
		s.declare(map[string]string{"vm:a": owner})
		s.world.setMute(owner, true)
		s.members[owner].hypervisor.tell(uuidOf(0), resources.Unknown)
		time.Sleep(30 * time.Second)
		if service := s.service(owner, "vm:a"); service.Owner != owner || len(service.Holders) != 1 {
			t.Errorf("without an answer the cluster says %+v", service)
		}
		s.world.setMute(owner, false)
		s.expectOneAndNoShot("vm:a", 0)
	})
}

func TestAGuestThatEndsByItselfIsStartedAgain(t *testing.T) {
	inBubble(t, func(s *site) {
		owner := s.followers()[0]
		s.declare(map[string]string{"vm:a": owner})
		s.members[owner].hypervisor.end(uuidOf(0))
		if took := s.until("vm:a runs again",
			func() bool { return len(s.world.runsOn(uuidOf(0))) == 1 }); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		s.expectOneAndNoShot("vm:a", 0)
	})
}

// TestAFinishedRequestIsAnsweredWithItsEnd asks nodes that may not have applied
// it yet.
func TestAFinishedRequestIsAnsweredWithItsEnd(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1"})
		leader := s.leader()
		for _, at := range threeNodes {
			asked := api.Request{ID: "freeze-" + at, Op: cluster.OpUnfreeze, Service: "vm:a"}
			s.request(leader, asked)
			var reply api.Reply
			s.must(at, viewer, "GET", api.PathRequests+"/"+asked.ID, nil, &reply)
			if !reply.Done || reply.Text == "" {
				t.Errorf("asked at %s at once: %+v", at, reply)
			}
		}
	})
}

// TestASecondDaemonOfANodeEndsTheFirst: the newest incarnation wins, and the
// older one stops with words instead of acting on.
func TestASecondDaemonOfANodeEndsTheFirst(t *testing.T) {
	inBubble(t, func(s *site) {
		victim := s.followers()[0]
		d := s.members[victim].daemon
		other := s.members[s.leader()].daemon
		up := cluster.NodeUp{Node: victim, Fingerprint: d.store.Identity().Self.Fingerprint, Boot: d.boot,
			Address: d.address, MaxLevel: cluster.CurrentLevel, Session: "another daemon"}
		if _, err := other.propose(context.Background(), up); err != nil {
			t.Error(err)
		}
		err := <-s.members[victim].ended
		if err == nil || !strings.Contains(err.Error(), "another daemon of "+victim+" has started") {
			t.Errorf("the first daemon ended with: %v", err)
		}
		s.members[victim].daemon = nil
	})
}

func TestANodeUpToldTwiceIsOneIncarnation(t *testing.T) {
	inBubble(t, func(s *site) {
		d := s.members[s.followers()[0]].daemon
		first := d.admission.Incarnation()
		me, _ := d.replica.Root().Nodes.Get(d.name)
		if first == 0 || me.Incarnation != first || me.Session == "" {
			t.Errorf("incarnation %d of the daemon, %d in the State, under the name %q", first, me.Incarnation, me.Session)
		}
		again := cluster.NodeUp{Node: d.name, Fingerprint: me.Fingerprint, Boot: d.boot, Address: d.address,
			MaxLevel: cluster.CurrentLevel, Session: me.Session}
		if _, err := d.propose(context.Background(), again); err != nil {
			t.Error(err)
		}
		if me, _ := d.replica.Root().Nodes.Get(d.name); me.Incarnation != first {
			t.Errorf("an entry that came late began incarnation %d after %d", me.Incarnation, first)
		}
		time.Sleep(5 * time.Second)
		if state := s.stateOf(s.leader(), d.name); state != "online" {
			t.Errorf("%s is %s", d.name, state)
		}
	})
}

// TestAnEntryThatIsNotUnderstoodEndsTheDaemonAndKeepsItsStateOut: what is
// behind it must not be applied, shown, or written into a snapshot.
func TestAnEntryThatIsNotUnderstoodEndsTheDaemonAndKeepsItsStateOut(t *testing.T) {
	var told []string
	r := newReplica(func(reason string) { told = append(told, reason) }, func() {})
	good, err := cluster.Encode([]cluster.Command{cluster.Init{Cluster: "test", ID: "id", Level: cluster.CurrentLevel}})
	if err != nil {
		t.Fatal(err)
	}
	if applied, ok := r.Apply(quorum.Entry{Index: 1, Data: good}).(apply.Applied); !ok || applied.Err() != nil {
		t.Fatalf("the first entry: %+v", applied)
	}
	unknown := bytes.Replace(good, []byte(`"init"`), []byte(`"from-the-future"`), 1)
	if result, ok := r.Apply(quorum.Entry{Index: 2, Data: unknown}).(error); !ok ||
		!errors.Is(result, cluster.ErrUnknownCommand) {
		t.Errorf("an unknown command gives %v", result)
	}
	if _, applied := r.Apply(quorum.Entry{Index: 3, Data: good}).(apply.Applied); applied || r.Root().Index != 1 {
		t.Errorf("entries behind it are applied, up to %d", r.Root().Index)
	}
	if err := r.Snapshot()(&bytes.Buffer{}); err == nil {
		t.Error("a snapshot of a broken state was made")
	}
	if len(told) != 1 || !strings.Contains(told[0], "install the version") {
		t.Errorf("told: %q", told)
	}
}

// TestRulesThatAreNotKnownEndTheDaemon: whichever entry brings them.
func TestRulesThatAreNotKnownEndTheDaemon(t *testing.T) {
	founded := cluster.Init{Cluster: "test", ID: "id", Level: 1}
	up := func(node string, level int) []cluster.Command {
		return []cluster.Command{
			cluster.Join{Node: node, Fingerprint: node, HardwareUUID: node, Address: node},
			cluster.NodeUp{Node: node, Fingerprint: node, Boot: "boot", MaxLevel: level},
		}
	}
	beyond := cluster.CurrentLevel + 1
	for name, entry := range map[string][]cluster.Command{
		"a newer founder": {cluster.Init{Cluster: "test", ID: "id", Level: beyond}},
		"all others newer": append(append([]cluster.Command{founded}, up("node1", beyond)...),
			cluster.RaiseLevel{Level: beyond}),
	} {
		var told []string
		r := newReplica(func(reason string) { told = append(told, reason) }, func() {})
		data, err := cluster.Encode(entry)
		if err != nil {
			t.Fatal(err)
		}
		if _, applied := r.Apply(quorum.Entry{Index: 1, Data: data}).(apply.Applied); applied || r.Root().Index != 0 {
			t.Errorf("%s: applied up to %d", name, r.Root().Index)
		}
		if len(told) != 1 || !strings.Contains(told[0], "install the version") {
			t.Errorf("%s: told %q", name, told)
		}
	}
}

// TestNoResultIsLost hands a duty out whose intent is over: each kind has to
// come back, or the mind waits for it forever.
func TestNoResultIsLost(t *testing.T) {
	inBubble(t, func(s *site) {
		d := s.members["node1"].daemon
		lone := &Daemon{name: d.name, agent: d.agent, replica: d.replica, logger: d.logger, box: newMailbox()}
		lone.executor = executor.New(lone.executorOptions())
		kinds := []cluster.DutyKind{cluster.DutyStart, cluster.DutyStop, cluster.DutyMigrate, cluster.DutyResume,
			cluster.DutyPause, cluster.DutyFence, cluster.DutyLook}
		for _, kind := range kinds {
			lone.executor.Take(context.Background(), cluster.Duty{Kind: kind, Service: "vm:gone", Node: "node3", Act: "1.1.0"})
		}
		lone.work.Wait()
		results := lone.box.drain().Results
		if len(results) != len(kinds) {
			t.Errorf("%d results of %d duties: %+v", len(results), len(kinds), results)
		}
		for _, r := range results {
			if r.Result.OK || r.Fence.Outcome == "confirmed" {
				t.Errorf("nothing was done, and it is called done: %+v", r)
			}
		}
		if lanes := lone.executor.Lanes(); lanes != 0 {
			t.Errorf("%d lanes are left", lanes)
		}
	})
}

// TestAPlannedStopHandsTheLeadershipOver: nobody waits for an election.
func TestAPlannedStopHandsTheLeadershipOver(t *testing.T) {
	inBubble(t, func(s *site) {
		leader := s.leader()
		s.declare(map[string]string{"vm:a": leader})
		s.members[leader].daemon.HandOver(context.Background())
		s.kill(leader)
		took := s.until("another one leads", func() bool { return s.leader() != leader })
		if took > 100*time.Millisecond {
			t.Errorf("the new leader led after %s", took)
		}
		if on := s.world.runsOn(uuidOf(0)); len(on) != 1 || on[0] != leader {
			t.Errorf("a planned stop of the daemon moved its guest: %v", on)
		}
	})
}

// TestARenewedCertificateNamesTheSameHosts: else a tool that asks by another of
// the node's addresses is turned away some weeks after its installation.
func TestARenewedCertificateNamesTheSameHosts(t *testing.T) {
	inBubble(t, func(s *site) {
		d := s.members[s.followers()[0]].daemon
		ca, err := d.vault.Authority(d.replica.Root())
		if err != nil {
			t.Fatal(err)
		}
		old := d.store.Identity()
		request, err := pki.NewRequest(old.Key, d.name)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := ca.SignNode(request, d.name, []string{d.name, "other.example", "10.9.8.7"}, time.Now(),
			pki.NodeValidity)
		if err != nil {
			t.Fatal(err)
		}
		own, err := pki.NewIdentity(old.Key, chain)
		if err == nil {
			err = d.store.Replace(own)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := d.own.Renew(); err != nil {
			t.Fatal(err)
		}
		renewed := d.store.Identity().Certificate
		if !renewed.NotAfter.After(own.Certificate.NotAfter) {
			t.Errorf("it is good until %s, as before", renewed.NotAfter)
		}
		for _, host := range []string{d.name, "other.example", "10.9.8.7"} {
			if err := renewed.VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestANodeThatMayHoldAServiceIsNotReplaced: neither is a token made for it, nor
// does one that was made before cost it its vote.
func TestANodeThatMayHoldAServiceIsNotReplaced(t *testing.T) {
	inBubble(t, func(s *site) {
		leader, victim := s.leader(), s.followers()[0]
		var reply api.TokenReply
		s.must(leader, rootUser, "POST", api.PathTokens, api.TokenRequest{Replace: victim}, &reply)
		token, err := pki.ParseToken(reply.Text)
		if err != nil {
			t.Fatal(err)
		}
		s.declare(map[string]string{"vm:a": victim})
		if status, body := s.ask(leader, rootUser, "POST", api.PathTokens,
			api.TokenRequest{Replace: victim}); status != http.StatusConflict ||
			!strings.Contains(string(body), "may still hold vm:a") {
			t.Errorf("a token for the machine that replaces it: %d %s", status, body)
		}
		status, body := s.ask(leader, joiner, "POST", api.PathJoin, s.joinBody(victim, token.ID, token.Secret()))
		if status != http.StatusConflict || !strings.Contains(string(body), "may still hold vm:a") {
			t.Errorf("the other machine joins: %d %s", status, body)
		}
		for _, m := range s.members[leader].daemon.log.Members() {
			if m.ID == victim && !m.Voter {
				t.Errorf("%s has lost its vote", victim)
			}
		}
		if voters := len(s.members[leader].daemon.log.Members()); voters != 3 {
			t.Errorf("%d nodes are left in the log", voters)
		}
	})
}
