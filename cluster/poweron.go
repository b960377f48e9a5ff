package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// PowerOn is power that is asked for again after a confirmed off: the second
// half of a reboot or of a drill. It is best effort. Nothing depends on it, and
// a new boot of the machine is all that counts.
type PowerOn struct {
	Node       string    `json:"node"`
	Index      uint64    `json:"index"`
	Generation uint64    `json:"generation"`
	At         time.Time `json:"at"`
	Level      int       `json:"level"`
	// Fencer is who asks the devices, in its present incarnation.
	Fencer      string `json:"fencer"`
	Incarnation uint64 `json:"incarnation"`
	By          string `json:"by,omitempty"`
}

// PowerOnDone is how that ended; an empty Problem says that every device took
// the command.
type PowerOnDone struct {
	Node        string `json:"node"`
	Act         uint64 `json:"act"`
	Fencer      string `json:"fencer"`
	Incarnation uint64 `json:"incarnation"`
	Problem     string `json:"problem,omitempty"`
}

// Kind of the command in the log.
func (PowerOnDone) Kind() string { return "power-on-done" }

func (PowerOnDone) level() int { return levelTwo }

// askPower lets whoever confirmed that a node is off ask for its power again,
// by the same devices: two power supplies went off together and come on together.
func (t *transaction) askPower(node, fencer string, incarnation uint64, level int, by string) {
	t.PowerOns.Set(node, PowerOn{Node: node, Index: t.index, Generation: t.Generation, At: t.at, Level: level, Fencer: fencer, Incarnation: incarnation, By: by})
	t.tell(Event{Node: fencer, Subject: node, By: by, Why: fmt.Sprintf("%s asks for the power of %s again", fencer, node)})
}

func (t *transaction) applyPowerOnDone(c PowerOnDone) refusal {
	asked, open := t.PowerOns.Get(c.Node)
	if !open || asked.Index != c.Act || asked.Fencer != c.Fencer || asked.Incarnation != c.Incarnation {
		return refuse("the power of %s is no longer waited for", c.Node)
	}
	t.PowerOns.Delete(c.Node)
	why := c.Node + " was given power again; it is waited for until it boots"
	if c.Problem != "" {
		why = fmt.Sprintf("%s was not given power again: %s; `clusterd fence node %s --on` asks once more", c.Node, c.Problem, c.Node)
	}
	t.tell(Event{Node: c.Fencer, Subject: c.Node, Cause: asked.Index, Why: why})
	return accepted
}

// powerDuties are the nodes for whose power this one asks now.
func powerDuties(s *State, n Member) []Duty {
	var duties []Duty
	for _, name := range s.PowerOns.Keys() {
		asked, _ := s.PowerOns.Get(name)
		victim, known := s.Nodes.Get(name)
		if asked.Fencer != n.Name || asked.Incarnation != n.Incarnation || !known || victim.State != NodeFenced || s.Fences.Has(name) {
			continue
		}
		d := Duty{Kind: DutyPowerOn, Node: name, Index: asked.Index, Incarnation: n.Incarnation, Act: fence.Act(asked.Generation, asked.Index, 0)}
		if levels := s.Document.Nodes[name].Fence; asked.Level < len(levels) {
			for _, device := range levels[asked.Level].Devices {
				d.Devices = append(d.Devices, s.Document.Devices[device])
			}
		}
		duties = append(duties, d)
	}
	return duties
}

// planPowerOns gives up what nobody can answer for any more.
func planPowerOns(w *World, d *Decision) {
	for _, name := range w.PowerOns.Keys() {
		asked, _ := w.PowerOns.Get(name)
		fencer, _ := w.Nodes.Get(asked.Fencer)
		if !fencer.Reachable() || fencer.Incarnation != asked.Incarnation {
			d.propose(PowerOnDone{Node: name, Act: asked.Index, Fencer: asked.Fencer, Incarnation: asked.Incarnation, Problem: asked.Fencer + " was lost before it had a result"})
		}
	}
}
