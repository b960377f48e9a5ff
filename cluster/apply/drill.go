package apply

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// mayDrill: a drill cuts the power of a node in touch that holds nothing. In
// touch, because its falling silent is half of the proof.
func (t *transaction) mayDrill(n cluster.Member, c cluster.BeginFence) message.Text {
	levels := t.Document.Nodes[n.Name].Fence
	switch held := t.HeldBy(n); {
	case !c.Override:
		return message.DrillNeedsOperator.With()
	case n.State != cluster.NodeOnline && n.State != cluster.NodeLeft:
		return message.DrillNodeNotUp.With(n.Name, n.State)
	case len(held) > 0:
		return message.DrillNodeBusy.With(n.Name, held[0])
	case c.Level < 0 || c.Level >= len(levels):
		return message.DrillWithoutLevel.With(n.Name, c.Level+1)
	case fence.EffectOf(t.DevicesOf(n.Name, c.Level)) != fence.ByPower:
		return message.DrillWithoutPower.With(c.Level+1, n.Name)
	case t.Drill != nil && t.Drill.Node != n.Name:
		return message.DrillUnderWay.With(t.Drill.Node)
	case t.Drill != nil && t.Drill.Scheduled && !t.Brake(t.At).IsZero():
		return t.Brake(t.At)
	case t.Fences.Len() > 0:
		return message.DrillWhileFencing.With(t.Fences.Keys()[0])
	}
	return message.Text{}
}

// drilled takes in what a drill showed, and closes its intent either way.
func (t *transaction) drilled(n cluster.Member, open cluster.Fence, c cluster.FenceDone, evidence message.Text) {
	levels := t.Document.Nodes[n.Name].Fence
	if open.Document != t.Config.Version || open.Level >= len(levels) {
		why := message.DrillOutdated.With()
		t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: why})
		t.drillOff(n.Name, c.Result.Outcome == fence.Confirmed, why)
		return
	}
	devices := levels[open.Level].Devices
	if c.Result.Outcome != fence.Confirmed {
		for _, device := range devices {
			t.Proven.Delete(device)
		}
		t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By,
			Why: message.DrillUnproven.With(c.Result.Outcome, evidence)})
		t.drillOff(n.Name, false, message.DrillUnconfirmed.With(c.Result.Outcome, evidence))
		return
	}
	for _, device := range devices {
		t.Proven.Set(device, cluster.Proof{Node: n.Name, Machine: n.Machine(), At: t.At, By: open.By})
	}
	t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By,
		Why: message.DrillProven.With(n.Name, devices)})
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

// forgetIdentities drops what devices told of their hosts that are other devices by now: where they
// are, or which of the systems there, is declared otherwise.
func (t *transaction) forgetIdentities(old cluster.Document) {
	for _, name := range t.Checks.Keys() {
		before, after := old.Devices[name], t.Document.Devices[name]
		if before.Driver == after.Driver && before.Endpoint() == after.Endpoint() && !fence.ToldApart(before, after) {
			continue
		}
		check, _ := t.Checks.Get(name)
		check.Identity = ""
		t.Checks.Set(name, check)
	}
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
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	case t.Drill != nil:
		return rules.Refuse(message.DrillUnderWay.With(t.Drill.Node))
	case t.Fences.Len() > 0:
		return rules.Refuse(message.DrillWhileFencing.With(t.Fences.Keys()[0]))
	case n.State != cluster.NodeOnline && n.State != cluster.NodeLeft:
		return rules.Refuse(message.DrillNodeNotUp.With(c.Node, n.State))
	case c.Level < 0 || c.Level >= len(t.Document.Nodes[c.Node].Fence):
		return rules.Refuse(message.DrillWithoutLevel.With(c.Node, c.Level+1))
	case fence.EffectOf(t.DevicesOf(c.Node, c.Level)) != fence.ByPower:
		return rules.Refuse(message.DrillWithoutPower.With(c.Level+1, c.Node))
	}
	if why := t.DisarmedWhy(t.At); !why.IsZero() {
		return rules.Refuse(message.FenceWhileDisarmed.With(why))
	}
	if why := t.UnfitForDrill(); c.Scheduled && !why.IsZero() {
		return rules.Refuse(message.DrillScheduleWaits.With(why))
	}
	t.Drill = &cluster.Drill{Node: c.Node, Level: c.Level, Index: t.index, At: t.At, By: c.By, Scheduled: c.Scheduled,
		Phase: cluster.DrillEmptying, PhaseAt: t.At}
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, By: c.By,
		Why: message.DrillBegun.With(c.Level+1, c.Node)})
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
		return rules.Refuse(message.DrillNotUnderWay.With(c.Node))
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
	ended := message.DrillFailed
	if ok {
		ended = message.DrillSucceeded
		done.Steps = appendPhases(done.Steps, cluster.Phase{What: "back", At: t.At})
	}
	t.Drill = nil
	t.Drilled.Set(done.Node, done)
	t.tell(cluster.Event{Node: done.Node, Subject: done.Node, Cause: done.Index, By: done.By,
		Why: ended.With(why), Phases: done.Steps})
}
