package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// twoNodes is a cluster of two whose document has the rule.
func twoNodes(t *testing.T, services ...string) *clustertest.Book {
	t.Helper()
	b := clustertest.NewBook(t, 2, services...)
	d := clustertest.Document(services...)
	d.TwoNode = &cluster.TwoNode{Favour: "node1"}
	b.Must(clustertest.Configure(d, 1))
	return b
}

func standing(b *clustertest.Book, node string) cluster.Standing {
	return cluster.Standing{Self: node, Boot: b.Node(node).Boot, Incarnation: b.Node(node).Incarnation, BothVote: true,
		PeerApplied: b.S.Index}
}

func warrant(b *clustertest.Book, node string) cluster.Warrant {
	b.T.Helper()
	w, why := rules.WarrantFor(b.S, standing(b, node))
	if !why.IsZero() {
		b.T.Fatalf("%s gets no warrant: %s", node, why)
	}
	return w
}

func alone(b *clustertest.Book, node, peer string) cluster.GoAlone {
	return cluster.GoAlone{Generation: b.S.Generation + 1, Node: node, Peer: peer, Through: b.S.Index,
		Why:    message.Words("lost"),
		Result: fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off, off"}}}
}

// silentTo is what a node measures when the other is gone.
func silentTo(w cluster.Warrant, apart time.Duration) cluster.Apart {
	return cluster.Apart{Boot: w.Boot, Generation: w.Generation, Document: w.Document, For: apart,
		Contact: cluster.Contactwatch{Heard: true, Silence: apart,
			Verdict: &cluster.Verdict{Node: w.Peer.Node, Kernel: cluster.Silent, Daemon: cluster.Silent,
				Why: message.Words("no echo")}}}
}

func TestGoingOnAloneNeedsAConfirmedFence(t *testing.T) {
	b := twoNodes(t, "vm:a")
	b.Running("vm:a", "node2")
	for _, outcome := range []fence.Outcome{fence.Unknown, fence.Refuted, ""} {
		c := alone(b, "node1", "node2")
		c.Result.Outcome = outcome
		b.Refused(c, "not confirmed off")
	}
	b.Is("vm:a", resources.Started, "node2", "node2")
	late := alone(b, "node1", "node2")
	late.Through = b.Node("node2").Incarnation - 1
	b.Refused(late, "came up again")
	skipped := alone(b, "node1", "node2")
	skipped.Generation++
	b.Refused(skipped, "does not follow")
	b.Must(alone(b, "node1", "node2"))
	b.Is("vm:a", resources.Recovering, "")
	if n := b.Node("node2"); n.State != cluster.NodeFenced || n.Expelled != 2 || b.S.Generation != 2 {
		t.Errorf("node2 is %+v in generation %d", n, b.S.Generation)
	}
	if len(b.S.Shots) != 1 {
		t.Errorf("the brake has counted %d shots", len(b.S.Shots))
	}
	b.Refused(alone(b, "node1", "node2"), "began without node2 already")
}

func TestGoingOnAloneIsForTwoNodesThatTheDocumentAllows(t *testing.T) {
	b := clustertest.NewBook(t, 2)
	b.Refused(alone(b, "node1", "node2"), "no two_node")
	b = twoNodes(t)
	b.Refused(alone(b, "node1", "node1"), "not the two nodes")
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Expires: clustertest.Founded.Add(time.Hour)}})
	b.Must(cluster.Join{Token: "t", Node: "witness", Fingerprint: "key-witness", HardwareUUID: "hardware-witness",
		Address: "witness", Witness: true})
	b.Refused(alone(b, "node1", "node2"), "the rule is for two")
	d := clustertest.Document()
	d.TwoNode = &cluster.TwoNode{}
	b.Refused(clustertest.Configure(d, 2), "two_node is for two nodes")
}

