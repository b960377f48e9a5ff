package sim

import (
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// lun is one disk of the shared array, with its reservation: write exclusive,
// registrants only. Keys are those of hosts, whatever boot they are on.
type lun struct {
	reserved bool
	keys     map[string]bool
	// aborted are the boots of which a preempt-and-abort was told to be done.
	aborted map[string]bool
}

func (w *World) lun(disk string) *lun {
	if w.array == nil {
		w.array = map[string]*lun{}
	}
	if w.array[disk] == nil {
		w.array[disk] = &lun{keys: map[string]bool{}, aborted: map[string]bool{}}
	}
	return w.array[disk]
}

// canWrite reports whether a host's writes to a disk of a VM reach it.
func (w *World) canWrite(h *Host, identity string) bool {
	for disk, l := range w.array {
		if fence.LiesOn(identity, []string{disk}) {
			return !l.reserved || l.keys[h.Name]
		}
	}
	return true
}

// spoils reports whether a VM can write to any of its disks where it is. A disk that a person
// attached or an overlay that was made, and that no daemon has told of, cannot be cut off:
// safety.md, A19.
func (w *World) spoils(v *vm) bool {
	o := v.overlay
	for _, disk := range v.disks {
		if slices.Contains(v.byHand, disk.Identity) && !v.told[disk.Identity] ||
			o != nil && o.disk == disk.Identity && !o.known {
			continue
		}
		if !disk.ReadOnly && w.canWrite(v.host, disk.Identity) {
			return true
		}
	}
	return len(v.disks) == 0
}

// wouldSpoil is spoils for a VM that a call may still bring up on a host.
func (w *World) wouldSpoil(h *Host, s *cluster.State, uuid string) bool {
	for _, name := range s.Services.Keys() {
		if service, _ := s.Services.Get(name); service.Spec.UUID == uuid {
			return w.spoils(&vm{host: h, disks: service.Spec.Disks})
		}
	}
	grave, _ := s.Tombstones.Get(uuid)
	return w.spoils(&vm{host: h, disks: grave.Spec.Disks})
}

// wantedDisks are the disks that this host's levels ask it to register on.
func (h *Host) wantedDisks() []string {
	var disks []string
	if h.Witness {
		return nil
	}
	for _, d := range fence.WantedBy(h.state.Document.Nodes[h.Name].Fence, h.state.Document.Devices).Storage {
		disks = append(disks, d.Disks()...)
	}
	return disks
}

const surveyEvery = time.Second

// surveyKeys registers this boot once, and from then on looks whether it is still
// registered.
func (d *daemon) surveyKeys() {
	w, h := d.host.world, d.host
	d.after(w.between(surveyEvery, surveyEvery+200*time.Millisecond), d.surveyKeys)
	d.clearPill()
	if k := h.keeperOf(); d.pet.Policy != "" && !k.armed {
		d.pet = cluster.Pet{} // what could not be armed is tried again
		d.wake()
	}
	disks := h.wantedDisks()
	if len(disks) == 0 || h.NoStorage {
		return
	}
	if found := d.surveyed(disks); found.CutOff != d.keys.CutOff || !slices.Equal(found.Registered, d.keys.Registered) {
		d.keys, d.in.Keys = found, &found
		d.poke()
	}
}

// surveyed looks at each disk, and registers this boot where it may and is not.
func (d *daemon) surveyed(disks []string) cluster.Keys {
	w, h := d.host.world, d.host
	n, _ := h.state.Nodes.Get(h.Name)
	known := fence.Guard{}
	if n.Guard != nil && n.Guard.Boot == h.BootID() {
		known = *n.Guard
	}
	may := d.mayRegister(n)
	found := cluster.Keys{}
	for _, disk := range disks {
		l, told := w.lun(disk), fence.LiesOn(fence.BlockIdentity(disk), known.Keys)
		switch {
		case told && l.reserved && !l.keys[h.Name]:
			found.CutOff = true
		case l.keys[h.Name] && h.registering == 0 && (told || d.registered[disk]):
			found.Registered = append(found.Registered, disk)
		case !told && (!l.keys[h.Name] || !d.registered[disk]) && may && h.registering == 0:
			d.register(disk)
		}
	}
	return found
}

// mayRegister reports whether this boot is in duty by a State that is not behind the leader's.
func (d *daemon) mayRegister(n cluster.Member) bool {
	w, h := d.host.world, d.host
	leader := w.Hosts[w.raft.leader]
	return leader != nil && w.talks(h, leader) && w.hasQuorum(leader) && int(h.state.Index) == len(w.raft.log) &&
		n.Reachable() && n.Boot == h.BootID() && n.Incarnation == d.incarnation && !h.state.Fences.Has(h.Name)
}

// register sends one registration. It may hang in the kernel and come late: also
// after its daemon is dead.
func (d *daemon) register(disk string) {
	w, h, boot := d.host.world, d.host, d.host.boot
	takes := w.between(2*time.Millisecond, 50*time.Millisecond)
	if h.IoctlsHang && w.chance(2) {
		takes = w.between(takes, 30*time.Second)
	}
	if d.registered == nil {
		d.registered = map[string]bool{}
	}
	d.registered[disk] = true
	h.registering++
	w.After(takes, func() {
		if !h.Powered || h.boot != boot {
			return
		}
		if h.hung {
			w.After(time.Second, func() { h.land(disk, boot) })
			return
		}
		h.land(disk, boot)
	})
}

// land is the end of a registration.
func (h *Host) land(disk string, boot int) {
	w := h.world
	if !h.Powered || h.boot != boot {
		return
	}
	h.registering--
	l := w.lun(disk)
	l.keys[h.Name], l.reserved = true, true
	w.tell("%s is registered on %s", h.Name, disk)
	w.watchWriters(h)
}

// cutOff preempts and aborts the victim's key on each disk and reads back.
func (d *daemon) cutOff(victim *Host, device fence.Device, report func(fence.Outcome, string)) {
	w, h := d.host.world, d.host
	takes := w.between(5*time.Millisecond, 100*time.Millisecond)
	late := h.IoctlsHang && w.chance(2)
	w.shotAfter(takes, func() {
		for _, disk := range device.Disks() {
			l := w.lun(disk)
			if h.NoStorage || !l.keys[h.Name] || !l.reserved {
				d.thawed(func() { report(fence.Unknown, h.Name+" cannot reach "+disk+" or is not registered there") })
				return
			}
		}
		if late {
			// The command hangs: nobody hears its end, and it comes all the same.
			w.shotAfter(w.between(time.Second, 20*time.Second), func() { w.preempt(h, victim, device) })
			d.after(8*time.Second, func() { report(fence.Unknown, "preempt-and-abort hangs in the kernel") })
			return
		}
		for _, disk := range device.Disks() {
			l := w.lun(disk)
			l.aborted[victim.BootID()] = l.keys[victim.Name] || l.aborted[victim.BootID()]
		}
		boot := victim.BootID()
		w.preempt(h, victim, device)
		d.after(w.between(time.Millisecond, 10*time.Millisecond), func() {
			for _, disk := range device.Disks() {
				if w.lun(disk).keys[victim.Name] {
					report(fence.Refuted, victim.Name+" is registered again")
					return
				}
				if !w.lun(disk).aborted[boot] {
					report(fence.Unknown, victim.Name+" has no key there, and nobody proved that what it had sent was aborted")
					return
				}
			}
			report(fence.Confirmed, "preempted, aborted and read back")
		})
	})
}

func (w *World) preempt(by, victim *Host, device fence.Device) {
	if !by.Powered {
		return
	}
	for _, disk := range device.Disks() {
		delete(w.lun(disk).keys, victim.Name)
	}
	w.tell("%s cuts %s off from %s", by.Name, victim.Name, device.Name)
}

// yield ends every managed VM on a host that is cut off.
func (d *daemon) yield() {
	w, h := d.host.world, d.host
	if d.yielding {
		return
	}
	d.yielding = true
	d.after(w.between(50*time.Millisecond, time.Second), func() {
		d.yielding = false
		for _, v := range h.machines() {
			if h.Libvirt && !h.StopsFail {
				v.end(resources.Observation{Condition: resources.Absent, Explained: true, Reason: "destroyed"})
			}
		}
		d.poke()
	})
}

// watchWriters: no two hosts can write to the disks of one VM while both run it.
func (w *World) watchWriters(h *Host) {
	if h.hung || !h.Powered {
		return
	}
	for _, v := range h.vms {
		if v.condition != resources.Running || w.byHand[v.service] || !w.spoils(v) {
			continue
		}
		for _, other := range w.order {
			if twin := other.vms[v.uuid]; other != h && twin != nil && twin.condition == resources.Running && w.spoils(twin) {
				w.violate("L1: %s can write on %s and on %s", v.service, h.Name, other.Name)
			}
		}
	}
}

// watchCutBoot: a boot that was cut off is not taken in again (L3).
func (w *World) watchCutBoot(before, after *cluster.State, node, boot string) {
	was, _ := before.Nodes.Get(node)
	if n, _ := after.Nodes.Get(node); was.Cut != nil && was.Cut.Boot == boot && n.Boot == boot && n.Reachable() {
		w.violate("L3: boot %s of %s was cut off and is taken in again", boot, node)
	}
}

// harmless reports whether a boot that waiting or a message has ended, and that is
// alive, is one that holds nothing: then its watchdog is petted without a lease,
// and nothing can come up there from now on.
func (h *Host) harmless(c cluster.FenceDone) bool {
	by := c.Result.Proven.By()
	k := h.keeperOf()
	for _, calls := range h.creating {
		if calls > 0 {
			return false
		}
	}
	return (by == fence.ByWatchdog || by == fence.ByPill) && (k.last.Free || k.never) && len(h.vms) == 0
}

// LoseKeys takes a host's keys away on the array, as somebody does who thinks that
// it is another cluster's.
func (w *World) LoseKeys(host string) {
	for disk, l := range w.array {
		delete(l.keys, host)
		w.tell("the key of %s is taken from %s", host, disk)
	}
}
