package rules

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Others are all services and tombstones but the one named, by sorted key. A
// tombstone of the same UUID is the same VM, not another one. They are the
// records themselves, which nobody changes.
func (w *World) Others(name, uuid string) []*cluster.Service {
	list := make([]*cluster.Service, 0, w.Services.Len()+w.Tombstones.Len())
	for i, key := range w.Services.Keys() {
		if key != name {
			list = append(list, w.Services.Rows()[i])
		}
	}
	for i, key := range w.Tombstones.Keys() {
		if key != uuid {
			list = append(list, w.Tombstones.Rows()[i])
		}
	}
	return list
}

// HeldBy lists the services that may be running on any boot of a machine.
func (w *World) HeldBy(n cluster.Member) []string {
	var names []string
	for _, service := range w.Others("", "") {
		for _, h := range service.Holders {
			if h.Machine == n.Machine() {
				names = append(names, service.Spec.Name)
				break
			}
		}
	}
	return names
}

// DevicesOf are the devices of one level of a node, as they are declared now.
func (w *World) DevicesOf(node string, level int) []fence.Device {
	levels := w.Document.Nodes[node].Fence
	if level < 0 || level >= len(levels) {
		return nil
	}
	devices := make([]fence.Device, 0, len(levels[level].Devices))
	for _, name := range levels[level].Devices {
		devices = append(devices, w.Document.Devices[name])
	}
	return devices
}

// Unguarded says why a node may not run anything yet: of the guard that its
// levels ask for, something is not known to be in place on its present boot.
func (w *World) Unguarded(n cluster.Member) string {
	return fence.WantedBy(w.Document.Nodes[n.Name].Fence, w.Document.Devices).Missing(n.GuardOf(n.Boot), n.Boot)
}

// Unguarded says what of the guard that a node's levels ask for is not known to
// be in place on its present boot; "" if nothing.
func Unguarded(s *cluster.State, node string) string {
	n, _ := s.Nodes.Get(node)
	return Of(s).Unguarded(n)
}

// MayHitNewBoot reports whether the attempt under way could still hurt the boot
// that follows: an off command, a message or a preemption that is on its way
// could. Waiting does nothing to anybody.
func MayHitNewBoot(s *cluster.State, open cluster.Fence) bool {
	devices := Of(s).DevicesOf(open.Node, open.Level)
	return len(devices) == 0 ||
		slices.ContainsFunc(devices, func(d fence.Device) bool { return d.Effect() != fence.ByWatchdog })
}

// Weighed takes a result for what it is worth by law L3: Confirmed is Unknown
// where the State does not bear it out, and doubt says why.
func Weighed(s *cluster.State, n cluster.Member, open cluster.Fence, r fence.Result) (
	weighed fence.Result, doubt message.Text) {
	if r.Outcome != fence.Confirmed {
		return r, message.Text{}
	}
	if doubt = unproven(s, n, open, r.Proven); !doubt.IsZero() {
		r.Outcome = fence.Unknown
	}
	return r, doubt
}

func unproven(s *cluster.State, n cluster.Member, open cluster.Fence, p fence.Proven) message.Text {
	devices := Of(s).DevicesOf(open.Node, open.Level)
	if len(devices) == 0 && p.IsZero() {
		return message.Text{} // the level was taken out of the document meanwhile; it was one of power
	}
	if effect := fence.EffectOf(devices); effect != p.By() {
		if effect == "" {
			return message.ProofByNoEffect.With(open.Level+1, p.By())
		}
		return message.ProofByOtherEffect.With(open.Level+1, effect, p.By())
	}
	guard := n.GuardOf(open.Boot)
	for _, device := range devices {
		if why := s.Mistakable(open, device); device.Effect() == fence.ByPower && !why.IsZero() {
			return why
		}
		if why := unprovenBy(device, open, guard, p); !why.IsZero() {
			return why
		}
	}
	return message.Text{}
}

