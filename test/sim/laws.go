package sim

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// noTroubleFor is how long a node must have been in touch with a majority, and
// nothing of it hanging, for its fencing to be needless: a fence intent that is
// on its way takes that long to be committed.
const noTroubleFor = 8 * time.Second

// watchEntry judges one entry by what it did and by how the world really is.
// It is the laws once more, written against the truth instead of the State.
func (w *World) watchEntry(before, after *cluster.State, commands []cluster.Command, applied apply.Applied) {
	for i, c := range commands {
		if applied.Refused[i].IsZero() {
			w.watchCommand(before, after, c)
			w.watchKeyCommand(before, after, c)
			w.watchHostCommand(before, after, c)
		}
	}
	w.remembersTook(after)
	w.watchOverlays(after, commands)
	w.watchReleased(before, after)
	w.watchAlive(before, after)
	w.watchAnswers(after)
	w.watchTruth(before, after)
	if after.Index%limitsEvery == 0 {
		w.watchLimits(after)
	}
}

func (w *World) watchCommand(before, after *cluster.State, c cluster.Command) {
	switch c := c.(type) {
	case cluster.Begin:
		w.watchBegin(before, after, c)
	case cluster.Done:
		w.watchIncarnation(before, c, c.Node, c.Incarnation)
		if c.Result.OK && c.Result.Target == resources.Running {
			w.Figures.Migrations++
		}
	case cluster.Looked:
		w.watchIncarnation(before, c, c.Node, c.Incarnation)
	case cluster.Observed:
		w.watchIncarnation(before, c, c.Node, c.Incarnation)
	case cluster.NodeGone:
		w.watchIncarnation(before, c, c.Node, c.Incarnation)
	case cluster.Inventory:
		w.watchCutBoot(before, after, c.Node, c.Boot)
		w.watchIncarnation(before, c, c.Node, c.Incarnation)
	case cluster.NodeUp:
		w.watchCutBoot(before, after, c.Node, c.Boot)
		w.watchAdmitted(before, after, c)
		w.noteKnown(c.Node)
	case cluster.BeginFence:
		w.watchBeginFence(before, after, c)
	case cluster.Contact:
		n, _ := after.Nodes.Get(c.Node)
		w.watchCutBoot(before, after, c.Node, n.Boot)
		w.watchCalledRestless(c)
	case cluster.FenceDone:
		w.watchFenced(before, after, c)
	case cluster.ConfirmFence:
		w.watchConfirmed(c)
	case cluster.Ask:
		w.watchAsked(before, after, c)
	case cluster.Restore:
		w.watched.documents = 0 // what came after the backup is gone, and that is said
		clear(w.watched.accepted)
	case cluster.GoAlone:
		w.watchAlone(before, after, c)
	case cluster.Readmit:
		w.watchReadmitted(c)
	case cluster.Join:
		w.enroll(c.Node, true)
	case cluster.RemoveNode:
		w.enroll(c.Node, false)
	}
}

// watchBegin: what is begun may be begun now, on the node where it is.
func (w *World) watchBegin(before, after *cluster.State, c cluster.Begin) {
	if c.Intent == cluster.IntentStart {
		w.watchStart(after, c)
		w.watchLoop(before, c)
	}
	if c.Intent == cluster.IntentStart || c.Intent == cluster.IntentMigrate {
		w.watchRules(before, after, c)
		w.watchRoom(before, after, c)
	}
	w.watchLeave(before, c)
	w.watchTarget(c)
	w.watchDeafTarget(c)
	w.watchHungTarget(after, c)
}

// watchAdmitted: nobody is let in while a shot at that boot may still land (L2).
func (w *World) watchAdmitted(before, after *cluster.State, c cluster.NodeUp) {
	n, _ := after.Nodes.Get(c.Node)
	if open, fencing := before.Fences.Get(c.Node); fencing && n.Incarnation == after.Index &&
		(open.Boot == c.Boot || (open.Fencer != "" && !onlyWaits(before, open))) {
		w.violate("L2: %s is admitted with boot %s while the fence intent %d is open", c.Node, c.Boot, open.Index)
	}
}

// watchBeginFence: nobody is shot while fencing is disarmed, nor without need (L8).
func (w *World) watchBeginFence(before, after *cluster.State, c cluster.BeginFence) {
	w.Figures.Fences++
	if open, _ := after.Fences.Get(c.Node); before.Disarmed != nil && open.At.Before(before.Disarmed.Until) && !c.Word {
		w.violate("L8: %s is to be fenced while %s", c.Node, before.Disarmed)
	}
	if !c.Override {
		w.watchShot(before, after, c)
	}
}

