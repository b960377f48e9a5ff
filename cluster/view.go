package cluster

import (
	"fmt"
	"maps"
	"time"
)

// Answer is what was found out about one side of a silent node.
type Answer string

// The answers.
const (
	Answers   Answer = "answers"
	Silent    Answer = "silent"
	Uncertain Answer = "uncertain"
)

// Verdict is the result of a peer test: who could reach the node, and how.
type Verdict struct {
	Node   string
	Kernel Answer
	Daemon Answer
	// Why says who saw what, in words.
	Why string
}

// View is what one node knows by its own measuring. It never enters the log.
type View struct {
	// Self is this node; Leading tells whether it leads.
	Self    string
	Leading bool
	// Led is for how long it has led, up to the settling time of a new leader.
	Led time.Duration `json:",omitempty"`
	// Contacts are the stopwatches, by node.
	Contacts map[string]Contactwatch
	// Resting is how long an open fence intent has been without an attempt.
	Resting map[string]time.Duration
	// Stuck is how long a service has been down after failed starts.
	Stuck map[string]time.Duration
	// Loops is how long ago services in a crash loop ended.
	Loops map[string]loopwatch
	// Ends is how long services that are to be down have gone on migrating.
	Ends map[string]loopwatch
	// Opens is how long the intents of services have been open.
	Opens map[string]openwatch `json:",omitempty"`
	// Waited is how long boots that a watchdog ends have been waited out, by node.
	Waited map[string]Waited
	// Quiet is how long this node has seen no new event; Newest is the index of
	// the last one.
	Quiet  time.Duration
	Newest uint64
}

// clone is for who keeps a View while this node goes on measuring. The verdicts
// are shared: they are replaced whole.
func (v View) clone() View {
	v.Contacts, v.Resting, v.Stuck = maps.Clone(v.Contacts), maps.Clone(v.Resting), maps.Clone(v.Stuck)
	v.Waited, v.Loops, v.Ends = maps.Clone(v.Waited), maps.Clone(v.Loops), maps.Clone(v.Ends)
	v.Opens = maps.Clone(v.Opens)
	return v
}

// On is the View a moment after the Step that measured it, and about a State that may be newer
// than that Step's. What is counted since the newest event goes on, and begins again with another
// event. The stopwatches on others advance by Steps alone, so they stay as they were.
func (v View) On(s *State, passed time.Duration) View {
	v.Quiet += passed
	if last := len(s.Timeline) - 1; last >= 0 && s.Timeline[last].Index != v.Newest {
		v.Newest, v.Quiet = s.Timeline[last].Index, 0
	}
	return v
}

// Contactwatch measures the silence of one node.
type Contactwatch struct {
	// Silence since the last beat, or since this node began to listen.
	Silence time.Duration
	// Heard tells whether there was a beat since this node began to listen.
	Heard bool
	// Incarnation is the one the last beat carried; Known the one in the State
	// when it was last looked at. A new one is a sign of life.
	Incarnation uint64
	Known       uint64
	// Verdict of the last test since the last beat; nil while there is none.
	Verdict *Verdict
	// VerdictAge is how long ago it came.
	VerdictAge time.Duration
	// KernelOnly is how long the verdicts have said: kernel answers, daemon silent.
	KernelOnly time.Duration
	// StoodStill: since its last beat this node itself has stood still for longer than
	// a node may be silent. What Silence says may be from before that.
	StoodStill bool
	// Log is whether it follows the log, as the leader measures it.
	Log Logwatch
}

// mayComeBack tells that a node answers by what was found out last: somebody
// reaches its daemon, or its kernel answers and the daemon has its grace.
func (w Contactwatch) mayComeBack(timing Timing) bool {
	if w.Log.Deaf && w.Silence < timing.Test {
		return !w.beyondGrace(timing, 0)
	}
	v := w.Verdict
	return v != nil && (v.Daemon == Answers || (v.Kernel == Answers && w.KernelOnly < timing.SilentGrace))
}

// unasked reports whether a node is silent and nobody was asked about it. Who has only just begun to
// lead knows of a lost node what another leader found out, which may be long ago.
func (w Contactwatch) unasked(timing Timing) bool {
	return w.Verdict == nil && w.Silence >= timing.Test
}

// judgement is what the leader makes of a node's silence.
type judgement struct {
	state NodeState
	why   string
	// wait says what is waited for while nothing is judged, next what to do about it.
	wait, next string
}

// judge decides by silence and verdict. Heartbeats alone never condemn: a
// node is lost only when its kernel is silent to everybody who was asked, or
// when its daemon stayed silent for the grace (design: membership).
func judge(n Member, w Contactwatch, timing Timing) judgement {
	limit := timing.Lost
	if !w.Heard {
		limit = timing.JoinGrace
	}
	switch {
	case w.Silence < timing.Test && w.Log.Deaf:
		return judgeDeaf(n, w, timing)
	case w.Silence < timing.Test:
		return judgement{state: NodeOnline}
	case w.Silence < limit || w.Verdict == nil:
		return judgement{wait: fmt.Sprintf("%s has been silent for %s, its peers are asked to reach it", n.Name, w.Silence.Round(10*time.Millisecond))}
	case w.Verdict.Daemon == Answers:
		return judgement{wait: fmt.Sprintf("%s is not heard here but reached by its peers: alive behind a broken link, it is not fenced (%s)", n.Name, w.Verdict.Why)}
	case w.Verdict.Kernel == Answers && w.KernelOnly < timing.SilentGrace:
		return daemonSilent(n, w, timing)
	case w.Verdict.Kernel == Answers:
		return judgement{state: NodeLost, why: outOfGrace(n, w, timing)}
	case w.Verdict.Kernel == Uncertain:
		return judgement{wait: fmt.Sprintf("nobody could test whether %s is alive (%s)", n.Name, w.Verdict.Why)}
	}
	return judgement{state: NodeLost, why: fmt.Sprintf("silent for %s to everybody (%s)", w.Silence.Round(10*time.Millisecond), w.Verdict.Why)}
}
