package sim

import (
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// overlay is a snapshot of a VM that was taken past the cluster: from then on the
// guest writes to another image.
type overlay struct {
	service    string
	disk, base string
	// known: the State has been told of it. said: a person gave it up.
	known, said bool
}

// plugFaults are drawn by troubles.
func plugFaults() []faultKind {
	return []faultKind{
		{"snapshot is left", 0, func(w *World, f Fault, _ *Host) {
			w.SnapshotVM(f.Service)
			if f.Choice%3 == 0 {
				w.After(f.While, func() { w.CommitVM(f.Service) })
			}
		}},
		{"disk is attached", 0, func(w *World, f Fault, _ *Host) {
			disk := "attached-to-" + f.Service
			if names := w.State().Services.Keys(); f.Choice%2 == 0 {
				disk = "disk-of-" + names[f.Choice/2%uint64(len(names))]
			}
			w.AttachDisk(f.Service, disk)
			if f.Choice%3 == 0 {
				w.After(f.While, func() { w.DetachDisk(f.Service, disk) })
			}
		}},
	}
}

// running finds the VM of a service where it executes.
func (w *World) running(service string) *vm {
	for _, h := range w.order {
		v := h.vms[w.uuid(service)]
		executes := v != nil && v.condition == resources.Running && !v.moving
		if executes && len(v.disks) > 0 && strings.HasPrefix(service, resources.KindVM+":") {
			return v
		}
	}
	return nil
}

// disksChange tells the daemon that a look would show other disks.
func (v *vm) disksChange(disks []resources.Disk) {
	v.disks = disks
	v.host.hint(v.service, resources.Observation{Condition: v.condition})
}

// SnapshotVM lets the guest write to an overlay from here on.
func (w *World) SnapshotVM(service string) {
	v := w.running(service)
	if v == nil || v.host.hung || w.overlays[v.uuid] != nil || v.disks[0].ReadOnly || v.disks[0].Shared {
		return
	}
	base := v.disks[0].Identity
	if !w.canWrite(v.host, base) {
		return // nor could anybody on that host
	}
	o := &overlay{service: service, disk: base + ".snap", base: base}
	w.overlays[v.uuid], v.overlay = o, o
	w.tell("%s writes to %s on %s from here on", service, o.disk, v.host.Name)
	v.disksChange(append([]resources.Disk{{Identity: o.disk}, {Identity: base, Behind: o.disk}}, v.disks[1:]...))
}

// CommitVM merges the overlay into what lies behind it.
func (w *World) CommitVM(service string) {
	v := w.running(service)
	if v == nil || w.overlays[v.uuid] == nil || v.disks[0].Identity != w.overlays[v.uuid].disk {
		return
	}
	base := w.overlays[v.uuid].base
	delete(w.overlays, v.uuid)
	v.overlay = nil
	v.disksChange(append([]resources.Disk{{Identity: base}}, v.disks[2:]...))
}

// AttachDisk gives a guest that runs one more disk, whoever else may have it.
func (w *World) AttachDisk(service, disk string) {
	v := w.running(service)
	if v == nil || v.host.hung || slices.ContainsFunc(v.disks, func(d resources.Disk) bool { return d.Identity == disk }) {
		return
	}
	v.byHand = append(slices.Clip(v.byHand), disk)
	w.tell("%s is attached to %s on %s", disk, service, v.host.Name)
	v.disksChange(append(slices.Clip(v.disks), resources.Disk{Identity: disk}))
}

// hearOfDisks keeps which attached disks the State knows of.
func (v *vm) hearOfDisks(s *cluster.State) {
	if len(v.byHand) == 0 {
		return
	}
	service, _ := s.Services.Get(v.service)
	for _, h := range service.Holders {
		for _, d := range h.Disks {
			if h.Node == v.host.Name && slices.Contains(v.byHand, d.Identity) {
				if v.told == nil {
					v.told = map[string]bool{}
				}
				v.told[d.Identity] = true
			}
		}
	}
}

// DetachDisk takes it away again.
func (w *World) DetachDisk(service, disk string) {
	v := w.running(service)
	if v == nil || !slices.Contains(v.byHand, disk) {
		return
	}
	v.byHand = slices.DeleteFunc(slices.Clone(v.byHand), func(d string) bool { return d == disk })
	v.disksChange(slices.DeleteFunc(slices.Clone(v.disks), func(d resources.Disk) bool { return d.Identity == disk }))
}

// tidyDisks does in calm what a person does about what was left.
func (w *World) tidyDisks() {
	for _, h := range w.order {
		for _, v := range h.machines() {
			w.CommitVM(v.service)
			for _, disk := range v.byHand {
				w.DetachDisk(v.service, disk)
			}
		}
	}
	leader := w.Leader()
	for _, service := range w.State().Services.Rows() {
		down := service.State != resources.Started && service.Wish == nil && service.Intent == nil
		if leader == "" || service.Astray == nil || service.Astray.Said != "" || !down || !service.Enabled {
			continue
		}
		// Where rules leave it down, the request is refused and says what to enable first: whoever read
		// that does not ask again before that is up.
		if w.hindered(*service, map[string]bool{}) == "" {
			w.Request(leader, cluster.Ask{Op: cluster.OpEnable, Service: service.Spec.Name, By: "root", DeclaredDisks: true})
		}
	}
}

// watchOverlays keeps what the State was told of, and what a person has given up.
func (w *World) watchOverlays(after *cluster.State, commands []cluster.Command) {
	for uuid, o := range w.overlays {
		service, declared := after.Services.Get(o.service)
		if !declared || service.Spec.UUID != uuid {
			delete(w.overlays, uuid) // it was taken out of the document
			continue
		}
		for _, h := range service.Holders {
			o.known = o.known || slices.ContainsFunc(h.Disks, func(d resources.Disk) bool { return d.Identity == o.disk })
		}
	}
	for _, c := range commands {
		switch c := c.(type) {
		case cluster.Ask:
			for _, o := range w.overlays {
				o.said = o.said || (c.DeclaredDisks && o.service == c.Service)
			}
		case cluster.Restore, cluster.GoAlone:
			clear(w.overlays) // what was known may be forgotten, and that is said
		}
	}
}

// watchLoss holds that nothing of ours goes back behind what a guest wrote to an
// overlay, unless a person said so.
func (w *World) watchLoss(uuid, what string) {
	if o := w.overlays[uuid]; o != nil && o.known && !o.said {
		w.violate("overlay: %s, what it wrote to %s is left behind, and nobody said so", what, o.disk)
	}
}

// knowsDisks says what is not known of the disks of a VM that runs.
func (w *World) knowsDisks(service cluster.Service) string {
	if service.Spec.Kind() != resources.KindVM {
		return "" // what a service made of resources writes to is what was started
	}
	for _, h := range w.order {
		v := h.vms[service.Spec.UUID]
		if v == nil || v.condition != resources.Running || len(v.disks) == 0 ||
			service.State != resources.Started || service.Owner != h.Name {
			continue
		}
		for _, holder := range service.Holders {
			if holder.Node == h.Name && !resources.SameDisks(holder.Disks, v.disks) {
				return "runs on disks that the State does not know"
			}
		}
	}
	return ""
}

// attached reports whether a person brought the disk to one of the two by hand: that both
// write to it is that person's doing.
func attached(a, b *vm, disk string) bool {
	return slices.Contains(a.byHand, disk) || slices.Contains(b.byHand, disk)
}
