package cluster

import (
	"fmt"
	"time"
)

// deafBack is how long a node has to follow the log again before it is given work.
const deafBack = 2 * time.Second

// Logwatch measures whether a node that is heard follows the log. Heartbeats and the
// log take different ways: a closed port, packets that are too large, or a folder that
// cannot be written stop the one and not the other, and then nothing that is decided
// reaches the node.
type Logwatch struct {
	// Applied and End are what the newest beat said: the entry it has applied last, and
	// the last one that its log holds.
	Applied, End uint64
	// ApplyGoal and EndGoal are how far the leader was when that beat came. The next
	// beat is held against them, because what was appended since may be on its way.
	ApplyGoal, EndGoal uint64
	// Still is for how long it has been behind without coming any further.
	Still time.Duration
	// Well is for how long it has followed, or come further, since it was deaf.
	Well time.Duration
	// Deaf is set when Still passes the limit, and cleared when Well does.
	Deaf bool
}

// hears takes in one more beat of a node. Since is the time from the one before it,
// and all that counts: while a node is silent, its silence is judged and not its log.
func (l Logwatch) hears(b Beat, applied, end uint64, since, limit time.Duration) Logwatch {
	if b.Applied == 0 && b.End == 0 {
		return l // it is known to live by other means, which say nothing of its log
	}
	moves := b.Applied > l.Applied
	if b.Applied >= l.ApplyGoal {
		moves = b.End >= l.EndGoal || b.End > l.End
	}
	if moves {
		l.Still, l.Well = 0, l.Well+since
	} else {
		l.Still, l.Well = l.Still+since, 0
	}
	if l.Still >= limit {
		l.Deaf = true
	} else if l.Well >= deafBack {
		l.Deaf = false
	}
	l.Applied, l.End, l.ApplyGoal, l.EndGoal = b.Applied, b.End, applied, end
	return l
}

// behind reports whether time alone may change what is thought of a node's log.
func (l Logwatch) behind() bool {
	return l.Deaf || l.Still > 0 || l.Applied < l.ApplyGoal || l.End < l.EndGoal
}

// known is what the State says of a node's log until this leader has measured otherwise. It counts
// from the leader's first step, before any beat: else a node that was deaf under the last leader
// would be taken for well by the next, and be given work until that one had waited in vain itself.
func (l Logwatch) known(node *Member, in Input) Logwatch {
	l.Deaf = l.Deaf || (in.Leading && node.State == NodeDeaf && l.Well < deafBack)
	return l
}

// lagging reports whether some node's log is behind this one's.
func (v View) lagging(s *State) bool {
	for _, name := range s.Nodes.Keys() {
		if v.Contacts[name].Log.behind() {
			return true
		}
	}
	return false
}

// followed is what the leader makes of a beat. A follower measures nothing of the log, and the
// stopwatches of a new leader begin at zero: the way from the last one may be what was broken.
func (n *Node) followed(w Contactwatch, node *Member, b Beat, tick time.Duration, in Input) Logwatch {
	if !in.Leading {
		return Logwatch{}
	}
	l, timing := w.Log, TimingFor(in.State.Document.Timing)
	if node.Incarnation != w.Known {
		l = Logwatch{} // the daemon that was measured is gone
	}
	return l.hears(b, in.State.Index, in.End, min(w.Silence+tick, timing.Test), timing.Deaf)
}

// deafFor is how long a node that is heard may be deaf before it is treated like one
// whose daemon has been silent for its grace.
func (t Timing) deafFor() time.Duration { return t.Deaf + t.SilentGrace }

// beyondGrace reports whether a node is heard and has been deaf for longer than a
// daemon may be silent.
func (w Contactwatch) beyondGrace(timing Timing, more time.Duration) bool {
	return w.Log.Deaf && w.Silence < timing.Test && w.Log.Still >= timing.deafFor()+more
}

// judgeDeaf judges a node that is heard and does not follow the log.
func judgeDeaf(n Member, w Contactwatch, timing Timing) judgement {
	l := w.Log
	still := l.Still.Round(time.Second)
	switch {
	case w.beyondGrace(timing, 0):
		return judgement{state: NodeLost, why: fmt.Sprintf("%s is heard and has taken no entry of the log for %s, as "+
			"long as a daemon may be silent", n.Name, still)}
	case l.Still == 0 && l.Well == 0:
		return judgement{state: NodeDeaf, why: n.Name + " did not follow the log",
			wait: "it did not follow the log under the last leader, and this one has not measured it yet"}
	case l.Still == 0:
		return judgement{state: NodeDeaf, why: n.Name + " is heard and did not follow the log",
			wait: fmt.Sprintf("it follows the log again, and is given work when it has done so for %s", deafBack)}
	}
	return judgement{state: NodeDeaf,
		why: fmt.Sprintf("%s is heard and has taken no entry of the log for %s, its newest is %d", n.Name, still,
			min(l.Applied, l.End)),
		wait: fmt.Sprintf("deaf: its heartbeats come and it has taken no entry of the log for %s; it is given no work, and "+
			"unless it follows in %s, %s is fenced and what runs there starts elsewhere", still,
			(timing.deafFor() - l.Still).Round(time.Second), n.Name),
		next: fmt.Sprintf("on %s: `journalctl -u clusterd`; is the cluster's TCP port open, do large packets pass (MTU), "+
			"can the data folder be written?", n.Name)}
}
