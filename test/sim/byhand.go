package sim

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// recoverByHand is what a person does of two nodes of which one has lost its log and the other may
// not go on alone, because it has booted since or the document has changed: the machine without
// its log is switched off, and the other one recovers. It holds everything, because both
// acknowledged it.
func (w *World) recoverByHand() {
	if !w.paired() || w.Leader() != "" {
		return
	}
	for _, h := range w.order {
		other := h.other()
		if !h.logless() || other.daemon == nil || other.logless() || !other.member || other.pair.parting != nil ||
			other.pair.recovery != nil || other.byHand != nil ||
			other.mayGoAlone() {
			continue
		}
		w.tell("a person recovers %s without %s", other.Name, h.Name)
		h.PowerOff()
		other.KillDaemon()
		other.byHand = &cluster.Recover{Generation: other.state.Generation + 1, Dead: []string{h.Name},
			Through: other.logEnd(), By: "root"}
		w.enroll(h.Name, false)
		other.StartDaemon()
	}
}

// mayGoAlone reports whether the two-node rule lets this host go on by itself once the other one
// is silent: it had been in quorum since it booted, and agreed about the document in force.
func (h *Host) mayGoAlone() bool {
	p := h.pair.warrant
	return p != nil && p.Boot == h.BootID() && p.Generation >= h.state.Generation && p.Document >= h.state.Config.Version
}

// recoverOnce is what a daemon does of a recovery by hand before anything else: until its log
// says that a generation began, it does not come up, plans nothing and lets nobody in who has
// lost a log. Others may come up meanwhile.
func (d *daemon) recoverOnce() {
	h := d.host
	switch {
	case h.byHand == nil || d.recovering:
		return
	case h.state.Generation >= h.byHand.Generation:
		h.byHand = nil
		d.poke()
		return
	}
	d.recovering = true
	h.world.Propose(h.Name, *h.byHand, func(string) {
		d.recovering = false
		d.after(50*time.Millisecond, d.recoverOnce)
	})
}

// crashedBeside reports whether a copy that somebody moved here past the cluster has crashed, while
// the service runs at its owner: the note asks a person which one is right.
func (h *Host) crashedBeside(v *vm) bool {
	service, _ := h.world.State().Services.Get(v.service)
	return v.condition == resources.Crashed && h.world.byHand[v.service] &&
		service.State == resources.Started && service.Owner != h.Name
}

// strays reports whether a copy is one that a person has to decide about: it was
// found running twice and paused, or it is one of resources, which cannot be, and
// somebody brought it here past the cluster. So is what an unfinished start left
// here while somebody brought the VM up elsewhere: the note asks which one is right.
func (h *Host) strays(v *vm) bool {
	service, _ := h.world.State().Services.Get(v.service)
	if v.condition == resources.Paused && v.reason == leftByStart {
		return h.world.byHand[v.service] && service.State == resources.Started && service.Owner != h.Name
	}
	return (v.condition == resources.Paused && v.reason == foundTwice) ||
		(v.condition == resources.Running && h.world.byHand[v.service] &&
			service.Spec.Kind() != resources.KindVM && service.Owner != h.Name && len(service.Holders) > 1)
}

// decide ends by hand what was found running twice: the copy at the owner is
// right, even if it has crashed since, and so is the only one.
func (h *Host) decide(v *vm) {
	for _, other := range h.world.order {
		if copied := other.vms[v.uuid]; copied != nil && copied != v {
			if (copied.condition == resources.Running || copied.condition == resources.Crashed) && !copied.moving {
				v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "destroyed"})
			}
			return
		}
	}
	h.ResumeByHand(v.service)
}
