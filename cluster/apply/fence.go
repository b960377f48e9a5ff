package apply

import (
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
		return rules.Refuse(message.FenceNothingToConfirm.With(c.Node))
	}
	n, known := t.Nodes.Get(c.Node)
	if !known || open.Boot != c.Boot || n.Boot != c.Boot {
		return rules.Refuse(message.FenceOtherBoot.With(c.Node, words.ShortID(open.Boot), words.ShortID(c.Boot)))
	}
	if showsLife(n) {
		return rules.Refuse(message.FenceNodeAlive.With(c.Node, n.State))
	}
	open.Story = appendPhases(open.Story, cluster.Phase{What: "off confirmed by a person", At: t.At})
	word := message.FenceConfirmedByHand.With(c.By, bounded(c.Why))
	t.closeFence(open, cluster.EndedByWord, word)
	n = t.setNodeState(n, cluster.NodeFenced, c.By, word, open.Story...)
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
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	}
	if refused := t.mayFence(n, c); refused != rules.Accepted {
		return refused
	}
	fencer, refused := t.fencerFor(c)
	if refused != rules.Accepted {
		return refused
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
	begun := message.FenceBegun.With(fencer.Name, c.Why)
	if fencer.Name == "" {
		begun = message.FenceByOperator.With(c.Why)
	}
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, From: string(n.State), To: "fencing", By: c.By, Cause: n.Since,
		Why: begun})
	return rules.Accepted
}

// mayFence says what speaks against a shot at a node, whoever fires it.
func (t *transaction) mayFence(n cluster.Member, c cluster.BeginFence) rules.Refusal {
	if t.Fences.Has(c.Node) {
		return rules.Refuse(message.FenceBegunAlready.With(c.Node))
	}
	if service, _ := t.Services.Get(c.Service); c.Service != "" && t.NeedsFence(service, c.Node).IsZero() {
		return rules.Refuse(message.FenceNotNeeded.With(c.Service, c.Node))
	}
	if n.State != cluster.NodeLost && n.State != cluster.NodeCut && !c.Override && c.Service == "" {
		return rules.Refuse(message.FenceNodeInTouch.With(c.Node, n.State))
	}
	if t.Maintained(n) && !c.Override {
		return rules.Refuse(message.FenceInMaintenance.With(c.Node, n.OrderWhy()))
	}
	if n.Boot != c.Boot {
		return rules.Refuse(message.FenceBootDiffers.With(c.Node, words.ShortID(n.Boot), words.ShortID(c.Boot)))
	}
	if showsLife(n) && c.Word {
		return rules.Refuse(message.FenceNodeAlive.With(c.Node, n.State))
	}
	if why := t.mayDrill(n, c); c.Drill && !why.IsZero() {
		return rules.Refuse(why)
	}
	if why := t.DisarmedWhy(t.At); !why.IsZero() && !c.Word {
		return rules.Refuse(message.FenceWhileDisarmed.With(why))
	}
	if why := t.Brake(t.At); !why.IsZero() && !c.Override {
		return rules.Refuse(why)
	}
	return rules.Accepted
}

// fencerFor is who makes the first attempt: nobody where no device can, and then the intent waits
// for an operator's word.
func (t *transaction) fencerFor(c cluster.BeginFence) (cluster.Member, rules.Refusal) {
	fencer, why := t.Workable(c.Fencer)
	if !why.IsZero() {
		return cluster.Member{}, rules.Refuse(message.FencerUnable.With(c.Fencer, why))
	}
	if c.Fencer == c.Node {
		return cluster.Member{}, rules.Refuse(message.FenceByItself.With(c.Node))
	}
	if len(t.Document.Nodes[c.Node].Fence) == 0 || c.Word {
		if !c.Override {
			return cluster.Member{}, rules.Refuse(message.FenceWithoutDevice.With(c.Node))
		}
		return cluster.Member{}, rules.Accepted
	}
	return fencer, rules.Accepted
}

