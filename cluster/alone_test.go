package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// twoNodes is a cluster of two whose document has the rule.
func twoNodes(t *testing.T, services ...string) *book {
	t.Helper()
	b := newBook(t, 2, services...)
	d := document(services...)
	d.TwoNode = &TwoNode{Favour: "node1"}
	b.must(configure(d, 1))
	return b
}

func (b *book) standing(node string) Standing {
	return Standing{Self: node, Boot: b.node(node).Boot, Incarnation: b.node(node).Incarnation, BothVote: true, PeerApplied: b.s.Index}
}

func (b *book) warrant(node string) Warrant {
	b.t.Helper()
	w, why := WarrantFor(b.s, b.standing(node))
	if why != "" {
		b.t.Fatalf("%s gets no warrant: %s", node, why)
	}
	return w
}

func (b *book) alone(node, peer string) GoAlone {
	return GoAlone{Generation: b.s.Generation + 1, Node: node, Peer: peer, Through: b.s.Index, Why: "lost", Result: fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off, off"}}}
}

// silentTo is what a node measures when the other is gone.
func silentTo(w Warrant, apart time.Duration) Apart {
	return Apart{Boot: w.Boot, Generation: w.Generation, Document: w.Document, For: apart,
		Contact: Contactwatch{Heard: true, Silence: apart, Verdict: &Verdict{Node: w.Peer.Node, Kernel: Silent, Daemon: Silent, Why: "no echo"}}}
}

func TestGoingOnAloneNeedsAConfirmedFence(t *testing.T) {
	b := twoNodes(t, "vm:a")
	b.running("vm:a", "node2")
	for _, outcome := range []fence.Outcome{fence.Unknown, fence.Refuted, ""} {
		c := b.alone("node1", "node2")
		c.Result.Outcome = outcome
		b.refused(c, "not confirmed off")
	}
	b.is("vm:a", resources.Started, "node2", "node2")
	late := b.alone("node1", "node2")
	late.Through = b.node("node2").Incarnation - 1
	b.refused(late, "came up again")
	skipped := b.alone("node1", "node2")
	skipped.Generation++
	b.refused(skipped, "does not follow")
	b.must(b.alone("node1", "node2"))
	b.is("vm:a", resources.Recovering, "")
	if n := b.node("node2"); n.State != NodeFenced || n.Expelled != 2 || b.s.Generation != 2 {
		t.Errorf("node2 is %+v in generation %d", n, b.s.Generation)
	}
	if len(b.s.Shots) != 1 {
		t.Errorf("the brake has counted %d shots", len(b.s.Shots))
	}
	b.refused(b.alone("node1", "node2"), "began without node2 already")
}

func TestGoingOnAloneIsForTwoNodesThatTheDocumentAllows(t *testing.T) {
	b := newBook(t, 2)
	b.refused(b.alone("node1", "node2"), "no two_node")
	b = twoNodes(t)
	b.refused(b.alone("node1", "node1"), "not the two nodes")
	b.must(AddToken{ID: "t", Token: Token{Expires: founded.Add(time.Hour)}})
	b.must(Join{Token: "t", Node: "witness", Fingerprint: "key-witness", HardwareUUID: "hardware-witness", Address: "witness", Witness: true})
	b.refused(b.alone("node1", "node2"), "the rule is for two")
	d := document()
	d.TwoNode = &TwoNode{}
	b.refused(configure(d, 2), "two_node is for two nodes")
}

func TestAnExpelledNodeIsReadmittedBeforeItIsAdmitted(t *testing.T) {
	b := twoNodes(t)
	b.must(b.alone("node1", "node2"))
	up := NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", MaxLevel: CurrentLevel}
	b.refused(up, "set its old log aside")
	b.refused(Readmit{Node: "node2", Generation: 1}, "this is 2")
	b.must(Readmit{Node: "node2", Generation: 2})
	b.refused(Readmit{Node: "node2", Generation: 2}, "not expelled")
	b.up("node2", "node2-boot-2")
}

func TestWhoHasNotBeenInQuorumSinceItsBootGetsNoWarrant(t *testing.T) {
	b := twoNodes(t)
	refused := func(why string, change func(*Standing)) {
		t.Helper()
		at := b.standing("node1")
		change(&at)
		if _, got := WarrantFor(b.s, at); !strings.Contains(got, why) || got == "" {
			t.Errorf("the answer is %q, want one that says %q", got, why)
		}
	}
	refused("not admitted with this boot", func(at *Standing) { at.Boot = "node1-boot-2" })
	refused("not both nodes vote", func(at *Standing) { at.BothVote = false })
	refused("present document", func(at *Standing) { at.PeerApplied = b.s.Config.Index - 1 })
	w := b.warrant("node1")
	if !w.Favoured || b.warrant("node2").Favoured || w.Peer.Node != "node2" || w.Levels[0][0].Name != "bmc-node2" {
		t.Errorf("the warrant is %+v", w)
	}
	a := silentTo(w, 3*time.Second)
	a.Boot = "node1-boot-2"
	if act, why := Alone(w, nil, a); act != AloneWait || !strings.Contains(why, "since it booted") {
		t.Errorf("a node that booted alone does %s: %s", act, why)
	}
	b.must(Disarm{For: time.Hour, By: "root"})
	refused("fencing is disarmed", func(*Standing) {})
	b.must(Arm{By: "root"})
	b.lose("node2")
	refused("node2 is lost", func(*Standing) {})
}

func TestAloneGoesStepByStep(t *testing.T) {
	b := twoNodes(t)
	w := b.warrant("node1")
	a := silentTo(w, 3*time.Second)
	want := func(p *Parting, expected AloneAct, words string) {
		t.Helper()
		if act, why := Alone(w, p, a); act != expected || !strings.Contains(why, words) {
			t.Errorf("it does %s: %s; want %s: %s", act, why, expected, words)
		}
	}
	a.Contact.Verdict = nil
	want(nil, AloneWait, "its peers are asked")
	a.Contact.Verdict = &Verdict{Kernel: Silent, Daemon: Answers, Why: "its daemon answers"}
	want(nil, AloneWait, "not fenced")
	a = silentTo(w, 3*time.Second)
	want(nil, AloneWrite, "silent for 3s to everybody")
	p := &Parting{Warrant: w, Why: "silent"}
	want(p, AloneShoot, "silent")
	a.Busy = true
	want(p, AloneWait, "is being fenced")
	a.Busy, a.Tried = false, 1
	want(p, AloneWait, "tried again")
	a.Rested = 2 * time.Second
	want(p, AloneShoot, "")
	a.Contact.Silence = 0
	want(p, AloneWait, "has its time first")
	a.Rested = w.Delay / 2
	want(p, AloneGiveUp, "heard again")
	for _, r := range []fence.Result{{Outcome: fence.Refuted}, {Outcome: fence.Unknown}, {Outcome: fence.Confirmed, Proven: fence.Proven{Nature: fence.ByStorage}}} {
		if next, proven := p.After(r); proven || next.Result != nil {
			t.Errorf("%+v proves the other one off", r)
		}
	}
	next, proven := p.After(fence.Result{Outcome: fence.Confirmed})
	if !proven {
		t.Error("a confirmed off proves nothing")
	}
	p = &next
	want(p, AloneGoOn, "confirmed off")
	a.Boot = "node1-boot-2"
	want(p, AloneGiveUp, "has booted since")
	p.Result, a.Rested = nil, time.Second
	want(p, AloneWait, "has its time")
	a.Rested = w.Delay / 2
	want(p, AloneGiveUp, "has booted since")
}

// TestTheTurnsNeverMeet: whatever the two clocks differ by within one percent,
// and the beginnings by a second, there is always time between the turns for
// what was sent to arrive.
func TestTheTurnsNeverMeet(t *testing.T) {
	for _, delay := range []time.Duration{TwoNodeDelayShortest, TwoNodeDelay, TwoNodeDelayLongest} {
		one, other := Warrant{Delay: delay, Favoured: true}, Warrant{Delay: delay}
		var last [2]time.Duration // when each could last shoot
		turns := 0
		for at := time.Duration(0); at < 6*time.Hour; at += 50 * time.Millisecond {
			slow := at - at/200
			fast := at + at/200 - 500*time.Millisecond
			for i, w := range []Warrant{one, other} {
				now := slow
				if i == 1 {
					now = fast
				}
				if !w.MayShoot(Apart{For: now}) {
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
	w := twoNodes(t).warrant("node2")
	a := silentTo(w, 3*time.Second)
	if act, why := Alone(w, nil, a); act != AloneWait || !strings.Contains(why, "node2 shoots in 14.9s") {
		t.Errorf("the node that is not favoured does %s: %s", act, why)
	}
	a.OffAfter = time.Second
	if act, why := Alone(w, nil, a); act != AloneWrite {
		t.Errorf("with the other one off it does %s: %s", act, why)
	}
	a.OffAfter = 2500 * time.Millisecond // it may have shot before
	if act, why := Alone(w, nil, a); act != AloneWait {
		t.Errorf("with the other one off since it could have shot it does %s: %s", act, why)
	}
}

func TestFavouredByTheDomains(t *testing.T) {
	d := document("vm:a", "vm:b")
	d.TwoNode = &TwoNode{}
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
	if LevelOf(Configure{Document: d}) != levelTwo || LevelOf(GoAlone{}) != levelTwo || LevelOf(Readmit{}) != levelTwo {
		t.Error("older binaries would be given what they do not know")
	}
}

// TestTheBrakeLetsOneOfTwoBeShot where the rule is in force, and not elsewhere.
func TestTheBrakeLetsOneOfTwoBeShot(t *testing.T) {
	plain := newBook(t, 2)
	plain.lose("node2")
	plain.refused(plain.shoot("node2", "node1"), "half of them or more")
	b := twoNodes(t)
	b.lose("node2")
	b.must(b.shoot("node2", "node1"))
}
