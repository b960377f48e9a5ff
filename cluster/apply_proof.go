package cluster

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Cut is a boot that was cut off from shared storage. It may still be running:
// what it held is released disk by disk, and it is never admitted again (law L3).
type Cut struct {
	Boot string `json:"boot"`
	// Index is where the first proof came.
	Index uint64 `json:"index"`
	// Devices are the fence devices that cut it off; their keys are watched until
	// the machine shows a new boot.
	Devices []string `json:"devices"`
	// Disks are those that it can write to no more.
	Disks []string `json:"disks"`
}

// Ended tells that the node's last boot counts for nothing any more: it is off,
// or cut off from what it could spoil.
func (n Member) Ended() bool { return n.State == NodeFenced || n.State == NodeCut }

// cutBoot tells whether a boot of the node was cut off.
func (n Member) cutBoot(boot string) bool { return n.Cut != nil && n.Cut.Boot == boot && boot != "" }

// guardOf is what stands guard over a boot of the node.
func (n Member) guardOf(boot string) fence.Guard {
	if n.Guard == nil || n.Guard.Boot != boot || boot == "" {
		return fence.Guard{}
	}
	return *n.Guard
}

// level of a document that fences otherwise than by power.
func (d Document) fencesOtherwise() bool {
	for _, name := range sortedKeys(d.Devices) {
		if d.Devices[name].Nature() != fence.ByPower {
			return true
		}
	}
	for _, name := range sortedKeys(d.Services) {
		if d.Services[name].StorageOnly {
			return true
		}
	}
	return false
}

// level of a result: what it proves, older members know of power alone.
func (c FenceDone) level() int {
	if c.Result.Proven.IsZero() {
		return levelOne
	}
	return levelTwo
}

// devicesOf are the devices of one level of a node, as they are declared now.
func (w *World) devicesOf(node string, level int) []fence.Device {
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

// unguarded says why a node may not run anything yet: of the guard that its
// levels ask for, something is not known to be in place on its present boot.
func (w *World) unguarded(n Member) string {
	return fence.WantedBy(w.Document.Nodes[n.Name].Fence, w.Document.Devices).Missing(n.guardOf(n.Boot), n.Boot)
}

// Unguarded says what of the guard that a node's levels ask for is not known to
// be in place on its present boot; "" if nothing.
func (s *State) Unguarded(node string) string {
	n, _ := s.Nodes.Get(node)
	return s.world().unguarded(n)
}

// mayHitNewBoot tells whether the attempt under way could still hurt the boot
// that follows: an off command, a message or a preemption that is on its way
// could. Waiting does nothing to anybody.
func (s *State) mayHitNewBoot(open Fence) bool {
	devices := s.world().devicesOf(open.Node, open.Level)
	return len(devices) == 0 || slices.ContainsFunc(devices, func(d fence.Device) bool { return d.Nature() != fence.ByWatchdog })
}

// weighed takes a result for what it is worth by law L3: Confirmed is Unknown
// where the State does not bear it out.
func weighed(s *State, n Member, open Fence, r fence.Result) fence.Result {
	if r.Outcome != fence.Confirmed {
		return r
	}
	if why := unproven(s, n, open, r.Proven); why != "" {
		r.Outcome = fence.Unknown
		r.Evidence = append(r.Evidence[:len(r.Evidence):len(r.Evidence)], why)
	}
	return r
}

func unproven(s *State, n Member, open Fence, p fence.Proven) string {
	devices := s.world().devicesOf(open.Node, open.Level)
	if len(devices) == 0 && p.IsZero() {
		return "" // the level was taken out of the document meanwhile; it was one of power
	}
	if nature := fence.NatureOf(devices); nature != p.By() {
		return fmt.Sprintf("level %d proves by %s now, and the result is one by %s", open.Level+1, orElse(string(nature), "nothing"), p.By())
	}
	guard := n.guardOf(open.Boot)
	for _, device := range devices {
		if why := s.mistakable(open, device); device.Nature() == fence.ByPower && why != "" {
			return why
		}
		if why := unprovenBy(device, open, guard, p); why != "" {
			return why
		}
	}
	return ""
}

// unprovenBy holds one device's part of a proof against what is known of the
// boot.
func unprovenBy(device fence.Device, open Fence, guard fence.Guard, p fence.Proven) string {
	switch device.Nature() {
	case fence.ByWatchdog:
		limit, guarded := guard.WaitOut()
		if !guarded {
			return fmt.Sprintf("boot %.8s of %s is not known to have armed a watchdog that ends with its lease", open.Boot, open.Node)
		}
		if p.Waited < limit {
			return fmt.Sprintf("%s was waited out for %s, its lease and watchdog take %s", open.Node, p.Waited, limit)
		}
	case fence.ByPill:
		if guard.Timeout == 0 || !containsAll(guard.Pills, device.Disks()) {
			return fmt.Sprintf("boot %.8s of %s is not known to watch the disks of %s for messages", open.Boot, open.Node, device.Name)
		}
	case fence.ByStorage:
		if !containsAll(p.Disks, device.Disks()) {
			return fmt.Sprintf("%s was not cut off from every disk of %s", open.Node, device.Name)
		}
	}
	return ""
}

func containsAll(all, some []string) bool {
	for _, one := range some {
		if !slices.Contains(all, one) {
			return false
		}
	}
	return len(some) > 0
}

// endedHow is a proof in a word or two.
func endedHow(p fence.Proven) string {
	switch p.By() {
	case fence.ByWatchdog:
		return "reset by its own watchdog"
	case fence.ByPill:
		return "reset by a message on its disk"
	}
	return "off"
}

// cutOff takes in that a boot can write to some disks no more. What it held on
// those alone is free; the rest keeps its holder, and the intent stays open for
// it (law L3).
func (t *transaction) cutOff(n Member, open Fence, c FenceDone) {
	if n.Boot != open.Boot {
		t.closeFence(open, EndedByBoot, "the boot that was cut off is not the present one")
		t.tell(Event{Node: n.Name, Subject: n.Name, Cause: open.Index, Why: "the boot that was cut off is not the present one"})
		return
	}
	cut := Cut{Boot: open.Boot, Index: t.index}
	if n.cutBoot(open.Boot) {
		cut = *n.Cut
	}
	for _, device := range t.devicesOf(open.Node, open.Level) {
		if device.Nature() == fence.ByStorage {
			cut.Devices, cut.Disks = union(cut.Devices, []string{device.Name}), union(cut.Disks, device.Disks())
		}
	}
	n.Cut = &cut
	if n.State != NodeCut {
		n = t.setNodeState(n, NodeCut, open.By, fmt.Sprintf("cut off from its storage by %s: %s", c.Fencer, strings.Join(c.Result.Evidence, "; ")), open.Story...)
	} else {
		t.Nodes.Set(n.Name, n)
		if open.Loud && open.TriedTotal > attemptsToldAll {
			t.tell(Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, Why: fmt.Sprintf("%s is cut off from its storage as before, which is not enough for all that it held", n.Name)})
		}
	}
	if open.Loud {
		open.Loud, open.ToldAt = false, t.at
	}
	t.releaseCut(n, open, c.Result.Proven)
	if len(t.heldBy(n)) == 0 {
		t.closeFence(open, EndedCut, strings.Join(c.Result.Evidence, "; "))
		return
	}
	t.Fences.Set(n.Name, open)
}

