package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// foundTwice is why a copy was paused that does not belong where it is.
const foundTwice = "found running twice"

// leftByStart is why a copy is paused whose start is not over, and may never be.
const leftByStart = "starting"

func uuidOf(service string) string { return "uuid-" + service }

func change(service string, o resources.Observation) mind.Change {
	return mind.Change{Service: service, Observation: o}
}

// enqueue carries out duties one at a time for one service (or fenced node).
func (d *daemon) enqueue(duty cluster.Duty) {
	key := duty.Lane()
	d.queues[key] = append(d.queues[key], duty)
	if len(d.queues[key]) == 1 {
		d.carryOut(duty)
	}
}

func (d *daemon) finish(r mind.DutyResult) {
	if !d.alive() {
		return
	}
	key := r.Duty.Lane()
	d.in.Results = append(d.in.Results, r)
	d.poke()
	d.queues[key] = d.queues[key][1:]
	if len(d.queues[key]) > 0 {
		d.carryOut(d.queues[key][0])
	} else {
		delete(d.queues, key)
	}
}

func (d *daemon) done(duty cluster.Duty, ok bool, found resources.Condition, why string) {
	d.finish(mind.DutyResult{Duty: duty, Result: resources.Result{OK: ok, Source: found, Why: why}})
}

func (d *daemon) wanted(duty cluster.Duty) error {
	return cluster.StillWanted(d.host.state, d.host.Name, duty)
}

func (d *daemon) carryOut(duty cluster.Duty) {
	w := d.host.world
	d.after(w.between(time.Millisecond, 10*time.Millisecond), func() {
		if duty.Kind == cluster.DutyLook {
			d.after(w.between(2*time.Millisecond, 30*time.Millisecond), func() {
				d.finish(mind.DutyResult{Duty: duty, Observation: d.host.lookFor(duty.Service, duty.Spec.UUID)})
			})
			return
		}
		w.watchIntent(duty)
		if err := d.wanted(duty); err != nil {
			d.notWanted(duty, err)
			return
		}
		if duty.Kind == cluster.DutyFence {
			d.fence(duty)
			return
		}
		if duty.Kind == cluster.DutyPowerOn {
			d.powerOn(duty)
			return
		}
		if !d.host.Libvirt {
			d.after(time.Second, func() {
				d.finish(mind.DutyResult{Duty: duty, Result: resources.Result{Source: resources.Unknown, Unsent: true,
					Why: "libvirtd does not answer"}})
			})
			return
		}
		d.act(duty)
	})
}

func (d *daemon) notWanted(duty cluster.Duty, err error) {
	if duty.Kind == cluster.DutyFence || duty.Kind == cluster.DutyPowerOn {
		d.finish(mind.DutyResult{Duty: duty, Fence: fence.Result{Outcome: fence.Unknown, Evidence: []string{err.Error()}}})
		return
	}
	d.done(duty, false, d.host.lookFor(duty.Service, duty.Spec.UUID).Condition, err.Error())
}

// act carries out a duty about a VM on a hypervisor that answers.
func (d *daemon) act(duty cluster.Duty) {
	h := d.host
	v := h.vms[duty.Spec.UUID]
	if h.ActsHang {
		return
	}
	switch duty.Kind {
	case cluster.DutyStart:
		d.start(duty)
	case cluster.DutyStop:
		d.stop(duty, v)
	case cluster.DutyPrepare:
		d.prepare(duty)
	case cluster.DutyMigrate:
		d.migrate(duty, v)
	case cluster.DutyResume:
		if v != nil && v.condition == resources.Paused {
			v.execute()
		}
		found := h.lookFor(duty.Service, duty.Spec.UUID).Condition
		d.done(duty, found == resources.Running, found, "")
	case cluster.DutyCancel:
		d.cancelMove(duty, v)
	case cluster.DutyTune:
		d.done(duty, v != nil && v.moving, h.lookFor(duty.Service, duty.Spec.UUID).Condition, "")
	case cluster.DutyConvalesce:
		d.convalesce(duty, v)
	case cluster.DutyReconfigure:
		d.reconfigure(duty)
	case cluster.DutyPause:
		if v != nil && v.writes() {
			v.condition, v.reason, v.ahead = resources.Paused, foundTwice, false
		}
		found := h.lookFor(duty.Service, duty.Spec.UUID).Condition
		d.done(duty, found == resources.Paused, found, "")
	}
}

