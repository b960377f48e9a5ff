package apply

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// mayDrill: a drill cuts the power of a node in touch that holds nothing. In
// touch, because its falling silent is half of the proof.
func (t *transaction) mayDrill(n cluster.Member, c cluster.BeginFence) string {
	levels := t.Document.Nodes[n.Name].Fence
	switch held := t.HeldBy(n); {
	case !c.Override:
		return "a drill needs an operator"
	case n.State != cluster.NodeOnline && n.State != cluster.NodeLeft:
		return fmt.Sprintf("%s is %s; a drill needs a node in touch", n.Name, n.State)
	case len(held) > 0:
		return fmt.Sprintf("%s may be running %s; let it leave first with `clusterd node leave %s`", n.Name, held[0], n.Name)
	case c.Level < 0 || c.Level >= len(levels):
		return fmt.Sprintf("%s has no fence level %d", n.Name, c.Level+1)
	case fence.EffectOf(t.DevicesOf(n.Name, c.Level)) != fence.ByPower:
		return fmt.Sprintf("level %d of %s switches no power, so a drill would not show whose it is", c.Level+1, n.Name)
	case t.Drill != nil && t.Drill.Node != n.Name:
		return fmt.Sprintf("a drill of %s is under way, one at a time", t.Drill.Node)
	case t.Drill != nil && t.Drill.Scheduled && t.Brake(t.At) != "":
		return t.Brake(t.At)
	case t.Fences.Len() > 0:
		return t.Fences.Keys()[0] + " is being fenced; a drill waits for that"
	}
	return ""
}

// drilled takes in what a drill showed, and closes its intent either way.
func (t *transaction) drilled(n cluster.Member, open cluster.Fence, c cluster.FenceDone) {
	levels := t.Document.Nodes[n.Name].Fence
	if open.Document != t.Config.Version || open.Level >= len(levels) {
		why := "the document changed during the drill, so it proved nothing about the devices that are " +
			"declared now; repeat it"
		t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: message.Sentence(why)})
		t.drillOff(n.Name, c.Result.Outcome == fence.Confirmed, message.Sentence(why))
		return
	}
	devices := levels[open.Level].Devices
	evidence := strings.Join(c.Result.Evidence, "; ")
	if c.Result.Outcome != fence.Confirmed {
		for _, device := range devices {
			t.Proven.Delete(device)
		}
		t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By,
			Why: message.Sentence(fmt.Sprintf("the drill proved nothing: %s: %s", c.Result.Outcome, evidence))})
		t.drillOff(n.Name, false,
			message.Sentence(fmt.Sprintf("%s: %s. A node that is still up takes services again after `systemctl restart clusterd` on it",
				c.Result.Outcome, evidence)))
		return
	}
	for _, device := range devices {
		t.Proven.Set(device, cluster.Proof{Node: n.Name, Machine: n.Machine(), At: t.At, By: open.By})
	}
	t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By,
		Why: message.Sentence("the drill proved that the power of " + n.Name + " is cut by " + words.Joined(devices))})
	t.drillOff(n.Name, true, message.Text{})
}

// drillOff takes the half that proves something into the drill it belongs to.
// What proved nothing is said at the end, after the machine is back.
func (t *transaction) drillOff(node string, off bool, why message.Text) {
	if t.Drill == nil || t.Drill.Node != node {
		return
	}
	if !off {
		t.endDrill(false, why)
		return
	}
	t.drillPhase(cluster.DrillOn, "off confirmed")
	t.Drill.Why = why
}

// forgetProofs drops the proofs of devices whose declaration changed.
func (t *transaction) forgetProofs(old cluster.Document) {
	for _, device := range t.Proven.Keys() {
		before, after := old.Devices[device], t.Document.Devices[device]
		same := before.Driver == after.Driver && before.Address == after.Address && len(before.Options) == len(after.Options)
		for _, option := range words.SortedKeys(before.Options) {
			same = same && before.Options[option] == after.Options[option]
		}
		if !same {
			t.Proven.Delete(device)
		}
	}
}

func (t *transaction) applyBeginDrill(c cluster.BeginDrill) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.Refusef("there is no node %s", c.Node)
	case t.Drill != nil:
		return rules.Refusef("a drill of %s is under way, one at a time", t.Drill.Node)
	case t.Fences.Len() > 0:
		return rules.Refusef("%s is being fenced; a drill waits for that", t.Fences.Keys()[0])
	case n.State != cluster.NodeOnline && n.State != cluster.NodeLeft:
		return rules.Refusef("%s is %s; a drill needs a node in touch", c.Node, n.State)
	case c.Level < 0 || c.Level >= len(t.Document.Nodes[c.Node].Fence):
		return rules.Refusef("%s has no fence level %d", c.Node, c.Level+1)
	case fence.EffectOf(t.DevicesOf(c.Node, c.Level)) != fence.ByPower:
		return rules.Refusef("level %d of %s switches no power, so a drill would not show whose it is", c.Level+1, c.Node)
	}
	if why := t.DisarmedWhy(t.At); why != "" {
		return rules.Refusef("%s; `clusterd fence arm` ends that", why)
	}
	if why := t.UnfitForDrill(); c.Scheduled && why != "" {
		return rules.Refusef("a drill by schedule waits: %s", why)
	}
	t.Drill = &cluster.Drill{Node: c.Node, Level: c.Level, Index: t.index, At: t.At, By: c.By, Scheduled: c.Scheduled,
		Phase: cluster.DrillEmptying, PhaseAt: t.At}
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, By: c.By,
		Why: message.Sentence(fmt.Sprintf("a drill of fence level %d of %s begins: its services move away first", c.Level+1, c.Node))})
	return rules.Accepted
}

// drillPhase moves a drill on.
func (t *transaction) drillPhase(phase cluster.DrillPhase, step string) {
	next := *t.Drill
	next.Phase, next.PhaseAt = phase, t.At
	next.Steps = appendPhases(next.Steps, cluster.Phase{What: step, At: t.At})
	t.Drill = &next
}

func (t *transaction) applyEndDrill(c cluster.EndDrill) rules.Refusal {
	if t.Drill == nil || t.Drill.Node != c.Node || t.Drill.Index != c.Act {
		return rules.Refusef("no such drill of %s is under way", c.Node)
	}
	t.endDrill(c.OK, c.Why)
	return rules.Accepted
}

// endDrill keeps how it went: the last drill of each node.
func (t *transaction) endDrill(ok bool, why message.Text) {
	done := *t.Drill
	if ok && !done.Why.IsZero() {
		ok, why = false, done.Why
	}
	done.Ended, done.OK, done.Why = t.At, ok, why
	word := "the drill FAILED: "
	if ok {
		word = "the drill succeeded: "
		done.Steps = appendPhases(done.Steps, cluster.Phase{What: "back", At: t.At})
	}
	t.Drill = nil
	t.Drilled.Set(done.Node, done)
	t.tell(cluster.Event{Node: done.Node, Subject: done.Node, Cause: done.Index, By: done.By, Why: message.Sentence(word + why.String()),
		Phases: done.Steps})
}
