package cluster

import (
	"fmt"
	"time"
)

// shortcut remembers what the last Step came to, so that a Step in which
// nothing has changed costs nothing. What it answers is what Plan and Work would
// answer; a node made WithoutShortcuts asks them each time and is its twin.
type shortcut struct {
	never, audited bool
	differs        string

	worked   bool
	workedAt uint64
	duties   []Duty

	planned   bool
	plannedAt uint64
	decision  Decision
	// seen is the View as it was kept last, at the time seenAt.
	seen   *View
	seenAt time.Duration
	// turned: a stopwatch has passed a time at which Plan decides otherwise.
	turned bool

	restful bool
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

// news tells whether the State has changed since the last Step.
func (c *shortcut) news(s *State) bool { return !c.worked || c.workedAt != s.Index }

// workOf is Work, which depends on the State alone.
func (c *shortcut) workOf(s *State, self string) []Duty {
	if c.never || !c.worked || c.workedAt != s.Index {
		c.duties, c.worked, c.workedAt = Work(s, self), true, s.Index
	} else if c.audited {
		c.audit("duties", c.duties, Work(s, self))
	}
	return c.duties
}

// planOf is Plan, and the View from which it decides so. A decision stays as it is while the State
// does, while the View has found out nothing else, and while no stopwatch is running that Plan
// reads. The View is copied where Plan is run, which costs more, and once in each tick.
func (c *shortcut) planOf(now time.Duration, s *State, v View) (Decision, *View) {
	steady := v.steady(s, TimingFor(s.Document.Timing).Test)
	due := c.decision.Again > 0 && v.Quiet >= c.decision.Again
	holds := c.planned && steady && c.plannedAt == s.Index && !due && !c.turned && v.foundAs(s, *c.seen)
	if c.never || !holds {
		c.decision = Plan(s, v)
	} else if c.audited {
		c.audit("plan", c.decision, Plan(s, v))
	}
	if c.never || !holds || now-c.seenAt >= Tick {
		kept := v.clone()
		c.seen, c.seenAt = &kept, now
	}
	c.planned, c.plannedAt, c.turned = steady && !c.decision.tellsSilence(), s.Index, false
	return c.decision, c.seen
}

// foundAs reports whether another View holds the same of every node, apart from how long ago.
func (v View) foundAs(s *State, other View) bool {
	for _, name := range s.Nodes.Keys() {
		if v.Contacts[name].found() != other.Contacts[name].found() {
			return false
		}
	}
	return true
}

// found is what was found out of a node, without the stopwatches. Those are judged by steady, and
// by what they say when they pass a limit. What is sampled of a node besides counts from itself.
func (w Contactwatch) found() Contactwatch {
	w.Silence, w.VerdictAge, w.KernelOnly, w.Log = 0, 0, 0, Logwatch{Deaf: w.Log.Deaf}
	return w
}

// tellsSilence: the edge says how long a node was silent, which changes.
func (d Decision) tellsSilence() bool {
	for _, c := range d.Commands {
		if _, edge := c.(Contact); edge {
			return true
		}
	}
	return false
}

// steady tells that no node has been silent for the limit, and that nothing
// rests that would be tried again. The stopwatches of loops and of a new leader run
// on, but change what is decided only when they pass a limit; they say so by turning.
func (v View) steady(s *State, limit time.Duration) bool {
	if len(v.Resting) > 0 || len(v.Stuck) > 0 || len(v.Waited) > 0 || len(v.Ends) > 0 ||
		s.Disarmed != nil || s.Drill != nil {
		return false
	}
	for i, name := range s.Nodes.Keys() {
		n := s.Nodes.Rows()[i]
		if n.judged() && (v.Contacts[name].Silence >= limit || v.Contacts[name].Log.Deaf || v.unheard(s.world(), *n) != "") {
			return false
		}
	}
	return true
}

// judged tells whether a node's silence means anything.
func (n *Member) judged() bool {
	return n.Incarnation != 0 && !n.Ended() && n.State != NodeLeft && n.State != NodeJoining
}

// RestsUntil tells whether further Steps would do nothing as long as the State
// stays, everybody who was heard is heard, and nothing else comes in: a shell need
// not call Step until then, nor before Input.Clock reads so much. 0 is however much
// time passes.
func (n *Node) RestsUntil() (clock time.Duration, restful bool) {
	return n.ward.next, n.shortcut.restful
}

func (n *Node) restful(now time.Duration, in Input) bool {
	if n.shortcut.never || (n.ward.next != 0 && n.ward.next <= in.Clock) || len(n.outbox) > 0 || len(n.looks) > 0 {
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
	if in.Leading && (n.view.Led < settlingTime || n.view.watchesMove()) {
		return false // time alone changes what is decided
	}
	me, _ := in.State.Nodes.Get(n.self)
	return n.hypervisor.idle(me) && n.volume.idle(in.State, n.self) &&
		n.view.steady(in.State, 1) && !n.view.lagging(in.State)
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
