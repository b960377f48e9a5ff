package cluster

import (
	"time"

	"github.com/clusterd/clusterd/internal/message"
)

// DeafBack is how long a node has to follow the log again before it is given work.
const DeafBack = 2 * time.Second

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

// behind reports whether time alone may change what is thought of a node's log.
func (l Logwatch) behind() bool {
	return l.Deaf || l.Still > 0 || l.Applied < l.ApplyGoal || l.End < l.EndGoal
}

// Lagging reports whether some node's log is behind this one's.
func (v View) Lagging(s *State) bool {
	for _, name := range s.Nodes.Keys() {
		if v.Contacts[name].Log.behind() {
			return true
		}
	}
	return false
}

// DeafFor is how long a node that is heard may be deaf before it is treated like one
// whose daemon has been silent for its grace.
func (t Timing) DeafFor() time.Duration { return t.Deaf + t.SilentGrace }

// BeyondGrace reports whether a node is heard and has been deaf for longer than a
// daemon may be silent.
func (w Contactwatch) BeyondGrace(timing Timing, more time.Duration) bool {
	return w.Log.Deaf && w.Silence < timing.Test && w.Log.Still >= timing.DeafFor()+more
}

// judgeDeaf judges a node that is heard and does not follow the log.
func judgeDeaf(n Member, w Contactwatch, timing Timing) Judgement {
	l := w.Log
	still := l.Still.Round(time.Second)
	switch {
	case w.BeyondGrace(timing, 0):
		return Judgement{State: NodeLost, Why: message.NodeDeafTooLong.With(n.Name, still)}
	case l.Still == 0 && l.Well == 0:
		return Judgement{State: NodeDeaf, Why: message.NodeDeafBefore.With(n.Name), Wait: message.DeafNotMeasured.With()}
	case l.Still == 0:
		return Judgement{State: NodeDeaf, Why: message.NodeDeafNoMore.With(n.Name), Wait: message.DeafFollows.With(DeafBack)}
	}
	return Judgement{State: NodeDeaf,
		Why:  message.NodeDeaf.With(n.Name, still, min(l.Applied, l.End)),
		Wait: message.DeafUntilFenced.With(still, (timing.DeafFor() - l.Still).Round(time.Second), n.Name),
		Next: message.DoCheckDeafNode.With(n.Name)}
}

// LogHeld says which log a node holds and how far it goes. It is remembered where a loss of the log
// does not lose it: beside the node's key, and by the other nodes.
type LogHeld struct {
	// Life is drawn when a log begins; a folder that was emptied begins another one.
	Life string `json:"life,omitempty"`
	// Term is the newest that the node has seen. A vote is given once in a term.
	Term uint64 `json:"term,omitempty"`
	// LastTerm and LastIndex are those of the log's last entry.
	LastTerm  uint64 `json:"lastTerm,omitempty"`
	LastIndex uint64 `json:"lastIndex,omitempty"`
}

// Empty reports whether nothing was ever acknowledged and no vote given by this log.
func (h LogHeld) Empty() bool { return h.Term == 0 && h.LastTerm == 0 && h.LastIndex == 0 }

// Lacks says why a log that is held now does not hold all that it was known to hold, if so.
// Of two ends of one log the one with the newer term goes further: that is how voters compare them,
// and what a new leader rightly cut off was replaced by entries of a newer term.
func (h LogHeld) Lacks(known LogHeld) message.Text {
	switch {
	case known.Life == "" || known.Empty():
		return message.Text{}
	case h.Life == "":
		return message.LogGone.With(known.LastIndex)
	case h.Life != known.Life:
		return message.LogReplaced.With(known.LastIndex)
	case h.LastTerm < known.LastTerm || (h.LastTerm == known.LastTerm && h.LastIndex < known.LastIndex):
		return message.LogCut.With(h.LastIndex, known.LastIndex)
	case h.Term < known.Term:
		return message.LogVoteForgotten.With(known.Term)
	}
	return message.Text{}
}

// LoseLog says that a node no longer holds the log in which it acknowledged entries, and
// begins another one. From here on it has no vote; a voter that forgot what it acknowledged would
// let a majority forget it too.
type LoseLog struct {
	Change
	Node string `json:"node"`
	// Log is the life of the log that it begins, and Before the one whose place that takes: what was
	// asked for before the node began another one comes too late.
	Log    string       `json:"log"`
	Before string       `json:"before,omitempty"`
	Why    message.Text `json:"why"`
}

// MayCount says why an answer of a node to a question of this one, a vote or the acknowledgement
// of an entry, counts for nothing: the log it holds lacks what this node remembers of it, or is
// another one that it was not let in with. Nothing if it counts.
//
// This State may be an old one: a daemon that has just started has that of its snapshot, or an
// empty one, until somebody leads. It may hold in its log all that was ever acknowledged even so,
// and then nobody can lead but itself, by the vote of whoever was let in since. So later says which
// log counts: this State with all that the log of this node holds applied to it as well, committed
// or not, and nil where that cannot be known. A log that it names was let in, or has joined, and
// docs/safety.md argues why that entry need not be committed. Where it names none, this State must
// name none either.
func (s *State) MayCount(node string, held, known LogHeld, later func() *State) message.Text {
	why := held.Lacks(known)
	if why.IsZero() || held.Life == known.Life {
		return why
	}
	ahead := later()
	if ahead == nil {
		return why
	}
	now, _ := s.Nodes.Get(node)
	then, _ := ahead.Nodes.Get(node)
	if then.Log == held.Life && then.Log != "" || then.Log == "" && now.Log == "" {
		return message.Text{}
	}
	return why
}

// Remember returns what to remember of a node's log once it said what it holds. What it was not let
// in with does not take the place of what it acknowledged. Entries that are not applied yet let
// nobody in here: until they are, the older memory is the stricter one.
func (s *State) Remember(node string, held, known LogHeld, later func() *State) LogHeld {
	if s.MayCount(node, held, known, later).IsZero() &&
		s.MayCount(node, held, known, func() *State { return s }).IsZero() {
		return held
	}
	known.Term = max(known.Term, held.Term)
	return known
}

// MayBeHeard says why nothing that a node asks for, a vote for itself above all, is answered:
// its own vote is one with a log that was cut. A log of another life is heard, because whoever
// leads may have begun it while this node was away. Nothing if it is heard.
func (h LogHeld) MayBeHeard(known LogHeld) message.Text {
	if h.Life != known.Life {
		return message.Text{}
	}
	return h.Lacks(known)
}

// MayVote says why a node may not be given a vote yet; nothing if it may. One that lost its log is
// caught up when it has come up again: before that it read the log to an end behind everything
// that it ever acknowledged.
func (s *State) MayVote(node string) message.Text {
	if n, _ := s.Nodes.Get(node); n.LogLost != 0 {
		return message.LogIncomplete.With(node)
	}
	return message.Text{}
}

// BarredByLog says why a node is not admitted with the log that it holds.
func (n Member) BarredByLog(log string) message.Text {
	if n.Log == "" || n.Log == log {
		return message.Text{}
	}
	return message.LogNotItsOwn.With(n.Name)
}