func (t *transaction) applyAssignFence(c cluster.AssignFence) rules.Refusal {
	if why := t.DisarmedWhy(t.At); !why.IsZero() {
		return rules.Refuse(why)
	}
	open, fencing := t.Fences.Get(c.Node)
	if !fencing {
		return rules.Refuse(message.FenceNotUnderWay.With(c.Node))
	}
	if open.Fencer != "" {
		holder, _ := t.Nodes.Get(open.Fencer)
		if open.UnderWayBy(holder) {
			return rules.Refuse(message.FencerAssigned.With(open.Fencer))
		}
		open = open.AfterAttempt(unknownAttempt(open), message.FencerLost.With(open.Fencer))
	}
	fencer, why := t.Workable(c.Fencer)
	if !why.IsZero() {
		return rules.Refuse(message.FencerUnable.With(c.Fencer, why))
	}
	open.Fencer, open.Incarnation, open.Level = fencer.Name, fencer.Incarnation, c.Level
	open.Loud = open.DueToTell(t.At)
	t.Fences.Set(c.Node, open)
	if !open.Loud {
		return rules.Accepted
	}
	t.tell(cluster.Event{Node: c.Fencer, Subject: c.Node, Cause: open.Index,
		Why: message.FenceAttempt.With(open.TriedTotal+1, c.Fencer, c.Level+1)})
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
		return rules.Refuse(message.FenceAttemptOver.With(c.Ordinal, c.Act))
	}
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	}
	var doubt message.Text
	c.Result, doubt = rules.Weighed(t.State, n, open, c.Result)
	evidence := evidenceOf(c.Result, doubt)
	open = open.AfterAttempt(fence.Attempt{Fencer: c.Fencer, Level: open.Level, Outcome: c.Result.Outcome}, evidence)
	if open.Drill {
		t.drilled(n, open, c, evidence)
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
			Why: message.FenceUnconfirmed.With(c.Fencer, c.Result.Outcome, evidence)})
		return rules.Accepted
	}
	for _, p := range c.Result.Phases {
		open.Story = appendPhases(open.Story, cluster.Phase{What: p.What, At: p.At})
	}
	if c.Result.Proven.By() == fence.ByStorage {
		t.cutOff(n, open, c, evidence)
		return rules.Accepted
	}
	t.closeFence(open, cluster.EndedConfirmed, evidence)
	if n.Boot != open.Boot {
		t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Cause: open.Index,
			Why: message.FenceOfOldBoot.With()})
		return rules.Accepted
	}
	n = t.setNodeState(n, cluster.NodeFenced, open.By, confirmed(c.Result.Proven).With(c.Fencer, evidence),
		open.Story...)
	t.recoverFrom(n, open)
	if open.Reboot && c.Result.Proven.By() == fence.ByPower {
		t.askPower(c.Node, c.Fencer, c.Incarnation, open.Level, open.By)
	}
	return rules.Accepted
}

// evidenceOf is what a result rests on: as the devices said it, and what the rules hold against it.
func evidenceOf(r fence.Result, doubt message.Text) message.Text {
	said := bounded(strings.Join(r.Evidence, "; "))
	if doubt.IsZero() {
		return message.Words(said)
	}
	return message.FenceDoubted.With(said, doubt)
}

// bounded is as much of somebody's words as a record keeps.
func bounded(said string) string {
	return strings.ToValidUTF8(said[:min(len(said), cluster.LongestEvidence)], "")
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
	t.releaseBoot(n, t.index, message.NodeConfirmedOff.With(n.Name))
}

// The bounds of one disarming: it expires by itself, because what has to be
// remembered is forgotten.
const (
	shortestDisarm = time.Minute
	longestDisarm  = 24 * time.Hour
)

func (t *transaction) applyDisarm(c cluster.Disarm) rules.Refusal {
	if c.For < shortestDisarm || c.For > longestDisarm {
		return rules.Refuse(message.DisarmOutOfRange.With(shortestDisarm, longestDisarm, c.For))
	}
	t.Disarmed = &cluster.Disarmed{Since: t.At, Until: t.At.Add(c.For), Index: t.index, By: c.By, Why: c.Why}
	t.tell(cluster.Event{Subject: t.Cluster, To: "disarmed", By: c.By,
		Why: message.FencingDisarmed.With(t.Disarmed.Says(), t.Fences.Keys())})
	return rules.Accepted
}

func (t *transaction) applyArm(c cluster.Arm) rules.Refusal {
	switch {
	case t.Disarmed == nil:
		return rules.Refuse(message.FencingArmedAlready.With())
	case c.Expired && t.At.Before(t.Disarmed.Until):
		return rules.Refuse(t.Disarmed.Says())
	}
	armed := message.FencingArmed
	if c.Expired {
		armed = message.DisarmExpired
	}
	why := armed.With(t.At.Sub(t.Disarmed.Since).Round(time.Second))
	cause := t.Disarmed.Index
	t.Disarmed = nil
	t.tell(cluster.Event{Subject: t.Cluster, From: "disarmed", To: "armed", Cause: cause, By: c.By, Why: why})
	return rules.Accepted
}

// closeFence takes a fence intent out and keeps what is worth knowing of it.
func (t *transaction) closeFence(open cluster.Fence, ending cluster.Ending, evidence message.Text) {
	if t.Fences.Has(open.Node) { // One of two nodes closes an intent that it never told.
		t.shot = open
	}
	t.Fences.Delete(open.Node)
	record := cluster.FenceRecord{Node: open.Node, Boot: open.Boot, Index: open.Index, At: open.At, Ended: t.At,
		Why: open.Why, By: open.By, Drill: open.Drill,
		Ending: ending, Level: open.Level, Attempts: open.TriedTotal, Evidence: evidence}
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
	t.tell(cluster.Event{Node: fencer, Subject: node, By: by, Why: message.PowerOnBegun.With(fencer, node)})
}

func (t *transaction) applyPowerOnDone(c cluster.PowerOnDone) rules.Refusal {
	asked, open := t.PowerOns.Get(c.Node)
	if !open || asked.Index != c.Act || asked.Fencer != c.Fencer || asked.Incarnation != c.Incarnation {
		return rules.Refuse(message.PowerOnNotOrdered.With(c.Node))
	}
	t.PowerOns.Delete(c.Node)
	why := message.PowerOnDone.With(c.Node)
	if !c.Problem.IsZero() {
		why = message.PowerOnFailed.With(c.Node, c.Problem)
	}
	t.tell(cluster.Event{Node: c.Fencer, Subject: c.Node, Cause: asked.Index, Why: why})
	return rules.Accepted
}
