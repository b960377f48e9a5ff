package sim

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

func uuidOf(service string) string { return "uuid-" + service }

func change(service string, o resources.Observation) cluster.Change {
	return cluster.Change{Service: service, Observation: o}
}

// enqueue carries out duties one at a time for one service (or fenced node).
func (d *daemon) enqueue(duty cluster.Duty) {
	key := duty.Service + duty.Node
	d.queues[key] = append(d.queues[key], duty)
	if len(d.queues[key]) == 1 {
		d.carryOut(duty)
	}
}

func (d *daemon) finish(r cluster.DutyResult) {
	if !d.alive() {
		return
	}
	key := r.Duty.Service + r.Duty.Node
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
	d.finish(cluster.DutyResult{Duty: duty, Result: resources.Result{OK: ok, Source: found, Why: why}})
}

func (d *daemon) wanted(duty cluster.Duty) error {
	return cluster.StillWanted(d.host.state, d.host.Name, duty)
}

func (d *daemon) carryOut(duty cluster.Duty) {
	w := d.host.world
	w.After(w.between(time.Millisecond, 10*time.Millisecond), func() {
		if !d.alive() {
			return
		}
		if duty.Kind == cluster.DutyLook {
			w.After(w.between(2*time.Millisecond, 30*time.Millisecond), func() {
				if d.alive() {
					d.finish(cluster.DutyResult{Duty: duty, Observation: d.host.look(duty.Service)})
				}
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
		if !d.host.Libvirt {
			w.After(time.Second, func() { d.done(duty, false, resources.Unknown, "libvirtd does not answer") })
			return
		}
		d.act(duty)
	})
}

func (d *daemon) notWanted(duty cluster.Duty, err error) {
	if duty.Kind == cluster.DutyFence {
		d.finish(cluster.DutyResult{Duty: duty, Fence: fence.Result{Outcome: fence.Unknown, Evidence: []string{err.Error()}}})
		return
	}
	d.done(duty, false, d.host.look(duty.Service).Condition, err.Error())
}

// act carries out a duty about a VM on a hypervisor that answers.
func (d *daemon) act(duty cluster.Duty) {
	h := d.host
	v := h.vms[duty.Service]
	switch duty.Kind {
	case cluster.DutyStart:
		d.start(duty)
	case cluster.DutyStop:
		d.stop(duty, v)
	case cluster.DutyMigrate:
		d.migrate(duty, v)
	case cluster.DutyResume:
		if v != nil && v.condition == resources.Paused {
			v.execute()
		}
		found := h.look(duty.Service).Condition
		d.done(duty, found == resources.Running, found, "")
	case cluster.DutyPause:
		if v != nil && v.condition == resources.Running {
			v.condition, v.reason = resources.Paused, "found running twice"
		}
		found := h.look(duty.Service).Condition
		d.done(duty, found == resources.Paused, found, "")
	}
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
	switch v := h.vms[duty.Service]; {
	case v == nil:
		h.create(duty.Service, duty.Spec.Disks, func(v *vm, why string) {
			if !d.alive() {
				return // the call outlived its caller
			}
			if v == nil {
				d.done(duty, false, h.look(duty.Service).Condition, why)
				return
			}
			h.world.After(h.world.between(20*time.Millisecond, 200*time.Millisecond), func() {
				if d.alive() {
					resume(v)
				}
			})
		})
	case v.condition == resources.Running:
		d.done(duty, true, resources.Running, "it runs already")
	case v.ours:
		resume(v)
	default:
		d.done(duty, false, v.condition, "it is there and not ours to go on with")
	}
}

func (d *daemon) stop(duty cluster.Duty, v *vm) {
	w, h := d.host.world, d.host
	if v == nil {
		found := h.look(duty.Service).Condition
		d.done(duty, found == resources.Absent, found, "it is not here")
		return
	}
	if v.moving {
		v.moving = false
	}
	pause := w.between(300*time.Millisecond, 3*time.Second)
	if duty.Kill || v.condition != resources.Running {
		pause = w.between(30*time.Millisecond, 100*time.Millisecond)
	} else {
		v.reason = "shutting down"
	}
	w.After(pause, func() {
		v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "stopped"})
		found := h.look(duty.Service)
		d.done(duty, found.Condition == resources.Absent, found.Condition, found.Evidence)
	})
}

func (d *daemon) migrate(duty cluster.Duty, v *vm) {
	w, h := d.host.world, d.host
	target := w.Hosts[duty.Target]
	if v == nil || v.condition != resources.Running || target == nil {
		d.done(duty, false, h.look(duty.Service).Condition, "it does not run here")
		return
	}
	began := w.Now
	h.migrate(v, target, func(end MigrationEnd, arrived *vm) {
		if !d.alive() {
			return
		}
		if end == MovedClean && w.linked(h, target) && target.Libvirt && !arrived.gone() {
			arrived.execute()
			d.finish(cluster.DutyResult{Duty: duty, Result: resources.Result{OK: true, Source: resources.Absent, Target: resources.Running, Total: w.Now - began, Downtime: 40 * time.Millisecond}})
			return
		}
		found := h.look(duty.Service).Condition
		if w.chance(3) {
			found = resources.Unknown
		}
		d.done(duty, false, found, fmt.Sprintf("the migration to %s ended: %s", duty.Target, end))
	})
}

// fence sends the off command to the victim's BMC.
func (d *daemon) fence(duty cluster.Duty) {
	w, victim := d.host.world, d.host.world.Hosts[duty.Node]
	report := func(outcome fence.Outcome, evidence string) {
		result := fence.Result{Outcome: outcome, Evidence: []string{evidence}}
		if outcome == fence.Confirmed {
			result.Phases = []fence.Phase{{What: "off confirmed", At: epoch.Add(w.Now)}}
		}
		d.finish(cluster.DutyResult{Duty: duty, Fence: result})
	}
	off := w.between(300*time.Millisecond, 900*time.Millisecond)
	switch victim.BMC {
	case BMCDead:
		w.After(w.between(time.Second, 2*time.Second), func() { report(fence.Unknown, "no answer from the BMC") })
	case BMCDeaf:
		w.After(off, func() { report(fence.Refuted, "the BMC accepted the off command and still says on") })
	default:
		w.After(off/2, func() { // the command is on its way, whatever happens to its sender
			mute := victim.BMC == BMCMute
			victim.PowerOff()
			w.After(off/2, func() {
				switch {
				case mute || victim.Powered:
					report(fence.Unknown, "the BMC's answer was lost")
				default:
					report(fence.Confirmed, "off command accepted, off read twice")
				}
			})
		})
	}
}
