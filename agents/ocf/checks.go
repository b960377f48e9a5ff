package ocf

import (
	"container/heap"
	"context"
	"hash/fnv"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// checks keeps the time of every check of the node: one clock for all of them,
// the checks of one service one after another, those of different services at the
// same time up to the agent's limit.
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

// due is the next check of one resource.
type due struct {
	at   time.Time
	s    *service
	plan uint64
	path string
	// next has the next instant of each check of the resource.
	next   []time.Time
	checks []resources.ResourceCheck
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
	var list []*due
	now := time.Now()
	for _, p := range resources.StartOrder(s.record.Tree) {
		if s.record.Parts[p.Path].State != up {
			continue
		}
		agent, err := c.agent.catalogue.Find(c.ctx, p.Resource.Type)
		if err != nil {
			// The agent vanished: the check says so, and that is a failure.
			list = append(list, first(s, p.Path, []resources.ResourceCheck{{Interval: busyPause}}, now))
			continue
		}
		if plan := agent.CheckPlan(p.Resource); len(plan) > 0 {
			list = append(list, first(s, p.Path, plan, now))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plans[s.uuid]++
	for _, d := range list {
		d.plan = c.plans[s.uuid]
		heap.Push(&c.queue, d)
	}
	c.rouse()
}

// first spreads the checks of many services over their interval, always the
// same way.
func first(s *service, path string, list []resources.ResourceCheck, now time.Time) *due {
	d := &due{s: s, path: path, checks: list}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(s.uuid + path))
	part := float64(sum.Sum32()) / (1 << 32)
	for _, check := range list {
		d.next = append(d.next, now.Add(time.Duration(part*float64(check.Interval))))
	}
	d.at = d.earliest()
	return d
}

func (d *due) earliest() time.Time {
	at := d.next[0]
	for _, next := range d.next[1:] {
		if next.Before(at) {
			at = next
		}
	}
	return at
}

// pick returns the deepest check that is due, and moves all that are.
func (d *due) pick(now time.Time) resources.ResourceCheck {
	var deepest resources.ResourceCheck
	chosen := false
	for i, check := range d.checks {
		if d.next[i].After(now) {
			continue
		}
		if !chosen || check.Depth > deepest.Depth {
			deepest, chosen = check, true
		}
		for !d.next[i].After(now) {
			d.next[i] = d.next[i].Add(check.Interval)
		}
	}
	return deepest
}

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

// check makes one check, unless somebody else has the service in hand.
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
	s := d.s
	if void || s.record == nil || s.record.Parts[d.path].State != up {
		return
	}
	place, _ := s.record.place(d.path)
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	s.mu.Lock()
	s.interrupt = cancel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.interrupt = nil
		s.mu.Unlock()
	}()
	verdict := c.agent.check(ctx, place.Resource, d.pick(time.Now()), 0, false)
	if ctx.Err() != nil {
		c.again(d, time.Now().Add(busyPause)) // broken off, it proved nothing
		return
	}
	if verdict.Outcome == dialect.Unknown && !verdict.Overran && d.unsure < mostUnsure {
		d.unsure++
		c.again(d, time.Now().Add(busyPause))
		return
	}
	d.unsure = 0
	if verdict.Outcome != dialect.OK {
		c.agent.failed(c.ctx, s, place, verdict)
	} else if verdict.Degraded {
		c.agent.options.Logger.Warn("a resource runs degraded", "service", s.name, "resource", place.Resource.Label(),
			"why", verdict.Why)
	}
	c.again(d, d.earliest())
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
