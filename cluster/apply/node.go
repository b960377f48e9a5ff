package apply

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// applyNodeUp begins an incarnation. An open fence intent bars the machine (law L2):
// sparing a node happens before the intent, never after. A new boot is proof
// that the boot to be fenced is over, but only between attempts, because an off
// command that is on its way would hit the new boot.
func (t *transaction) applyNodeUp(c cluster.NodeUp) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known {
		return rules.Refuse(message.NodeNotJoined.With(c.Node))
	}
	if !n.HasKey(c.Fingerprint) {
		return rules.Refuse(message.NodeKeyWrong.With(c.Node))
	}
	if why := t.MayHaveAddress(c.Node, c.Address); !why.IsZero() {
		return rules.Refuse(why)
	}
	if c.Session != "" && n.Session == c.Session && n.Boot != "" {
		return rules.Accepted // the same start told twice, because its outcome was not known
	}
	if c.Previous != nil && *c.Previous != n.Incarnation {
		return rules.Refuse(message.NodeUpOutdated.With(n.Incarnation, c.Node))
	}
	if why := n.BarredByGeneration(); !why.IsZero() {
		return rules.Refuse(why)
	}
	if why := t.barredByFence(c.Node, c.Boot); !why.IsZero() {
		return rules.Refuse(why)
	}
	if n.CutBoot(c.Boot) {
		return rules.Refuse(message.BootCutOff.With(fmt.Sprintf("%.8s", c.Boot), c.Node))
	}
	if n.State == cluster.NodeFenced && n.Boot == c.Boot && n.Boot != "" {
		return rules.Refuse(message.BootConfirmedOff.With(fmt.Sprintf("%.8s", c.Boot), c.Node))
	}
	if c.MaxLevel < t.Level {
		return rules.Refuse(message.ClusterdTooOld.With(c.Version, c.Node, c.MaxLevel, t.Level))
	}
	if why := n.BarredByLog(c.Log); !why.IsZero() {
		return rules.Refuse(why)
	}
	reboot := n.Boot != "" && n.Boot != c.Boot
	n = t.holdsLog(n, c.Log)
	n.Address, n.Version, n.MaxLevel = cmp.Or(c.Address, n.Address), c.Version, c.MaxLevel
	n.Incarnation, n.Session, n.Before = t.index, c.Session, ""
	n.Away = 0 // it read the log to its end to say so
	n.Restarts = n.StartedAgain(t.At, c.Boot)
	n.Stopped = false
	if c.Capacity != (cluster.Capacity{}) {
		n.Capacity = c.Capacity
	}
	n.Hung = message.Text{} // it answers, or the node tells no inventory
	why := startedWhy(n, reboot)
	// The old boot's holders stay until the inventory replaces them; Boot is
	// only taken over then, in the same command (law L1c).
	if n.Boot == "" {
		n.Boot = c.Boot
	}
	n = t.setNodeState(n, cluster.NodeLooking, "", why)
	t.PowerOns.Delete(n.Name)
	t.voidIntentsOf(n, message.NodeRestarted.With(n.Name))
	t.releaseHeld()
	return rules.Accepted
}

// startedWhy says what began with the incarnation.
func startedWhy(n cluster.Member, reboot bool) message.Text {
	loop := message.Text{}
	if n.Restarts.Loop() {
		loop = message.NodeRestartLoop.With(n.Restarts.Says(), 2*n.Restarts.Count)
	}
	if reboot {
		return message.NodeBooted.With(loop)
	}
	return message.NodeStarted.With(loop)
}

// barredByFence says why a node is not admitted while it is being fenced. What
// shows another boot than the one that is to be fenced closes the intent, but
// only between attempts.
func (t *transaction) barredByFence(node, boot string) message.Text {
	open, fencing := t.Fences.Get(node)
	switch {
	case !fencing:
		return message.Text{}
	case open.Boot == boot || (open.Fencer != "" && rules.MayHitNewBoot(t.State, open)):
		return message.AdmitWhileFenced.With(node, open.Index)
	}
	t.closeFence(open, cluster.EndedByBoot, message.NodeShowsNewBoot.With())
	t.tell(cluster.Event{Node: node, Subject: node, Cause: open.Index, Why: message.FenceEndedByBoot.With()})
	return message.Text{}
}

