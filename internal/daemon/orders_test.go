package daemon

import (
	"net/http"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

// TestWhatWouldHappenChangesNothing asks for a rehearsal and for the table
// behind a placement through any node.
func TestWhatWouldHappenChangesNothing(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1"})
		at := s.followers()[0]
		before := s.atRest(at)
		var rehearsal cluster.Rehearsal
		s.must(at, rootUser, "POST", api.PathRequests, api.Request{ID: "x", Op: cluster.OpMigrate, Service: "vm:a",
			Node: "node2", DryRun: true}, &rehearsal)
		if rehearsal.Text != "Success" || rehearsal.Owner != "node2" || len(rehearsal.Events) != 3 {
			t.Errorf("the rehearsal is %+v", rehearsal)
		}
		var why cluster.Explanation
		s.must(at, anybody, "GET", api.PathServices+"/vm:a/why", nil, &why)
		if why.Owner != "node1" || len(why.Candidates) != 3 || !why.Candidates[0].Here || why.Decision == nil {
			t.Errorf("the explanation is %+v", why)
		}
		if code, body := s.ask(at, anybody, "GET", api.PathServices+"/vm:b/why", nil); code != http.StatusNotFound {
			t.Errorf("a service that is not there: %d %s", code, body)
		}
		if after := s.status(at).Index; after != before || s.service(at, "vm:a").Owner != "node1" {
			t.Errorf("the state went from index %d to %d", before, after)
		}
		if code, _ := s.ask(at, anybody, "GET", api.PathRequests+"/x", nil); code != http.StatusNotFound {
			t.Errorf("the id of a rehearsal is used up: %d", code)
		}
	})
}

// atRest waits until nothing is on its way into a node's State, such as what the
// devices answer its peers, and returns its index.
func (s *site) atRest(at string) uint64 {
	s.t.Helper()
	index, since := s.status(at).Index, time.Now()
	s.until("the log of "+at+" stands still", func() bool {
		if now := s.status(at).Index; now != index {
			index, since = now, time.Now()
		}
		return time.Since(since) >= 5*time.Second
	})
	return index
}

// TestTheLockAndAFreezeAreShownEverywhere takes both through one node and reads
// them through another.
func TestTheLockAndAFreezeAreShownEverywhere(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1"})
		here, there := s.followers()[0], s.followers()[1]
		var reply api.Reply
		s.must(here, rootUser, "POST", api.PathLock, api.LockRequest{Op: "lock", Reason: "moving house"}, &reply)
		var lock api.LockStatus
		s.must(there, anybody, "GET", api.PathLock, nil, &lock)
		if !lock.Locked || lock.Reason != "moving house" || lock.By == "" || s.status(there).Lock == nil {
			t.Errorf("the lock is shown as %+v", lock)
		}
		s.must(here, rootUser, "POST", api.PathRequests, api.Request{ID: "1", Op: cluster.OpRestart, Service: "vm:a"}, &reply)
		if reply.Code != -6 {
			t.Errorf("a restart under the lock is answered with %+v", reply)
		}
		s.must(here, rootUser, "POST", api.PathLock, api.LockRequest{Op: "unlock"}, &reply)
		s.must(here, rootUser, "POST", api.PathRequests, api.Request{ID: "2", Op: cluster.OpFreeze, Service: "vm:a",
			For: 30 * time.Second}, &reply)
		s.until("the other node shows the freeze", func() bool {
			v := s.status(there).Services[0]
			return v.Freeze != nil && !v.Freeze.Until.IsZero() && v.FlagsText == "Z"
		})
		took := s.until("the freeze ends by itself", func() bool { return s.status(there).Services[0].Flags == 0 })
		if took < 28*time.Second || took > 33*time.Second {
			t.Errorf("the freeze of 30s ended after %s", took)
		}
		if code, body := s.ask(here, rootUser, "POST", api.PathLock,
			api.LockRequest{Op: "open"}); code != http.StatusBadRequest {
			t.Errorf("an operation that is none: %d %s", code, body)
		}
	})
}

// TestANodeIsDrainedAndReturns gives the order through a follower, sees the plan
// first, and gets everything back.
func TestANodeIsDrainedAndReturns(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1", "vm:b": "node1"})
		at := s.followers()[0]
		var plan api.DrainReply
		s.must(at, anybody, "GET", api.PathNodes+"/node1/plan?order=drain&within=1m", nil, &plan)
		if len(plan.Steps) != 2 || plan.Steps[0].Method != cluster.MethodLive || plan.Steps[0].Target == "node1" ||
			plan.Steps[0].Target == "" {
			t.Errorf("the plan is %+v", plan)
		}
		order := func(op string) {
			var reply api.Reply
			s.must(at, rootUser, "POST", api.PathNodes, api.NodeRequest{ID: op, Op: op, Node: "node1", Reason: "new fans"},
				&reply)
		}
		orderOf := func() *api.NodeOrder {
			for _, n := range s.status(at).Nodes {
				if n.Name == "node1" {
					return n.Order
				}
			}
			return nil
		}
		order("maintenance")
		s.until("node1 holds nothing", func() bool {
			o := orderOf()
			return o != nil && o.Empty && len(o.Holds) == 0
		})
		if o := orderOf(); o.Order != "maintenance" || o.Reason != "new fans" || o.By == "" {
			t.Errorf("the order is shown as %+v", o)
		}
		order("return")
		s.until("both are back", func() bool {
			return s.service(at, "vm:a").Owner == "node1" && s.service(at, "vm:b").Owner == "node1"
		})
		if code, _ := s.ask(at, anybody, "GET", api.PathNodes+"/node9/plan?order=drain", nil); code != http.StatusNotFound {
			t.Errorf("the plan for a node that is not there: %d", code)
		}
	})
}

// TestTheClusterIsStoppedAndStartedInOrder stops everything and starts it again.
func TestTheClusterIsStoppedAndStartedInOrder(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2"})
		at := s.followers()[0]
		var plan api.HaltReply
		s.must(at, anybody, "GET", api.PathLock+"/plan", nil, &plan)
		if len(plan.Events) != 4 || s.service(at, "vm:a").Owner == "" {
			t.Errorf("the plan is %+v", plan)
		}
		var reply api.Reply
		s.must(at, rootUser, "POST", api.PathLock, api.LockRequest{Op: "stop"}, &reply)
		s.until("everything is stopped", func() bool {
			return s.service(at, "vm:a").State == 110 &&
				s.service(at, "vm:b").State == 110
		})
		if code, _ := s.ask(at, rootUser, "POST", api.PathLock, api.LockRequest{Op: "unlock"}); code != http.StatusConflict {
			t.Errorf("a stopped cluster is unlocked: %d", code)
		}
		s.must(at, rootUser, "POST", api.PathLock, api.LockRequest{Op: "start"}, &reply)
		s.until("everything runs again", func() bool {
			return s.service(at, "vm:a").Owner == "node1" &&
				s.service(at, "vm:b").Owner == "node2"
		})
	})
}