func (d *daemon) convalesce(duty cluster.Duty, v *vm) {
	switch {
	case v == nil || v.condition != resources.Running:
		d.done(duty, false, d.host.lookFor(duty.Service, duty.Spec.UUID).Condition, "it does not run here")
	case v.hopeless:
		d.done(duty, false, resources.Running, v.reason)
	default:
		v.partial, v.reason = false, ""
		d.done(duty, true, resources.Running, "")
	}
}

// reconfigure takes a changed declaration in. While that lasts the service may write
// to the old disks and to the new ones, and is neither what it was nor what it is to
// be: so it stays where starts fail, or where the daemon does not live to the end.
func (d *daemon) reconfigure(duty cluster.Duty) {
	h := d.host
	v := h.vms[duty.Spec.UUID]
	if v == nil || v.condition != resources.Running {
		d.done(duty, false, h.lookFor(duty.Service, duty.Spec.UUID).Condition, "it does not run here")
		return
	}
	v.condition, v.reason = resources.Broken, "its change was broken off"
	v.disks = append(slices.Clone(v.disks), duty.Spec.Disks...)
	d.after(h.world.between(10*time.Millisecond, 2*time.Second), func() {
		if h.vms[duty.Spec.UUID] != v || v.condition != resources.Broken || h.StartsFail {
			d.done(duty, false, h.lookFor(duty.Service, duty.Spec.UUID).Condition, "a changed resource does not start")
			return
		}
		v.condition, v.reason, v.disks = resources.Running, "", duty.Spec.Disks
		d.done(duty, true, resources.Running, "changed")
	})
}

func (d *daemon) start(duty cluster.Duty) {
	h := d.host
	resume := func(v *vm) {
		if v.gone() {
			d.done(duty, false, resources.Absent, "it ended at once")
			return
		}
		if err := d.wanted(duty); err != nil {
			v.end(resources.Observation{Condition: resources.Absent, Explained: true})
			d.done(duty, false, resources.Absent, err.Error())
			return
		}
		v.execute()
		d.done(duty, true, resources.Running, "")
	}
	switch v := h.vms[duty.Spec.UUID]; {
	case v == nil:
		d.create(duty, resume)
	case v.condition == resources.Running:
		d.done(duty, true, resources.Running, "it runs already")
	case v.ours:
		resume(v)
	default:
		d.done(duty, false, v.condition, "it is there and not ours to go on with")
	}
}

// create asks the hypervisor for a paused VM, and gives up waiting after a
// while; the call goes on.
func (d *daemon) create(duty cluster.Duty, resume func(*vm)) {
	h, waits := d.host, true
	if h.CallsHang {
		d.after(5*time.Second, func() {
			if waits {
				waits = false
				found := h.lookFor(duty.Service, duty.Spec.UUID).Condition
				d.done(duty, false, found, "the call did not return in time")
			}
		})
	}
	if service, known := h.state.Services.Get(duty.Service); known {
		for _, holder := range service.Holders { // what is started is what the intent said
			if holder.Node == h.Name {
				duty.Spec.Disks = holder.Disks
			}
		}
	}
	h.create(duty.Spec, func(v *vm, why string) {
		d.thawed(func() { // else the call outlived its caller
			switch {
			case !waits:
			case v == nil:
				waits = false
				d.done(duty, false, h.lookFor(duty.Service, duty.Spec.UUID).Condition, why)
			default:
				waits = false
				d.after(h.world.between(20*time.Millisecond, 200*time.Millisecond), func() { resume(v) })
			}
		})
	})
}