func TestAnExpelledNodeIsReadmittedBeforeItIsAdmitted(t *testing.T) {
	b := twoNodes(t)
	b.Must(alone(b, "node1", "node2"))
	before := b.Node("node2").Incarnation
	up := cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", MaxLevel: cluster.CurrentLevel}
	b.Refused(up, "set its old log aside")
	b.Refused(cluster.Readmit{Node: "node2", Generation: 1}, "this is 2")
	b.Must(cluster.Readmit{Node: "node2", Generation: 2})
	b.Refused(cluster.Readmit{Node: "node2", Generation: 2}, "not expelled")
	// The word of the daemon that had the old log comes late: taken in, it would bar the new log.
	up.Previous, up.Log = &before, "old"
	b.Refused(up, "has begun since this one was announced")
	b.Up("node2", "node2-boot-2")
}

func TestWhoHasNotBeenInQuorumSinceItsBootGetsNoWarrant(t *testing.T) {
	b := twoNodes(t)
	refused := func(why *message.Code, change func(*cluster.Standing)) {
		t.Helper()
		at := standing(b, "node1")
		change(&at)
		if _, got := rules.WarrantFor(b.S, at); !got.Is(why) {
			t.Errorf("the answer is %q, want %s", got, why.Name())
		}
	}
	refused(message.WarrantNotAdmitted, func(at *cluster.Standing) { at.Boot = "node1-boot-2" })
	refused(message.WarrantOneVotes, func(at *cluster.Standing) { at.BothVote = false })
	refused(message.WarrantPeerOutdated, func(at *cluster.Standing) { at.PeerApplied = b.S.Config.Index - 1 })
	w := warrant(b, "node1")
	if !w.Favoured || warrant(b, "node2").Favoured || w.Peer.Node != "node2" || w.Levels[0][0].Name != "bmc-node2" {
		t.Errorf("the warrant is %+v", w)
	}
	a := silentTo(w, 3*time.Second)
	a.Boot = "node1-boot-2"
	if act, why := cluster.Alone(w, nil, a); act != cluster.AloneWait || !why.Is(message.AloneSinceBoot) {
		t.Errorf("a node that booted alone does %s: %s", act, why)
	}
	b.Must(cluster.Disarm{For: time.Hour, By: "root"})
	refused(message.DisarmedUntil, func(*cluster.Standing) {})
	b.Must(cluster.Arm{By: "root"})
	b.Lose("node2")
	refused(message.NodeInState, func(*cluster.Standing) {})
}

func TestAloneGoesStepByStep(t *testing.T) {
	b := twoNodes(t)
	w := warrant(b, "node1")
	a := silentTo(w, 3*time.Second)
	want := func(p *cluster.Parting, expected cluster.AloneAct, words string) {
		t.Helper()
		if act, why := cluster.Alone(w, p, a); act != expected || !strings.Contains(why.String(), words) {
			t.Errorf("it does %s: %s; want %s: %s", act, why, expected, words)
		}
	}
	a.Contact.Verdict = nil
	want(nil, cluster.AloneWait, "checking whether its peers can reach it")
	a.Contact.Verdict = &cluster.Verdict{Kernel: cluster.Silent, Daemon: cluster.Answers,
		Why: message.Words("its daemon answers")}
	want(nil, cluster.AloneWait, "not fenced")
	a = silentTo(w, 3*time.Second)
	want(nil, cluster.AloneWrite, "silent for 3s to everybody")
	p := &cluster.Parting{Warrant: w, Why: message.Words("silent")}
	want(p, cluster.AloneShoot, "silent")
	a.Busy = true
	want(p, cluster.AloneWait, "is being fenced")
	a.Busy, a.Tried = false, 1
	want(p, cluster.AloneWait, "tried again")
	a.Rested = 2 * time.Second
	want(p, cluster.AloneShoot, "")
	a.Contact.Silence = 0
	want(p, cluster.AloneWait, "gets time to arrive first")
	a.Rested = w.Delay / 2
	want(p, cluster.AloneGiveUp, "heard again")
	for _, r := range []fence.Result{{Outcome: fence.Refuted}, {Outcome: fence.Unknown},
		{Outcome: fence.Confirmed, Proven: fence.Proven{Effect: fence.ByStorage}}} {
		if next, proven := p.After(r); proven || next.Result != nil {
			t.Errorf("%+v proves the other one off", r)
		}
	}
	next, proven := p.After(fence.Result{Outcome: fence.Confirmed})
	if !proven {
		t.Error("a confirmed off proves nothing")
	}
	p = &next
	want(p, cluster.AloneGoOn, "confirmed off")
	a.Boot = "node1-boot-2"
	want(p, cluster.AloneGiveUp, "has booted since")
	p.Result, a.Rested = nil, time.Second
	want(p, cluster.AloneWait, "gets time to arrive")
	a.Rested = w.Delay / 2
	want(p, cluster.AloneGiveUp, "has booted since")
}