// applyInventory admits a node and takes over what it found. For a new boot the old
// boots' holders leave and the inventory takes their place, in one command.
func (t *transaction) applyInventory(c cluster.Inventory) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.State != cluster.NodeLooking {
		return rules.Refuse(message.InventoryOutdated.With(c.Node))
	}
	if len(c.Found) > cluster.MaxFound {
		return rules.Refuse(message.InventoryTooLong.With(c.Node, len(c.Found), cluster.MaxFound))
	}
	if n.CutBoot(c.Boot) {
		return rules.Refuse(message.BootCutOff.With(fmt.Sprintf("%.8s", c.Boot), c.Node))
	}
	// An operator may have begun to fence it while it looked.
	if why := t.barredByFence(c.Node, c.Boot); !why.IsZero() {
		return rules.Refuse(why)
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
	n = t.setNodeState(n, cluster.NodeOnline, "", message.NodeAdmitted.With(running))
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		h, held := service.Holder(n.Name)
		held = held && cluster.OnBoot(n)(h)
		o, seen := found[name]
		switch {
		case held && (!seen || h.Since > c.Incarnation):
			// The look may have been before this holder entered or was asked, or was
			// not for it at all; so it stays unknown and is asked.
			h.Ask, h.Since, h.Why = true, t.index, message.HolderNotInInventory.With()
			t.Services.Set(name, service.WithHolder(h))
		case seen:
			t.observe(service, n, o, c.Incarnation)
		}
	}
	t.observeTombstones(n, found)
	return rules.Accepted
}

// bootAnew takes over a new boot of a machine: what its old boot held is free,
// except that a service which was declared while the node looked has not been
// looked for on the new one.
func (t *transaction) bootAnew(n cluster.Member, c cluster.Inventory) cluster.Member {
	fresh := n
	fresh.Boot, fresh.Guard, fresh.Cut = c.Boot, nil, nil
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		if h, held := service.Holder(n.Name); held && cluster.OnBoot(n)(h) && h.Since > c.Incarnation {
			t.Services.Set(name, service.WithHolder(t.holderOn(fresh, h.Why, service.Spec, true).RunsAs(h)))
		}
	}
	t.releaseBoot(n, t.index, message.BootReplaced.With())
	return fresh
}

// observeTombstones lets go of removed services that the node does not run, and
// asks about those that it did not tell of.
func (t *transaction) observeTombstones(n cluster.Member, found map[string]resources.Observation) {
	for _, uuid := range t.Tombstones.Keys() {
		grave, _ := t.Tombstones.Get(uuid)
		h, held := grave.Holder(n.Name)
		if !held || !cluster.OnBoot(n)(h) {
			continue
		}
		o, seen := found[grave.Spec.Name]
		if seen && o.Condition == resources.Absent && o.UUID == uuid && h.Since <= n.Incarnation {
			t.bury(uuid, grave.WithoutHolder(cluster.OnBoot(n)))
			continue
		}
		h.Ask, h.Since = true, t.index
		t.Tombstones.Set(uuid, grave.WithHolder(h))
	}
}

// bury keeps a tombstone until its last holder is gone.
func (t *transaction) bury(uuid string, grave cluster.Service) {
	if len(grave.Holders) == 0 {
		t.Tombstones.Delete(uuid)
		t.tell(cluster.Event{Subject: grave.Spec.Name, Why: message.ServiceProvenGone.With()})
		return
	}
	t.Tombstones.Set(uuid, grave)
}

func (t *transaction) applyLeave(c cluster.Leave) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case known && n.State == cluster.NodeLeaving:
		return rules.Refuse(message.LeaveUnderWay.With(c.Node))
	case known && n.State == cluster.NodeLeft:
		return rules.Refuse(message.LeaveOver.With(c.Node))
	case !known || n.State != cluster.NodeOnline:
		return rules.Refuse(message.LeaveNotOnline.With(c.Node))
	}
	t.setNodeState(n, cluster.NodeLeaving, c.By, message.NodeLeaving.With())
	return rules.Accepted
}

func (t *transaction) applyNodeGone(c cluster.NodeGone) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.State != cluster.NodeLeaving || n.Incarnation != c.Incarnation {
		return rules.Refuse(message.LeaveNotBegun.With(c.Node))
	}
	if held := t.HeldBy(n); len(held) > 0 {
		return rules.Refuse(message.NodeMayRun.With(c.Node, held[0]))
	}
	t.setNodeState(n, cluster.NodeLeft, "", message.NodeLeft.With())
	return rules.Accepted
}

