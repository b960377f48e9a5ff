package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// loseOwner cuts the power of the host that runs vm:web.
func (s *story) loseOwner(ctx context.Context) error {
	status, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	return s.lose(ctx, stage.Owner(status, "vm:web"), "runs vm:web")
}

// loseLeader cuts the power of the host of the Raft leader, which has to run a VM for that.
func (s *story) loseLeader(ctx context.Context) error {
	status, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	if stage.Owner(status, "vm:web") != status.Leader {
		s.headline("vm:web is moved to %s, where the Raft leader is", status.Leader)
		if result := s.show(ctx, "node1", "clusvcadm", "-M", "vm:web", "-m", status.Leader); !result.OK() {
			return fmt.Errorf("vm:web could not be moved to the leader's host %s", status.Leader)
		}
		if status, err = s.cluster.Status(ctx); err != nil {
			return err
		}
	}
	return s.lose(ctx, status.Leader, "is the Raft leader and runs vm:web")
}

// loseHome cuts the power of the host that vm:web prefers, if that was not done
// yet: leadership can have moved, and only a home that comes back shows a failback.
func (s *story) loseHome(ctx context.Context) error {
	if slices.ContainsFunc(s.cuts, func(c cut) bool { return c.node == preferences["vm:web"][0] }) {
		return nil
	}
	if err := s.loseOwner(ctx); err != nil {
		return err
	}
	return s.comeBack(ctx)
}

// lose cuts the power of a node that runs vm:web and waits until all services run again.
func (s *story) lose(ctx context.Context, victim, role string) error {
	s.headline("%s, which %s, loses its power", victim, role)
	status, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	seen := s.web.Seen()
	c := cut{node: victim, role: role, index: status.Index, nonce: seen.Nonce}
	for _, service := range status.Services {
		if service.Owner == victim {
			c.owned = append(c.owned, service.Name)
		}
	}
	s.say("The leader is %s. On %s: %s. The power goes now.", status.Leader, victim, strings.Join(c.owned, ", "))
	s.web.Reset()
	c.at = time.Now()
	if err := s.cluster.CutPower(victim); err != nil {
		return err
	}
	s.cuts = append(s.cuts, c)
	after, err := s.cluster.Wait(ctx, "the VMs of "+victim+" run on other nodes", func(st api.Status) bool {
		return stage.AllStarted(st) &&
			!slices.ContainsFunc(st.Services, func(service api.Service) bool { return service.Owner == victim })
	})
	if err != nil {
		return err
	}
	if err := s.waitForAnswer(ctx); err != nil {
		return err
	}
	s.checkRecovery(ctx, c, after)
	return nil
}

// checkRecovery checks that each VM was started elsewhere, and only after its old host was
// confirmed off.
func (s *story) checkRecovery(ctx context.Context, c cut, status api.Status) {
	survivor := stage.OnlineNodes(status)[0]
	s.show(ctx, survivor, "clustat")
	seen := s.web.Seen()
	s.check(seen.Nonce != c.nonce, "vm:web is another run of the guest: %s, the lost one was %s", short(seen.Nonce),
		short(c.nonce))
	s.say("  vm:web answers again %s after the power cut.", span(seen.RunSince.Sub(c.at)))
	events, err := s.cluster.Events(ctx, survivor, c.index)
	if err != nil {
		s.checkNone(err, "the timeline can be read on %s", survivor)
		return
	}
	fenced := find(events, func(e cluster.Event) bool { return e.Subject == c.node && e.To == string(cluster.NodeFenced) })
	s.check(fenced != nil && !s.cluster.Powered(c.node), "%s is confirmed off by its BMC", c.node)
	if fenced == nil {
		return
	}
	s.say("  event %d: %s", fenced.Index, fenced.Why)
	for _, name := range c.owned {
		s.checkOrder(events, c, name, fenced)
	}
	s.checkNowhereElse(ctx, "web", stage.Owner(status, "vm:web"))
	s.checkWriters()
}

// checkOrder compares indexes of the log, which no clock can confuse, and the measured moments too.
func (s *story) checkOrder(events []cluster.Event, c cut, service string, fenced *cluster.Event) {
	starting := find(events, func(e cluster.Event) bool { return e.Subject == service && e.To == "starting" })
	started := find(events, func(e cluster.Event) bool { return e.Subject == service && e.To == "started" })
	if starting == nil || started == nil {
		s.check(false, "the timeline has the start of %s", service)
		return
	}
	inOrder := fenced.Index < starting.Index && starting.Index < started.Index && started.Node != c.node
	s.check(inOrder, "%s: off confirmed (event %d) before its start was decided (event %d); it runs on %s (event %d)",
		service, fenced.Index, starting.Index, started.Node, started.Index)
	issued, running := phase(*started, "start issued"), phase(*started, "VM running")
	off := lastPhase(*fenced)
	s.check(!off.IsZero() && !issued.IsZero() && !issued.Before(off),
		"%s: the start was issued %s after the last proof of off; VM running %s after the power cut",
		service, span(issued.Sub(off)), span(running.Sub(c.at)))
}

