package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/fence"
)

// maxGuard bounds the lists of a Guard.
const maxGuard = 1024

// Guarded tells what stands guard over a boot of a node. It comes after the
// admission and before the node may run anything.
type Guarded struct {
	Node        string      `json:"node"`
	Incarnation uint64      `json:"incarnation"`
	Guard       fence.Guard `json:"guard"`
}

// KeyBack tells that a boot which was cut off is registered again on a disk: it
// could write there until it is cut off once more.
type KeyBack struct {
	Node string `json:"node"`
	Boot string `json:"boot"`
	Disk string `json:"disk"`
	// By is the node that saw it, Again tells whether that node cut it off again.
	By    string `json:"by"`
	Again bool   `json:"again"`
	Why   string `json:"why,omitempty"`
}

// LostKeys is a node's own word that it is cut off from a disk although nobody
// here has decided so. It releases nothing; the boot gets no work any more.
type LostKeys struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Boot        string `json:"boot"`
}

// Kind names each command in the log.
func (Guarded) Kind() string  { return "guarded" }
func (KeyBack) Kind() string  { return "key-back" }
func (LostKeys) Kind() string { return "lost-keys" }

func (Guarded) level() int  { return levelTwo }
func (KeyBack) level() int  { return levelTwo }
func (LostKeys) level() int { return levelTwo }

// apply of a node's word about its own guard. Within a boot nothing of it may
// become shorter or go away, because somebody may be waiting it out already.
func (t *transaction) applyGuarded(c Guarded) refusal {
	n, known := t.Nodes.Get(c.Node)
	old := n.guardOf(n.Boot)
	switch {
	case !known || n.Incarnation != c.Incarnation || !n.Reachable() || n.Boot != c.Guard.Boot:
		return refuse("the guard of %s is that of an older incarnation or boot", c.Node)
	case t.Fences.Has(c.Node):
		return refuse("%s is being fenced; what guards it now is no longer taken in", c.Node)
	case len(c.Guard.Pills) > maxGuard || len(c.Guard.Keys) > maxGuard:
		return refuse("the guard of %s lists more than %d disks", c.Node, maxGuard)
	case c.Guard.Lease > 0 && c.Guard.Timeout <= c.Guard.Lease:
		return refuse("the lease of %s is not shorter than its watchdog", c.Node)
	case old.Timeout > 0 && (old.Timeout != c.Guard.Timeout || old.Lease != c.Guard.Lease || len(old.Pills) != len(c.Guard.Pills) || !containsEvery(c.Guard.Pills, old.Pills)):
		return refuse("the watchdog of %s was armed otherwise on this boot; other times and disks begin with the next one", c.Node)
	}
	fresh := c.Guard
	fresh.Keys = union(old.Keys, c.Guard.Keys)
	n.Guard = &fresh
	t.Nodes.Set(c.Node, n)
	t.tell(Event{Node: c.Node, Subject: c.Node, Why: "guarded: " + guardText(fresh)})
	return accepted
}

// containsEvery is containsAll for lists that may be empty.
func containsEvery(all, some []string) bool { return len(some) == 0 || containsAll(all, some) }

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
		add("it watches %s for messages", counted(len(g.Pills), "disk"))
	}
	if len(g.Keys) > 0 {
		add("its key is registered on %s", counted(len(g.Keys), "disk"))
	}
	return orElse(text, "by nothing")
}

// apply of a key that came back. It takes nothing back: what was released was
// released by more than the key (law L3), or the service allows to rely on it.
func (t *transaction) applyKeyBack(c KeyBack) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || !n.cutBoot(c.Boot) {
		return refuse("boot %.8s of %s is not one that was cut off", c.Boot, c.Node)
	}
	done := "it was cut off once more"
	if !c.Again {
		done = "cutting it off once more did not succeed"
	}
	t.tell(Event{Node: c.By, Subject: c.Node, Cause: n.Cut.Index, Why: sentence(fmt.Sprintf("DANGER: %s was cut off from %s and has registered again; %s; switch the machine off by hand", c.Node, c.Disk, done), c.Why)})
	return accepted
}

// apply of a node's word that it has lost its keys. What it held it may still be
// running, until a fence or a new boot says otherwise.
func (t *transaction) applyLostKeys(c LostKeys) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.Boot != c.Boot || n.Ended() {
		return refuse("the word of %s about its keys is that of an older incarnation or boot", c.Node)
	}
	n.Cut = &Cut{Boot: c.Boot, Index: t.index}
	t.setNodeState(n, NodeCut, "", "its key is gone from a disk that others hold: it stops what it runs and has to boot anew")
	t.voidIntentsOf(n, c.Node+" is cut off from its storage")
	return accepted
}
