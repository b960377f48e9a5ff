package cluster

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

func (t *transaction) applyBeginFence(c BeginFence) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return refuse("there is no node %s", c.Node)
	}
	if t.Fences.Has(c.Node) {
		return refuse("%s is being fenced already", c.Node)
	}
	if service, _ := t.Services.Get(c.Service); c.Service != "" && t.needsFence(service, c.Node) == "" {
		return refuse("%s no longer needs a fence of %s", c.Service, c.Node)
	}
	if n.State != NodeLost && n.State != NodeCut && !c.Override && c.Service == "" {
		return refuse("%s is %s; a node in touch is not fenced", c.Node, n.State)
	}
	if t.maintained(n) && !c.Override {
		return refuse("%s is %s and is not fenced", c.Node, n.orderWhy())
	}
	if n.Boot != c.Boot {
		return refuse("%s runs boot %.8s, not %.8s", c.Node, n.Boot, c.Boot)
	}
	if showsLife(n) && c.Word {
		return refuse("%s is %s: a machine that shows life is not off", c.Node, n.State)
	}
	if why := t.mayDrill(n, c); c.Drill && why != "" {
		return refuse("%s", why)
	}
	if why := t.disarmed(t.at); why != "" && !c.Word {
		return refuse("%s; `clusterd fence arm` ends that", why)
	}
	if why := t.brake(t.at); why != "" && !c.Override {
		return refuse("%s", why)
	}
	fencer, why := t.workable(c.Fencer)
	if why != "" {
		return refuse("%s cannot fence: %s", c.Fencer, why)
	}
	if c.Fencer == c.Node {
		return refuse("%s does not fence itself", c.Node)
	}
	if len(t.Document.Nodes[c.Node].Fence) == 0 || c.Word {
		if !c.Override {
			return refuse("%s has no fence device", c.Node)
		}
		// Nobody can shoot it; the intent waits for an operator's word.
		fencer = Member{}
	}
	open := Fence{Node: c.Node, Boot: c.Boot, Index: t.index, Generation: t.Generation, At: t.at, Why: c.Why, By: c.By, Fencer: fencer.Name, Incarnation: fencer.Incarnation, Drill: c.Drill, Level: c.Level, Document: t.Config.Version, Reboot: c.Reboot}
	if c.Drill && t.Drill != nil && t.Drill.Node == c.Node {
		open.Reboot = true
		t.drillPhase(DrillOff, "emptied")
	}
	t.PowerOns.Delete(c.Node)
	if n.State == NodeLost {
		open.Story = []Phase{{What: "last heard", At: n.LastHeard}, {What: "lost", At: n.SinceAt}}
	}
	open.Story = appendPhases(open.Story, Phase{What: "fence sent", At: t.at})
	t.Fences.Set(c.Node, open)
	t.Shots = append(t.Shots, Shot{Node: c.Node, Index: t.index, At: t.at})
	if excess := len(t.Shots) - maxShots; excess > 0 {
		t.Shots = append([]Shot(nil), t.Shots[excess:]...)
	}
	t.tell(Event{Node: c.Node, Subject: c.Node, From: string(n.State), To: "fencing", By: c.By, Cause: n.Since, Why: fmt.Sprintf("%s fences it: %s", orElse(fencer.Name, "an operator"), c.Why)})
	return accepted
}

func (t *transaction) applyAssignFence(c AssignFence) refusal {
	if why := t.disarmed(t.at); why != "" {
		return refuse("%s", why)
	}
	open, fencing := t.Fences.Get(c.Node)
	if !fencing {
		return refuse("%s is not being fenced", c.Node)
	}
	if open.Fencer != "" {
		holder, _ := t.Nodes.Get(open.Fencer)
		if holder.Reachable() && holder.Incarnation == open.Incarnation {
			return refuse("%s is at it", open.Fencer)
		}
		open = open.afterAttempt(unknownAttempt(open), open.Fencer+" was lost before it had a result")
	}
	fencer, why := t.workable(c.Fencer)
	if why != "" {
		return refuse("%s cannot fence: %s", c.Fencer, why)
	}
	open.Fencer, open.Incarnation, open.Level = fencer.Name, fencer.Incarnation, c.Level
	loud := t.Level < levelTwo || open.dueToTell(t.at)
	open.Loud = loud && t.Level >= levelTwo
	t.Fences.Set(c.Node, open)
	if !loud {
		return accepted
	}
	t.tell(Event{Node: c.Fencer, Subject: c.Node, Cause: open.Index, Why: fmt.Sprintf("fence attempt %d by %s, level %d", open.TriedTotal+1, c.Fencer, c.Level+1)})
	return accepted
}

