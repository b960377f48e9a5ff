package cluster

import (
	"cmp"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// heldBy lists the services that may be running on any boot of a machine.
func (w *World) heldBy(n Member) []string {
	var names []string
	for _, service := range w.others("", "") {
		for _, h := range service.Holders {
			if h.Machine == n.Machine() {
				names = append(names, service.Spec.Name)
				break
			}
		}
	}
	return names
}

func sentence(text, more string) string {
	if more == "" {
		return text
	}
	return text + ": " + more
}

// apply begins an incarnation. An open fence intent bars the machine (law L2):
// sparing a node happens before the intent, never after. A new boot is proof
// that the boot to be fenced is over, but only between attempts, because an off
// command that is on its way would hit the new boot.
func (t *transaction) applyNodeUp(c NodeUp) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return refuse("there is no node %s in the cluster; join it with a token", c.Node)
	}
	if !n.HasKey(c.Fingerprint) {
		return refuse("the key of %s is not the one it joined with; use `clusterd node replace %s` if the machine was reinstalled", c.Node, c.Node)
	}
	if why := t.mayHaveAddress(c.Node, c.Address); why != "" {
		return refuse("%s", why)
	}
	if c.Session != "" && n.Session == c.Session && n.Boot != "" {
		return accepted // the same start told twice, because its outcome was not known
	}
	if c.Previous != nil && *c.Previous != n.Incarnation {
		return refuse("incarnation %d of %s has begun since this one was told", n.Incarnation, c.Node)
	}
	if why := n.barredByGeneration(); why != "" {
		return refuse("%s", why)
	}
	if why := t.barredByFence(c.Node, c.Boot); why != "" {
		return refuse("%s", why)
	}
	if n.cutBoot(c.Boot) {
		return refuse("boot %.8s of %s was cut off from its storage; only a new boot of the machine is admitted, so restart the host", c.Boot, c.Node)
	}
	if n.State == NodeFenced && n.Boot == c.Boot && n.Boot != "" {
		return refuse("boot %.8s of %s was confirmed off; only a new boot of the machine is admitted", c.Boot, c.Node)
	}
	if c.MaxLevel < t.Level {
		return refuse("clusterd %s on %s knows rules up to level %d, the cluster is at level %d; install a newer version there", c.Version, c.Node, c.MaxLevel, t.Level)
	}
	if why := n.barredByLog(c.Log); why != "" {
		return refuse("%s", why)
	}
	reboot := n.Boot != "" && n.Boot != c.Boot
	n = t.holdsLog(n, c.Log)
	n.Address, n.Version, n.MaxLevel = cmp.Or(c.Address, n.Address), c.Version, c.MaxLevel
	n.Incarnation, n.Session, n.Before = t.index, c.Session, ""
	n.Stopped = false
	n.Hung = "" // it answers, or the node tells no inventory
	n.Restarts = n.Restarts.another(t.at)
	why := "its daemon started and looks what runs here"
	if reboot {
		why = "the machine booted anew, its daemon looks what runs here"
	}
	if n.Restarts.loop() {
		why += fmt.Sprintf("; %s, and the next round that is told is number %d", n.Restarts.says(), 2*n.Restarts.Count)
	}
	// The old boot's holders stay until the inventory replaces them; Boot is
	// only taken over then, in the same command (law L1c).
	if n.Boot == "" {
		n.Boot = c.Boot
	}
	n = t.setNodeState(n, NodeLooking, "", why)
	t.PowerOns.Delete(n.Name)
	t.voidIntentsOf(n, "the daemon of "+n.Name+" restarted")
	t.releaseHeld()
	return accepted
}

// barredByFence says why a node is not admitted while it is being fenced. What
// shows another boot than the one that is to be fenced closes the intent, but
// only between attempts.
func (t *transaction) barredByFence(node, boot string) string {
	open, fencing := t.Fences.Get(node)
	switch {
	case !fencing:
		return ""
	case open.Boot == boot || (open.Fencer != "" && t.mayHitNewBoot(open)):
		return fmt.Sprintf("%s is being fenced since index %d; it is admitted when that is over", node, open.Index)
	}
	t.closeFence(open, EndedByBoot, "the machine shows a new boot")
	t.tell(Event{Node: node, Subject: node, Cause: open.Index, Why: "the machine shows a new boot: the fence intent for its old boot is closed"})
	return ""
}

// apply admits a node and takes over what it found. For a new boot the old
// boots' holders leave and the inventory takes their place, in one command.
func (t *transaction) applyInventory(c Inventory) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.State != NodeLooking {
		return refuse("the inventory of %s is from an older incarnation", c.Node)
	}
	if len(c.Found) > maxFound {
		return refuse("the inventory of %s lists %d VMs, the limit is %d", c.Node, len(c.Found), maxFound)
	}
	if n.cutBoot(c.Boot) {
		return refuse("boot %.8s of %s was cut off from its storage", c.Boot, c.Node)
	}
	// An operator may have begun to fence it while it looked.
	if why := t.barredByFence(c.Node, c.Boot); why != "" {
		return refuse("%s", why)
	}
	if n.Boot != c.Boot {
		n = t.bootAnew(n, c)
	}
	found, running := map[string]resources.Observation{}, 0
	for _, f := range c.Found {
		found[f.Service] = f.Observation
		if f.Observation.Condition != resources.Absent {
			running++
		}
	}
	n.LastHeard = time.Time{}
	n = t.setNodeState(n, NodeOnline, "", fmt.Sprintf("looked and found %s", counted(running, "VM")))
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		h, held := service.holder(n.Name)
		held = held && onBoot(n)(h)
		o, seen := found[name]
		switch {
		case held && (!seen || h.Since > c.Incarnation):
			// The look may have been before this holder entered or was asked, or was
			// not for it at all; so it stays unknown and is asked.
			h.Ask, h.Since, h.Why = true, t.index, "not told by the inventory"
			t.Services.Set(name, service.withHolder(h))
		case seen:
			t.observe(service, n, o, c.Incarnation)
		}
	}
	t.observeTombstones(n, found)
	return accepted
}

