package cluster

import (
	"maps"
	"time"

	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// How many acts one node carries out at a time: starts, stops and their like, and live
// migrations. What is decided beyond that waits there for its turn.
const (
	ActsAtOnce  = 16
	MovesAtOnce = 4
)

// ActMargin is what an act may take beyond the time that its declaration gives it.
const ActMargin = 15 * time.Second

// PrepareTimeout is how long the target of a migration may take to say whether it can take the VM.
const PrepareTimeout = 20 * time.Second

// IntentNoted is how long an intent may be open on a node in order before a note tells of it.
// Most acts take seconds.
const IntentNoted = time.Minute

// Openwatch is this node's own measure of how long an intent has been open.
type Openwatch struct {
	Index uint64
	// Stage is that of the act: each has the whole time.
	Stage int `json:",omitempty"`
	For   time.Duration
	// Limit is the time that the act has.
	Limit time.Duration
}

// Allowed is how long the act of an intent may take before whoever carries it out gives it up.
func (s *Service) Allowed() time.Duration {
	spec := s.Spec.WithDefaults()
	limit := spec.StartTimeout
	switch s.Intent.Kind {
	case IntentStop:
		limit = spec.StopTimeout + spec.DestroyTimeout
	case IntentMigrate:
		limit = spec.MigrateTimeout + PrepareTimeout
	case IntentReconfigure:
		limit = spec.StopTimeout + spec.StartTimeout
	}
	return limit + ActMargin
}

// RestOpen measures how long an intent has been open, and reports whether the time has come at
// which something else is said about it.
func (v View) RestOpen(service *Service, tick time.Duration) (turned bool) {
	if service.Intent == nil {
		return false
	}
	name := service.Spec.Name
	w := v.Opens[name]
	if i := service.Intent; w.Index != i.Index || w.Stage != i.Stage {
		w = Openwatch{Index: i.Index, Stage: i.Stage, Limit: service.Allowed()}
	}
	before := w.For
	w.For = min(w.For+tick, max(w.Limit, IntentNoted))
	v.Opens[name] = w
	passed := func(limit time.Duration) bool { return before < limit && w.For >= limit }
	return passed(IntentNoted) || passed(w.Limit)
}

// WatchesMove reports whether time alone will change what is decided or said.
func (v View) WatchesMove() bool { return v.loopsMove() || v.opensMove() }

// opensMove reports whether time alone will change what is said of an open intent.
func (v View) opensMove() bool {
	for _, w := range v.Opens {
		if w.For < max(w.Limit, IntentNoted) {
			return true
		}
	}
	return false
}

// FoundAs reports whether another View holds the same of every node, apart from how long ago.
func (v View) FoundAs(s *State, other View) bool {
	for _, name := range s.Nodes.Keys() {
		if v.Contacts[name].Found() != other.Contacts[name].Found() {
			return false
		}
	}
	return true
}

// Found is what was found out of a node, without the stopwatches. Those are judged by steady, and
// by what they say when they pass a limit. What is sampled of a node besides counts from itself.
func (w Contactwatch) Found() Contactwatch {
	w.Silence, w.VerdictAge, w.KernelOnly, w.Log, w.Starts = 0, 0, 0, Logwatch{Deaf: w.Log.Deaf}, Startwatch{}
	return w
}

// Judged reports whether a node's silence means anything.
func (n *Member) Judged() bool {
	return n.Incarnation != 0 && !n.Ended() && n.State != NodeLeft && n.State != NodeJoining
}

// DownAfterFailure tells that a service is down, and that starts of it have failed.
func (s *Service) DownAfterFailure() bool {
	return len(s.FailedOn) > 0 && s.Intent == nil && s.State != resources.Started
}

// Tick is how often a node's shell calls Step at least. A stopwatch on others
// advances at most one tick per Step, so a leader that was paused suspects
// nobody for it.
const Tick = 100 * time.Millisecond

// Timing are the waits by which a silent node is judged. The order
// Test < Lost < HandOver < lease < watchdog is checked by the configuration.
type Timing struct {
	// Test: after this silence the peers are asked to reach the node.
	Test time.Duration
	// Lost: after this silence, and with a verdict, the node is lost.
	Lost time.Duration
	// Deaf: after so long without an entry of the log that there is, a node that is heard
	// is given no work.
	Deaf time.Duration
	// SilentGrace is how long a daemon may be silent while its kernel answers.
	SilentGrace time.Duration
	// JoinGrace is how long a node that this leader never heard is waited for
	// (a cold start with stragglers).
	JoinGrace time.Duration
	// HandOver is how long a new leader may take to be there and to let nodes go on:
	// the elections of the profile, several of them.
	HandOver time.Duration
}

// TimingFor returns the waits of a profile: fast, normal, relaxed.
func TimingFor(profile string) Timing {
	t := Timing{Test: 550 * time.Millisecond, Lost: 960 * time.Millisecond, Deaf: 4 * time.Second,
		SilentGrace: 15 * time.Second, JoinGrace: 60 * time.Second, HandOver: 2 * time.Second}
	switch profile {
	case "fast":
		t.Test, t.Lost, t.Deaf, t.HandOver = 250*time.Millisecond, 450*time.Millisecond, 2*time.Second, time.Second
	case "relaxed":
		t.Test, t.Lost, t.Deaf, t.HandOver = 1100*time.Millisecond, 2*time.Second, 8*time.Second, 4*time.Second
	}
	return t
}

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
	Why message.Text
}

