package apply

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// fell counts one more end of a service that ended by itself where it ran.
func (t *transaction) fell(s cluster.Service, n cluster.Member, why message.Text) cluster.Service {
	next := cluster.Loop{Rounds: 1, Last: why, Index: t.index, Node: n.Name}
	if old := s.Loop; old != nil && t.At.Sub(s.SinceAt) < cluster.LoopLives {
		next.Rounds = old.Rounds + 1
		for _, start := range old.Starts {
			if t.At.Sub(start) < cluster.LoopForgets {
				next.Starts = append(next.Starts, start)
			}
		}
	}
	if next.Starts = append(next.Starts, s.SinceAt); len(next.Starts) > cluster.MaxLoopKnown {
		next.Starts = next.Starts[1:]
	}
	s.Loop = &next
	return s
}

// inLoop finds what a change of state means to a service's loop: whether it is told,
// and the sentence. The rounds of a long loop are one thing, and told as one; whatever
// else happens to a service is told, and most of it ends the loop.
func (t *transaction) inLoop(s cluster.Service, from resources.State, e cluster.Event) (cluster.Service,
	cluster.Event, bool) {
	l := s.Loop
	switch to := s.State; {
	case l == nil:
		return s, e, true
	case !s.Enabled || s.Wish != nil || to == resources.Failed:
		if from != to {
			s.Loop = nil
		}
		return s, e, true
	case l.Rounds <= cluster.LoopTold:
	case l.Index == t.index:
		if l.TellsRound() {
			e.Why = message.ServiceLoops.With(e.Why, l.Says(), l.Pause(), 2*l.Rounds)
		}
		return s, e, l.TellsRound()
	case e.By == cluster.ByRecovery && s.OwnRound(from):
		return s, e, false
	}
	if from == resources.Started && s.State == resources.Recovering && l.Index != t.index {
		s.Loop = nil // its node was lost: that is no end of its own
	}
	return s, e, true
}

// troubled remembers a failure; of each node the newest is kept.
func (t *transaction) troubled(s cluster.Service, n cluster.Member, kind cluster.TroubleKind,
	why message.Text) cluster.Service {
	s = s.Untroubled(n.Name)
	list := append(s.Troubles[:len(s.Troubles):len(s.Troubles)],
		cluster.Trouble{Node: n.Name, Incarnation: n.Incarnation, Kind: kind, At: t.At, Why: why})
	if len(list) > cluster.MaxFailedStarts {
		list = list[1:]
	}
	s.Troubles = list
	return s
}

// bounce names a target in its present incarnation.
func bounce(n cluster.Member) string { return fmt.Sprintf("%s@%d", n.Name, n.Incarnation) }

// bounced is the member that a bounce names.
func bounced(text string) cluster.Member {
	name, incarnation, _ := strings.Cut(text, "@")
	number, _ := strconv.ParseUint(incarnation, 10, 64)
	return cluster.Member{Name: name, Incarnation: number}
}
