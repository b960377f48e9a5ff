package sim

import (
	"sort"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// vm is one QEMU process.
type vm struct {
	host      *Host
	service   string
	uuid      string
	condition resources.Condition
	reason    string
	// ours: it was created by a start and never resumed.
	ours bool
	// moving: its outgoing migration has not ended.
	moving bool
	// memory is the generation of its memory; older than the disk's it must never
	// run again.
	memory int
	disks  []resources.Disk
}

func (h *Host) serviceNames() []string {
	names := make([]string, 0, len(h.vms))
	for name := range h.vms {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// hint is what the hypervisor's events tell the daemon.
func (h *Host) hint(service string, o resources.Observation) {
	d := h.daemon
	if d == nil {
		return
	}
	h.world.After(h.world.between(time.Millisecond, 20*time.Millisecond), func() {
		if d.alive() {
			d.in.Changes = append(d.in.Changes, change(service, o))
			d.poke()
		}
	})
}

// look is what the hypervisor answers right now.
func (h *Host) look(service string) resources.Observation {
	o := resources.Observation{Service: service, UUID: uuidOf(service), Condition: resources.Unknown, Reason: "libvirtd does not answer"}
	if !h.Libvirt {
		return o
	}
	v, here := h.vms[service]
	if !here {
		if h.creating[service] > 0 {
			o.Reason = "an earlier call may still bring it up"
			return o
		}
		o.Condition, o.Reason, o.Evidence = resources.Absent, "", "libvirt has no such VM and its process is gone"
		return o
	}
	o.Condition, o.Reason, o.Disks = v.condition, v.reason, v.disks
	if v.moving {
		o.Reason = resources.MigratingOut
	}
	return o
}

// execute lets a VM's guest run.
func (v *vm) execute() {
	v.condition, v.reason, v.ours = resources.Running, "", false
	v.host.world.tell("%s executes on %s", v.service, v.host.Name)
	v.host.world.watchExecution(v)
}

func (v *vm) gone() bool { return v.host.vms[v.service] != v }

// end removes a VM.
func (v *vm) end(o resources.Observation) {
	if v.gone() {
		return
	}
	delete(v.host.vms, v.service)
	v.host.world.tell("%s is gone from %s", v.service, v.host.Name)
	v.host.hint(v.service, o)
}

// create makes a VM paused; the call may outlive its caller.
func (h *Host) create(service string, disks []resources.Disk, done func(v *vm, why string)) {
	boot := h.boot
	h.creating[service]++
	h.world.After(h.world.between(50*time.Millisecond, 300*time.Millisecond), func() {
		if !h.Powered || h.boot != boot {
			return
		}
		h.creating[service]--
		switch {
		case h.StartsFail:
			done(nil, "the image cannot be opened")
		case h.vms[service] != nil:
			done(nil, "it is there already")
		default:
			v := &vm{host: h, service: service, uuid: uuidOf(service), condition: resources.Paused, reason: "starting", ours: true, memory: h.world.memory[service], disks: disks}
			h.vms[service] = v
			h.world.tell("%s is created paused on %s", service, h.Name)
			done(v, "")
		}
	})
}

// CrashVM lets a guest crash; its process stays.
func (h *Host) CrashVM(service string) {
	if v := h.vms[service]; v != nil && v.condition == resources.Running && !v.moving {
		v.condition, v.reason = resources.Crashed, "panicked"
		h.world.tell("%s crashes on %s", service, h.Name)
		h.hint(service, resources.Observation{Condition: resources.Crashed})
	}
}

// EndVM ends a VM from outside: explained by an event, or without one.
func (h *Host) EndVM(service string, explained bool) {
	if v := h.vms[service]; v != nil && !v.moving && v.condition == resources.Running {
		reason := ""
		if explained {
			reason = "shut down by its guest"
		}
		v.end(resources.Observation{Condition: resources.Absent, Explained: explained, Reason: reason})
	}
}

// PauseVM lets the guest pause as on an I/O error.
func (h *Host) PauseVM(service, reason string) {
	if v := h.vms[service]; v != nil {
		v.condition, v.reason = resources.Paused, reason
		h.hint(service, resources.Observation{Condition: resources.Paused, Reason: reason})
	}
}

// StartByHand runs a VM past the cluster, as a person with virsh does.
func (h *Host) StartByHand(service string) {
	w := h.world
	w.byHand[service] = true
	v := &vm{host: h, service: service, uuid: uuidOf(service), memory: w.memory[service]}
	h.vms[service] = v
	v.execute()
	h.hint(service, resources.Observation{Condition: resources.Running})
}

// DestroyByHand ends a VM in any condition, as `virsh destroy` does.
func (h *Host) DestroyByHand(service string) {
	if v := h.vms[service]; v != nil {
		v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "destroyed"})
	}
}

// MigrationEnd is what the hypervisor's own migration came to.
type MigrationEnd string

// The ends of a migration.
const (
	// MovedClean: the source is gone and the target paused, complete.
	MovedClean MigrationEnd = "clean"
	// NotMoved: the source runs on.
	NotMoved MigrationEnd = "not moved"
	// ReplyLost: both ends are complete and paused.
	ReplyLost MigrationEnd = "reply lost"
)

// migrate is the hypervisor's migration. It does not need the daemons.
func (h *Host) migrate(v *vm, target *Host, done func(end MigrationEnd, arrived *vm)) {
	w := h.world
	v.moving = true
	targetBoot, sourceBoot := target.boot, h.boot
	connecting := w.between(20*time.Millisecond, 60*time.Millisecond)
	if w.chance(4) {
		connecting = w.between(connecting, 3*time.Second) // the target has nothing of it until then
	}
	w.After(connecting, func() {
		if v.gone() || !w.linked(h, target) || !target.Libvirt || !target.doorkeeper(v) || target.vms[v.service] != nil || v.condition != resources.Running {
			v.moving = false
			done(NotMoved, nil)
			return
		}
		arriving := &vm{host: target, service: v.service, uuid: v.uuid, condition: resources.Incoming, disks: v.disks}
		target.vms[v.service] = arriving
		w.tell("%s is arriving on %s", v.service, target.Name)
		w.After(w.between(400*time.Millisecond, 4*time.Second), func() {
			end := w.arrive(v, arriving, targetBoot, sourceBoot)
			done(end, arriving)
		})
	})
}

// doorkeeper is libvirt's hook: no managed VM comes up without an intent in
// force on this node, nor while the daemon is down.
func (h *Host) doorkeeper(v *vm) bool {
	if h.daemon == nil {
		return false
	}
	_, may, _ := cluster.Passable(h.state, h.Name, v.uuid)
	return may
}

// arrive ends the copying.
func (w *World) arrive(v, arriving *vm, targetBoot, sourceBoot int) MigrationEnd {
	source, target := v.host, arriving.host
	v.moving = false
	targetDead := !target.Powered || target.boot != targetBoot || arriving.gone()
	sourceDead := !source.Powered || source.boot != sourceBoot || v.gone() || v.condition != resources.Running
	switch {
	case sourceDead && !targetDead:
		if w.chance(2) { // else the half copy stays until somebody drops it
			arriving.end(resources.Observation{Condition: resources.Absent, Explained: true})
		}
		return NotMoved
	case targetDead:
		return NotMoved
	case !w.linked(source, target) || w.failMigration == NotMoved || w.chance(6):
		if w.failMigration == NotMoved || w.chance(2) {
			arriving.end(resources.Observation{Condition: resources.Absent, Explained: true})
		}
		return NotMoved
	}
	v.condition, v.reason = resources.Paused, "migration"
	arriving.condition, arriving.reason, arriving.memory = resources.Paused, "migration", v.memory
	w.tell("%s is complete on %s", v.service, target.Name)
	if w.failMigration == ReplyLost || w.chance(6) {
		return ReplyLost
	}
	v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "migrated"})
	return MovedClean
}
