package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/resources"
)

// MigrationEnd is what the hypervisor's own migration came to.
type MigrationEnd string

// The ends of a migration.
const (
	// MovedClean: the source is gone and the target paused, complete.
	MovedClean MigrationEnd = "clean"
	// NotMoved: the source runs on.
	NotMoved MigrationEnd = "not moved"
	// Stalled: its passes did not shrink, and it was given up; the source runs on.
	Stalled MigrationEnd = "stalled"
	// Interrupted: the guest is at the target and a part of its memory at the source, and the tunnel
	// between them broke.
	Interrupted MigrationEnd = "interrupted"
	// ReplyLost: both ends are complete and paused.
	ReplyLost MigrationEnd = "reply lost"
)

// migrate is the hypervisor's migration, by post-copy or not. It does not need the daemons.
func (h *Host) migrate(v *vm, target *Host, postCopy bool, done func(end MigrationEnd, arrived *vm)) {
	w := h.world
	v.moving = true
	targetBoot, sourceBoot := target.boot, h.boot
	connecting := w.between(20*time.Millisecond, 60*time.Millisecond)
	if w.strikes("slow migration", 4) {
		connecting = w.between(connecting, 3*time.Second) // the target has nothing of it until then
	}
	v.cancelled = false
	w.whenAnswers(v, connecting, func() {
		if v.gone() || !w.linked(h, target) || !w.trust(h, target) || h.MigrationsFail ||
			target.ArrivalsFail || target.NoStorage ||
			!target.Libvirt || !target.doorkeeper(v) || target.vms[v.uuid] != nil || v.condition != resources.Running {
			v.moving = false
			done(NotMoved, nil)
			return
		}
		arriving := &vm{host: target, since: w.Now, service: v.service, uuid: v.uuid, condition: resources.Incoming,
			disks: v.disks, byHand: v.byHand, overlay: v.overlay}
		target.vms[v.uuid] = arriving
		w.tell("%s is arriving on %s", v.service, target.Name)
		w.watchHeld(arriving)
		if postCopy {
			w.whenAnswers(v, w.between(20*time.Millisecond, 300*time.Millisecond), func() {
				w.switchOver(v, arriving, targetBoot, sourceBoot, done)
			})
			return
		}
		w.whenAnswers(v, w.between(400*time.Millisecond, 4*time.Second), func() {
			end := w.arrive(v, arriving, targetBoot, sourceBoot)
			done(end, arriving)
		})
	})
}

// prepare is the target's own check whether it can take a VM live. It reads, and takes its time for
// that; it finds some of what would let the VM not arrive, and may hang.
func (d *daemon) prepare(duty cluster.Duty) {
	w, h := d.host.world, d.host
	takes := w.between(10*time.Millisecond, 400*time.Millisecond)
	hangs := h.CheckHangs || w.strikes("target check hangs", 20)
	if hangs {
		takes = cluster.PrepareTimeout
	}
	d.after(takes, func() {
		found := h.lookFor(duty.Service, duty.Spec.UUID)
		switch {
		case hangs:
			d.done(duty, false, resources.Unknown, "the check did not end in time")
		case found.Condition != resources.Absent:
			d.done(duty, false, found.Condition, "a copy of it is here")
		case h.Lacks != "":
			d.done(duty, false, found.Condition, h.Lacks)
		case h.NoStorage, h.ArrivalsFail && w.chance(2), w.strikes("target check fails", 12):
			d.done(duty, false, found.Condition, "its processor lacks what the guest was started with")
		default:
			w.prepared[duty.Index] = true
			d.done(duty, true, found.Condition, "")
		}
	})
}

// watchPrepared holds that nothing is sent to a node that has not said that it can take it (law
// L5).
func (w *World) watchPrepared(duty cluster.Duty) {
	if !w.prepared[duty.Index] {
		w.violate("L5: %s is sent to %s, which has not said that it can take it", duty.Service, duty.Target)
	}
}

