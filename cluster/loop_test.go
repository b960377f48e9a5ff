package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

func TestPausesBetweenRestartsGrow(t *testing.T) {
	var pauses []time.Duration
	for rounds := range 9 {
		pauses = append(pauses, (&cluster.Loop{Rounds: rounds}).Pause()/time.Second)
	}
	if got, want := fmt.Sprint(pauses), fmt.Sprint([]time.Duration{0, 0, 1, 2, 4, 8, 16, 30, 30}); got != want {
		t.Errorf("the pauses are %s, wanted %s", got, want)
	}
	if (*cluster.Loop)(nil).Pause() != 0 {
		t.Error("what was never in a loop rests")
	}
}

// One subject that talks all the time pushes nothing out of the timeline but itself.
func TestTheTimelineKeepsRoomForOthers(t *testing.T) {
	s := &cluster.State{}
	index := uint64(0)
	tell := func(subject string) {
		index++
		s.Record([]cluster.Event{{Index: index, Subject: subject}})
	}
	for range 50 {
		tell("vm:quiet")
	}
	for range 5 * cluster.MaxEvents {
		tell("vm:loud")
		if len(s.Timeline) > cluster.MaxEvents {
			t.Fatalf("%d events are kept", len(s.Timeline))
		}
	}
	quiet := 0
	for i, e := range s.Timeline {
		if e.Subject == "vm:quiet" {
			quiet++
		}
		if i > 0 && e.Index <= s.Timeline[i-1].Index {
			t.Fatalf("event %d stands behind %d", e.Index, s.Timeline[i-1].Index)
		}
	}
	if newest := s.Timeline[len(s.Timeline)-1].Index; quiet != 50 || newest != index {
		t.Errorf("%d events of the quiet one are left, and the newest is %d of %d", quiet, newest, index)
	}
	if s.Forgotten <= 50 || s.Forgotten >= index {
		t.Errorf("forgotten up to %d of %d", s.Forgotten, index)
	}
	for i := range 2 * cluster.MaxEvents { // of many who say little the oldest go
		tell(fmt.Sprintf("vm:%d", i))
	}
	if s.Timeline[0].Subject == "vm:quiet" {
		t.Error("what is older than all else is kept for ever")
	}
}
