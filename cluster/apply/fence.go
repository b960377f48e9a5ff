package apply

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// applyConfirmFence of an operator's word. It stands in for a device's Confirmed, so it is
// bound as tightly: to an open intent, to the boot that the intent names, and to
// a node that nobody hears. Who said it stays in the timeline. An attempt under
// way need not be waited for: it asks before each packet whether it is still
// wanted, and its result is refused once the intent is closed.
func (t *transaction) applyConfirmFence(c cluster.ConfirmFence) rules.Refusal {
	open, fencing := t.Fences.Get(c.Node)
	if !fencing {
		return rules.Refusef("%s is not being fenced, there is nothing to confirm", c.Node)
	}
	n, known := t.Nodes.Get(c.Node)
	if !known || open.Boot != c.Boot || n.Boot != c.Boot {
		return rules.Refusef("the fence intent for %s is for boot %.8s, not for %.8s", c.Node, open.Boot, c.Boot)
	}
	if showsLife(n) {
		return rules.Refusef("%s is %s: a machine that shows life is not off", c.Node, n.State)
	}
	open.Story = appendPhases(open.Story, cluster.Phase{What: "off confirmed by a person", At: t.At})
	t.closeFence(open, cluster.EndedByWord, words.Sentence("answered for by "+c.By, c.Why))
	n = t.setNodeState(n, cluster.NodeFenced, c.By,
		message.Sentence(words.Sentence(fmt.Sprintf("%s answers for it that the machine is off", c.By), c.Why)), open.Story...)
	t.recoverFrom(n, open)
	return rules.Accepted
}

// showsLife reports whether nobody may say of a machine that it is off.
func showsLife(n cluster.Member) bool {
	return n.Reachable() || n.Stalled() || n.State == cluster.NodeLooking
}

func (t *transaction) applyBeginFence(c cluster.BeginFence) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return rules.Refusef("there is no node %s", c.Node)
	}
	if t.Fences.Has(c.Node) {
		return rules.Refusef("%s is being fenced already", c.Node)
	}
	if service, _ := t.Services.Get(c.Service); c.Service != "" && t.NeedsFence(service, c.Node).IsZero() {
		return rules.Refusef("%s no longer needs a fence of %s", c.Service, c.Node)
	}
	if n.State != cluster.NodeLost && n.State != cluster.NodeCut && !c.Override && c.Service == "" {
		return rules.Refusef("%s is %s; a node in touch is not fenced", c.Node, n.State)
	}
	if t.Maintained(n) && !c.Override {
		return rules.Refusef("%s is %s and is not fenced", c.Node, n.OrderWhy())
	}
	if n.Boot != c.Boot {
		return rules.Refusef("%s runs boot %.8s, not %.8s", c.Node, n.Boot, c.Boot)
	}
	if showsLife(n) && c.Word {
		return rules.Refusef("%s is %s: a machine that shows life is not off", c.Node, n.State)
	}
	if why := t.mayDrill(n, c); c.Drill && why != "" {
		return rules.Refusef("%s", why)
	}
	if why := t.DisarmedWhy(t.At); why != "" && !c.Word {
		return rules.Refusef("%s; `clusterd fence arm` ends that", why)
	}
	if why := t.Brake(t.At); why != "" && !c.Override {
		return rules.Refusef("%s", why)
	}
	fencer, why := t.Workable(c.Fencer)
	if !why.IsZero() {
		return rules.Refusef("%s cannot fence: %s", c.Fencer, why)
	}
	if c.Fencer == c.Node {
		return rules.Refusef("%s does not fence itself", c.Node)
	}
	if len(t.Document.Nodes[c.Node].Fence) == 0 || c.Word {
		if !c.Override {
			return rules.Refusef("%s has no fence device", c.Node)
		}
		// Nobody can shoot it; the intent waits for an operator's word.
		fencer = cluster.Member{}
	}
	open := cluster.Fence{Node: c.Node, Boot: c.Boot, Index: t.index, Generation: t.Generation, At: t.At, Why: c.Why,
		By: c.By, Fencer: fencer.Name, Incarnation: fencer.Incarnation, Drill: c.Drill, Level: c.Level,
		Document: t.Config.Version, Reboot: c.Reboot}
	if c.Drill && t.Drill != nil && t.Drill.Node == c.Node {
		open.Reboot = true
		t.drillPhase(cluster.DrillOff, "emptied")
	}
	t.PowerOns.Delete(c.Node)
	if n.State == cluster.NodeLost {
		open.Story = []cluster.Phase{{What: "last heard", At: n.LastHeard}, {What: "lost", At: n.SinceAt}}
	}
	open.Story = appendPhases(open.Story, cluster.Phase{What: "fence sent", At: t.At})
	t.Fences.Set(c.Node, open)
	t.Shots = append(t.Shots, cluster.Shot{Node: c.Node, Index: t.index, At: t.At})
	if excess := len(t.Shots) - cluster.MaxShots; excess > 0 {
		t.Shots = append([]cluster.Shot(nil), t.Shots[excess:]...)
	}
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, From: string(n.State), To: "fencing", By: c.By, Cause: n.Since,
		Why: message.Sentence(fmt.Sprintf("%s fences it: %s", words.OrElse(fencer.Name, "an operator"), c.Why))})
	return rules.Accepted
}

