package cluster_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/internal/message"
)

func TestAnAlertChoosesItsEvents(t *testing.T) {
	s := &cluster.State{Cluster: "demo"}
	s.Nodes.Set("node1", cluster.Member{Name: "node1"})
	lost := cluster.Event{Subject: "node1", Node: "node1", From: "online", To: "lost",
		Why: message.NodeLeft.With()}
	failed := cluster.Event{Subject: "vm:web", Node: "node1", From: "started", To: "failed",
		Why: message.VMCrashed.With("node1")}
	founded := cluster.Event{Subject: "demo", Why: message.Words("the cluster was founded")}
	still := cluster.Event{Subject: "vm:web", Node: "node1", From: "failed", To: "failed"}
	itself := cluster.Event{Subject: "alert:pager", Node: "node1", To: "failing"}
	for _, c := range []struct {
		alert cluster.Alert
		want  [5]bool
	}{
		{cluster.Alert{}, [5]bool{true, true, true, true, false}},
		{cluster.Alert{Kinds: []string{"node"}}, [5]bool{true, false, false, false, false}},
		{cluster.Alert{Kinds: []string{"service", "cluster"}}, [5]bool{false, true, true, true, false}},
		{cluster.Alert{Subjects: []string{"vm:*"}}, [5]bool{false, true, false, true, false}},
		{cluster.Alert{Subjects: []string{"node1", "vm:d?"}}, [5]bool{true, false, false, false, false}},
		{cluster.Alert{States: []string{"failed", "lost"}}, [5]bool{true, true, false, false, false}},
		{cluster.Alert{States: []string{"failed"}, Kinds: []string{"node"}}, [5]bool{}},
		{cluster.Alert{Subjects: []string{"["}}, [5]bool{}},
		{cluster.Alert{Codes: []string{"vm-crashed"}}, [5]bool{false, true, false, false, false}},
		{cluster.Alert{Codes: []string{"node-*", "vm-*"}}, [5]bool{true, true, false, false, false}},
		{cluster.Alert{Codes: []string{"vm-*"}, Kinds: []string{"node"}}, [5]bool{}},
		{cluster.Alert{Codes: []string{"*"}}, [5]bool{true, true, false, false, false}},
	} {
		for i, e := range []cluster.Event{lost, failed, founded, still, itself} {
			if got := c.alert.Wants(s.KindOf(e), e); got != c.want[i] {
				t.Errorf("%+v, event about %s: %v", c.alert, e.Subject, got)
			}
		}
	}
}

func alerted(t *testing.T) *clustertest.Book {
	t.Helper()
	b := &clustertest.Book{T: t, S: &cluster.State{}, At: clustertest.Founded}
	b.Must(cluster.Init{Cluster: "demo", ID: "id", Level: cluster.CurrentLevel})
	d := clustertest.Document()
	d.Alerts = map[string]cluster.Alert{"pager": {Name: "pager", Program: "/bin/true"}}
	b.Must(clustertest.Configure(d, 0))
	return b
}

func TestANewAlertIsNotToldOfThePast(t *testing.T) {
	b := alerted(t)
	cursor, _ := b.S.Alerts.Get("pager")
	for _, e := range b.S.Timeline {
		if cursor.Before(e) {
			t.Errorf("it is told of %+v", e)
		}
	}
	d := clustertest.Document()
	d.Alerts = map[string]cluster.Alert{"other": {Name: "other", Program: "/bin/true"}}
	b.Must(clustertest.Configure(d, 1))
	if b.S.Alerts.Has("pager") || !b.S.Alerts.Has("other") {
		t.Errorf("the cursors are those of %v", b.S.Alerts.Keys())
	}
}

func TestAnAlertsCursorOnlyGoesForward(t *testing.T) {
	b := alerted(t)
	b.Must(cluster.Told{Alert: "pager", Index: 10, Ordinal: 1, Sent: 2})
	b.Refused(cluster.Told{Alert: "pager", Index: 10, Ordinal: 1, Sent: 1}, "told that already")
	b.Refused(cluster.Told{Alert: "pager", Index: 9, Sent: 1}, "told that already")
	b.Refused(cluster.Told{Alert: "nobody", Index: 11}, "there is no alert")
	b.Must(cluster.Told{Alert: "pager", Index: 10, Ordinal: 2, Sent: 1})
	if cursor, _ := b.S.Alerts.Get("pager"); cursor.Sent != 3 || cursor.Index != 10 || cursor.Ordinal != 2 {
		t.Errorf("the cursor is %+v", cursor)
	}
}

func TestTheTimelineTellsWhereTroubleBeginsAndEnds(t *testing.T) {
	b := alerted(t)
	var told []string
	index := uint64(10)
	note := func(c cluster.Told, pause time.Duration) {
		index++
		c.Alert, c.Node, c.Index = "pager", "node1", index
		b.At = b.At.Add(pause)
		for _, e := range b.Must(c).Events {
			told = append(told, e.From+">"+e.To+" "+e.Why.String())
		}
	}
	note(cluster.Told{Sent: 1}, 0)
	note(cluster.Told{Failed: 1, Problem: "it does not answer", Trouble: "it does not answer"}, 0)
	note(cluster.Told{Failed: 2, Problem: "it does not answer", Trouble: "it does not answer"}, time.Hour)
	note(cluster.Told{Sent: 1}, 0)
	note(cluster.Told{Dropped: 5, Sent: 1, Trouble: "more than 256 events waited"}, 0) // too soon after the last complaint
	note(cluster.Told{Sent: 1}, 2*time.Minute)
	want := []string{
		">failing 1 event not delivered: it does not answer",
		"failing>working it works again; 3 events not delivered since 2026-01-05 08:00:04 UTC",
		">working 5 events not delivered: more than 256 events waited",
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

func TestARestoreTellsNothingTwiceAndMissesNothing(t *testing.T) {
	b := alerted(t)
	for range 20 {
		b.Must(cluster.LockCluster{}, cluster.UnlockCluster{})
	}
	b.Must(cluster.Told{Alert: "pager", Index: b.S.Index, Ordinal: 1, Sent: 40})
	backup, err := json.Marshal(b.S)
	if err != nil {
		t.Fatal(err)
	}
	old := len(b.S.Timeline)
	fresh := &clustertest.Book{T: t, S: &cluster.State{}, At: clustertest.Founded}
	fresh.Must(cluster.Restore{State: backup, By: "root"})
	fresh.Must(cluster.LockCluster{})
	cursor, _ := fresh.S.Alerts.Get("pager")
	for i, e := range fresh.S.Timeline {
		if news := i > old; cursor.Before(e) != news {
			t.Errorf("event %d of %d (%d.%d) is news to the alert: %v", i, len(fresh.S.Timeline), e.Index, e.Ordinal, !news)
		}
		if i > 0 && !(cluster.Cursor{Index: fresh.S.Timeline[i-1].Index, Ordinal: fresh.S.Timeline[i-1].Ordinal}).Before(e) {
			t.Errorf("event %d stands before the one it follows", i)
		}
	}
	if cursor.Sent != 40 {
		t.Errorf("the cursor is %+v", cursor)
	}
}