// doorkeeper is libvirt's hook: no managed VM comes up without an intent in
// force on this node, nor while the daemon is down.
func (h *Host) doorkeeper(v *vm) bool {
	if h.daemon == nil || h.daemon.paused || h.log.lost != "" {
		return false // Without its log a daemon cannot tell which VMs are managed.
	}
	service, may, _ := cluster.PassableFor(h.state, h.Name, h.daemon.incarnation, v.uuid)
	if me, _ := h.state.Nodes.Get(h.Name); service == "" &&
		(h.daemon.incarnation == 0 || me.Incarnation != h.daemon.incarnation) {
		return false // Its State may be from before that VM was declared.
	}
	return may && h.daemon.inForce()
}

// arrive ends the copying.
func (w *World) arrive(v, arriving *vm, targetBoot, sourceBoot int) MigrationEnd {
	if w.failed(v, arriving, targetBoot, sourceBoot) {
		return NotMoved
	}
	v.condition, v.reason = resources.Paused, "migration"
	arriving.condition, arriving.reason, arriving.memory = resources.Paused, "migration", v.memory
	w.tell("%s is complete on %s", v.service, arriving.host.Name)
	if w.failMigration == ReplyLost || w.strikes("reply lost", 6) {
		return ReplyLost
	}
	v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "migrated"})
	return MovedClean
}

// failed reports whether a migration has come to nothing before anything changed its place.
func (w *World) failed(v, arriving *vm, targetBoot, sourceBoot int) bool {
	source, target := v.host, arriving.host
	v.moving = false
	targetDead := !target.Powered || target.boot != targetBoot || arriving.gone()
	sourceDead := !source.Powered || source.boot != sourceBoot || v.gone() || v.condition != resources.Running
	switch {
	case sourceDead && !targetDead:
		if w.chance(2) || w.without["half a copy stays"] { // else the half copy stays until somebody drops it
			arriving.end(resources.Observation{Condition: resources.Absent, Explained: true})
		}
		return true
	case targetDead:
		return true
	case v.cancelled || !w.linked(source, target) || w.failMigration == NotMoved || w.strikes("migration breaks off", 6):
		if w.failMigration == NotMoved || w.chance(2) || w.without["half a copy stays"] {
			arriving.end(resources.Observation{Condition: resources.Absent, Explained: true})
		}
		return true
	}
	return false
}

// switchOver lets a guest go on at its target, before its memory is there.
func (w *World) switchOver(v, arriving *vm, targetBoot, sourceBoot int, done func(MigrationEnd, *vm)) {
	if w.failed(v, arriving, targetBoot, sourceBoot) {
		done(NotMoved, arriving)
		return
	}
	v.condition, v.reason, v.rest, v.moving = resources.Split, resources.PostCopyGoing, arriving, true
	arriving.condition, arriving.reason, arriving.rest = resources.Split, resources.PostCopyGoing, v
	arriving.ahead, arriving.memory = true, v.memory
	w.tell("%s goes on on %s, and its memory follows", v.service, arriving.host.Name)
	w.watchExecution(arriving)
	w.fetch(v, arriving, done)
}

// tunnelNotices is how long the ends of a post-copy move take until they see that the other is
// gone.
const tunnelNotices = 4 * time.Second

// fetch copies the rest of a guest's memory after it.
func (w *World) fetch(v, arriving *vm, done func(MigrationEnd, *vm)) {
	w.After(w.between(400*time.Millisecond, 4*time.Second), func() {
		v.moving = false
		breaks := v.gone() || arriving.gone() || !w.linked(v.host, arriving.host) ||
			w.failMigration == Interrupted || w.strikes("post-copy breaks off", 3)
		if !breaks {
			arriving.condition, arriving.reason, arriving.rest, arriving.ahead = resources.Running, "", nil, false
			w.tell("%s is whole on %s", v.service, arriving.host.Name)
			v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "migrated"})
			done(MovedClean, arriving)
			return
		}
		w.tell("the memory of %s no longer follows it from %s to %s", v.service, v.host.Name, arriving.host.Name)
		w.After(w.between(10*time.Millisecond, tunnelNotices), func() {
			for _, end := range []*vm{v, arriving} {
				if !end.gone() && end.condition == resources.Split {
					end.reason = "post-copy failed"
					end.host.hint(end.service, resources.Observation{Condition: resources.Split})
				}
			}
			done(Interrupted, arriving)
		})
	})
}

