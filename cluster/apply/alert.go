package apply

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// complainEvery bounds how often the timeline tells of one alert: events about
// alerts must not drive out those that matter.
const complainEvery = time.Minute

// endOfEntry is an ordinal behind every event of an entry.
const endOfEntry = 1 << 30

// applyTold moves the cursor. The timeline is told where trouble begins and where it
// ends, not of each event that could not be told.
func (t *transaction) applyTold(c cluster.Told) rules.Refusal {
	cursor, known := t.Alerts.Get(c.Alert)
	if !known {
		return rules.Refuse(message.AlertUnknown.With(c.Alert))
	}
	if !cursor.Before(cluster.Event{Index: c.Index, Ordinal: c.Ordinal}) {
		return rules.Refuse(message.AlertToldAlready.With(c.Alert))
	}
	cursor.Index, cursor.Ordinal, cursor.At = c.Index, c.Ordinal, t.At
	cursor.Sent, cursor.Failed, cursor.Dropped = cursor.Sent+c.Sent, cursor.Failed+c.Failed, cursor.Dropped+c.Dropped
	cursor.Missed += c.Failed + c.Dropped
	if cursor.Problem == "" && c.Problem != "" {
		cursor.Since = t.At
	}
	cursor.Problem = cut(c.Problem, cluster.MaxProblem)
	if c.Trouble != "" {
		cursor.Trouble = cut(c.Trouble, cluster.MaxProblem)
	}
	cursor = t.complain(c, cursor)
	if cursor.Problem == "" && !cursor.Complaining {
		cursor.Since = time.Time{}
	}
	t.Alerts.Set(c.Alert, cursor)
	return rules.Accepted
}

// complain tells the timeline of an alert that does not work, or works again.
func (t *transaction) complain(c cluster.Told, cursor cluster.Cursor) cluster.Cursor {
	e := cluster.Event{Subject: cluster.AlertPrefix + c.Alert, Node: c.Node, To: "working"}
	switch {
	case cursor.Problem == "" && cursor.Complaining:
		e.From = "failing"
		e.Why = message.AlertWorks.With(cursor.Missed, cursor.Since.UTC().Format("2006-01-02 15:04:05 MST"))
		cursor.Complaining = false
	case cursor.Missed == 0 || t.At.Sub(cursor.Complained) < complainEvery:
		return cursor
	case cursor.Problem != "":
		if cursor.Complaining {
			return cursor
		}
		e.To, cursor.Complaining = "failing", true
		e.Why = message.AlertMissed.With(cursor.Missed, cursor.Problem)
	default:
		e.Why = message.AlertMissed.With(cursor.Missed, cursor.Trouble)
	}
	t.tell(e)
	cursor.Complained = t.At
	if !cursor.Complaining {
		cursor.Missed = 0
	}
	return cursor
}

// declareAlerts gives new alerts a cursor at the present: what happened before is
// no news.
func (t *transaction) declareAlerts() {
	for _, name := range words.SortedKeys(t.Document.Alerts) {
		if !t.Alerts.Has(name) {
			t.Alerts.Set(name, cluster.Cursor{Index: t.index, Ordinal: endOfEntry})
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
	old := make([]cluster.Event, len(t.Timeline))
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