func unknownAttempt(open Fence) fence.Attempt {
	return fence.Attempt{Fencer: open.Fencer, Level: open.Level, Outcome: fence.Unknown}
}

// afterAttempt closes the attempt under way.
func (f Fence) afterAttempt(attempt fence.Attempt, why string) Fence {
	f.Tried = append(f.Tried[:len(f.Tried):len(f.Tried)], attempt)
	if excess := len(f.Tried) - maxAttempts; excess > 0 {
		f.Tried = append([]fence.Attempt(nil), f.Tried[excess:]...)
	}
	f.TriedTotal++
	f.Fencer, f.Incarnation, f.LastWhy = "", 0, why
	return f
}

// apply of a result. Only Confirmed releases anything (law L3).
func (t *transaction) applyFenceDone(c FenceDone) refusal {
	open, fencing := t.Fences.Get(c.Node)
	if !fencing || open.Index != c.Act || open.TriedTotal != c.Ordinal || open.Fencer != c.Fencer || open.Incarnation != c.Incarnation {
		return refuse("attempt %d of fence intent %d is no longer open", c.Ordinal, c.Act)
	}
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return refuse("there is no node %s", c.Node)
	}
	c.Result = weighed(t.State, n, open, c.Result)
	evidence := strings.Join(c.Result.Evidence, "; ")
	open = open.afterAttempt(fence.Attempt{Fencer: c.Fencer, Level: open.Level, Outcome: c.Result.Outcome}, evidence)
	if open.Drill {
		t.drilled(n, open, c)
	}
	if c.Result.Outcome != fence.Confirmed {
		if open.Drill {
			t.closeFence(open, EndedUnproven, evidence)
			return accepted // a drill is not repeated: it was there to find this out
		}
		loud := t.Level < levelTwo || open.news(t.at, open.Tried[len(open.Tried)-1], evidence)
		t.Fences.Set(c.Node, open)
		if !loud {
			return accepted
		}
		t.tell(Event{Node: c.Fencer, Subject: c.Node, Cause: open.Index, Why: fmt.Sprintf("fence attempt by %s: %s: %s", c.Fencer, c.Result.Outcome, evidence)})
		return accepted
	}
	for _, p := range c.Result.Phases {
		open.Story = appendPhases(open.Story, Phase{What: p.What, At: p.At})
	}
	if c.Result.Proven.By() == fence.ByStorage {
		t.cutOff(n, open, c)
		return accepted
	}
	t.closeFence(open, EndedConfirmed, evidence)
	if n.Boot != open.Boot {
		t.tell(Event{Node: c.Node, Subject: c.Node, Cause: open.Index, Why: "the boot that was confirmed off is not the present one"})
		return accepted
	}
	n = t.setNodeState(n, NodeFenced, open.By, fmt.Sprintf("confirmed %s by %s: %s", endedHow(c.Result.Proven), c.Fencer, evidence), open.Story...)
	t.recoverFrom(n, open)
	if open.Reboot && c.Result.Proven.By() == fence.ByPower {
		t.askPower(c.Node, c.Fencer, c.Incarnation, open.Level, open.By)
	}
	return accepted
}

// recoverFrom frees what the dead boot held, and hands the story on to the
// services that were running there.
func (t *transaction) recoverFrom(n Member, open Fence) {
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		ran := service.Owner == n.Name || (service.Intent != nil && service.Intent.Node == n.Name)
		if ran && service.Enabled {
			service.Story = open.Story
			t.Services.Set(name, service)
		}
	}
	t.releaseBoot(n, t.index, n.Name+" is confirmed off")
}

func (t *transaction) applyCheckDevice(c CheckDevice) refusal {
	if _, declared := t.Document.Devices[c.Device]; !declared {
		return refuse("there is no fence device %s", c.Device)
	}
	old, known := t.Checks.Get(c.Device)
	t.Checks.Set(c.Device, DeviceCheck{Power: c.Check.Power, Identity: c.Check.Identity, Problem: c.Check.Problem, At: t.at, By: c.By})
	if known && old.Problem == c.Check.Problem {
		return accepted
	}
	why := "fence device " + c.Device + " answers"
	if c.Check.Problem != "" {
		why = fmt.Sprintf("fence device %s cannot be used from %s: %s", c.Device, c.By, c.Check.Problem)
	}
	if c.Check.Problem != "" || known {
		t.tell(Event{Node: c.By, Subject: c.Device, Why: why})
	}
	return accepted
}
