package apply

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// maxGuard bounds the lists of a Guard.
const maxGuard = 1024

// applyGuarded of a node's word about its own guard. Within a boot nothing of it may
// become shorter or go away, because somebody may be waiting it out already.
func (t *transaction) applyGuarded(c cluster.Guarded) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	old := n.GuardOf(n.Boot)
	switch {
	case !known || n.Incarnation != c.Incarnation || !n.Reachable() || n.Boot != c.Guard.Boot:
		return rules.Refuse(message.GuardOutdated.With(c.Node))
	case t.Fences.Has(c.Node):
		return rules.Refuse(message.GuardWhileFenced.With(c.Node))
	case len(c.Guard.Pills) > maxGuard || len(c.Guard.Keys) > maxGuard:
		return rules.Refuse(message.GuardTooLong.With(c.Node, maxGuard))
	case c.Guard.Lease > 0 && c.Guard.Timeout <= c.Guard.Lease:
		return rules.Refuse(message.GuardLeaseTooLong.With(c.Node))
	case old.Timeout > 0 && (old.Timeout != c.Guard.Timeout || old.Lease != c.Guard.Lease ||
		len(old.Pills) != len(c.Guard.Pills) || !containsEvery(c.Guard.Pills, old.Pills)):
		return rules.Refuse(message.GuardArmedAnew.With(c.Node))
	}
	fresh := c.Guard
	fresh.Keys = words.Union(old.Keys, c.Guard.Keys)
	n.Guard = &fresh
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: guardText(fresh)})
	return rules.Accepted
}

// containsEvery is words.ContainsAll for lists that may be empty.
func containsEvery(all, some []string) bool { return len(some) == 0 || words.ContainsAll(all, some) }

// guardText is a guard in words.
func guardText(g fence.Guard) message.Text {
	var guards []message.Text
	if g.Lease > 0 {
		guards = append(guards, message.GuardedByLease.With(g.Timeout, g.Lease))
	} else if g.Timeout > 0 {
		guards = append(guards, message.GuardedByWatchdog.With(g.Timeout))
	}
	if len(g.Pills) > 0 {
		guards = append(guards, message.GuardedByPill.With(len(g.Pills)))
	}
	if len(g.Keys) > 0 {
		guards = append(guards, message.GuardedByKey.With(len(g.Keys)))
	}
	if guards == nil {
		return message.NodeUnguarded.With()
	}
	return message.NodeGuarded.With(guards)
}

// applyKeyBack of a key that came back. It takes nothing back: what was released was
// released by more than the key (law L3), or the service allows to rely on it.
func (t *transaction) applyKeyBack(c cluster.KeyBack) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || !n.CutBoot(c.Boot) {
		return rules.Refuse(message.KeyBackNeverCut.With(words.ShortID(c.Boot), c.Node))
	}
	back := message.KeyBackCutAgain
	if !c.Again {
		back = message.KeyBackNotCut
	}
	t.tell(cluster.Event{Node: c.By, Subject: c.Node, Cause: n.Cut.Index, Why: back.With(c.Node, c.Disk, c.Why)})
	return rules.Accepted
}

// applyLostKeys of a node's word that it has lost its keys. What it held it may still be
// running, until a fence or a new boot says otherwise.
func (t *transaction) applyLostKeys(c cluster.LostKeys) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.Boot != c.Boot || n.Ended() {
		return rules.Refuse(message.KeysLostOutdated.With(c.Node))
	}
	n.Cut = &cluster.Cut{Boot: c.Boot, Index: t.index}
	t.setNodeState(n, cluster.NodeCut, "", message.KeysLost.With())
	t.voidIntentsOf(n, message.StorageCutVoids.With(c.Node))
	return rules.Accepted
}

// confirmed is how the timeline tells of a proof.
func confirmed(p fence.Proven) *message.Code {
	switch p.By() {
	case fence.ByWatchdog:
		return message.FenceConfirmedByWatchdog
	case fence.ByPill:
		return message.FenceConfirmedByPill
	}
	return message.FenceConfirmed
}

// cutOff takes in that a boot can write to some disks no more. What it held on
// those alone is free; the rest keeps its holder, and the intent stays open for
// it (law L3).
func (t *transaction) cutOff(n cluster.Member, open cluster.Fence, c cluster.FenceDone, evidence message.Text) {
	if n.Boot != open.Boot {
		why := message.StorageCutOldBoot.With()
		t.closeFence(open, cluster.EndedByBoot, why)
		t.tell(cluster.Event{Node: n.Name, Subject: n.Name, Cause: open.Index, Why: why})
		return
	}
	cut := cluster.Cut{Boot: open.Boot, Index: t.index}
	if n.CutBoot(open.Boot) {
		cut = *n.Cut
	}
	for _, device := range t.DevicesOf(open.Node, open.Level) {
		if device.Effect() == fence.ByStorage {
			cut.Devices, cut.Disks = words.Union(cut.Devices, []string{device.Name}), words.Union(cut.Disks, device.Disks())
		}
	}
	n.Cut = &cut
	t.shot = open
	if n.State != cluster.NodeCut {
		n = t.setNodeState(n, cluster.NodeCut, open.By, message.StorageCutOff.With(c.Fencer, evidence),
			open.Story...)
	} else {
		t.Nodes.Set(n.Name, n)
		if open.Loud && open.TriedTotal > cluster.AttemptsToldAll {
			t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index,
				Why: message.StorageCutNotEnough.With(n.Name)})
		}
	}
	if open.Loud {
		open.Loud, open.ToldAt = false, t.At
	}
	t.releaseCut(n, open, c.Result.Proven)
	if len(t.HeldBy(n)) == 0 {
		t.closeFence(open, cluster.EndedCut, evidence)
		return
	}
	t.Fences.Set(n.Name, open)
}

// releaseCut frees, of what a cut-off boot held, all that it can spoil no more.
func (t *transaction) releaseCut(n cluster.Member, open cluster.Fence, p fence.Proven) {
	gone, proof := cluster.OnBoot(n), message.StorageCutWhole.With(n.Name)
	for _, uuid := range t.Tombstones.Keys() {
		grave, _ := t.Tombstones.Get(uuid)
		if h, held := grave.Holder(n.Name); held && gone(h) && t.KeptFrom(n, grave.Spec, h, p).IsZero() {
			t.bury(uuid, grave.WithoutHolder(gone))
		}
	}
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		h, held := service.Holder(n.Name)
		if !held || !gone(h) || !t.KeptFrom(n, service.Spec, h, p).IsZero() {
			continue
		}
		if ran := service.Owner == n.Name || (service.Intent != nil && service.Intent.Node == n.Name); ran &&
			service.Enabled {
			service.Story = open.Story
			t.Services.Set(name, service)
		}
		t.holderGone(service, h, t.index, proof)
	}
}