// View is what one node knows by its own measuring. It never enters the log.
type View struct {
	// Self is this node; Leading reports whether it leads.
	Self    string
	Leading bool
	// Term is that of the log in which it leads; 0 where nobody tells.
	Term uint64 `json:",omitempty"`
	// Led is for how long it has led, up to the settling time of a new leader.
	Led time.Duration `json:",omitempty"`
	// Contacts are the stopwatches, by node.
	Contacts map[string]Contactwatch
	// Cooldown is how long an open fence intent has been without an attempt.
	Cooldown map[string]time.Duration
	// Stuck is how long a service has been down after failed starts.
	Stuck map[string]time.Duration
	// Loops is how long ago services in a crash loop ended.
	Loops map[string]Loopwatch
	// Ends is how long services that are to be down have gone on migrating.
	Ends map[string]Loopwatch
	// Opens is how long the intents of services have been open.
	Opens map[string]Openwatch `json:",omitempty"`
	// Waited is how long boots that a watchdog ends have been waited out, by node.
	Waited map[string]Waited
	// Quiet is how long this node has seen no new event; Newest is the index of
	// the last one.
	Quiet  time.Duration
	Newest uint64
}

// Clone is for who keeps a View while this node goes on measuring. The verdicts
// are shared: they are replaced whole.
func (v View) Clone() View {
	v.Contacts, v.Cooldown, v.Stuck = maps.Clone(v.Contacts), maps.Clone(v.Cooldown), maps.Clone(v.Stuck)
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
	// Heard reports whether there was a beat since this node began to listen.
	Heard bool
	// Assumed: no beat was heard, and the log says that its daemon has just started. Its silence is
	// that of a node that was heard; but the log may be an old one that is read again, so nothing is
	// sent there.
	Assumed bool
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
	// Log is whether it follows the log, and Starts whether it stays up, as the leader measures it.
	Log    Logwatch
	Starts Startwatch
}

// MayComeBack tells that a node answers by what was found out last: somebody
// reaches its daemon, or its kernel answers and the daemon has its grace.
func (w Contactwatch) MayComeBack(timing Timing) bool {
	if w.Log.Deaf && w.Silence < timing.Test {
		return !w.BeyondGrace(timing, 0)
	}
	v := w.Verdict
	return v != nil && (v.Daemon == Answers || (v.Kernel == Answers && w.KernelOnly < timing.SilentGrace))
}

// Unasked reports whether a node is silent and nobody was asked about it. Who has only just
// begun to lead knows of a lost node what another leader found out, which may be long ago.
func (w Contactwatch) Unasked(timing Timing) bool {
	return w.Verdict == nil && w.Silence >= timing.Test
}

// Judgement is what the leader makes of a node's silence.
type Judgement struct {
	State NodeState
	Why   message.Text
	// Wait says what is waited for while nothing is judged, Next what to do about it.
	Wait, Next message.Text
}

// Judge decides by silence and verdict. Heartbeats alone never condemn: a
// node is lost only when its kernel is silent to everybody who was asked, or
// when its daemon stayed silent for the grace (design: membership).
func Judge(n Member, w Contactwatch, timing Timing) Judgement {
	limit := timing.Lost
	if !w.Heard {
		limit = timing.JoinGrace
	}
	switch {
	case w.RestlessFor(timing, 0):
		return Judgement{State: NodeLost, Why: message.NodeRestlessTooLong.With(n.Restarts.Says(), timing.SilentGrace)}
	case w.Silence < timing.Test && w.Log.Deaf:
		return judgeDeaf(n, w, timing)
	case w.Silence < timing.Test:
		return Judgement{State: NodeOnline}
	case w.Silence < limit || w.Verdict == nil:
		return Judgement{Wait: message.NodeSilentPeersAsked.With(n.Name, w.Silence.Round(10*time.Millisecond))}
	case w.Verdict.Daemon == Answers:
		return Judgement{Wait: message.NodeSilentLink.With(n.Name, w.Verdict.Why)}
	case w.Verdict.Kernel == Answers && w.KernelOnly < timing.SilentGrace:
		return daemonSilent(n, w, timing)
	case w.Verdict.Kernel == Answers:
		return Judgement{State: NodeLost, Why: outOfGrace(n, w, timing)}
	case w.Verdict.Kernel == Uncertain:
		return Judgement{Wait: message.NodeSilentUntested.With(n.Name, w.Verdict.Why)}
	}
	return Judgement{State: NodeLost, Why: message.NodeLost.With(w.Silence.Round(10*time.Millisecond), w.Verdict.Why)}
}

