package quorum

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestProposeOnAnyNodeReadsItsOwnWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		defer c.close()
		c.leader()
		before := ""
		for i, n := range c.nodes {
			value := fmt.Sprint("value", i)
			committed := n.mustPropose(t, "key", value)
			if committed.Result != before {
				t.Errorf("%s: result %v of Apply, want %q", n.id, committed.Result, before)
			}
			if got := n.machine.get("key"); got != value {
				t.Errorf("%s reads %q right after it wrote %q", n.id, got, value)
			}
			if n.log.Applied() < committed.Index {
				t.Errorf("%s: applied %d, committed %d", n.id, n.log.Applied(), committed.Index)
			}
			before = value
		}
		until(t, "all nodes apply three entries", func() bool {
			return c.nodes[0].machine.applied() == 3 && c.nodes[1].machine.applied() == 3 && c.nodes[2].machine.applied() == 3
		})
		for _, n := range c.nodes[1:] {
			if n.machine.last.At != c.nodes[0].machine.last.At || n.machine.last.At.IsZero() {
				t.Errorf("%s has the entry at %v, %s at %v", n.id, n.machine.last.At, c.nodes[0].id, c.nodes[0].machine.last.At)
			}
		}
	})
}

// Raft alone passes the commit index on after 50 to 100 ms; here no virtual time passes at all.
func TestFollowersApplyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		defer c.close()
		leader := c.leader()
		leader.mustPropose(t, "key", "first")
		time.Sleep(time.Second)
		for i := range 20 {
			index := leader.mustPropose(t, "key", fmt.Sprint(i)).Index
			started := time.Now()
			for _, n := range c.nodes {
				if err := n.log.applier.wait(t.Context(), index); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(started); took > 5*time.Millisecond {
				t.Errorf("followers applied the entry %s after its commit", took)
			}
			time.Sleep(130 * time.Millisecond)
		}
	})
}

func TestIsolatedLeaderIsReplacedAndCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		defer c.close()
		old := c.leader()
		old.mustPropose(t, "key", "old")
		c.network.Isolate(old.id)
		started := time.Now()
		next := c.leader(old)
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("a new leader took %s", took)
		}
		next.mustPropose(t, "key", "new")

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := old.log.Propose(ctx, writeOf("key", "lost")); !errors.Is(err, ErrNoLeader) &&
			!errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("propose on the isolated node: %v", err)
		}
		if err := old.log.Verify(ctx); err == nil {
			t.Error("the isolated node says its state is current")
		}
		c.network.Mend()
		until(t, "the old leader sees the new value", func() bool { return old.machine.get("key") == "new" })
		if err := old.log.Verify(t.Context()); err != nil {
			t.Errorf("verify after the links are back: %v", err)
		}
	})
}

func TestVerifyMakesAFollowerCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		defer c.close()
		leader, follower := c.leader(), c.follower()
		for i := range 50 {
			value := fmt.Sprint(i)
			leader.mustPropose(t, "key", value)
			if err := follower.log.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := follower.machine.get("key"); got != value {
				t.Fatalf("after Verify the follower reads %q, acknowledged was %q", got, value)
			}
		}
	})
}

func TestNewMemberGetsASnapshotThenAVote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		small := func(o *Options) {
			o.SnapshotThreshold, o.TrailingEntries, o.SnapshotInterval = 20, 5, 100*time.Millisecond
		}
		c := newCluster(t, 1, small)
		defer c.close()
		first := c.leader()
		for i := range 100 {
			first.mustPropose(t, fmt.Sprint("key", i), "value")
			time.Sleep(10 * time.Millisecond)
		}
		late := c.add("late", nil, small)
		if late.log.Role().Member {
			t.Error("a node that nobody added is a member")
		}
		if err := first.log.AddNonvoter(t.Context(), "late", "late"); err != nil {
			t.Fatal(err)
		}
		until(t, "the new node has the first key", func() bool { return late.machine.get("key0") == "value" })
		if applied := late.machine.applied(); applied >= 100 {
			t.Errorf("the new node applied %d entries one by one; it should have got a snapshot", applied)
		}
		until(t, "the new node is as far as the leader", func() bool { return late.log.Applied() == first.log.Applied() })
		if err := first.log.AddVoter(t.Context(), "late", "late"); err != nil {
			t.Fatal(err)
		}
		if err := first.log.HandOver(t.Context(), "late"); err != nil {
			t.Fatal(err)
		}
		if leader := c.leader(first); leader != late {
			t.Errorf("%s leads after the hand-over", leader.id)
		}
		if err := first.log.Remove(t.Context(), "late"); !errors.Is(err, ErrNotLeader) {
			t.Errorf("remove on a follower: %v", err)
		}
		if err := late.log.Remove(t.Context(), first.id); err != nil {
			t.Fatal(err)
		}
		until(t, "the removed node knows it", func() bool { return !first.log.Role().Member })
		late.mustPropose(t, "alone", "yes")
	})
}

func TestRolesTellTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		defer c.close()
		leader, follower := c.leader(), c.follower()
		until(t, "the follower knows the leader", func() bool { return follower.log.Role().Leader == leader.id })
		synctest.Wait()
		if role := <-follower.log.Roles(); role.Leader != leader.id || !role.Voter || role.IsLeader {
			t.Errorf("the follower was told %+v", role)
		}
		if err := leader.log.HandOver(t.Context(), follower.id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if role := <-follower.log.Roles(); !role.IsLeader || role.Leader != follower.id {
			t.Errorf("the new leader was told %+v", role)
		}
	})
}

func TestLimitsRefuseBeforeAnythingIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(o *Options) { o.MaxProposals = 2 })
		defer c.close()
		leader := c.leader()
		if _, err := leader.log.Propose(t.Context(), make([]byte, MaxEntryBytes+1)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a large entry: %v", err)
		}
		c.network.Isolate(c.nodes[0].id)
		c.network.Isolate(c.nodes[1].id)
		c.network.Isolate(c.nodes[2].id)
		time.Sleep(5 * time.Second)
		answers := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := leader.log.Propose(t.Context(), writeOf("key", "value"))
				answers <- err
			}()
		}
		if err := <-answers; !errors.Is(err, ErrBusy) {
			t.Errorf("the third proposal: %v", err)
		}
		for range 2 {
			if err := <-answers; !errors.Is(err, ErrNoLeader) {
				t.Errorf("a proposal without a quorum: %v", err)
			}
		}
	})
}

// A host without power neither answers nor hangs up. A proposal on its way to it must not wait
// for a timeout of its own when the others have a new leader.
func TestProposalToADeadLeaderEndsWithTheElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, nil)
		defer c.close()
		old, follower := c.leader(), c.follower()
		follower.mustPropose(t, "key", "before")
		c.network.Freeze(old.id)
		started := time.Now()
		_, err := follower.log.Propose(t.Context(), writeOf("key", "doubtful"))
		if !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("the outcome of a proposal that a dead leader took: %v", err)
		}
		follower.mustPropose(t, "key", "after")
		if took := time.Since(started); took > 4*time.Second {
			t.Errorf("two proposals across the election took %s", took)
		}
	})
}

// However many ask at once from outside, the leader is read from a few times, each answer is as new
// as its question, and this node's own calls find their places.
func TestManyReadersShareOneRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(o *Options) { o.MaxProposals = 4 })
		defer c.close()
		leader, follower := c.leader(), c.follower()
		for i := range 20 {
			value := fmt.Sprint(i)
			leader.mustPropose(t, "key", value)
			wrong := make(chan string, 100)
			for range cap(wrong) {
				go func() {
					err := follower.log.VerifyShared(t.Context())
					if got := follower.machine.get("key"); err != nil || got != value {
						wrong <- fmt.Sprintf("%v, it reads %q, acknowledged was %q", err, got, value)
						return
					}
					wrong <- ""
				}()
			}
			if _, err := follower.log.Propose(t.Context(), writeOf("own", value)); err != nil {
				t.Fatalf("the node's own proposal beside 100 readers: %v", err)
			}
			for range cap(wrong) {
				if problem := <-wrong; problem != "" {
					t.Fatal(problem)
				}
			}
		}
	})
}

// TestAReadUnderWayAnswersNoLaterQuestion: it may be older than the question. All that ask
// meanwhile share the next one.
func TestAReadUnderWayAnswersNoLaterQuestion(t *testing.T) {
	underWay := &sharedRead{done: make(chan struct{})}
	reads := &sharedReads{running: underWay}
	first, second := reads.join(nil), reads.join(nil)
	if first == underWay {
		t.Error("a question is answered by a read that began before it")
	}
	if first != second {
		t.Error("two questions at once cost two reads")
	}
}

// A leader that is asked by other nodes as much as it can stand has places left for its own
// decisions.
func TestOtherNodesLeaveTheLeaderItsPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(o *Options) { o.MaxProposals = 2 })
		defer c.close()
		leader := c.leader()
		for range cap(leader.log.forwarded) {
			leader.log.forwarded <- struct{}{}
		}
		if _, err := leader.log.answer(t.Context(), kindReadIndex, nil); !errors.Is(err, ErrBusy) {
			t.Errorf("one question too many of other nodes: %v", err)
		}
		if _, err := leader.log.ProposeHere(t.Context(), writeOf("key", "value")); err != nil {
			t.Errorf("the leader's own decision: %v", err)
		}
	})
}