func (d *daemon) stop(duty cluster.Duty, v *vm) {
	w, h := d.host.world, d.host
	if v == nil {
		found := h.lookFor(duty.Service, duty.Spec.UUID).Condition
		d.done(duty, found == resources.Absent, found, "it is not here")
		return
	}
	if v.moving {
		v.moving = false
	}
	service, _ := h.state.Services.Get(duty.Service)
	if i := service.Intent; i != nil && i.Purpose != cluster.ForCleanup && (!duty.Kill || duty.Ends) {
		w.watchLoss(v.uuid, duty.Service+" is stopped on "+h.Name)
	}
	pause := w.between(300*time.Millisecond, 3*time.Second)
	if v.hung && !duty.Kill {
		pause += hungStop
	} else if duty.Kill || v.condition != resources.Running {
		pause = w.between(30*time.Millisecond, 100*time.Millisecond)
	} else {
		v.reason = "shutting down"
	}
	if h.StopsFail && (w.random == nil || w.chance(2)) {
		d.after(pause, func() {
			if v.reason == "shutting down" {
				v.reason = ""
			}
			d.done(duty, false, h.lookFor(duty.Service, duty.Spec.UUID).Condition, "the hypervisor cannot end its process")
		})
		return
	}
	w.After(pause, func() {
		v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "stopped"})
		d.thawed(func() {
			found := h.lookFor(duty.Service, duty.Spec.UUID)
			d.done(duty, found.Condition == resources.Absent, found.Condition, found.Evidence)
		})
	})
}

func (d *daemon) migrate(duty cluster.Duty, v *vm) {
	w, h := d.host.world, d.host
	target := w.Hosts[duty.Target]
	if v != nil && v.condition == resources.Split && v.rest != nil && !v.ahead {
		d.copyOn(duty, v)
		return
	}
	if v == nil || v.condition != resources.Running || target == nil {
		d.done(duty, false, h.lookFor(duty.Service, duty.Spec.UUID).Condition, "it does not run here")
		return
	}
	w.watchPrepared(duty)
	began, waits := w.Now, true
	d.after(movePatience, func() {
		if waits {
			waits = false
			d.done(duty, false, h.lookFor(duty.Service, duty.Spec.UUID).AsEnd(), "out of time, and the abort had no effect")
		}
	})
	if duty.Stallable && (w.failMigration == Stalled || w.strikes("guest outruns the copy", 2)) {
		d.stall(duty, v, &waits)
		return
	}
	h.migrate(v, target, duty.PostCopy, func(end MigrationEnd, arrived *vm) {
		d.thawed(func() {
			if waits {
				waits = false
				d.migrated(duty, began, end, arrived)
			}
		})
	})
}

// stall gives a move up that does not get smaller. The guest runs on, unless something else ended
// it.
func (d *daemon) stall(duty cluster.Duty, v *vm, waits *bool) {
	w := d.host.world
	v.moving = true
	w.After(w.between(500*time.Millisecond, 3*time.Second), func() {
		v.moving = false
		d.thawed(func() {
			if !*waits {
				return
			}
			*waits = false
			found := d.host.lookFor(duty.Service, duty.Spec.UUID).Condition
			d.finish(mind.DutyResult{Duty: duty, Result: resources.Result{Source: found, Target: resources.Absent,
				Stalled: found == resources.Running, Why: "its passes no longer shrink"}})
		})
	})
}

// migrated goes on when the hypervisor's migration has ended.
func (d *daemon) migrated(duty cluster.Duty, began time.Duration, end MigrationEnd, arrived *vm) {
	w, h := d.host.world, d.host
	target := w.Hosts[duty.Target]
	if end == MovedClean && w.linked(h, target) && target.Libvirt && !arrived.gone() {
		if !duty.PostCopy {
			arrived.execute()
		}
		target.hint(duty.Service, resources.Observation{Condition: arrived.condition})
		d.finish(mind.DutyResult{Duty: duty, Result: resources.Result{OK: true, Source: resources.Absent,
			Target: resources.Running, Total: w.Now - began, Downtime: 40 * time.Millisecond}})
		return
	}
	found := h.lookFor(duty.Service, duty.Spec.UUID).Condition
	if w.strikes("end unseen", 3) {
		found = resources.Unknown
	}
	d.done(duty, false, found, fmt.Sprintf("the migration to %s ended: %s", duty.Target, end))
}