// copyOn takes a post-copy up again that was interrupted.
func (d *daemon) copyOn(duty cluster.Duty, v *vm) {
	w, arriving := d.host.world, v.rest
	tell := func(result resources.Result) {
		d.thawed(func() { d.finish(mind.DutyResult{Duty: duty, Result: result}) })
	}
	w.After(w.between(100*time.Millisecond, time.Second), func() {
		if v.gone() || arriving.gone() || !arriving.ahead || !w.linked(v.host, arriving.host) ||
			v.reason == resources.PostCopyGoing || arriving.reason == resources.PostCopyGoing {
			tell(resources.Result{Source: d.host.lookFor(duty.Service, duty.Spec.UUID).Condition,
				Target: resources.Unknown, Why: "the copying cannot be taken up again"})
			return
		}
		v.reason, arriving.reason, v.moving = resources.PostCopyGoing, resources.PostCopyGoing, true
		w.fetch(v, arriving, func(end MigrationEnd, _ *vm) {
			result := resources.Result{OK: end == MovedClean, Source: resources.Absent, Target: resources.Running}
			if !result.OK {
				result.Source, result.Target = resources.Split, resources.Split
			}
			tell(result)
		})
	})
}

// moveModesSalt draws how VMs are moved; the faults of a seed are otherwise what they were.
const moveModesSalt = 71

// moveModes lets some worlds move their VMs by post-copy, or by whatever brings them there.
func (s *Script) moveModes() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), moveModesSalt))
	if r.IntN(3) > 0 {
		return
	}
	modes := []resources.MoveMode{"", resources.MovePostCopy, resources.MoveHybrid}
	for i := range len(s.Document.Services) {
		name, mode := serviceName(i), pick(r, modes)
		if spec, made := s.Document.Services[name]; made {
			spec.Migration.Mode = mode
			s.Document.Services[name] = spec
		}
	}
}

// MoveByHand moves a running VM past the cluster, as a person does who took the
// doorkeeper away. The guest is never twice; only the cluster does not know.
func (h *Host) MoveByHand(service string, target *Host) {
	w, v := h.world, h.vms[h.world.uuid(service)]
	if v == nil || v.condition != resources.Running || v.moving || target.vms[v.uuid] != nil ||
		target.creating[v.uuid] > 0 || !w.linked(h, target) || !target.Libvirt {
		return
	}
	w.tell("%s is moved by hand from %s to %s", service, h.Name, target.Name)
	arrived := &vm{host: target, since: w.Now, service: service, uuid: v.uuid, memory: v.memory,
		disks: v.disks, byHand: v.byHand, overlay: v.overlay}
	target.vms[v.uuid] = arrived
	v.end(resources.Observation{Condition: resources.Absent})
	w.byHand[service] = true // nobody in touch may have it; then the cluster starts it again
	arrived.execute()
	target.hint(service, resources.Observation{Condition: resources.Running})
}

// arrivalsSalt draws when hosts take no live migrations; the faults of a seed are
// otherwise what they were.
const arrivalsSalt = 37

// arrivals lets some hosts refuse what comes live: a wrong CPU model, a bridge or an
// image that is not there. Whoever wants to go somewhere else has to try the next.
func (s *Script) arrivals() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), arrivalsSalt))
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(3) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(20*time.Second))),
				While: 2*time.Second + time.Duration(r.Int64N(int64(8*time.Second))),
				Kind:  "arrivals fail", Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()),
				Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// arrivalFaults are drawn by arrivals alone.
func arrivalFaults() []faultKind {
	return []faultKind{{"arrivals fail", 0, func(w *World, f Fault, h *Host) {
		h.ArrivalsFail = true
		w.After(2*f.While, func() { h.ArrivalsFail = false })
	}}}
}
