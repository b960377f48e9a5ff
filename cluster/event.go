package cluster

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Defaults of an alert.
const (
	defaultAlertTimeout  = 10 * time.Second
	defaultAlertAttempts = 5
	// MaxProblem bounds what is kept of an alert's trouble.
	MaxProblem = 300
)

// AlertPrefix begins the subject of events about alerts themselves. No alert is
// told of these: one that does not work would otherwise feed itself.
const AlertPrefix = "alert:"

// Alert is a program or an address that is told of events. It decides nothing
// and delays nothing: the shell reads the timeline and tells it.
type Alert struct {
	Name string `json:"name"`
	// Program is an absolute path, with its Arguments; URL or SecretURL is where
	// events are posted. One of the three is there.
	Program   string       `json:"program,omitempty"`
	Arguments []string     `json:"arguments,omitempty"`
	URL       string       `json:"url,omitempty"`
	SecretURL fence.Secret `json:"secretURL,omitempty"`
	// SecretURLCredential names a systemd credential of the daemon that holds SecretURL instead.
	SecretURLCredential string `json:"secretURLCredential,omitempty"`
	// Authority is PEM: the only authorities that the address may have its
	// certificate from; empty trusts the system's.
	Authority string `json:"authority,omitempty"`
	// Header is the name of the HTTP header that carries Secret.
	Header string       `json:"header,omitempty"`
	Secret fence.Secret `json:"secret,omitempty"`
	// SecretCredential names a systemd credential of the daemon that holds Secret instead.
	SecretCredential string `json:"secretCredential,omitempty"`
	// Kinds, Subjects, Codes and States choose events; an empty list chooses all.
	// Subjects and Codes are patterns as of path.Match.
	Kinds    []string `json:"kinds,omitempty"`
	Subjects []string `json:"subjects,omitempty"`
	Codes    []string `json:"codes,omitempty"`
	States   []string `json:"states,omitempty"`
	// Node tells; the leader does when it is empty.
	Node string `json:"node,omitempty"`
	// Timeout bounds one attempt, Attempts how many there are for one event.
	Timeout  time.Duration `json:"timeout,omitempty"`
	Attempts int           `json:"attempts,omitempty"`
}

// WithDefaults fills in what was not said.
func (a Alert) WithDefaults() Alert {
	if a.Timeout == 0 {
		a.Timeout = defaultAlertTimeout
	}
	if a.Attempts == 0 {
		a.Attempts = defaultAlertAttempts
	}
	return a
}

// The kinds of events.
const (
	KindOfNode    = "node"
	KindOfService = "service"
	KindOfCluster = "cluster"
)

// KindOf says what an event is about; "" for what alerts are not told.
func (s *State) KindOf(e Event) string {
	switch {
	case strings.HasPrefix(e.Subject, AlertPrefix):
		return ""
	case strings.Contains(e.Subject, ":"):
		return KindOfService
	case s.Nodes.Has(e.Subject), e.Subject == e.Node:
		return KindOfNode
	}
	return KindOfCluster
}

// Wants reports whether an alert is to be told of an event of that kind.
func (a Alert) Wants(kind string, e Event) bool {
	fits := func(pattern string) bool {
		matched, err := path.Match(pattern, e.Subject)
		return err == nil && matched
	}
	said := func(pattern string) bool { return message.Fits(pattern, e.Why.Code()) }
	return kind != "" && (len(a.Kinds) == 0 || slices.Contains(a.Kinds, kind)) &&
		(len(a.Codes) == 0 || slices.ContainsFunc(a.Codes, said)) &&
		(len(a.Subjects) == 0 || slices.ContainsFunc(a.Subjects, fits)) &&
		(len(a.States) == 0 || (e.From != e.To && slices.Contains(a.States, e.To)))
}

// EventStates are the states that events tell of, by which an alert may choose.
func EventStates() []string {
	states := []string{"fencing", "removed", "disarmed", "armed"}
	for _, state := range []NodeState{NodeJoining, NodeLooking, NodeOnline, NodeSilent, NodeDeaf,
		NodeLost, NodeFenced, NodeLeaving, NodeLeft} {
		states = append(states, string(state))
	}
	for state := resources.Stopped; state <= resources.Migrating; state++ {
		if state != resources.Checking {
			states = append(states, state.String())
		}
	}
	slices.Sort(states)
	return states
}