func (t *transaction) applyAssignFence(c cluster.AssignFence) rules.Refusal {
	if why := t.DisarmedWhy(t.At); why != "" {
		return rules.Refusef("%s", why)
	}
	open, fencing := t.Fences.Get(c.Node)
	if !fencing {
		return rules.Refusef("%s is not being fenced", c.Node)
	}
	if open.Fencer != "" {
		holder, _ := t.Nodes.Get(open.Fencer)
		if holder.Reachable() && holder.Incarnation == open.Incarnation {
			return rules.Refusef("%s is at it", open.Fencer)
		}
		open = open.AfterAttempt(unknownAttempt(open), open.Fencer+" was lost before it had a result")
	}
	fencer, why := t.Workable(c.Fencer)
	if !why.IsZero() {
		return rules.Refusef("%s cannot fence: %s", c.Fencer, why)
	}
	open.Fencer, open.Incarnation, open.Level = fencer.Name, fencer.Incarnation, c.Level
	open.Loud = open.DueToTell(t.At)
	t.Fences.Set(c.Node, open)
	if !open.Loud {
		return rules.Accepted
	}
	t.tell(cluster.Event{Node: c.Fencer, Subject: c.Node, Cause: open.Index,
		Why: message.Sentence(fmt.Sprintf("fence attempt %d by %s, level %d", open.TriedTotal+1, c.Fencer, c.Level+1))})
	return rules.Accepted
}

func unknownAttempt(open cluster.Fence) fence.Attempt {
	return fence.Attempt{Fencer: open.Fencer, Level: open.Level, Outcome: fence.Unknown}
}

// applyFenceDone of a result. Only Confirmed releases anything (law L3).
func (t *transaction) applyFenceDone(c cluster.FenceDone) rules.Refusal {
	open, fencing := t.Fences.Get(c.Node)
	if !fencing || open.Index != c.Act || open.TriedTotal != c.Ordinal || open.Fencer != c.Fencer ||
		open.Incarnation != c.Incarnation {
		return rules.Refusef("attempt %d of fence intent %d is no longer open", c.Ordinal, c.Act)
	}
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return rules.Refusef("there is no node %s", c.Node)
	}
	c.Result = rules.Weighed(t.State, n, open, c.Result)
	evidence := strings.Join(c.Result.Evidence, "; ")
	open = open.AfterAttempt(fence.Attempt{Fencer: c.Fencer, Level: open.Level, Outcome: c.Result.Outcome}, evidence)
	if open.Drill {
		t.drilled(n, open, c)
	}
	if c.Result.Outcome != fence.Confirmed {
		if open.Drill {
			t.closeFence(open, cluster.EndedUnproven, evidence)
			return rules.Accepted // a drill is not repeated: it was there to find this out
		}
		news := open.News(t.At, open.Tried[len(open.Tried)-1], evidence)
		t.Fences.Set(c.Node, open)
		if !news {
			return rules.Accepted
		}
		t.tell(cluster.Event{Node: c.Fencer, Subject: c.Node, Cause: open.Index,
			Why: message.Sentence(fmt.Sprintf("fence attempt by %s: %s: %s", c.Fencer, c.Result.Outcome, evidence))})
		return rules.Accepted
	}
	for _, p := range c.Result.Phases {
		open.Story = appendPhases(open.Story, cluster.Phase{What: p.What, At: p.At})
	}
	if c.Result.Proven.By() == fence.ByStorage {
		t.cutOff(n, open, c)
		return rules.Accepted
	}
	t.closeFence(open, cluster.EndedConfirmed, evidence)
	if n.Boot != open.Boot {
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Cause: open.Index,
			Why: message.Sentence("the boot that was confirmed off is not the present one")})
		return rules.Accepted
	}
	n = t.setNodeState(n, cluster.NodeFenced, open.By, message.Sentence(fmt.Sprintf("confirmed %s by %s: %s", endedHow(c.Result.Proven),
		c.Fencer, evidence)), open.Story...)
	t.recoverFrom(n, open)
	if open.Reboot && c.Result.Proven.By() == fence.ByPower {
		t.askPower(c.Node, c.Fencer, c.Incarnation, open.Level, open.By)
	}
	return rules.Accepted
}