// bootAnew takes over a new boot of a machine: what its old boot held is free,
// except that a service which was declared while the node looked has not been
// looked for on the new one.
func (t *transaction) bootAnew(n Member, c Inventory) Member {
	fresh := n
	fresh.Boot, fresh.Guard, fresh.Cut = c.Boot, nil, nil
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		if h, held := service.holder(n.Name); held && onBoot(n)(h) && h.Since > c.Incarnation {
			t.Services.Set(name, service.withHolder(t.holderOn(fresh, h.Why, service.Spec, true)))
		}
	}
	t.releaseBoot(n, t.index, "the machine booted anew")
	return fresh
}

func counted(number int, what string) string {
	if number == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", number, what)
}

// observeTombstones lets go of removed services that the node does not run, and
// asks about those that it did not tell of.
func (t *transaction) observeTombstones(n Member, found map[string]resources.Observation) {
	for _, uuid := range t.Tombstones.Keys() {
		grave, _ := t.Tombstones.Get(uuid)
		h, held := grave.holder(n.Name)
		if !held || !onBoot(n)(h) {
			continue
		}
		o, seen := found[grave.Spec.Name]
		if seen && o.Condition == resources.Absent && o.UUID == uuid && h.Since <= n.Incarnation {
			t.bury(uuid, grave.withoutHolder(onBoot(n)))
			continue
		}
		h.Ask, h.Since = true, t.index
		t.Tombstones.Set(uuid, grave.withHolder(h))
	}
}

// bury keeps a tombstone until its last holder is gone.
func (t *transaction) bury(uuid string, grave Service) {
	if len(grave.Holders) == 0 {
		t.Tombstones.Delete(uuid)
		t.tell(Event{Subject: grave.Spec.Name, Why: "removed and proven to run nowhere: its disks are free"})
		return
	}
	t.Tombstones.Set(uuid, grave)
}

func (t *transaction) applyLeave(c Leave) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.State != NodeOnline {
		return refuse("%s is not online", c.Node)
	}
	t.setNodeState(n, NodeLeaving, c.By, "hands its services over before it goes")
	return accepted
}

func (t *transaction) applyNodeGone(c NodeGone) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.State != NodeLeaving || n.Incarnation != c.Incarnation {
		return refuse("%s is not leaving", c.Node)
	}
	if held := t.heldBy(n); len(held) > 0 {
		return refuse("%s may still be running %s", c.Node, held[0])
	}
	t.setNodeState(n, NodeLeft, "", "left, it holds nothing")
	return accepted
}

// apply of an edge of liveness. It changes what is known, not what is allowed:
// losing contact releases nothing.
func (t *transaction) applyContact(c Contact) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation {
		return refuse("the edge is about an older incarnation of %s", c.Node)
	}
	switch c.State {
	case NodeLost, NodeSilent, NodeDeaf:
		if !n.Reachable() && !n.stalled() && n.State != NodeLooking {
			return refuse("%s is %s already", c.Node, n.State)
		}
		if n.State == c.State {
			return refuse("%s is %s already", c.Node, n.State)
		}
		if n.LastHeard.IsZero() || n.Reachable() {
			n.LastHeard = t.at.Add(-c.Silence)
		}
		if !n.stalled() && n.State != NodeLost {
			n.Before = n.State
		}
		t.setNodeState(n, c.State, "", c.Why, Phase{What: "last heard", At: n.LastHeard}, Phase{What: string(c.State), At: t.at})
		t.releaseHeld()
	case NodeOnline:
		if n.State != NodeLost && !n.stalled() {
			return refuse("%s is %s", c.Node, n.State)
		}
		if t.Fences.Has(c.Node) {
			return refuse("%s is being fenced; a committed fence intent is not spared", c.Node)
		}
		// It becomes what it was: one that had not told its inventory looks still
		// (law L2), one that was leaving leaves.
		back := n.Before
		if back == "" {
			back = NodeOnline
		}
		n.LastHeard, n.Before = time.Time{}, ""
		t.setNodeState(n, back, "", c.Why)
	default:
		return refuse("%q is no edge of liveness", c.State)
	}
	return accepted
}

// releaseBoot takes a dead boot of a machine out of every service's holders.
// The caller has the proof (law L1b, L1c).
func (t *transaction) releaseBoot(n Member, cause uint64, proof string) {
	gone := onBoot(n)
	for _, uuid := range t.Tombstones.Keys() {
		if grave, _ := t.Tombstones.Get(uuid); grave.heldWhere(gone) {
			t.bury(uuid, grave.withoutHolder(gone))
		}
	}
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		for _, h := range service.Holders {
			if gone(h) {
				t.holderGone(service, h, cause, proof)
				break
			}
		}
	}
}

func (s Service) heldWhere(match func(Holder) bool) bool {
	for _, h := range s.Holders {
		if match(h) {
			return true
		}
	}
	return false
}

// releaseHeld ends `clusvcadm -s`: it lasts until the next transition of a node.
func (t *transaction) releaseHeld() {
	for _, name := range t.Services.Keys() {
		if service, _ := t.Services.Get(name); service.Held {
			service.Held = false
			t.Services.Set(name, service)
		}
	}
}
