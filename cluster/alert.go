package cluster

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Defaults of an alert.
const (
	defaultAlertTimeout  = 10 * time.Second
	defaultAlertAttempts = 5
	// maxProblem bounds what is kept of an alert's trouble.
	maxProblem = 300
)

// alertPrefix begins the subject of events about alerts themselves. No alert is
// told of these: one that does not work would otherwise feed itself.
const alertPrefix = "alert:"

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
	// Kinds, Subjects and States choose events; an empty list chooses all.
	// Subjects are patterns as of path.Match.
	Kinds    []string `json:"kinds,omitempty"`
	Subjects []string `json:"subjects,omitempty"`
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
	case strings.HasPrefix(e.Subject, alertPrefix):
		return ""
	case strings.Contains(e.Subject, ":"):
		return KindOfService
	case s.Nodes.Has(e.Subject), e.Subject == e.Node:
		return KindOfNode
	}
	return KindOfCluster
}

// Wants tells whether an alert is to be told of an event of that kind.
func (a Alert) Wants(kind string, e Event) bool {
	fits := func(pattern string) bool {
		matched, err := path.Match(pattern, e.Subject)
		return err == nil && matched
	}
	return kind != "" && (len(a.Kinds) == 0 || slices.Contains(a.Kinds, kind)) &&
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

// complainEvery bounds how often the timeline tells of one alert: events about
// alerts must not drive out those that matter.
const complainEvery = time.Minute

// Before tells whether an event lies behind the cursor.
func (c Cursor) Before(e Event) bool {
	return c.Index < e.Index || (c.Index == e.Index && c.Ordinal < e.Ordinal)
}

// endOfEntry is an ordinal behind every event of an entry.
const endOfEntry = 1 << 30

// Told moves an alert's cursor: the events up to there were told, given up or
// left out.
type Told struct {
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

// Kind names the command in the log.
func (Told) Kind() string { return "told" }
func (Told) level() int   { return levelTwo }

// apply moves the cursor. The timeline is told where trouble begins and where it
// ends, not of each event that could not be told.
func (t *transaction) applyTold(c Told) refusal {
	cursor, known := t.Alerts.Get(c.Alert)
	if !known {
		return refuse("there is no alert %s", c.Alert)
	}
	if !cursor.Before(Event{Index: c.Index, Ordinal: c.Ordinal}) {
		return refuse("alert %s was told that already", c.Alert)
	}
	cursor.Index, cursor.Ordinal, cursor.At = c.Index, c.Ordinal, t.at
	cursor.Sent, cursor.Failed, cursor.Dropped = cursor.Sent+c.Sent, cursor.Failed+c.Failed, cursor.Dropped+c.Dropped
	cursor.Missed += c.Failed + c.Dropped
	if cursor.Problem == "" && c.Problem != "" {
		cursor.Since = t.at
	}
	cursor.Problem = cut(c.Problem, maxProblem)
	if c.Trouble != "" {
		cursor.Trouble = cut(c.Trouble, maxProblem)
	}
	cursor = t.complain(c, cursor)
	if cursor.Problem == "" && !cursor.Complaining {
		cursor.Since = time.Time{}
	}
	t.Alerts.Set(c.Alert, cursor)
	return accepted
}

// complain tells the timeline of an alert that does not work, or works again.
func (t *transaction) complain(c Told, cursor Cursor) Cursor {
	e := Event{Subject: alertPrefix + c.Alert, Node: c.Node, To: "working"}
	missed := counted(int(cursor.Missed), "event")
	switch {
	case cursor.Problem == "" && cursor.Complaining:
		e.From = "failing"
		e.Why = fmt.Sprintf("it works again; %s not told since %s", missed, cursor.Since.UTC().Format("2006-01-02 15:04:05 MST"))
		cursor.Complaining = false
	case cursor.Missed == 0 || t.at.Sub(cursor.Complained) < complainEvery:
		return cursor
	case cursor.Problem != "":
		if cursor.Complaining {
			return cursor
		}
		e.To, cursor.Complaining = "failing", true
		e.Why = fmt.Sprintf("%s not told: %s", missed, cursor.Problem)
	default:
		e.Why = fmt.Sprintf("%s not told: %s", missed, cursor.Trouble)
	}
	t.tell(e)
	cursor.Complained = t.at
	if !cursor.Complaining {
		cursor.Missed = 0
	}
	return cursor
}

// declareAlerts gives new alerts a cursor at the present: what happened before is
// no news.
func (t *transaction) declareAlerts() {
	for _, name := range sortedKeys(t.Document.Alerts) {
		if !t.Alerts.Has(name) {
			t.Alerts.Set(name, Cursor{Index: t.index, Ordinal: endOfEntry})
		}
	}
	for _, name := range t.Alerts.Keys() {
		if _, declared := t.Document.Alerts[name]; !declared {
			t.Alerts.Delete(name)
		}
	}
}

// beginLogAnew puts what a backup told before everything that this log will: its
// events have the indexes of another log, by which readers and alerts would take
// the news for old, or the old for news.
func (t *transaction) beginLogAnew() {
	if t.Level < levelTwo {
		return
	}
	old := make([]Event, len(t.Timeline))
	for i, e := range t.Timeline {
		e.Index, e.Ordinal, e.Cause = 0, i+1, 0
		old[i] = e
	}
	t.Timeline, t.Forgotten = old, 0
	for _, name := range t.Alerts.Keys() {
		cursor, _ := t.Alerts.Get(name)
		cursor.Index, cursor.Ordinal = t.index, endOfEntry
		t.Alerts.Set(name, cursor)
	}
}