// applyContact of an edge of liveness. It changes what is known, not what is allowed:
// losing contact releases nothing.
func (t *transaction) applyContact(c cluster.Contact) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation {
		return rules.Refuse(message.ContactOutdated.With(c.Node))
	}
	switch c.State {
	case cluster.NodeLost, cluster.NodeSilent, cluster.NodeDeaf:
		if !n.Reachable() && !n.Stalled() && n.State != cluster.NodeLooking {
			return rules.Refuse(message.ContactKnown.With(c.Node, n.State))
		}
		if n.State == c.State {
			return rules.Refuse(message.ContactKnown.With(c.Node, n.State))
		}
		if n.LastHeard.IsZero() || n.Reachable() {
			n.LastHeard = t.At.Add(-c.Silence)
		}
		if !n.Stalled() && n.State != cluster.NodeLost {
			n.Before = n.State
		}
		t.setNodeState(n, c.State, "", c.Why, cluster.Phase{What: "last heard", At: n.LastHeard},
			cluster.Phase{What: string(c.State), At: t.At})
		t.withdrawFrom(n.Name, c.Why)
		t.releaseHeld()
	case cluster.NodeOnline:
		if n.State != cluster.NodeLost && !n.Stalled() {
			return rules.Refuse(message.ContactNotLost.With(c.Node, n.State))
		}
		if t.Fences.Has(c.Node) {
			return rules.Refuse(message.ContactWhileFenced.With(c.Node))
		}
		// It becomes what it was: one that had not told its inventory looks still
		// (law L2), one that was leaving leaves.
		back := n.Before
		if back == "" {
			back = cluster.NodeOnline
		}
		n.LastHeard, n.Before = time.Time{}, ""
		t.setNodeState(n, back, "", c.Why)
	default:
		return rules.Refuse(message.ContactStateUnknown.With(strconv.Quote(string(c.State))))
	}
	return rules.Accepted
}

// releaseBoot takes a dead boot of a machine out of every service's holders.
// The caller has the proof (law L1b, L1c).
func (t *transaction) releaseBoot(n cluster.Member, cause uint64, proof message.Text) {
	gone := cluster.OnBoot(n)
	for _, uuid := range t.Tombstones.Keys() {
		if grave, _ := t.Tombstones.Get(uuid); grave.HeldWhere(gone) {
			t.bury(uuid, grave.WithoutHolder(gone))
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

// releaseHeld ends `clusvcadm -s`: it lasts until the next transition of a node.
func (t *transaction) releaseHeld() {
	for _, name := range t.Services.Keys() {
		if service, _ := t.Services.Get(name); service.Held {
			service.Held = false
			t.Services.Set(name, service)
		}
	}
}

func (t *transaction) applySetAddress(c cluster.SetAddress) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known:
		return rules.Refuse(message.NodeUnknown.With(c.Node))
	case strings.EqualFold(n.Address, c.Address):
		return rules.Accepted
	case c.Address == "":
		return rules.Refuse(message.AddressEmpty.With(c.Node))
	}
	if why := cluster.UnfitAddress(c.Node, c.Address); !why.IsZero() {
		return rules.Refuse(why)
	}
	for _, other := range t.Nodes.Rows() {
		if other.Name != c.Node && strings.EqualFold(other.Address, c.Address) {
			return rules.Refuse(message.AddressOfOther.With(c.Address, other.Name, c.Node))
		}
	}
	if n.Reachable() {
		return rules.Refuse(message.AddressNodeInTouch.With(c.Node, n.Address))
	}
	why := message.AddressChanged.With(c.Address, n.Address)
	if c.By == "" {
		why = message.AddressFollowed.With(c.Address, n.Address)
	}
	n.Address = c.Address
	t.Nodes.Set(c.Node, n)
	t.tell(cluster.Event{Node: c.Node, Subject: c.Node, By: c.By, Why: why})
	return rules.Accepted
}

// applyDaemonStopping takes the node out of work at once, and remembers until its next NodeUp
// that its silence was announced. Nothing is released: what runs there is held.
func (t *transaction) applyDaemonStopping(c cluster.DaemonStopping) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known || n.Incarnation != c.Incarnation:
		return rules.Refuse(message.StoppingOutdated.With(c.Node))
	case n.Stopped:
		return rules.Accepted
	case !n.Reachable() && n.State != cluster.NodeLooking && !n.Stalled():
		return rules.Refuse(message.NodeInState.With(c.Node, n.State))
	}
	n.Stopped = true
	if !n.Stalled() {
		n.Before = n.State
	}
	n.LastHeard = t.At
	t.setNodeState(n, cluster.NodeSilent, "", message.ClusterdStopped.With(t.StopGrace()))
	t.releaseHeld()
	return rules.Accepted
}
