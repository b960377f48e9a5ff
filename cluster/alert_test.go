package cluster

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAnAlertChoosesItsEvents(t *testing.T) {
	s := &State{Cluster: "demo"}
	s.Nodes.Set("node1", Member{Name: "node1"})
	lost := Event{Subject: "node1", Node: "node1", From: "online", To: "lost"}
	failed := Event{Subject: "vm:web", Node: "node1", From: "started", To: "failed"}
	founded := Event{Subject: "demo", Why: "the cluster was founded"}
	still := Event{Subject: "vm:web", Node: "node1", From: "failed", To: "failed"}
	itself := Event{Subject: "alert:pager", Node: "node1", To: "failing"}
	for _, c := range []struct {
		alert Alert
		want  [5]bool
	}{
		{Alert{}, [5]bool{true, true, true, true, false}},
		{Alert{Kinds: []string{"node"}}, [5]bool{true, false, false, false, false}},
		{Alert{Kinds: []string{"service", "cluster"}}, [5]bool{false, true, true, true, false}},
		{Alert{Subjects: []string{"vm:*"}}, [5]bool{false, true, false, true, false}},
		{Alert{Subjects: []string{"node1", "vm:d?"}}, [5]bool{true, false, false, false, false}},
		{Alert{States: []string{"failed", "lost"}}, [5]bool{true, true, false, false, false}},
		{Alert{States: []string{"failed"}, Kinds: []string{"node"}}, [5]bool{}},
		{Alert{Subjects: []string{"["}}, [5]bool{}},
	} {
		for i, e := range []Event{lost, failed, founded, still, itself} {
			if got := c.alert.Wants(s.KindOf(e), e); got != c.want[i] {
				t.Errorf("%+v, event about %s: %v", c.alert, e.Subject, got)
			}
		}
	}
}

func alerted(t *testing.T) *book {
	t.Helper()
	b := &book{t: t, s: &State{}, at: founded}
	b.must(Init{Cluster: "demo", ID: "id"})
	b.s.Level = levelTwo
	d := document()
	d.Alerts = map[string]Alert{"pager": {Name: "pager", Program: "/bin/true"}}
	b.must(configure(d, 0))
	return b
}

func TestANewAlertIsNotToldOfThePast(t *testing.T) {
	b := alerted(t)
	cursor, _ := b.s.Alerts.Get("pager")
	for _, e := range b.s.Timeline {
		if cursor.Before(e) {
			t.Errorf("it is told of %+v", e)
		}
	}
	d := document()
	d.Alerts = map[string]Alert{"other": {Name: "other", Program: "/bin/true"}}
	b.must(configure(d, 1))
	if b.s.Alerts.Has("pager") || !b.s.Alerts.Has("other") {
		t.Errorf("the cursors are those of %v", b.s.Alerts.Keys())
	}
}

func TestAnAlertsCursorOnlyGoesForward(t *testing.T) {
	b := alerted(t)
	b.must(Told{Alert: "pager", Index: 10, Ordinal: 1, Sent: 2})
	b.refused(Told{Alert: "pager", Index: 10, Ordinal: 1, Sent: 1}, "told that already")
	b.refused(Told{Alert: "pager", Index: 9, Sent: 1}, "told that already")
	b.refused(Told{Alert: "nobody", Index: 11}, "there is no alert")
	b.must(Told{Alert: "pager", Index: 10, Ordinal: 2, Sent: 1})
	if cursor, _ := b.s.Alerts.Get("pager"); cursor.Sent != 3 || cursor.Index != 10 || cursor.Ordinal != 2 {
		t.Errorf("the cursor is %+v", cursor)
	}
}

func TestTheTimelineTellsWhereTroubleBeginsAndEnds(t *testing.T) {
	b := alerted(t)
	var told []string
	index := uint64(10)
	note := func(c Told, pause time.Duration) {
		index++
		c.Alert, c.Node, c.Index = "pager", "node1", index
		b.at = b.at.Add(pause)
		for _, e := range b.must(c).Events {
			told = append(told, e.From+">"+e.To+" "+e.Why)
		}
	}
	note(Told{Sent: 1}, 0)
	note(Told{Failed: 1, Problem: "it does not answer", Trouble: "it does not answer"}, 0)
	note(Told{Failed: 2, Problem: "it does not answer", Trouble: "it does not answer"}, time.Hour)
	note(Told{Sent: 1}, 0)
	note(Told{Dropped: 5, Sent: 1, Trouble: "more than 256 events waited"}, 0) // too soon after the last complaint
	note(Told{Sent: 1}, 2*time.Minute)
	want := []string{
		">failing 1 event not told: it does not answer",
		"failing>working it works again; 3 events not told since 2026-01-05 08:00:04 UTC",
		">working 5 events not told: more than 256 events waited",
	}
	if len(told) != len(want) {
		t.Fatalf("told %q", told)
	}
	for i := range want {
		if !strings.HasPrefix(told[i], want[i]) {
			t.Errorf("told %q, want %q", told[i], want[i])
		}
	}
}

func TestAlertsNeedLevelTwo(t *testing.T) {
	d := document()
	d.Alerts = map[string]Alert{"pager": {Name: "pager"}}
	if LevelOf(configure(d, 0)) != levelTwo || LevelOf(Told{}) != levelTwo {
		t.Error("an older binary would be handed alerts")
	}
}

func TestARestoreTellsNothingTwiceAndMissesNothing(t *testing.T) {
	b := alerted(t)
	for range 20 {
		b.must(LockCluster{}, UnlockCluster{})
	}
	b.must(Told{Alert: "pager", Index: b.s.Index, Ordinal: 1, Sent: 40})
	backup, err := json.Marshal(b.s)
	if err != nil {
		t.Fatal(err)
	}
	old := len(b.s.Timeline)
	fresh := &book{t: t, s: &State{}, at: founded}
	fresh.must(Restore{State: backup, By: "root"})
	fresh.must(LockCluster{})
	cursor, _ := fresh.s.Alerts.Get("pager")
	for i, e := range fresh.s.Timeline {
		if news := i > old; cursor.Before(e) != news {
			t.Errorf("event %d of %d (%d.%d) is news to the alert: %v", i, len(fresh.s.Timeline), e.Index, e.Ordinal, !news)
		}
		if i > 0 && !(Cursor{Index: fresh.s.Timeline[i-1].Index, Ordinal: fresh.s.Timeline[i-1].Ordinal}).Before(e) {
			t.Errorf("event %d stands before the one it follows", i)
		}
	}
	if cursor.Sent != 40 {
		t.Errorf("the cursor is %+v", cursor)
	}
}