// Cursor is how far an alert was told of the timeline, and how that went. It is
// in the State, so that another leader goes on where this one stopped.
type Cursor struct {
	Index   uint64 `json:"index"`
	Ordinal int    `json:"ordinal"`
	// Sent, Failed and Dropped count events: told, given up after the last attempt,
	// and left out because too many waited.
	Sent    uint64    `json:"sent,omitempty"`
	Failed  uint64    `json:"failed,omitempty"`
	Dropped uint64    `json:"dropped,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Problem says why the last event was not told; empty while all is well. Since
	// is when that began.
	Problem string    `json:"problem,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	// Trouble is the last reason why an event was not told.
	Trouble string `json:"trouble,omitempty"`
	// Missed counts the events not told of which the timeline does not tell yet;
	// Complained is when it last told of some, Complaining that it said so and not
	// yet that all is well again.
	Missed      uint64    `json:"missed,omitempty"`
	Complained  time.Time `json:"complained,omitzero"`
	Complaining bool      `json:"complaining,omitempty"`
}

// Before reports whether an event lies behind the cursor.
func (c Cursor) Before(e Event) bool {
	return c.Index < e.Index || (c.Index == e.Index && c.Ordinal < e.Ordinal)
}

// Told moves an alert's cursor: the events up to there were told, given up or
// left out.
type Told struct {
	Change
	Alert   string `json:"alert"`
	Node    string `json:"node"`
	Index   uint64 `json:"index"`
	Ordinal int    `json:"ordinal"`
	Sent    uint64 `json:"sent,omitempty"`
	Failed  uint64 `json:"failed,omitempty"`
	Dropped uint64 `json:"dropped,omitempty"`
	// Problem is why the last of them was not told; empty when it was. Trouble is
	// the last reason why any of them was not.
	Problem string `json:"problem,omitempty"`
	Trouble string `json:"trouble,omitempty"`
}

// FoundTwice reports whether a service was last found running twice: what is paused then
// was paused by us.
func (s Service) FoundTwice() bool {
	return s.Reason.Is(message.ServiceRunningTwice, message.ServiceRunningTwiceBusy, message.MigrationRunningTwice)
}

// Overtakes is what the request is told that this one takes the place of.
func (c Ask) Overtakes() message.Text {
	return message.RequestOvertaken.With(c.By, c.Op)
}

// Return codes of requests; the numbers and texts are rgmanager's
// (clulib/rg_strings.c), because scripts read clusvcadm's exit code.
const (
	CodeSuccess    = 0
	CodeFailure    = -1
	CodeAborted    = -2
	CodeNoService  = -4
	CodeDeadlock   = -5
	CodeTemporary  = -6
	CodeDependency = -7
	CodeInvalid    = -8
	CodeRunning    = -10
	CodeFrozen     = -11
	CodeNodeDead   = -12
	CodeFencing    = -13
	CodeExclusive  = -16
	CodeRunsAtHome = -17
)

var codeTexts = map[int]string{
	CodeSuccess:    "Success",
	CodeFailure:    "Failure",
	CodeAborted:    "Aborted; service failed",
	CodeNoService:  "Service does not exist",
	CodeDeadlock:   "Operation would cause a deadlock",
	CodeTemporary:  "Temporary failure; try again",
	CodeDependency: "Operation violates dependency rule",
	CodeInvalid:    "Invalid operation for resource",
	CodeRunning:    "Service is already running",
	CodeFrozen:     "Failure: Service is frozen",
	CodeNodeDead:   "Target node dead / nonexistent",
	CodeFencing:    "Fencing operation pending; try again later",
	CodeExclusive:  "Service not runnable: cannot run exclusive",
	CodeRunsAtHome: "Failed; service running on original owner",
}

// CodeText is the text that rgmanager prints for a return code.
func CodeText(code int) string {
	if text, known := codeTexts[code]; known {
		return text
	}
	return "Failure"
}

