package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// DrillPhase is how far a drill is.
type DrillPhase string

// The phases: the node's services move away, its power is cut, it boots.
const (
	DrillEmptying DrillPhase = "emptying"
	DrillOff      DrillPhase = "off"
	DrillOn       DrillPhase = "on"
)

// drillPatience bounds each phase that waits for services or for a boot. It is
// for policy only; what a drill cut off stays as safe as any other shot.
const drillPatience = 15 * time.Minute

// Drill is one whole drill of a node: drain, off, confirmed, on, back. It lives
// in the State, so a new leader goes on with it.
type Drill struct {
	Node  string    `json:"node"`
	Level int       `json:"level"`
	Index uint64    `json:"index"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	// Scheduled: the document asks for it, not a person.
	Scheduled bool       `json:"scheduled,omitempty"`
	Phase     DrillPhase `json:"phase"`
	PhaseAt   time.Time  `json:"phaseAt"`
	// Steps are what has happened so far.
	Steps []Phase `json:"steps,omitempty"`
	// Ended, OK and Why are of a drill that is over.
	Ended time.Time `json:"ended,omitzero"`
	OK    bool      `json:"ok,omitempty"`
	Why   string    `json:"why,omitempty"`
}

// BeginDrill asks for a whole drill of one level of a node.
type BeginDrill struct {
	Node      string `json:"node"`
	Level     int    `json:"level"`
	By        string `json:"by"`
	Scheduled bool   `json:"scheduled,omitempty"`
}

// EndDrill closes it.
type EndDrill struct {
	Node string `json:"node"`
	Act  uint64 `json:"act"`
	OK   bool   `json:"ok,omitempty"`
	Why  string `json:"why"`
}

// Kind of the command in the log.
func (BeginDrill) Kind() string { return "begin-drill" }

// Kind of the command in the log.
func (EndDrill) Kind() string { return "end-drill" }

func (BeginDrill) level() int { return levelTwo }
func (EndDrill) level() int   { return levelTwo }

func (t *transaction) applyBeginDrill(c BeginDrill) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return refuse("there is no node %s", c.Node)
	case t.Drill != nil:
		return refuse("a drill of %s is under way, one at a time", t.Drill.Node)
	case t.Fences.Len() > 0:
		return refuse("%s is being fenced; a drill waits for that", t.Fences.Keys()[0])
	case n.State != NodeOnline && n.State != NodeLeft:
		return refuse("%s is %s; a drill needs a node in touch", c.Node, n.State)
	case c.Level < 0 || c.Level >= len(t.Document.Nodes[c.Node].Fence):
		return refuse("%s has no fence level %d", c.Node, c.Level+1)
	case fence.NatureOf(t.devicesOf(c.Node, c.Level)) != fence.ByPower:
		return refuse("level %d of %s switches no power, so a drill would not show whose it is", c.Level+1, c.Node)
	}
	if why := t.disarmed(t.at); why != "" {
		return refuse("%s; `clusterd fence arm` ends that", why)
	}
	if why := t.unfitForDrill(); c.Scheduled && why != "" {
		return refuse("a drill by schedule waits: %s", why)
	}
	t.Drill = &Drill{Node: c.Node, Level: c.Level, Index: t.index, At: t.at, By: c.By, Scheduled: c.Scheduled, Phase: DrillEmptying, PhaseAt: t.at}
	t.tell(Event{Node: c.Node, Subject: c.Node, By: c.By, Why: fmt.Sprintf("a drill of fence level %d of %s begins: its services move away first", c.Level+1, c.Node)})
	return accepted
}

// unfitForDrill: without a person, a node's power is cut only while everything
// else is well, and never again after a drill that failed.
func (s *State) unfitForDrill() string {
	if s.Nodes.Len() < 3 {
		return "it needs three nodes, so that the others go on"
	}
	for _, name := range s.Nodes.Keys() {
		if n, _ := s.Nodes.Get(name); n.State != NodeOnline {
			return fmt.Sprintf("%s is %s", name, n.State)
		}
	}
	for _, name := range s.Drilled.Keys() {
		if last, _ := s.Drilled.Get(name); !last.OK {
			return fmt.Sprintf("the last drill of %s failed; `clusterd fence test %s` after it was mended lets the schedule go on", name, name)
		}
	}
	return ""
}

// drillPhase moves a drill on.
func (t *transaction) drillPhase(phase DrillPhase, step string) {
	next := *t.Drill
	next.Phase, next.PhaseAt = phase, t.at
	next.Steps = appendPhases(next.Steps, Phase{What: step, At: t.at})
	t.Drill = &next
}

func (t *transaction) applyEndDrill(c EndDrill) refusal {
	if t.Drill == nil || t.Drill.Node != c.Node || t.Drill.Index != c.Act {
		return refuse("no such drill of %s is under way", c.Node)
	}
	t.endDrill(c.OK, c.Why)
	return accepted
}

// endDrill keeps how it went: the last drill of each node.
func (t *transaction) endDrill(ok bool, why string) {
	done := *t.Drill
	if ok && done.Why != "" {
		ok, why = false, done.Why
	}
	done.Ended, done.OK, done.Why = t.at, ok, why
	word := "the drill FAILED: "
	if ok {
		word = "the drill succeeded: "
		done.Steps = appendPhases(done.Steps, Phase{What: "back", At: t.at})
	}
	t.Drill = nil
	t.Drilled.Set(done.Node, done)
	t.tell(Event{Node: done.Node, Subject: done.Node, Cause: done.Index, By: done.By, Why: word + why, Phases: done.Steps})
}

// planDrill takes the next step of the drill under way.
func planDrill(w *World, v View, d *Decision) {
	run := w.Drill()
	if run == nil {
		return
	}
	n, known := w.Nodes.Get(run.Node)
	end := func(ok bool, format string, args ...any) {
		d.propose(EndDrill{Node: run.Node, Act: run.Index, OK: ok, Why: fmt.Sprintf(format, args...)})
	}
	late := v.estimate(w).Sub(run.PhaseAt) > drillPatience
	switch {
	case !known:
		end(false, "%s was removed", run.Node)
	case run.Phase == DrillEmptying:
		planEmptying(w, v, n, late, d, end)
	case run.Phase == DrillOff && !w.Fences.Has(run.Node):
		end(false, "its fence intent was closed otherwise")
	case run.Phase == DrillOn && n.State == NodeOnline:
		end(true, "fence level %d of %s cuts its power, and it came back", run.Level+1, run.Node)
	case run.Phase == DrillOn && late:
		end(false, "%s is off and did not come back within %s; look at its console, then `clusterd fence node %s --on`", run.Node, drillPatience, run.Node)
	case run.Phase == DrillOn:
		d.wait(run.Node, "the drill waits until "+run.Node+" has booted", "")
	}
}

func planEmptying(w *World, v View, n Member, late bool, d *Decision, end func(bool, string, ...any)) {
	run := w.Drill()
	switch {
	case late:
		end(false, "%s still holds %s after %s; it leaves on, and comes back with `systemctl restart clusterd` on it", run.Node, joined(w.heldBy(n)), drillPatience)
	case n.State == NodeOnline:
		d.propose(Leave{Node: run.Node, By: run.By})
	case n.State == NodeLeaving:
		d.wait(run.Node, "the drill waits until the services of "+run.Node+" have moved away", "")
	case n.State != NodeLeft:
		end(false, "%s is %s now", run.Node, n.State)
	default:
		if fencers := fencersOf(w, v, run.Node); len(fencers) > 0 && w.Fences.Len() == 0 && w.disarmed(v.estimate(w)) == "" {
			d.propose(BeginFence{Node: run.Node, Boot: n.Boot, Fencer: fencers[0], Why: "a drill", By: run.By, Override: true, Drill: true, Level: run.Level})
			return
		}
		d.wait(run.Node, "the drill waits: another node is being fenced, fencing is disarmed, or nobody is ready to fence "+run.Node, "")
	}
}