func find(events []cluster.Event, wanted func(cluster.Event) bool) *cluster.Event {
	if at := slices.IndexFunc(events, wanted); at >= 0 {
		return &events[at]
	}
	return nil
}

func phase(event cluster.Event, what string) time.Time {
	for _, p := range event.Phases {
		if p.What == what {
			return p.At
		}
	}
	return time.Time{}
}

func lastPhase(event cluster.Event) time.Time {
	if len(event.Phases) == 0 {
		return time.Time{}
	}
	return event.Phases[len(event.Phases)-1].At
}

// comeBack gives the last lost host its power back and waits until the domains are satisfied.
func (s *story) comeBack(ctx context.Context) error {
	c := s.cuts[len(s.cuts)-1]
	s.headline("%s gets its power back", c.node)
	before, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	s.web.Reset()
	seen := s.web.Seen()
	began := time.Now()
	if err := s.cluster.Boot(ctx, c.node); err != nil {
		return err
	}
	if _, err := s.cluster.Wait(ctx, c.node+" is online again",
		func(st api.Status) bool { return len(stage.OnlineNodes(st)) == 3 }); err != nil {
		return err
	}
	s.say("%s booted and is a member again after %s.", c.node, span(time.Since(began)))
	after, err := s.cluster.Wait(ctx, "the services are where their domains want them", func(st api.Status) bool {
		return stage.AllStarted(st) && stage.Protected(st) && stage.Owner(st, "vm:web") == preferences["vm:web"][0] &&
			stage.Owner(st, "vm:mail") == preferences["vm:mail"][0]
	})
	if err != nil {
		return err
	}
	s.show(ctx, c.node, "clustat")
	s.checkFailback(before, after)
	s.checkMoved(ctx, before, after, seen)
	s.checkWriters()
	return nil
}

// checkFailback checks each service against its domain.
func (s *story) checkFailback(before, after api.Status) {
	for _, service := range services {
		was, is := stage.Owner(before, service.Name()), stage.Owner(after, service.Name())
		wanted, failsBack := preferences[service.Name()]
		switch {
		case failsBack && was != is:
			s.check(is == wanted[0], "%s failed back from %s to %s, as its domain wants", service.Name(), was, is)
		case failsBack:
			s.check(is == wanted[0], "%s is where its domain wants it: %s", service.Name(), is)
		default:
			s.check(was == is, "%s stays on %s: nothing calls it back", service.Name(), is)
		}
	}
}

// checkMoved checks that a failback of vm:web was a live migration: the same guest, hardly
// interrupted.
func (s *story) checkMoved(ctx context.Context, before, after api.Status, seen stage.Seen) {
	if stage.Owner(before, "vm:web") == stage.Owner(after, "vm:web") {
		return
	}
	if err := s.waitForAnswer(ctx); err != nil {
		s.checkNone(err, "vm:web answers after its failback")
		return
	}
	now := s.web.Seen()
	s.check(now.Runs == 1 && now.TickWentBack == 0,
		"the failback was live: one run of the guest, counter unbroken (%d, now %d)", seen.Tick, now.Tick)
	s.check(now.Silence < time.Second, "vm:web was silent for less than a second: %s", span(now.Silence))
	s.checkNowhereElse(ctx, "web", stage.Owner(after, "vm:web"))
}

// judge shows what the witness wrote down and then the whole timeline, which is what an
// administrator would read.
func (s *story) judge(ctx context.Context) error {
	s.headline("What the witness of the disks wrote down")
	for _, service := range services {
		lines, err := s.cluster.Record(service.Guest)
		s.say("\n%s", service.Guest.Name)
		for _, line := range lines {
			s.say("  %s", line)
		}
		s.checkNone(err, "the record of %s is complete", service.Guest.Name)
	}
	s.checkWriters()
	if err := s.checkWhole(ctx); err != nil {
		return err
	}
	s.headline("The whole story with its phases, as the cluster tells it")
	result := s.show(ctx, "node1", "clustat", "--events", "--limit", "1000")
	s.check(result.OK() && strings.Contains(result.Output, "off confirmed"),
		"clustat --events tells the timeline and its phases")
	return nil
}

// checkWhole checks what no step could see alone.
func (s *story) checkWhole(ctx context.Context) error {
	events, err := s.cluster.Events(ctx, "node1", s.cuts[0].index)
	if err != nil {
		return err
	}
	failback := find(events, func(e cluster.Event) bool {
		return e.Subject == "vm:web" && e.To == "migrating" && strings.Contains(e.Why.String()+e.By, "failback")
	})
	s.check(failback != nil, "vm:web failed back by its domain at least once")
	var roles []string
	for _, c := range s.cuts {
		roles = append(roles, c.node+" ("+c.role+")")
	}
	s.check(len(s.cuts) >= 2, "power was cut on %s", strings.Join(roles, " and "))
	return nil
}
