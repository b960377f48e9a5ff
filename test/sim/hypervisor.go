package sim

import (
	"reflect"
	"strings"
	"time"

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
	// byHand are those of them that a person attached.
	byHand []string
	// overlay is what it writes to since a snapshot, also when the world has forgotten that
	// because the VM was started anew elsewhere.
	overlay *overlay
	// told are those of byHand that the State knows of.
	told map[string]bool
	// rest is the other end of a post-copy move that has switched, and ahead tells that the guest is
	// at this one: it executes with the pages that have come.
	rest  *vm
	ahead bool
	// hung: nothing answers for it, and it ends by force alone. cancelled: its migration
	// is given up.
	hung, cancelled bool
	// mended is told at the next look, once.
	mended string
	// since is when it was first there.
	since time.Duration
	// partial: it goes on without a part that it can do without; hopeless parts do
	// not start again.
	partial, hopeless bool
}

// hint is what the hypervisor's events tell the daemon.
func (h *Host) hint(service string, o resources.Observation) {
	d, w := h.daemon, h.world
	if d == nil {
		return
	}
	service = w.nameNow(service)
	later := w.between(time.Millisecond, 20*time.Millisecond)
	switch {
	case h.EventsLost && w.chance(2):
		later, o = w.between(time.Second, 10*time.Second), resources.Observation{Service: service} // somebody looks anyway
	case h.EventsLost:
		later = w.between(later, 5*time.Second)
	}
	w.late++
	w.After(later, func() { w.late-- })
	d.after(later, func() {
		d.in.Changes = append(d.in.Changes, change(service, o))
		d.poke()
	})
}

// lookFor returns what the hypervisor answers right now of a service.
func (h *Host) lookFor(service, uuid string) resources.Observation {
	o := resources.Observation{Service: service, UUID: uuid, Condition: resources.Unknown,
		Reason: "libvirtd does not answer"}
	if !h.Libvirt {
		return o
	}
	v, here := h.vms[uuid]
	if !here {
		if h.creating[uuid] > 0 {
			o.Reason = "an earlier call may still bring it up"
			return o
		}
		o.Condition, o.Reason, o.Evidence = resources.Absent, "", "libvirt has no such VM and its process is gone"
		if strings.HasPrefix(service, resources.KindService+":") {
			o.Evidence = "all its resources are stopped"
		}
		return o
	}
	if v.hung {
		o.Reason = "libvirt does not answer for it"
		return o
	}
	o.Condition, o.Reason, o.Disks, o.Partial, o.Mended = v.condition, v.reason, v.disks, v.partial, v.mended
	v.mended = ""
	if v.moving && v.condition != resources.Split {
		o.Reason = resources.MigratingOut
	}
	return o
}

// writes reports whether a guest executes, and so may write to its disks.
func (v *vm) writes() bool { return v.condition == resources.Running || v.ahead }

// nameNow is what the VM is called now that was called so when it came up.
func (w *World) nameNow(service string) string {
	services := w.State().Services
	named, _ := services.Get(service)
	if uuid, known := w.calledOnce[service]; known && named.Spec.UUID != uuid {
		for _, name := range services.Keys() {
			if renamed, _ := services.Get(name); renamed.Spec.UUID == uuid {
				return name
			}
		}
	}
	return service
}

// execute lets a VM's guest run.
func (v *vm) execute() {
	if v.host.NoStorage {
		v.condition, v.reason, v.ours = resources.Paused, "ioerror", false
		v.host.hint(v.service, resources.Observation{Condition: resources.Paused, Reason: "ioerror"})
		return
	}
	v.host.world.calledOnce[v.service] = v.uuid
	v.condition, v.reason, v.ours, v.partial = resources.Running, "", false, false
	v.host.world.tell("%s executes on %s", v.service, v.host.Name)
	v.host.world.watchExecution(v)
	v.dieSoon()
}

func (v *vm) gone() bool { return v.host.vms[v.uuid] != v }

// end removes a VM.
func (v *vm) end(o resources.Observation) {
	if v.gone() {
		return
	}
	delete(v.host.vms, v.uuid)
	v.host.world.tell("%s is gone from %s", v.service, v.host.Name)
	v.host.hint(v.service, o)
}

// create makes a VM paused; the call may outlive its caller, but not the
// hypervisor's daemon.
func (h *Host) create(spec resources.Spec, done func(v *vm, why string)) {
	service, uuid, calls, w := spec.Name, spec.UUID, h.creating, h.world
	calls[uuid]++
	takes := w.between(50*time.Millisecond, 300*time.Millisecond)
	if h.CallsHang && w.chance(2) {
		takes = w.between(takes, 20*time.Second)
	}
	w.After(takes, func() {
		calls[uuid]--
		switch {
		case !h.Powered || !h.Libvirt || !h.calling(calls):
			if h.Powered {
				done(nil, "libvirtd ended")
			}
		case h.StartsFail || h.NoStorage:
			done(nil, "the image cannot be opened")
		case h.vms[spec.UUID] != nil:
			done(nil, "it is there already")
		default:
			v := &vm{host: h, since: w.Now, service: service, uuid: spec.UUID, condition: resources.Paused,
				reason: leftByStart, ours: true, memory: w.memory[spec.UUID], disks: spec.Disks}
			h.vms[spec.UUID] = v
			w.tell("%s is created paused on %s", service, h.Name)
			w.watchLoss(spec.UUID, service+" is started from its declaration on "+h.Name)
			delete(w.overlays, spec.UUID)
			w.watchHeld(v)
			done(v, "")
		}
	})
}

