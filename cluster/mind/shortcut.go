package mind

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/cluster/rules"
)

// shortcut remembers what the last Step came to, so that a Step in which
// nothing has changed costs nothing. What it answers is what Plan and Work would
// answer; a node made WithoutShortcuts asks them each time and is its twin.
type shortcut struct {
	never, audited bool
	differs        string

	worked   bool
	workedAt uint64
	duties   []cluster.Duty

	planned   bool
	plannedAt uint64
	decision  plan.Decision
	// seen is the View as it was kept last, at the time seenAt.
	seen   *cluster.View
	seenAt time.Duration
	// turned: a stopwatch has passed a time at which Plan decides otherwise.
	turned bool

	idle bool
}

// WithoutShortcuts makes the node look at everything in each Step; it decides
// the same. It is for tests, and returns the node.
func (n *Node) WithoutShortcuts() *Node {
	n.shortcut.never = true
	return n
}

// Audited lets the node compare each shortcut with what the long way says. It is
// for tests, and returns the node.
func (n *Node) Audited() *Node {
	n.shortcut.audited = true
	return n
}

// Differs says where a shortcut of an audited node led elsewhere; "" if nowhere.
func (n *Node) Differs() string { return n.shortcut.differs }

func (c *shortcut) audit(what string, short, long any) {
	if a, b := fmt.Sprintf("%+v", short), fmt.Sprintf("%+v", long); a != b {
		c.differs = fmt.Sprintf("%s by the shortcut: %s; the long way: %s", what, a, b)
	}
}

// news reports whether the State has changed since the last Step.
func (c *shortcut) news(s *cluster.State) bool { return !c.worked || c.workedAt != s.Index }

// workOf is Work, which depends on the State alone.
func (c *shortcut) workOf(s *cluster.State, self string) []cluster.Duty {
	if c.never || !c.worked || c.workedAt != s.Index {
		c.duties, c.worked, c.workedAt = cluster.Work(s, self), true, s.Index
	} else if c.audited {
		c.audit("duties", c.duties, cluster.Work(s, self))
	}
	return c.duties
}

// planOf is Plan, and the View from which it decides so. A decision stays as it is while the State
// does, while the View has found out nothing else, and while no stopwatch is running that Plan
// reads. The View is copied where Plan is run, which costs more, and once in each tick.
func (c *shortcut) planOf(now time.Duration, s *cluster.State, v cluster.View) (plan.Decision, *cluster.View) {
	steady := rules.Steady(v, s, cluster.TimingFor(s.Document.Timing).Test)
	due := c.decision.Again > 0 && v.Quiet >= c.decision.Again
	holds := c.planned && steady && c.plannedAt == s.Index && !due && !c.turned && v.FoundAs(s, *c.seen)
	if c.never || !holds {
		c.decision = plan.Plan(s, v)
	} else if c.audited {
		c.audit("plan", c.decision, plan.Plan(s, v))
	}
	if c.never || !holds || now-c.seenAt >= cluster.Tick {
		kept := v.Clone()
		c.seen, c.seenAt = &kept, now
	}
	c.planned, c.plannedAt, c.turned = steady && !c.decision.TellsSilence(), s.Index, false
	return c.decision, c.seen
}

// IdleUntil reports whether further Steps would do nothing as long as the State
// stays, everybody who was heard is heard, and nothing else comes in: a shell need
// not call Step until then, nor before Input.Clock reads so much. 0 is however much
// time passes.
func (n *Node) IdleUntil() (clock time.Duration, idle bool) {
	return n.hostGuard.next, n.shortcut.idle
}

func (n *Node) idle(now time.Duration, in Input) bool {
	guardDue := n.hostGuard.next != 0 && n.hostGuard.next <= in.Clock
	if n.shortcut.never || in.Odd || guardDue || len(n.outbox) > 0 || len(n.looks) > 0 {
		return false
	}
	for _, until := range n.held {
		if now < until {
			return false
		}
	}
	for _, until := range n.rested {
		if now < until {
			return false
		}
	}
	if in.Leading && !n.decided() {
		return false
	}
	if in.Leading && n.shortcut.decision.Again > 0 {
		return false
	}
	if in.Leading && (n.view.Led < plan.SettlingTime || n.view.WatchesMove()) {
		return false // time alone changes what is decided
	}
	me, _ := in.State.Nodes.Get(n.self)
	return n.nothingToTell(in.State, me) && rules.Steady(n.view, in.State, 1) && !n.view.Lagging(in.State)
}

// nothingToTell reports whether the State knows what this node has found out about its host.
func (n *Node) nothingToTell(s *cluster.State, me cluster.Member) bool {
	return n.hypervisor.idle(me) && n.capacity.idle(me) && n.volume.idle(s, n.self)
}

// decided tells that all the leader wants is on its way into the log.
func (n *Node) decided() bool {
	for _, c := range n.shortcut.decision.Commands {
		if !n.inFlight[planKey(c)] {
			return false
		}
	}
	return n.shortcut.planned
}