// watchConfirmed: a person's word is taken only of a machine that shows no life (L3).
func (w *World) watchConfirmed(c cluster.ConfirmFence) {
	if h := w.Hosts[c.Node]; h != nil && h.Powered && h.BootID() == c.Boot {
		w.violate("L3: an operator's word that %s is off was taken while it shows life", c.Node)
	}
}

// watchAsked: a request is done once (L7). The starts of its service are counted anew from there.
func (w *World) watchAsked(before, after *cluster.State, c cluster.Ask) {
	asked, _ := after.Services.Get(c.Service)
	delete(w.watched.starts, asked.Spec.UUID)
	if known, again := before.Requests.Get(c.Request); again {
		if now, kept := after.Requests.Get(c.Request); !kept || now.Index != known.Index {
			w.violate("L7: the request %s was done a second time", c.Request)
		}
	}
}

// watchIncarnation: what an older daemon has to say counts for nothing (L2).
func (w *World) watchIncarnation(before *cluster.State, c cluster.Command, node string, incarnation uint64) {
	if n, _ := before.Nodes.Get(node); n.Incarnation != incarnation {
		w.violate("L2: %s of incarnation %d of %s was accepted, the present one is %d", clustertest.Next.KindOf(c),
			incarnation, node, n.Incarnation)
	}
}

// watchStart: where a start is allowed, the VM is nowhere else in truth (L1).
func (w *World) watchStart(after *cluster.State, c cluster.Begin) {
	service, _ := after.Services.Get(c.Service)
	for _, h := range w.order {
		if v := h.vms[service.Spec.UUID]; h.Name != c.Node && v != nil && !w.byHand[c.Service] && w.spoils(v) {
			w.violate("L1: %s is to be started on %s while it is %s on %s", c.Service, c.Node, v.condition, h.Name)
		}
	}
}

// watchFenced: a node that is confirmed off is off (L3).
func (w *World) watchFenced(before, after *cluster.State, c cluster.FenceDone) {
	was, _ := before.Nodes.Get(c.Node)
	n, _ := after.Nodes.Get(c.Node)
	if n.State != cluster.NodeFenced || was.State == cluster.NodeFenced {
		return
	}
	if c.Result.Outcome != fence.Confirmed {
		w.violate("L3: %s counts as fenced by an attempt that came to %q", c.Node, c.Result.Outcome)
	}
	if h := w.Hosts[c.Node]; h.Powered && h.BootID() == n.Boot && !h.harmless(c) {
		w.violate("L3: %s counts as fenced and its boot %s is alive", c.Node, n.Boot)
	}
}

// watchShot: nobody is shot who needed no shot, nor too many (L8). What comes out
// of limbo was needed when it was decided, and nobody knows when that was.
func (w *World) watchShot(before, after *cluster.State, c cluster.BeginFence) {
	if n, _ := before.Nodes.Get(c.Node); n.State == cluster.NodeCut {
		return // it is in touch, and no longer has storage
	}
	failed, _ := before.Services.Get(c.Service)
	forStop := failed.State == resources.Failed && failed.Spec.StopFailure != resources.LeaveFailed
	if h := w.Hosts[c.Node]; h != nil && !w.inTrouble(h, noTroubleFor) && !forStop && !w.watched.limbo {
		w.violate("needless fence: %s has been in touch with a majority all the time", c.Node)
	}
	n, _ := before.Nodes.Get(c.Node)
	grace := rules.GraceOf(before, c.Node) - time.Second
	if h := w.Hosts[c.Node]; h != nil && n.State != cluster.NodeCut && !forStop && !w.watched.limbo &&
		w.onlyMute(h, grace) {
		w.violate("needless fence: the kernel of %s answered a majority all the time, and its daemon was silent "+
			"within its grace", c.Node)
	}
	w.watchBrake(before, after, c)
}

// watchBrake: only so many are shot at once, and never half of the nodes (L8).
func (w *World) watchBrake(before, after *cluster.State, c cluster.BeginFence) {
	busy := 0
	for _, name := range before.Fences.Keys() {
		if open, _ := before.Fences.Get(name); open.TriedTotal == 0 {
			busy++
		}
	}
	if busy >= before.Document.Fencing.WithDefaults().AtOnce {
		w.violate("L8: %s is to be fenced while %d others are: %s", c.Node, busy, before.Fences.Keys())
	}
	down := 1
	for _, name := range after.Nodes.Keys() {
		if n, _ := after.Nodes.Get(name); n.State == cluster.NodeFenced || before.Fences.Has(name) {
			down++
		}
	}
	if 2*down >= after.Nodes.Len() && (after.Document.TwoNode == nil || down > 1) {
		w.violate("L8: %d of %d nodes would be fenced without an operator", down, after.Nodes.Len())
	}
}