// recoverFrom frees what the dead boot held, and hands the story on to the
// services that were running there.
func (t *transaction) recoverFrom(n cluster.Member, open cluster.Fence) {
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		ran := service.Owner == n.Name || (service.Intent != nil && service.Intent.Node == n.Name)
		if ran && service.Enabled {
			service.Story = open.Story
			t.Services.Set(name, service)
		}
	}
	t.releaseBoot(n, t.index, message.Sentence(n.Name+" is confirmed off"))
}

// The bounds of one disarming: it expires by itself, because what has to be
// remembered is forgotten.
const (
	shortestDisarm = time.Minute
	longestDisarm  = 24 * time.Hour
)

func (t *transaction) applyDisarm(c cluster.Disarm) rules.Refusal {
	if c.For < shortestDisarm || c.For > longestDisarm {
		return rules.Refusef("fencing is disarmed for at least %s and at most %s, not for %s", shortestDisarm,
			longestDisarm, c.For)
	}
	t.Disarmed = &cluster.Disarmed{Since: t.At, Until: t.At.Add(c.For), Index: t.index, By: c.By, Why: c.Why}
	why := t.Disarmed.String() + "; nothing is shot, and what a lost node held stays down until it is armed again"
	if t.Fences.Len() > 0 {
		why += "; an attempt on " + words.Joined(t.Fences.Keys()) + " that is under way is not called back"
	}
	t.tell(cluster.Event{Subject: t.Cluster, To: "disarmed", By: c.By, Why: message.Sentence(why)})
	return rules.Accepted
}

func (t *transaction) applyArm(c cluster.Arm) rules.Refusal {
	switch {
	case t.Disarmed == nil:
		return rules.Refusef("fencing is armed already")
	case c.Expired && t.At.Before(t.Disarmed.Until):
		return rules.Refusef("%s", t.Disarmed)
	}
	why := fmt.Sprintf("fencing is armed again after %s", t.At.Sub(t.Disarmed.Since).Round(time.Second))
	if c.Expired {
		why += ": its time was over"
	}
	cause := t.Disarmed.Index
	t.Disarmed = nil
	t.tell(cluster.Event{Subject: t.Cluster, From: "disarmed", To: "armed", Cause: cause, By: c.By, Why: message.Sentence(why)})
	return rules.Accepted
}

// closeFence takes a fence intent out and keeps what is worth knowing of it.
func (t *transaction) closeFence(open cluster.Fence, ending cluster.Ending, evidence string) {
	t.Fences.Delete(open.Node)
	record := cluster.FenceRecord{Node: open.Node, Boot: open.Boot, Index: open.Index, At: open.At, Ended: t.At,
		Why: open.Why, By: open.By, Drill: open.Drill,
		Ending: ending, Level: open.Level, Attempts: open.TriedTotal, Evidence: evidence}
	record.Evidence = record.Evidence[:min(len(record.Evidence), cluster.LongestEvidence)]
	if last := len(open.Tried) - 1; last >= 0 {
		record.Fencer, record.Level = open.Tried[last].Fencer, open.Tried[last].Level
		record.Tried = append(record.Tried, open.Tried[max(0, len(open.Tried)-cluster.AttemptsOfShot):]...)
	}
	if levels := t.Document.Nodes[open.Node].Fence; record.Level < len(levels) && record.Attempts > 0 {
		record.Devices = levels[record.Level].Devices
	}
	t.FenceHistory = append(t.FenceHistory, record)
	if excess := len(t.FenceHistory) - cluster.MaxFenceHistory; excess > 0 {
		t.FenceHistory = append([]cluster.FenceRecord(nil), t.FenceHistory[excess:]...)
	}
}

// askPower lets whoever confirmed that a node is off ask for its power again,
// by the same devices: two power supplies went off together and come on together.
func (t *transaction) askPower(node, fencer string, incarnation uint64, level int, by string) {
	t.PowerOns.Set(node, cluster.PowerOn{Node: node, Index: t.index, Generation: t.Generation, At: t.At, Level: level,
		Fencer: fencer, Incarnation: incarnation, By: by})
	t.tell(cluster.Event{Node: fencer, Subject: node, By: by, Why: message.Sentence(fmt.Sprintf("%s asks for the power of %s again",
		fencer, node))})
}

func (t *transaction) applyPowerOnDone(c cluster.PowerOnDone) rules.Refusal {
	asked, open := t.PowerOns.Get(c.Node)
	if !open || asked.Index != c.Act || asked.Fencer != c.Fencer || asked.Incarnation != c.Incarnation {
		return rules.Refusef("the power of %s is no longer waited for", c.Node)
	}
	t.PowerOns.Delete(c.Node)
	why := c.Node + " was given power again; it is waited for until it boots"
	if !c.Problem.IsZero() {
		why = fmt.Sprintf("%s was not given power again: %s; `clusterd fence node %s --on` asks once more", c.Node,
			c.Problem, c.Node)
	}
	t.tell(cluster.Event{Node: c.Fencer, Subject: c.Node, Cause: asked.Index, Why: message.Sentence(why)})
	return rules.Accepted
}
