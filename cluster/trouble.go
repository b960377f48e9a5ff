package cluster

import (
	"time"

	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// ByRecovery is the rule that starts again what has ended by itself.
const ByRecovery = "recovery"

// Limits of crash loops. What runs for LoopLives is in none.
const (
	LoopForgets  = 5 * time.Minute
	LoopLives    = 2 * time.Minute
	loopFirst    = time.Second
	loopLongest  = 30 * time.Second
	MaxLoopKnown = 64
	// LoopTold rounds are told in full; after them only each doubling of their number.
	LoopTold = 3
)

// Loop is how often a service has ended by itself, each time soon after its start.
// Without it a guest that dies at once would be started as fast as it dies.
type Loop struct {
	// Rounds counts the ends in a row.
	Rounds int `json:"rounds"`
	// Starts are the starts of the last LoopForgets whose ends are known.
	Starts []time.Time `json:"starts,omitempty"`
	// Last is how it ended last, Index and Node when and where.
	Last  message.Text `json:"last,omitzero"`
	Index uint64       `json:"index"`
	Node  string       `json:"node"`
}

// Pause is how long the service rests before it is started again: not at all the
// first time, then longer and longer.
func (l *Loop) Pause() time.Duration {
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

// Says tells of a loop in a sentence.
func (l *Loop) Says() message.Text {
	return message.LoopStarts.With(len(l.Starts), LoopForgets, l.Last)
}

// TellsRound: of many rounds the first ones are told, and then each doubling.
func (l *Loop) TellsRound() bool {
	return l.Rounds <= LoopTold || l.Rounds&(l.Rounds-1) == 0
}

// OwnRound reports whether a change belongs to a round: what is left is removed, it is
// started, it runs.
func (s Service) OwnRound(from resources.State) bool {
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

// Loopwatch is this node's own measure of how long ago a service ended.
type Loopwatch struct {
	Index uint64
	For   time.Duration
}

// Loops reports whether a service rests before each start.
func (s *Service) Loops() bool { return s.Loop != nil && s.Loop.Rounds >= 2 }

// RestLoop measures how long it is since a service in a loop ended, and reports whether
// the time has come at which something else is decided about it.
func (v View) RestLoop(service *Service, tick time.Duration) (turned bool) {
	if !service.Loops() {
		return false
	}
	name, l := service.Spec.Name, service.Loop
	w := v.Loops[name]
	if w.Index != l.Index {
		w = Loopwatch{Index: l.Index}
	}
	before := w.For
	w.For = min(w.For+tick, LoopForgets)
	v.Loops[name] = w
	passed := func(limit time.Duration) bool { return before < limit && w.For >= limit }
	return passed(l.Pause()) || passed(LoopForgets)
}

// loopsMove reports whether time alone will change what is decided about a loop.
func (v View) loopsMove() bool {
	for _, w := range v.Loops {
		if w.For < LoopForgets {
			return true
		}
	}
	return false
}

// Next is what to do about the loop.
func (l *Loop) Next(name string) message.Text {
	return message.DoEndLoop.With(l.Node, name)
}

const (
	// RestartsApart is how long a daemon has to run to have started well: a start that comes
	// sooner after the one before it is one more round of a loop.
	RestartsApart = 30 * time.Second
	// RestartsKnown is how many starts in a row are nothing but restarts: upgrades and changes
	// of node.yaml take two or three.
	RestartsKnown = 3
)

// Restarts are the starts of a node's daemon that came soon one after the other.
type Restarts struct {
	Count int       `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	Boot  string    `json:"boot,omitempty"`
}

// Another counts a start in. A clock that was set back begins anew, and so does a boot: it is no
// round of a daemon's loop. The node's own boot is no measure, for it changes with the inventory,
// which a daemon that ends at once never tells.
func (r *Restarts) Another(at time.Time, boot string) *Restarts {
	if r == nil || r.Boot != boot || at.Before(r.Last) || at.Sub(r.Last) > RestartsApart {
		return &Restarts{Count: 1, First: at, Last: at, Boot: boot}
	}
	return &Restarts{Count: r.Count + 1, First: r.First, Last: at, Boot: boot}
}

// Loop reports whether there were more starts than anybody makes on purpose.
func (r *Restarts) Loop() bool { return r != nil && r.Count > RestartsKnown }

// Told reports whether this round of a loop is told: the first ones, and then each doubling.
func (r *Restarts) Told() bool { return !r.Loop() || r.Count&(r.Count-1) == 0 }

// Says tells of the restarts in a sentence.
func (r *Restarts) Says() message.Text {
	return message.DaemonRestarts.With(r.Count, r.Last.Sub(r.First).Round(time.Second), RestartsApart)
}

// Startwatch is the leader's own measure of a daemon that starts again and again. One that ends a
// moment after each start is never silent for long, and does as little for its services as one that
// is. The State keeps its row of starts until the next one, for weeks if need be; so all is zero
// until this leader itself has seen a start of the row, and again when no other follows it.
type Startwatch struct {
	// Seen reports whether this leader has seen a start of the row, and Since is how long ago it
	// saw the newest one.
	Seen  bool
	Since time.Duration
	// Up is for how long the present start has been heard.
	Up time.Duration
	// Restless is for how long no start has lasted.
	Restless time.Duration
}

// StartedAgain counts one more start in. A stop that was announced is somebody's: the start after
// it is no round of a loop.
func (n Member) StartedAgain(at time.Time, boot string) *Restarts {
	if n.Stopped {
		return nil
	}
	return n.Restarts.Another(at, boot)
}

// Goes measures on by one step. Known is the incarnation that was measured before, 0 if none was,
// and heard what counts of the time since the last beat of the present one. The grace is for one
// row of starts: a start that lasts as long as a daemon may be silent ends it, and so does a stop
// that was announced.
func (w Startwatch) Goes(n *Member, known uint64, tick, heard, grace time.Duration) Startwatch {
	if n.Stopped || !n.Restarts.Loop() {
		return Startwatch{}
	}
	if known != 0 && n.Incarnation != known {
		w.Seen, w.Since, w.Up = true, 0, 0
	}
	if !w.Seen {
		return Startwatch{}
	}
	w.Since, w.Up, w.Restless = w.Since+tick, w.Up+heard, w.Restless+tick
	if w.Up >= grace || w.Since > RestartsApart {
		return Startwatch{}
	}
	return w
}

// RestlessFor reports whether a node is heard whose daemon has been starting again and again for
// longer than one may be silent. While a start has lasted for longer than a node may be deaf, it is
// waited whether that is the one that lasts. The beats of a start that the log does not know yet
// are no evidence: that may be the one that lasts, or the first of another boot.
func (w Contactwatch) RestlessFor(timing Timing, more time.Duration) bool {
	return w.Silence < timing.Test && w.Starts.Restless >= timing.SilentGrace+more && w.Starts.Up < timing.Deaf &&
		w.Incarnation == w.Known
}

// RoundOf reports whether a change of a node's standing is one more round of its daemon's
// restarts, which are one thing and told as one.
func (n Member) RoundOf(to NodeState, at time.Time) bool {
	switch to {
	case NodeLooking, NodeOnline, NodeSilent, NodeDeaf:
		return n.Restarts.Loop() && !n.Restarts.Told() && at.Sub(n.Restarts.Last) <= RestartsApart
	}
	return false
}

// Lately reports whether the newest start of a loop is so recent that the loop goes on. A clock
// that was set back by more than that ends it.
func (r *Restarts) Lately(at time.Time) bool {
	return r.Loop() && r.Last.Sub(at) <= RestartsApart && at.Sub(r.Last) < RestartsApart
}

// TroubleLasts is how long a failure of a service on a node is remembered by what
// would send it there: long enough that somebody has read of it, short enough that
// nobody has to clear anything away.
const TroubleLasts = 30 * time.Minute

// TroubleKind is what went wrong with a service on a node.
type TroubleKind string

// The kinds of trouble.
const (
	TroubleStart TroubleKind = "start"
	TroubleCrash TroubleKind = "crash"
	TroubleMove  TroubleKind = "move"
	// TroubleRoom is no failure: it made room for another service there.
	TroubleRoom TroubleKind = "room"
)

// Trouble is a failure of a service on a node. It is over when the node's daemon
// starts anew, when the service or its domain is declared otherwise, when a person
// asks for something, when the service runs there after all, and after a while.
type Trouble struct {
	Node string `json:"node"`
	// Incarnation is that of the node's daemon when it happened.
	Incarnation uint64       `json:"incarnation"`
	Kind        TroubleKind  `json:"kind"`
	At          time.Time    `json:"at"`
	Why         message.Text `json:"why,omitzero"`
}

// Says tells what happened.
func (tr Trouble) Says() message.Text {
	switch tr.Kind {
	case TroubleStart:
		return message.TroubleOfStart.With(tr.Node, tr.Why)
	case TroubleMove:
		return message.TroubleOfMove.With(tr.Node, tr.Why)
	case TroubleRoom:
		return message.TroubleOfRoom.With(tr.Node, tr.Why)
	}
	if tr.Why.Is(message.VMCrashed) {
		return message.TroubleOfGuest.With(tr.Node)
	}
	return message.TroubleOfCrash.With(tr.Node, tr.Why)
}

// Untroubled forgets what went wrong on a node.
func (s Service) Untroubled(node string) Service {
	var kept []Trouble
	for _, tr := range s.Troubles {
		if tr.Node != node {
			kept = append(kept, tr)
		}
	}
	s.Troubles = kept
	return s
}

// TriedLater says of a failure when the cluster tries again.
func (tr Trouble) TriedLater() message.Text {
	return message.TroubleRetried.With(tr.Says(), tr.At.Add(TroubleLasts).UTC().Format("15:04:05 MST"), tr.Node)
}

// Moves are live moves of one service, oldest first.
type Moves struct {
	List []Move `json:"list"`
}

// Move is a live move that has ended.
type Move struct {
	// At is when it began, Index names its act.
	At    time.Time `json:"at"`
	Index uint64    `json:"index"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	// By and Why say who or which rule wanted it.
	By  string       `json:"by,omitempty"`
	Why message.Text `json:"why,omitzero"`
	// Arrived tells that the guest runs on To; if not, Undone says why.
	Arrived bool         `json:"arrived"`
	Undone  message.Text `json:"undone,omitzero"`
	// Total and Downtime are zero where nobody could measure them.
	Total    time.Duration `json:"total,omitempty"`
	Downtime time.Duration `json:"downtime,omitempty"`
}

const (
	// MovesKept bounds the moves that are kept of one service, and movesKeptOfAll those of a cluster
	// in which many services move; a few are kept of each in any case.
	MovesKept      = 100
	movesKeptOfAll = 4096
	fewestMoves    = 8
)

// Another returns the moves with one more, where so many services have any.
func (m Moves) Another(move Move, services int) Moves {
	most := max(fewestMoves, min(MovesKept, movesKeptOfAll/max(1, services)))
	list := append(m.List[:len(m.List):len(m.List)], move)
	return Moves{List: list[max(0, len(list)-most):]}
}