// KeptFrom says why a boot that was cut off keeps a service all the same; nothing if
// it does not. What counts is what was started there, not what is written now.
func (w *World) KeptFrom(n cluster.Member, spec resources.Spec, h cluster.Holder, p fence.Proven) message.Text {
	if !spec.Traits().DisksOnly {
		return message.KeptNoVM.With()
	}
	if n.Cut == nil {
		return message.KeptNotCut.With()
	}
	if h.Ask && h.Condition == "" && !h.Creating {
		return message.KeptDisksUnknown.With()
	}
	guard, writable := n.GuardOf(h.Boot), 0
	for _, disk := range h.Disks {
		switch {
		case disk.ReadOnly:
			continue
		case !fence.LiesOn(disk.Identity, n.Cut.Disks):
			return message.KeptOtherDisk.With(disk.Identity)
		case !fence.LiesOn(disk.Identity, guard.Keys):
			return message.KeptKeyUnknown.With(n.Name, disk.Identity)
		}
		writable++
	}
	limit, guarded := guard.WaitOut()
	waited := guarded && p.Waited >= limit
	switch {
	case writable == 0:
		return message.KeptNoDisk.With()
	case !waited && !spec.StorageOnly:
		return message.KeptMayGoOn.With()
	}
	return message.Text{}
}

// cutBy reports whether a node is cut off already from all that a level of storage
// alone could cut it off from.
func (w *World) cutBy(node string, level int) bool {
	n, _ := w.Nodes.Get(node)
	devices := w.DevicesOf(node, level)
	if !n.CutBoot(n.Boot) || fence.EffectOf(devices) != fence.ByStorage {
		return false
	}
	for _, device := range devices {
		if !words.ContainsAll(n.Cut.Disks, device.Disks()) {
			return false
		}
	}
	return true
}

// LeftBehind says why a service would stay where it is if its node were lost,
// although the node can be cut off from its storage; nothing where another level
// proves more, or where storage releases it.
func LeftBehind(s *cluster.State, service cluster.Service) message.Text {
	n, known := s.Nodes.Get(service.Owner)
	h, held := service.Holder(service.Owner)
	if !known || !held {
		return message.Text{}
	}
	cut := cluster.Cut{Boot: n.Boot}
	for level := range s.Document.Nodes[n.Name].Fence {
		devices := Of(s).DevicesOf(n.Name, level)
		if fence.EffectOf(devices) != fence.ByStorage {
			return message.Text{}
		}
		for _, device := range devices {
			cut.Disks = words.Union(cut.Disks, device.Disks())
		}
	}
	if len(cut.Disks) == 0 {
		return message.Text{}
	}
	n.Cut = &cut
	if why := Of(s).KeptFrom(n, service.Spec, h, fence.Proven{Effect: fence.ByStorage}); !why.IsZero() {
		return message.StorageCutKeeps.With(n.Name, service.Spec.Name, why)
	}
	return message.Text{}
}

// unprovenBy holds one device's part of a proof against what is known of the
// boot.
func unprovenBy(device fence.Device, open cluster.Fence, guard fence.Guard, p fence.Proven) message.Text {
	switch device.Effect() {
	case fence.ByWatchdog:
		limit, guarded := guard.WaitOut()
		if !guarded {
			return message.ProofWatchdogUnknown.With(words.ShortID(open.Boot), open.Node)
		}
		if p.Waited < limit {
			return message.ProofWaitTooShort.With(open.Node, p.Waited, limit)
		}
	case fence.ByPill:
		if guard.Timeout == 0 || !words.ContainsAll(guard.Pills, device.Disks()) {
			return message.ProofPillUnread.With(words.ShortID(open.Boot), open.Node, device.Name)
		}
	case fence.ByStorage:
		if !words.ContainsAll(p.Disks, device.Disks()) {
			return message.ProofDiskNotCut.With(open.Node, device.Name)
		}
	}
	return message.Text{}
}
