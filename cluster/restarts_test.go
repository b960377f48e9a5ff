package cluster

import (
	"testing"
	"time"
)

func TestStartsInARowAreALoop(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var r *Restarts
	told := 0
	for round := 1; round <= 20; round++ {
		r = r.another(at)
		if r.loop() != (round > restartsKnown) {
			t.Errorf("after %d starts: loop %v", round, r.loop())
		}
		if r.told() {
			told++
		}
		at = at.Add(restartsApart)
	}
	if told != 6 { // the 1st to 4th, the 8th and the 16th
		t.Errorf("%d of 20 rounds are told", told)
	}
	if r = r.another(at.Add(time.Second)); r.Count != 1 {
		t.Error("a daemon that ran for longer than that is still in its loop")
	}
	if r = r.another(at.Add(-time.Hour)); r.Count != 1 || r.loop() {
		t.Error("a clock that was set back makes a loop")
	}
}

// TestNobodySendsAServiceIntoALoop: a person's request is refused with the reason, until a start of
// the daemon has lasted.
func TestNobodySendsAServiceIntoALoop(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	for range restartsKnown + 1 {
		b.up("node2", "node2-boot-1")
	}
	move := Ask{Request: "soon", Op: OpMigrate, Service: "vm:a", Node: "node2", By: "root"}
	b.must(move)
	b.says("soon", codeNodeDead, "node2 is given no work now: "+b.node("node2").Restarts.says()+
		"; `journalctl -u clusterd` there says why")
	b.at = b.at.Add(restartsApart)
	move.Request = "later"
	b.must(move)
	if r, _ := b.s.Requests.Get("later"); r.Done {
		t.Errorf("once it stays up: %d %q", r.Code, r.Why)
	}
}