// CrashVM lets a guest crash; its process stays.
func (h *Host) CrashVM(service string) {
	if v := h.vms[h.world.uuid(service)]; v != nil && v.condition == resources.Running && !v.moving {
		v.condition, v.reason = resources.Crashed, "panicked"
		h.world.tell("%s crashes on %s", service, h.Name)
		h.hint(v.service, resources.Observation{Condition: resources.Crashed})
	}
}

// FailParts lets resources of a service fail their check.
func (h *Host) FailParts(service, reason string) {
	if v := h.vms[h.world.uuid(service)]; v != nil && v.condition == resources.Running && !v.moving {
		v.condition, v.reason = resources.Broken, reason
		h.world.tell("%s fails on %s: %s", service, h.Name, reason)
		h.hint(v.service, resources.Observation{Condition: resources.Broken, Reason: reason})
	}
}

// MendParts lets them pass it again, as a person does by hand.
func (h *Host) MendParts(service string) {
	if v := h.vms[h.world.uuid(service)]; v != nil && v.condition == resources.Broken {
		v.condition, v.reason = resources.Running, ""
		h.hint(v.service, resources.Observation{Condition: resources.Running})
	}
}

// RestartParts has the agent of a service restart a part in place.
func (h *Host) RestartParts(service, reason string) {
	if v := h.vms[h.world.uuid(service)]; v != nil && v.condition == resources.Running {
		v.mended = reason
		h.hint(v.service, resources.Observation{Condition: resources.Running})
	}
}

// DropParts lets a service go on without parts that it can do without. Hopeless
// ones do not start again.
func (h *Host) DropParts(service, reason string, hopeless bool) {
	if v := h.vms[h.world.uuid(service)]; v != nil && v.condition == resources.Running {
		v.partial, v.reason, v.hopeless = true, reason, hopeless
		h.hint(v.service, resources.Observation{Condition: resources.Running, Reason: reason, Partial: true})
	}
}

// EndVM ends a VM from outside: explained by an event, or without one.
func (h *Host) EndVM(service string, explained bool) {
	if v := h.vms[h.world.uuid(service)]; v != nil && !v.moving && v.condition == resources.Running {
		reason := ""
		if explained {
			reason = "shut down by its guest"
		}
		v.end(resources.Observation{Condition: resources.Absent, Explained: explained, Reason: reason})
	}
}

// PauseVM lets the guest pause as on an I/O error.
func (h *Host) PauseVM(service, reason string) {
	if v := h.vms[h.world.uuid(service)]; v != nil {
		v.condition, v.reason = resources.Paused, reason
		h.hint(v.service, resources.Observation{Condition: resources.Paused, Reason: reason})
	}
}

// StartByHand runs a VM past the cluster, as a person with virsh does.
func (h *Host) StartByHand(service string) {
	w := h.world
	w.byHand[service] = true
	v := &vm{host: h, since: w.Now, service: service, uuid: w.uuid(service), memory: w.memory[w.uuid(service)]}
	h.vms[v.uuid] = v
	v.execute()
	h.hint(v.service, resources.Observation{Condition: resources.Running})
}

// DestroyByHand ends a VM in any condition, as `virsh destroy` does.
func (h *Host) DestroyByHand(service string) {
	if v := h.vms[h.world.uuid(service)]; v != nil {
		v.destroyed()
	}
}

// destroyed ends it as a person does.
func (v *vm) destroyed() {
	v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "destroyed"})
}

// ResumeByHand resumes what is paused, as `virsh resume` does.
func (h *Host) ResumeByHand(service string) {
	if v := h.vms[h.world.uuid(service)]; v != nil && v.condition == resources.Paused && !v.ours && !h.NoStorage {
		v.execute()
		h.hint(v.service, resources.Observation{Condition: resources.Running})
	}
}

// calling reports whether calls of this start of the hypervisor's daemon are the
// present ones.
func (h *Host) calling(calls map[string]int) bool {
	return reflect.ValueOf(h.creating).Pointer() == reflect.ValueOf(calls).Pointer()
}

// uuid is the UUID of the VM that a service is.
func (w *World) uuid(service string) string {
	if known, found := w.State().Services.Get(service); found && known.Spec.UUID != "" {
		return known.Spec.UUID
	}
	return uuidOf(service)
}
