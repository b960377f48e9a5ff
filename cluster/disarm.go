package cluster

import (
	"fmt"
	"time"
)

// The bounds of one disarming: it expires by itself, because what has to be
// remembered is forgotten.
const (
	shortestDisarm = time.Minute
	longestDisarm  = 24 * time.Hour
)

// Disarmed says that nothing is shot for a while, because somebody works on the
// network or the fence devices. Nothing is released by it either: what a lost
// node held stays where it is.
type Disarmed struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Index uint64    `json:"index"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
}

// String says it in a sentence without a full stop.
func (d Disarmed) String() string {
	return sentence(fmt.Sprintf("fencing is disarmed until %s by %s", d.Until.UTC().Format("15:04:05 MST"), orElse(d.By, "somebody")), d.Why)
}

// Disarm lets nothing be shot for a while.
type Disarm struct {
	For time.Duration `json:"for"`
	By  string        `json:"by"`
	Why string        `json:"why,omitempty"`
}

// Arm ends a disarming. The leader proposes it, Expired, when the time is over.
type Arm struct {
	Expired bool   `json:"expired,omitempty"`
	By      string `json:"by,omitempty"`
}

// Kind of the command in the log.
func (Disarm) Kind() string { return "disarm" }

// Kind of the command in the log.
func (Arm) Kind() string { return "arm" }

func (Disarm) level() int { return levelTwo }
func (Arm) level() int    { return levelTwo }

func (t *transaction) applyDisarm(c Disarm) refusal {
	if c.For < shortestDisarm || c.For > longestDisarm {
		return refuse("fencing is disarmed for at least %s and at most %s, not for %s", shortestDisarm, longestDisarm, c.For)
	}
	t.Disarmed = &Disarmed{Since: t.at, Until: t.at.Add(c.For), Index: t.index, By: c.By, Why: c.Why}
	why := t.Disarmed.String() + "; nothing is shot, and what a lost node held stays down until it is armed again"
	if t.Fences.Len() > 0 {
		why += "; an attempt on " + joined(t.Fences.Keys()) + " that is under way is not called back"
	}
	t.tell(Event{Subject: t.Cluster, To: "disarmed", By: c.By, Why: why})
	return accepted
}

func (t *transaction) applyArm(c Arm) refusal {
	switch {
	case t.Disarmed == nil:
		return refuse("fencing is armed already")
	case c.Expired && t.at.Before(t.Disarmed.Until):
		return refuse("%s", t.Disarmed)
	}
	why := fmt.Sprintf("fencing is armed again after %s", t.at.Sub(t.Disarmed.Since).Round(time.Second))
	if c.Expired {
		why += ": its time was over"
	}
	cause := t.Disarmed.Index
	t.Disarmed = nil
	t.tell(Event{Subject: t.Cluster, From: "disarmed", To: "armed", Cause: cause, By: c.By, Why: why})
	return accepted
}

// disarmed says why nothing is shot now; "" when it is. A time that is over
// counts as over also before somebody said so in the log.
func (w *World) disarmed(at time.Time) string {
	if w.Disarmed() == nil || !at.Before(w.Disarmed().Until) {
		return ""
	}
	return w.Disarmed().String()
}

// planDisarmed arms fencing again once its time is over, and says until then
// that it is not.
func planDisarmed(w *World, v View, d *Decision) {
	switch why := w.disarmed(v.estimate(w)); {
	case why != "":
		d.wait(w.Cluster(), why+"; nothing is shot", "`clusterd fence arm` ends that")
	case w.Disarmed() != nil:
		d.propose(Arm{Expired: true})
	}
}
