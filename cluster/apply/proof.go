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

// maxGuard bounds the lists of a Guard.
const maxGuard = 1024

// applyGuarded of a node's word about its own guard. Within a boot nothing of it may
// become shorter or go away, because somebody may be waiting it out already.
func (t *transaction) applyGuarded(c cluster.Guarded) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	old := n.GuardOf(n.Boot)
	switch {
	case !known || n.Incarnation != c.Incarnation || !n.Reachable() || n.Boot != c.Guard.Boot:
		return rules.Refusef("the guard of %s is that of an older incarnation or boot", c.Node)
	case t.Fences.Has(c.Node):
		return rules.Refusef("%s is being fenced; what guards it now is no longer taken in", c.Node)
	case len(c.Guard.Pills) > maxGuard || len(c.Guard.Keys) > maxGuard:
		return rules.Refusef("the guard of %s lists more than %d disks", c.Node, maxGuard)
	case c.Guard.Lease > 0 && c.Guard.Timeout <= c.Guard.Lease:
		return rules.Refusef("the lease of %s is not shorter than its watchdog", c.Node)
	case old.Timeout > 0 && (old.Timeout != c.Guard.Timeout || old.Lease != c.Guard.Lease ||
		len(old.Pills) != len(c.Guard.Pills) || !containsEvery(c.Guard.Pills, old.Pills)):
		return rules.Refusef("the watchdog of %s was armed otherwise on this boot; other times and disks begin "+
			"with the next one", c.Node)
	}
	fresh := c.Guard
	fresh.Keys = words.Union(old.Keys, c.Guard.Keys)
	n.Guard = &fresh
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, Why: message.Sentence("guarded: " + guardText(fresh))})
	return rules.Accepted
}

// containsEvery is words.ContainsAll for lists that may be empty.
func containsEvery(all, some []string) bool { return len(some) == 0 || words.ContainsAll(all, some) }

// guardText is a guard in words.
func guardText(g fence.Guard) string {
	text := ""
	add := func(format string, args ...any) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, args...)
	}
	if g.Lease > 0 {
		add("its watchdog resets it %s after a lease of %s ran out", g.Timeout, g.Lease)
	} else if g.Timeout > 0 {
		add("its watchdog resets it within %s", g.Timeout)
	}
	if len(g.Pills) > 0 {
		add("it watches %s for messages", words.Counted(len(g.Pills), "disk"))
	}
	if len(g.Keys) > 0 {
		add("its key is registered on %s", words.Counted(len(g.Keys), "disk"))
	}
	return words.OrElse(text, "by nothing")
}

// applyKeyBack of a key that came back. It takes nothing back: what was released was
// released by more than the key (law L3), or the service allows to rely on it.
func (t *transaction) applyKeyBack(c cluster.KeyBack) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || !n.CutBoot(c.Boot) {
		return rules.Refusef("boot %.8s of %s is not one that was cut off", c.Boot, c.Node)
	}
	done := "it was cut off once more"
	if !c.Again {
		done = "cutting it off once more did not succeed"
	}
	t.tell(cluster.Event{Node: c.By, Subject: c.Node, Cause: n.Cut.Index,
		Why: message.Sentence(words.Sentence(fmt.Sprintf(
			"DANGER: %s was cut off from %s and has registered again; %s; switch the machine off by hand", c.Node, c.Disk,
			done), c.Why))})
	return rules.Accepted
}

// applyLostKeys of a node's word that it has lost its keys. What it held it may still be
// running, until a fence or a new boot says otherwise.
func (t *transaction) applyLostKeys(c cluster.LostKeys) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.Boot != c.Boot || n.Ended() {
		return rules.Refusef("the word of %s about its keys is that of an older incarnation or boot", c.Node)
	}
	n.Cut = &cluster.Cut{Boot: c.Boot, Index: t.index}
	t.setNodeState(n, cluster.NodeCut, "",
		message.Sentence("its key is gone from a disk that others hold: it stops what it runs and has to boot anew"))
	t.voidIntentsOf(n, message.Sentence(c.Node+" is cut off from its storage"))
	return rules.Accepted
}

// endedHow is a proof in a word or two.
func endedHow(p fence.Proven) string {
	switch p.By() {
	case fence.ByWatchdog:
		return "reset by its own watchdog"
	case fence.ByPill:
		return "reset by a message on its disk"
	}
	return "off"
}

// cutOff takes in that a boot can write to some disks no more. What it held on
// those alone is free; the rest keeps its holder, and the intent stays open for
// it (law L3).
func (t *transaction) cutOff(n cluster.Member, open cluster.Fence, c cluster.FenceDone) {
	if n.Boot != open.Boot {
		t.closeFence(open, cluster.EndedByBoot, "the boot that was cut off is not the present one")
		t.tell(cluster.Event{Node: n.Name, Subject: n.Name, Cause: open.Index,
			Why: message.Sentence("the boot that was cut off is not the present one")})
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
	if n.State != cluster.NodeCut {
		n = t.setNodeState(n, cluster.NodeCut, open.By, message.Sentence(fmt.Sprintf("cut off from its storage by %s: %s", c.Fencer,
			strings.Join(c.Result.Evidence, "; "))), open.Story...)
	} else {
		t.Nodes.Set(n.Name, n)
		if open.Loud && open.TriedTotal > cluster.AttemptsToldAll {
			t.tell(cluster.Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index,
				Why: message.Sentence(fmt.Sprintf("%s is cut off from its storage as before, which is not enough for all that it held", n.Name))})
		}
	}
	if open.Loud {
		open.Loud, open.ToldAt = false, t.At
	}
	t.releaseCut(n, open, c.Result.Proven)
	if len(t.HeldBy(n)) == 0 {
		t.closeFence(open, cluster.EndedCut, strings.Join(c.Result.Evidence, "; "))
		return
	}
	t.Fences.Set(n.Name, open)
}

// releaseCut frees, of what a cut-off boot held, all that it can spoil no more.
func (t *transaction) releaseCut(n cluster.Member, open cluster.Fence, p fence.Proven) {
	gone, proof := cluster.OnBoot(n), n.Name+" is cut off from all of its disks"
	for _, uuid := range t.Tombstones.Keys() {
		grave, _ := t.Tombstones.Get(uuid)
		if h, held := grave.Holder(n.Name); held && gone(h) && t.KeptFrom(n, grave.Spec, h, p) == "" {
			t.bury(uuid, grave.WithoutHolder(gone))
		}
	}
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		h, held := service.Holder(n.Name)
		if !held || !gone(h) || t.KeptFrom(n, service.Spec, h, p) != "" {
			continue
		}
		if ran := service.Owner == n.Name || (service.Intent != nil && service.Intent.Node == n.Name); ran &&
			service.Enabled {
			service.Story = open.Story
			t.Services.Set(name, service)
		}
		t.holderGone(service, h, t.index, message.Words(proof))
	}
}