// releaseCut frees, of what a cut-off boot held, all that it can spoil no more.
func (t *transaction) releaseCut(n Member, open Fence, p fence.Proven) {
	gone, proof := onBoot(n), n.Name+" is cut off from all of its disks"
	for _, uuid := range t.Tombstones.Keys() {
		grave, _ := t.Tombstones.Get(uuid)
		if h, held := grave.holder(n.Name); held && gone(h) && t.keptFrom(n, grave.Spec, h, p) == "" {
			t.bury(uuid, grave.withoutHolder(gone))
		}
	}
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		h, held := service.holder(n.Name)
		if !held || !gone(h) || t.keptFrom(n, service.Spec, h, p) != "" {
			continue
		}
		if ran := service.Owner == n.Name || (service.Intent != nil && service.Intent.Node == n.Name); ran && service.Enabled {
			service.Story = open.Story
			t.Services.Set(name, service)
		}
		t.holderGone(service, h, t.index, proof)
	}
}

// keptFrom says why a boot that was cut off keeps a service all the same; "" if
// it does not. What counts is what was started there, not what is written now.
func (w *World) keptFrom(n Member, spec resources.Spec, h Holder, p fence.Proven) string {
	if spec.Kind() != resources.KindVM {
		return "it is no VM, and what it does besides writing to disks goes on"
	}
	if n.Cut == nil {
		return "it is not cut off"
	}
	if h.Ask && h.Condition == "" && !h.Creating {
		return "nobody knows what was started there, and with which disks"
	}
	guard, writable := n.guardOf(h.Boot), 0
	for _, disk := range h.Disks {
		switch {
		case disk.ReadOnly:
			continue
		case !fence.LiesOn(disk.Identity, n.Cut.Disks):
			return disk.Identity + " is not among the disks that it was cut off from"
		case !fence.LiesOn(disk.Identity, guard.Keys):
			return n.Name + " never said that its key for " + disk.Identity + " was registered, so a registration may still be on its way"
		}
		writable++
	}
	limit, guarded := guard.WaitOut()
	waited := guarded && p.Waited >= limit
	switch {
	case writable == 0:
		return "nothing is known of disks that it writes to"
	case !waited && !spec.StorageOnly:
		return "it may go on running without its disks: neither was a watchdog waited out, nor does the service allow storage_only"
	}
	return ""
}

// cutBy tells whether a node is cut off already from all that a level of storage
// alone could cut it off from.
func (w *World) cutBy(node string, level int) bool {
	n, _ := w.Nodes.Get(node)
	devices := w.devicesOf(node, level)
	if !n.cutBoot(n.Boot) || fence.NatureOf(devices) != fence.ByStorage {
		return false
	}
	for _, device := range devices {
		if !containsAll(n.Cut.Disks, device.Disks()) {
			return false
		}
	}
	return true
}

// LeftBehind says why a service would stay where it is if its node were lost,
// although the node can be cut off from its storage; "" where another level
// proves more, or where storage releases it.
func (s *State) LeftBehind(service Service) string {
	n, known := s.Nodes.Get(service.Owner)
	h, held := service.holder(service.Owner)
	if !known || !held {
		return ""
	}
	cut := Cut{Boot: n.Boot}
	for level := range s.Document.Nodes[n.Name].Fence {
		devices := s.world().devicesOf(n.Name, level)
		if fence.NatureOf(devices) != fence.ByStorage {
			return ""
		}
		for _, device := range devices {
			cut.Disks = union(cut.Disks, device.Disks())
		}
	}
	if len(cut.Disks) == 0 {
		return ""
	}
	n.Cut = &cut
	if why := s.world().keptFrom(n, service.Spec, h, fence.Proven{Nature: fence.ByStorage}); why != "" {
		return fmt.Sprintf("%s can be cut off from its storage alone, and then keeps %s: %s", n.Name, service.Spec.Name, why)
	}
	return ""
}

// union joins two lists, each once, in order.
func union(a, b []string) []string {
	all := append(append([]string(nil), a...), b...)
	sort.Strings(all)
	return slices.Compact(all)
}