// TestTheTurnsNeverMeet: whatever the two clocks differ by within one percent,
// and the beginnings by a second, there is always time between the turns for
// what was sent to arrive.
func TestTheTurnsNeverMeet(t *testing.T) {
	for _, delay := range []time.Duration{cluster.TwoNodeDelayShortest, cluster.TwoNodeDelay,
		cluster.TwoNodeDelayLongest} {
		one, other := cluster.Warrant{Delay: delay, Favoured: true}, cluster.Warrant{Delay: delay}
		var last [2]time.Duration // when each could last shoot
		turns := 0
		for at := time.Duration(0); at < 6*time.Hour; at += 50 * time.Millisecond {
			slow := at - at/200
			fast := at + at/200 - 500*time.Millisecond
			for i, w := range []cluster.Warrant{one, other} {
				now := slow
				if i == 1 {
					now = fast
				}
				if !w.MayShoot(cluster.Apart{For: now}) {
					continue
				}
				if last[i] == 0 || at-last[i] > time.Second {
					turns++
				}
				last[i] = at
				if rest := at - last[1-i]; last[1-i] > 0 && rest < delay/4 {
					t.Fatalf("delay %s: at %s both may shoot within %s", delay, at, rest)
				}
			}
		}
		if turns < 8 {
			t.Errorf("delay %s: only %d turns in six hours", delay, turns)
		}
	}
}

func TestAMachineThatIsOffIsNotWaitedFor(t *testing.T) {
	w := warrant(twoNodes(t), "node2")
	a := silentTo(w, 3*time.Second)
	if act, why := cluster.Alone(w, nil, a); act != cluster.AloneWait ||
		why != message.AloneTurnWaits.With("node1", "node2", 14900*time.Millisecond) {
		t.Errorf("the node that is not favoured does %s: %s", act, why)
	}
	a.OffAfter = time.Second
	if act, why := cluster.Alone(w, nil, a); act != cluster.AloneWrite {
		t.Errorf("with the other one off it does %s: %s", act, why)
	}
	a.OffAfter = 2500 * time.Millisecond // it may have shot before
	if act, why := cluster.Alone(w, nil, a); act != cluster.AloneWait {
		t.Errorf("with the other one off since it could have shot it does %s: %s", act, why)
	}
}

func TestFavouredByTheDomains(t *testing.T) {
	d := clustertest.Document("vm:a", "vm:b")
	d.TwoNode = &cluster.TwoNode{}
	if d.Favoured() != "node1" {
		t.Errorf("without a choice %s is favoured", d.Favoured())
	}
	pair := d.Domains["pair"]
	pair.Ordered = true
	pair.Members[0].Priority, pair.Members[1].Priority = 2, 1
	d.Domains["pair"] = pair
	a := d.Services["vm:a"]
	a.Domain = "pair"
	d.Services["vm:a"] = a
	if d.Favoured() != "node2" {
		t.Errorf("%s is favoured, and vm:a prefers node2", d.Favoured())
	}
}

// TestTheBrakeLetsOneOfTwoBeShot where the rule is in force, and not elsewhere.
func TestTheBrakeLetsOneOfTwoBeShot(t *testing.T) {
	plain := clustertest.NewBook(t, 2)
	plain.Lose("node2")
	plain.Refused(plain.Shoot("node2", "node1"), "half of them or more")
	b := twoNodes(t)
	b.Lose("node2")
	b.Must(b.Shoot("node2", "node1"))
}