// Event is one line of the timeline. It is made by Apply, so every node holds
// the same history.
type Event struct {
	// Index is the log index of the command that made it; Ordinal tells events of
	// one command apart.
	Index   uint64    `json:"index"`
	Ordinal int       `json:"ordinal,omitempty"`
	At      time.Time `json:"at"`
	// Node and Subject say where and whom it is about; Subject is a service's or
	// a node's name.
	Node    string `json:"node,omitempty"`
	Subject string `json:"subject"`
	// From and To are states, where one changed.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Cause is the index of an earlier event; 0 when there is none.
	Cause uint64 `json:"cause,omitempty"`
	// By is the person or the rule.
	By string `json:"by,omitempty"`
	// Why is a sentence.
	Why message.Text `json:"why"`
	// Phases are measured moments of the act that this event ends.
	Phases []Phase `json:"phases,omitempty"`
}

// Phase is one measured moment, or span, of an act.
type Phase struct {
	What string        `json:"what"`
	At   time.Time     `json:"at,omitzero"`
	Took time.Duration `json:"took,omitempty"`
}

// Note is one thing that was not done, and what it waits for.
type Note struct {
	Subject string       `json:"subject"`
	Why     message.Text `json:"why"`
	// Next says what an administrator can do about it, if anything.
	Next message.Text `json:"next,omitzero"`
}

// Operation is what an administrator asks for.
type Operation string

// The operations, as clusvcadm names them.
const (
	OpEnable   Operation = "enable"
	OpDisable  Operation = "disable"
	OpStop     Operation = "stop"
	OpRestart  Operation = "restart"
	OpRelocate Operation = "relocate"
	OpMigrate  Operation = "migrate"
	OpFreeze   Operation = "freeze"
	OpUnfreeze Operation = "unfreeze"
	// OpConvalesce starts again what a partial service goes on without.
	OpConvalesce Operation = "convalesce"
	// OpCancel gives a live migration up that is under way.
	OpCancel Operation = "cancel"
	// OpTune changes the limits of a live migration that is under way.
	OpTune Operation = "tune"
)

// InWords is an intent as a sentence.
func (c Begin) InWords() message.Text {
	switch c.Intent {
	case IntentMigrate:
		return message.NextMigrate.With(c.Node, c.Target, c.Why)
	case IntentConvalesce:
		return message.NextConvalesce.With(c.Node, c.Why)
	case IntentReconfigure:
		return message.NextReconfigure.With(c.Node, c.Why)
	}
	return message.NextAct.With(c.Intent, c.Node, c.Why)
}

// LastDecision is the newest event that began to put a service somewhere.
func (s *State) LastDecision(name string) *Event {
	for i := len(s.Timeline) - 1; i >= 0; i-- {
		e := s.Timeline[i]
		began := e.To == resources.Starting.String() || e.To == resources.Migrating.String()
		if e.Subject == name && began && e.From != e.To {
			return &e
		}
	}
	return nil
}

// Room in the timeline. It is made for some events at once, so that the list is not
// walked for each of them.
const (
	MaxEvents = 2000
	eventRoom = MaxEvents / 8
	// eventShare is what one subject may fill before others lose theirs.
	eventShare = MaxEvents / 10
)

// Record adds to the timeline. Where that is full, those lose their oldest events
// who have more than their share: one subject that talks all the time must not push
// out what is known of the others.
func (s *State) Record(events []Event) {
	s.Timeline = append(s.Timeline, events...)
	if len(s.Timeline) <= MaxEvents {
		return
	}
	excess := len(s.Timeline) - MaxEvents + eventRoom
	count := map[string]int{}
	for _, e := range s.Timeline {
		count[e.Subject]++
	}
	// A new list: other roots share the old one.
	kept := make([]Event, 0, MaxEvents)
	for _, e := range s.Timeline {
		if excess > 0 && count[e.Subject] > eventShare {
			count[e.Subject]--
			excess--
			s.Forgotten = max(s.Forgotten, e.Index)
			continue
		}
		kept = append(kept, e)
	}
	for _, e := range kept[:max(0, excess)] {
		s.Forgotten = max(s.Forgotten, e.Index)
	}
	s.Timeline = kept[max(0, excess):]
}