// Waited measures how long this node has seen a fence intent in its log, by its
// own stopwatch. No lease was asked for after the intent was committed, so what
// has passed since then has passed since the last lease too (law L6).
type Waited struct {
	// Intent is the index of the intent; another one begins at zero.
	Intent uint64
	For    time.Duration
}

// Candidate is one line of the table behind a placement.
type Candidate struct {
	Node string `json:"node"`
	// Order is 1 for the node that would be chosen now, 2 for the next; 0 where a
	// rule rules the node out.
	Order int `json:"order,omitempty"`
	// Here: the service runs there.
	Here bool `json:"here,omitempty"`
	// Why is the rule that ruled it out, or what speaks for it.
	Why message.Text `json:"why"`
	// Services is how many run there, by which equal nodes are told apart.
	Services int `json:"services"`
	// Free is the memory that services may still take of the node, of Memory in all; Memory is 0 where
	// the node has not told.
	Free   resources.Bytes `json:"free,omitempty"`
	Memory resources.Bytes `json:"memory,omitempty"`
}

// Explanation says of one service why it is where it is, where it would be
// started now, and what it waits for.
type Explanation struct {
	Service string `json:"service"`
	State   string `json:"state"`
	Owner   string `json:"owner,omitempty"`
	// Reason is the sentence of its last change.
	Reason message.Text `json:"reason,omitzero"`
	// Decision is the event of the last decision about its place; nil when the
	// timeline does not reach back to it.
	Decision *Event `json:"decision,omitempty"`
	// Candidates are the nodes, the best first, judged as for a start now.
	Candidates []Candidate `json:"candidates"`
	// Rules are the rules between services that concern it, and how they stand.
	Rules []message.Text `json:"rules,omitempty"`
	// Bonds say what ties it to a host.
	Bonds []string `json:"bonds,omitempty"`
	// Waits are the plan's notes about it.
	Waits []Note `json:"waits,omitempty"`
	// Next is what the plan does with it now, in words; empty for nothing.
	Next message.Text `json:"next,omitzero"`
}

// Method is how a service leaves a node.
type Method string

// The methods.
const (
	// MethodLive: the guest moves and goes on running.
	MethodLive Method = "live"
	// MethodCold: stopped here, started there.
	MethodCold Method = "cold"
	// MethodStays: it cannot leave now; the blockers say why.
	MethodStays Method = "stays"
)

// DrainStep is what becomes of one service when its node is to be emptied.
type DrainStep struct {
	Service string `json:"service"`
	State   string `json:"state"`
	Method  Method `json:"method"`
	Target  string `json:"target,omitempty"`
	// Why is what speaks for the target.
	Why message.Text `json:"why,omitzero"`
	// Blockers are all the reasons why it does not go (by that method).
	Blockers []message.Text `json:"blockers,omitempty"`
	// Warnings are what it loses by going.
	Warnings []message.Text `json:"warnings,omitempty"`
	// Next says what an administrator can do about it.
	Next message.Text `json:"next,omitzero"`
	// Deadline tells that it is stopped and started on Target when the deadline of
	// the order comes, although it cannot move live.
	Deadline bool `json:"deadline,omitempty"`

	// ColdTarget is where it would be started if it were stopped here; for the rehearsal alone.
	ColdTarget string `json:"-"`
}

// Rehearsal is what would come of a request if every act worked.
type Rehearsal struct {
	// Refused says why it would not be taken, Code is rgmanager's; Refused is
	// empty when it would.
	Refused message.Text `json:"refused,omitzero"`
	Code    int          `json:"code"`
	// Text, Why and Owner are the answer that would follow.
	Text  string       `json:"text,omitempty"`
	Why   message.Text `json:"why,omitzero"`
	Owner string       `json:"owner,omitempty"`
	// Done: the request would be answered; else it would wait for what Notes say.
	Done bool `json:"done"`
	// Events are the timeline that would follow, in order; their times mean nothing.
	Events []Event `json:"events,omitempty"`
	// Notes are what would not be done, and why.
	Notes []Note `json:"notes,omitempty"`
}