// watchAlive: a VM that is alive is not taken for failed (L5), and one that is
// paused is alive. A stop that was decided on is another thing.
func (w *World) watchAlive(before, after *cluster.State) {
	for _, name := range after.Services.Keys() {
		was, _ := before.Services.Get(name)
		now, _ := after.Services.Get(name)
		h := w.Hosts[was.Owner]
		if now.State != resources.Recoverable || now.Intent != nil || was.State == resources.Recoverable || h == nil {
			continue
		}
		if v := h.vms[now.Spec.UUID]; v != nil && v.condition == resources.Paused && !v.ours {
			w.violate("L5: %s is taken for failed, and it is alive on %s: paused, %s", name, h.Name, v.reason)
		}
	}
}

// watchReleased: a holder that is let go is not running it, and no call can
// bring it up from then on (L1). Removed services and their tombstones are one.
func (w *World) watchReleased(before, after *cluster.State) {
	for _, h := range w.order {
		for _, v := range h.vms {
			v.hearOfDisks(before)
		}
		if !h.Powered {
			continue
		}
		boot := h.BootID()
		for _, v := range h.vms {
			if !v.held(after) && v.held(before) && !w.byHand[v.service] && w.spoils(v) {
				w.violate("L1: %s was let go as holder of %s, which is %s there", h.Name, v.service, v.condition)
			}
		}
		for uuid, calls := range h.creating {
			if calls > 0 && h.Libvirt && held(before, h.Name, boot, uuid) && !held(after, h.Name, boot, uuid) &&
				w.wouldSpoil(h, before, uuid) {
				w.violate("L1: %s was let go as holder of %s, which a call may still bring up", h.Name, uuid)
			}
		}
	}
}

// watchHeld: what comes up is held by where it does (L1).
func (w *World) watchHeld(v *vm) {
	if !v.held(w.State()) && !w.byHand[v.service] && w.spoils(v) {
		w.violate("L1: %s comes up on %s, which does not hold it", v.service, v.host.Name)
	}
}

func (v *vm) held(s *cluster.State) bool {
	if service, known := s.Services.Get(v.service); known && service.Spec.UUID == v.uuid &&
		holds(service, v.host.Name, v.host.BootID()) {
		return true
	}
	return held(s, v.host.Name, v.host.BootID(), v.uuid)
}

func held(s *cluster.State, node, boot, uuid string) bool {
	for _, service := range s.Services.Rows() {
		if service.Spec.UUID == uuid && holds(*service, node, boot) {
			return true
		}
	}
	grave, _ := s.Tombstones.Get(uuid)
	return holds(grave, node, boot)
}

func holds(service cluster.Service, node, boot string) bool {
	for _, h := range service.Holders {
		if h.Node == node && h.Boot == boot {
			return true
		}
	}
	return false
}

// watchAnswers: what was answered with "ok" is there (L7).
func (w *World) watchAnswers(s *cluster.State) {
	if s.Config.Version < w.watched.documents {
		w.violate("L7: document version %d was acknowledged and is lost", w.watched.documents)
	}
	if s.Requests.Len() >= 500 {
		clear(w.watched.accepted) // older ones may be forgotten from here on
	}
	for id, index := range w.watched.accepted {
		if r, known := s.Requests.Get(id); s.Index >= index && (!known || r.Index != index) {
			w.violate("L7: the request %s was acknowledged at %d and is lost", id, index)
		}
	}
}

// watchLimits: every list has an end.
func (w *World) watchLimits(s *cluster.State) {
	limit := func(what string, length, most int) {
		if length > most {
			w.violate("limits: %d %s", length, what)
		}
	}
	nodes, services := s.Nodes.Len(), s.Services.Len()
	limit("blobs", s.Blobs.Len(), 64)
	limit("tombstones", s.Tombstones.Len(), 64)
	limit("services with moves", s.Moves.Len(), s.Services.Len())
	limit("device checks", s.Checks.Len(), len(s.Document.Devices))
	limit("fences", s.Fences.Len(), nodes)
	for _, name := range s.Fences.Keys() {
		open, _ := s.Fences.Get(name)
		limit("attempts to fence "+name, len(open.Tried), 256)
		limit("moments of the fencing of "+name, len(open.Story), 64)
	}
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		limit("holders of "+name, len(service.Holders), 2*nodes)
		limit("failed starts of "+name, len(service.FailedOn), nodes)
		limit("moments of "+name, len(service.Story), 64)
		limit("restarts of "+name, len(service.Restarts), 1024)
		moves, _ := s.Moves.Get(name)
		limit("moves of "+name, len(moves.List), cluster.MovesKept)
	}
	for _, h := range w.order {
		if h.daemon != nil && len(h.daemon.notes) > 4*(nodes+services) {
			w.violate("limits: %d notes on %s: %s", len(h.daemon.notes), h.Name, fmt.Sprint(h.daemon.notes[0]))
		}
	}
}
