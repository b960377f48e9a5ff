package limits

import (
	"strconv"
	"testing"
	"time"
)

func TestACrowdPushesOutItsOwn(t *testing.T) {
	pot := &Pot[int]{Most: 4, Each: 3}
	pot.Enter("honest", 0)
	for i := 1; i <= 100; i++ {
		pushed, room := pot.Enter("crowd", i)
		if !room || pushed != nil && *pushed == 0 {
			t.Fatalf("place %d: pushed %v, room %v", i, pushed, room)
		}
	}
	if pot.Count() != 4 {
		t.Errorf("%d places are taken, want 4", pot.Count())
	}
	if !pot.Leave("honest", 0) {
		t.Error("the honest one lost its place")
	}
	if pot.Leave("crowd", 1) {
		t.Error("the oldest of the crowd still has its place")
	}
}

func TestAFullPotTakesFromWhoeverHasMost(t *testing.T) {
	pot := &Pot[int]{Most: 4, Each: 3}
	pot.Enter("honest", 0)
	for i := 1; i <= 3; i++ {
		pot.Enter("crowd", i)
	}
	pushed, room := pot.Enter("late", 9)
	if !room || pushed == nil || *pushed != 1 {
		t.Errorf("the late one pushed out %v, room %v; want the crowd's oldest", pushed, room)
	}
}

func TestAPotThatKeepsRefuses(t *testing.T) {
	pot := &Pot[int]{Most: 3, Each: 2, Keeps: true}
	for i, want := range []bool{true, true, false} {
		if _, room := pot.Enter("node2", i); room != want {
			t.Errorf("place %d of one node: %v", i, room)
		}
	}
	if _, room := pot.Enter("node3", 5); !room {
		t.Error("another node found no room")
	}
	if _, room := pot.Enter("node4", 6); room {
		t.Error("there was a place too many")
	}
	pot.Leave("node2", 0)
	if _, room := pot.Enter("node4", 6); !room {
		t.Error("a place that was given back is not there")
	}
}

func TestPaceIsPerHolderAndBounded(t *testing.T) {
	pace, now := &Pace{Rate: 10, Burst: 5, Holders: 8, Most: time.Minute}, time.Unix(1000, 0)
	var longest time.Duration
	for range 25 {
		longest = pace.Wait("crowd", now)
	}
	if longest != 2*time.Second {
		t.Errorf("the 25th request waits %s, want 2s", longest)
	}
	if !pace.Overdrawn("crowd", now) || pace.Overdrawn("honest", now) {
		t.Error("who asked too often is not known")
	}
	for range 10000 {
		longest = pace.Wait("crowd", now)
	}
	if longest != time.Minute {
		t.Errorf("after 10000 requests one waits %s, want 1m0s at most", longest)
	}
	if wait := pace.Wait("honest", now); wait != 0 {
		t.Errorf("somebody else waits %s", wait)
	}
	if wait := pace.Wait("crowd", now.Add(2*time.Minute)); wait != 0 {
		t.Errorf("after quiet minutes it waits %s", wait)
	}
	for i := range 1000 {
		pace.Wait(strconv.Itoa(i), now)
	}
	if len(pace.next) > 8 {
		t.Errorf("%d holders are remembered, want 8 at most", len(pace.next))
	}
}

func TestQuietCountsWhatItDoesNotTell(t *testing.T) {
	quiet, now := &Quiet{Most: 2, Window: time.Second}, time.Unix(1000, 0)
	told := 0
	for range 1000 {
		if _, tell := quiet.Tell(now); tell {
			told++
		}
	}
	unsaid, tell := quiet.Tell(now.Add(time.Second))
	if told != 2 || !tell || unsaid != 998 {
		t.Errorf("told %d, then %v with %d unsaid; want 2, true, 998", told, tell, unsaid)
	}
}
