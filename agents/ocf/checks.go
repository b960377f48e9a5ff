package ocf

import (
	"container/heap"
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// checks keeps the time of every check of the node: one clock for all of them,
// the checks of one service one after another, the one that is overdue longest
// first, those of different services at the same time up to the agent's limit.
type checks struct {
	agent  *Agent
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}
	done   sync.WaitGroup

	mu    sync.Mutex
	queue dueQueue
	// plans count how often a service's checks were planned: what was queued by an
	// older plan is void.
	plans map[string]uint64
}

// due has the checks of one service. They share an entry of the queue: two that
// fell due at the same instant would shut one another out for as long as their
// intervals are the same.
type due struct {
	at    time.Time
	s     *service
	plan  uint64
	parts []*watched
}

// watched has the checks of one resource.
type watched struct {
	path   string
	checks []resources.ResourceCheck
	// next has the next instant of each check.
	next []time.Time
	// repeat says when the check that told nothing, or was broken off, is made once
	// more; it is zero where there is none.
	repeat  time.Time
	pending resources.ResourceCheck
	// unsure counts checks in a row that told nothing.
	unsure int
}

// mostUnsure bounds how often in a row a check may tell nothing - an agent that
// cannot be run, a unit that is between two states - before that is a failure.
const mostUnsure = 10

// busyPause is how long a check waits that found its service in other hands.
const busyPause = time.Second

func newChecks(a *Agent) *checks {
	ctx, cancel := context.WithCancel(context.Background())
	c := &checks{agent: a, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1), plans: map[string]uint64{}}
	c.done.Go(c.run)
	return c
}

func (c *checks) close() {
	c.cancel()
	c.done.Wait()
}

// plan begins the checks of a service anew. The caller holds it.
func (c *checks) plan(s *service) {
	d := &due{s: s}
	now := time.Now()
	for _, p := range resources.StartOrder(s.record.Tree) {
		if s.record.Parts[p.Path].State != up {
			continue
		}
		agent, err := c.agent.catalogue.Find(c.ctx, p.Resource.Type)
		if err != nil {
			// The agent vanished: the check says so, and that is a failure.
			d.parts = append(d.parts, first(s, p.Path, []resources.ResourceCheck{{Interval: busyPause}}, now))
			continue
		}
		if plan := agent.CheckPlan(p.Resource); len(plan) > 0 {
			d.parts = append(d.parts, first(s, p.Path, plan, now))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plans[s.uuid]++
	if len(d.parts) == 0 {
		return
	}
	d.plan, d.at = c.plans[s.uuid], d.first().at()
	heap.Push(&c.queue, d)
	c.rouse()
}

// first spreads the checks of many services over their interval, always the
// same way.
func first(s *service, path string, list []resources.ResourceCheck, now time.Time) *watched {
	p := &watched{path: path, checks: list}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(s.uuid + path))
	share := float64(sum.Sum32()) / (1 << 32)
	for _, check := range list {
		p.next = append(p.next, now.Add(time.Duration(share*float64(check.Interval))))
	}
	return p
}

// first returns the part whose check is due first, or overdue longest.
func (d *due) first() *watched {
	return slices.MinFunc(d.parts, func(a, b *watched) int { return a.at().Compare(b.at()) })
}

// at returns the instant of the next check of a resource.
func (p *watched) at() time.Time {
	if !p.repeat.IsZero() {
		return p.repeat
	}
	return slices.MinFunc(p.next, time.Time.Compare)
}

// pick returns the deepest check that is due, and moves all that are.
func (p *watched) pick(now time.Time) resources.ResourceCheck {
	if !p.repeat.IsZero() {
		p.repeat = time.Time{}
		return p.pending
	}
	var deepest resources.ResourceCheck
	chosen := false
	for i, check := range p.checks {
		if p.next[i].After(now) {
			continue
		}
		if !chosen || check.Depth > deepest.Depth {
			deepest, chosen = check, true
		}
		for !p.next[i].After(now) {
			p.next[i] = p.next[i].Add(check.Interval)
		}
	}
	p.pending = deepest
	return deepest
}

// again has the check that was picked last made once more.
func (p *watched) again(at time.Time) { p.repeat = at }

// forget ends the checks of a service.
func (c *checks) forget(s *service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plans[s.uuid]++
}

func (c *checks) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *checks) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		for _, d := range c.ripe(time.Now(), &wait) {
			c.done.Go(func() { c.check(d) })
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
	}
}

// ripe takes what is due out of the queue; wait is the time to the next one.
func (c *checks) ripe(now time.Time, wait *time.Duration) []*due {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*due
	for len(c.queue) > 0 {
		d := c.queue[0]
		if d.plan != c.plans[d.s.uuid] {
			heap.Pop(&c.queue)
			continue
		}
		if d.at.After(now) {
			*wait = d.at.Sub(now)
			break
		}
		heap.Pop(&c.queue)
		list = append(list, d)
	}
	return list
}

// again queues a check that is not void.
func (c *checks) again(d *due, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.plan == c.plans[d.s.uuid] {
		d.at = at
		heap.Push(&c.queue, d)
		c.rouse()
	}
}

// check makes the check that is due first, unless somebody else has the service
// in hand.
func (c *checks) check(d *due) {
	select {
	case d.s.hold <- struct{}{}:
	default:
		c.again(d, time.Now().Add(busyPause))
		return
	}
	defer func() { <-d.s.hold }()
	c.mu.Lock()
	void := d.plan != c.plans[d.s.uuid]
	c.mu.Unlock()
	if void || d.s.record == nil {
		return
	}
	p := d.first()
	if d.s.record.Parts[p.path].State == up {
		c.checkPart(d.s, p)
	} else {
		p.pick(time.Now())
	}
	c.again(d, d.first().at())
}

// checkPart checks one resource. The caller holds the service.
func (c *checks) checkPart(s *service, p *watched) {
	place, _ := s.record.place(p.path)
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	s.interruptedBy(cancel)
	defer s.interruptedBy(nil)
	verdict := c.agent.check(ctx, place.Resource, p.pick(time.Now()), 0, false)
	if ctx.Err() != nil {
		p.again(time.Now().Add(busyPause)) // broken off, it proved nothing
		return
	}
	if verdict.Outcome == dialect.Unknown && !verdict.Overran && p.unsure < mostUnsure {
		p.unsure++
		p.again(time.Now().Add(busyPause))
		return
	}
	p.unsure = 0
	if verdict.Outcome != dialect.OK {
		c.agent.failed(c.ctx, s, place, verdict)
	} else if verdict.Degraded {
		c.agent.options.Logger.Warn("a resource runs degraded", "service", s.name, "resource", place.Resource.Label(),
			"why", verdict.Why)
	}
}

// dueQueue is a heap by time.
type dueQueue []*due

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q dueQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *dueQueue) Push(d any)        { *q = append(*q, d.(*due)) }
func (q *dueQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}
