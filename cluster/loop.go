package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// byRecovery is the rule that starts again what has ended by itself.
const byRecovery = "recovery"

// Limits of crash loops. Who runs for loopLives is in none.
const (
	loopForgets  = 5 * time.Minute
	loopLives    = 2 * time.Minute
	loopFirst    = time.Second
	loopLongest  = 30 * time.Second
	maxLoopKnown = 64
	// loopTold rounds are told in full; after them only each doubling of their number.
	loopTold = 3
)

// Loop is how often a service has ended by itself, each time soon after its start.
// Without it a guest that dies at once would be started as fast as it dies.
type Loop struct {
	// Rounds counts the ends in a row.
	Rounds int `json:"rounds"`
	// Starts are the starts of the last loopForgets whose ends are known.
	Starts []time.Time `json:"starts,omitempty"`
	// Last is how it ended last, Index and Node when and where.
	Last  string `json:"last"`
	Index uint64 `json:"index"`
	Node  string `json:"node"`
}

// fell counts one more end of a service that ended by itself where it ran.
func (t *transaction) fell(s Service, n Member, why string) Service {
	next := Loop{Rounds: 1, Last: why, Index: t.index, Node: n.Name}
	if old := s.Loop; old != nil && t.at.Sub(s.SinceAt) < loopLives {
		next.Rounds = old.Rounds + 1
		for _, start := range old.Starts {
			if t.at.Sub(start) < loopForgets {
				next.Starts = append(next.Starts, start)
			}
		}
	}
	if next.Starts = append(next.Starts, s.SinceAt); len(next.Starts) > maxLoopKnown {
		next.Starts = next.Starts[1:]
	}
	s.Loop = &next
	return s
}

// pause is how long the service rests before it is started again: not at all the
// first time, then longer and longer.
func (l *Loop) pause() time.Duration {
	if l == nil || l.Rounds < 2 {
		return 0
	}
	pause := loopFirst
	for range l.Rounds - 2 {
		if pause *= 2; pause >= loopLongest {
			return loopLongest
		}
	}
	return pause
}

// says tells of a loop in a sentence.
func (l *Loop) says() string {
	return fmt.Sprintf("started %d times in the last %s, last end: %s", len(l.Starts), told(loopForgets), l.Last)
}

func told(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// tellsRound: of many rounds the first ones are told, and then each doubling.
func (l *Loop) tellsRound() bool {
	return l.Rounds <= loopTold || l.Rounds&(l.Rounds-1) == 0
}

// inLoop finds what a change of state means to a service's loop: whether it is told,
// and the sentence. The rounds of a long loop are one thing, and told as one; whatever
// else happens to a service is told, and most of it ends the loop.
func (t *transaction) inLoop(s Service, from resources.State, e Event) (Service, Event, bool) {
	l := s.Loop
	switch to := s.State; {
	case l == nil:
		return s, e, true
	case !s.Enabled || s.Wish != nil || to == resources.Failed:
		if from != to {
			s.Loop = nil
		}
		return s, e, true
	case l.Rounds <= loopTold:
	case l.Index == t.index:
		if l.tellsRound() {
			e.Why = fmt.Sprintf("%s: %s; it rests for %s before it is started again, and the next rounds are told at the %dth",
				e.Why, l.says(), l.pause(), 2*l.Rounds)
		}
		return s, e, l.tellsRound()
	case e.By == byRecovery && s.ownRound(from):
		return s, e, false
	}
	if from == resources.Started && s.State == resources.Recovering && l.Index != t.index {
		s.Loop = nil // its node was lost: that is no end of its own
	}
	return s, e, true
}

// ownRound tells whether a change belongs to a round: what is left is removed, it is
// started, it runs.
func (s Service) ownRound(from resources.State) bool {
	switch s.State {
	case resources.Recoverable, resources.Starting:
		return true
	case resources.Recovering:
		return from == resources.Recoverable
	case resources.Started:
		return from == resources.Starting
	}
	return false
}

// loopwatch is this node's own measure of how long ago a service ended.
type loopwatch struct {
	Index uint64
	For   time.Duration
}

// loops tells whether a service rests before each start.
func (s *Service) loops() bool { return s.Loop != nil && s.Loop.Rounds >= 2 }

// restLoop measures how long it is since a service in a loop ended, and reports whether
// the time has come at which something else is decided about it.
func (v View) restLoop(service *Service, tick time.Duration) (turned bool) {
	if !service.loops() {
		return false
	}
	name, l := service.Spec.Name, service.Loop
	w := v.Loops[name]
	if w.Index != l.Index {
		w = loopwatch{Index: l.Index}
	}
	before := w.For
	w.For = min(w.For+tick, loopForgets)
	v.Loops[name] = w
	passed := func(limit time.Duration) bool { return before < limit && w.For >= limit }
	return passed(l.pause()) || passed(loopForgets)
}

// loopsMove tells whether time alone will change what is decided about a loop.
func (v View) loopsMove() bool {
	for _, w := range v.Loops {
		if w.For < loopForgets {
			return true
		}
	}
	return false
}

// restsInLoop tells whether a service in a loop waits for its next start.
func (p *planner) restsInLoop(service Service) bool {
	l := service.Loop
	if l.pause() == 0 || service.Wish != nil || service.Moving != "" {
		return false
	}
	name := service.Spec.Name
	if w := p.view.Loops[name]; w.Index == l.Index && w.For >= l.pause() {
		return false
	}
	p.wait(name, fmt.Sprintf("%s; it is started again %s after that", l.says(), l.pause()), l.next(name))
	return true
}

// noteLoop says of what runs that it does not run for long.
func (p *planner) noteLoop(service Service) {
	l := service.Loop
	if l == nil || len(l.Starts) < loopTold {
		return
	}
	if w := p.view.Loops[service.Spec.Name]; w.Index == l.Index && w.For >= loopForgets {
		return
	}
	p.wait(service.Spec.Name, l.says(), l.next(service.Spec.Name))
}

func (l *Loop) next(name string) string {
	return fmt.Sprintf("look at its console and its log on %s; `clusvcadm -d %s` ends the restarts", l.Node, name)
}
