package sim

import (
	"maps"
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// guardSalt draws which seeds have worlds with storage fencing, watchdogs and
// messages; those of seeds.txt stay what they were.
const guardSalt = 173

// The times of watchdogs in random worlds: short, so that a history sees many.
const (
	shortLease   = "3s"
	shortTimeout = "6s"
)

// Guard lets a node of a document be fenced by these levels: of "bmc", "wd",
// "san" and "pill".
func Guard(d *cluster.Document, node string, levels ...[]string) {
	if len(d.Devices) == 0 {
		d.Devices, d.Nodes = map[string]fence.Device{}, map[string]cluster.NodeSpec{}
	}
	known := map[string]fence.Device{}
	known["wd"] = fence.Device{Name: "wd", Driver: fence.DriverWatchdog,
		Options: map[string]string{fence.OptionLease: shortLease, fence.OptionTimeout: shortTimeout}}
	known["pill"] = fence.Device{Name: "pill", Driver: fence.DriverPill,
		Options: map[string]string{fence.OptionDevices: "/pills", fence.OptionTimeout: shortTimeout}}
	known["san"] = fence.Device{Name: "san", Driver: fence.DriverStorage,
		Options: map[string]string{fence.OptionDevices: "/lun0 /lun1"}}
	known["bmc-"+node] = fence.Device{Name: "bmc-" + node, Driver: "ipmi", Address: node}
	spec := cluster.NodeSpec{}
	for _, names := range levels {
		level := fence.Level{}
		for _, name := range names {
			if name == "bmc" {
				name += "-" + node
			}
			level.Devices = append(level.Devices, name)
			d.Devices[name] = known[name]
		}
		spec.Fence = append(spec.Fence, level)
	}
	d.Nodes[node] = spec
}

// OnArray puts a service's disk on the shared array.
func OnArray(d *cluster.Document, service, lun string, storageOnly bool) {
	spec := d.Services[service]
	spec.StorageOnly = storageOnly
	spec.Disks = []resources.Disk{{Identity: fence.BlockIdentity(lun) + "-part" + partOf(service)}}
	d.Services[service] = spec
}

// partOf gives each service a partition of its own.
func partOf(service string) string {
	number := 0
	for _, c := range service {
		number = number*31%997 + int(c)
	}
	return string(rune('1'+number%9)) + string(rune('0'+number/9%10)) + string(rune('0'+number/90%10))
}

var guardStyles = [][][]string{
	{{"wd"}}, {{"bmc"}, {"wd"}}, {{"san"}, {"bmc"}}, {{"san"}, {"wd"}}, {{"san", "wd"}}, {{"pill"}}, {{"bmc"}, {"pill"}},
	{{"san"}}, {{"bmc"}},
}

// guardIt makes the script's world one in which nodes are fenced by other things
// than power.
func (s *Script) guardIt() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), guardSalt))
	if r.IntN(3) > 0 {
		return
	}
	s.Guarded = true
	one := pick(r, guardStyles)
	for _, name := range s.Nodes {
		if r.IntN(3) == 0 {
			one = pick(r, guardStyles)
		}
		if name != s.Witness {
			Guard(&s.Document, name, one...)
		}
	}
	s.Document.Services = maps.Clone(s.Document.Services)
	for i := range len(s.Document.Services) {
		if _, declared := s.Document.Services[serviceName(i)]; declared && r.IntN(5) > 0 {
			OnArray(&s.Document, serviceName(i), pick(r, []string{"/lun0", "/lun1"}), r.IntN(2) == 0)
		}
	}
	for at := roundBegins; at < rounds*roundEvery; at += time.Duration(r.Int64N(int64(4 * time.Second))) {
		if at%roundEvery < roundBegins+30*time.Second {
			s.Faults = append(s.Faults, Fault{At: at, While: time.Second + time.Duration(r.Int64N(int64(15*time.Second))),
				Kind: pick(r, []string{"watchdog missing", "ioctls hang", "zombie"}), Host: pick(r, s.Nodes), Choice: r.Uint64()})
		} else {
			at = at/roundEvery*roundEvery + roundEvery + roundBegins
		}
	}
	sortFaults(s.Faults)
}

// guardFaults happen in worlds with guards alone, and are not drawn from the
// list of all.
func guardFaults() []faultKind {
	return []faultKind{
		{"watchdog missing", 0, func(w *World, f Fault, h *Host) {
			h.NoWatchdog = true
			w.After(f.While, func() { h.NoWatchdog = false })
		}},
		{"ioctls hang", 0, func(w *World, f Fault, h *Host) {
			h.IoctlsHang = true
			w.After(2*f.While, func() { h.IoctlsHang = false })
		}},
		// A host stands still for longer than anybody waits, and goes on.
		{"zombie", 0, func(w *World, f Fault, h *Host) {
			if len(h.vms) == 0 || f.Choice%3 > 0 {
				return
			}
			h.Hang(true)
			w.After(2*f.While, func() { h.Hang(false) })
		}},
	}
}

// fenceOtherwise carries out an attempt by anything else than a BMC: all devices
// of the level, and the joint proof.
func (d *daemon) fenceOtherwise(duty cluster.Duty) {
	w, victim := d.host.world, d.host.world.Hosts[duty.Node]
	joint := fence.Result{Outcome: fence.Confirmed, Proven: fence.Proven{Effect: fence.EffectOf(duty.Devices),
		Waited: duty.Waited}}
	left := len(duty.Devices)
	for _, device := range duty.Devices {
		ended := false
		report := func(outcome fence.Outcome, evidence string) {
			if ended {
				return
			}
			ended, left = true, left-1
			if joint.Evidence = append(joint.Evidence, evidence); outcome != fence.Confirmed {
				joint.Outcome = outcome
			} else if device.Effect() == fence.ByStorage {
				joint.Proven.Disks = append(joint.Proven.Disks, device.Disks()...)
			}
			if left == 0 {
				joint.Phases = []fence.Phase{{What: "fence ended", At: epoch.Add(w.Now)}}
				d.finish(mind.DutyResult{Duty: duty, Fence: joint})
			}
		}
		switch device.Effect() {
		case fence.ByStorage:
			d.cutOff(victim, device, report)
		case fence.ByPill:
			d.post(victim, report)
		case fence.ByWatchdog:
			d.after(time.Millisecond, func() {
				report(fence.Confirmed, "waited out for "+duty.Waited.Round(100*time.Millisecond).String())
			})
		default:
			d.after(time.Millisecond, func() { report(fence.Unknown, "no such device here") })
		}
	}
}

// guardNotSettled: in a calm world every boot has the guard that is asked of it.
func (w *World) guardNotSettled(s *cluster.State) string {
	for _, name := range s.Nodes.Keys() {
		n, _ := s.Nodes.Get(name)
		if n.Witness {
			continue
		}
		guard := fence.Guard{}
		if n.Guard != nil {
			guard = *n.Guard
		}
		if why := fence.WantedBy(s.Document.Nodes[name].Fence, s.Document.Devices).Missing(guard, n.Boot); why != "" {
			return name + " is not guarded: " + why
		}
		h := w.Hosts[name]
		if h.Powered && h.keeperOf().never {
			return name + " is about to be reset by its watchdog"
		}
		// What came late may just have cut it off: its daemon sees that at its next look, and boots anew.
		for _, disk := range guard.Keys {
			if identity := fence.BlockIdentity(disk); guard.Boot == h.BootID() && !w.canWrite(h, identity) {
				return name + " was cut off from " + disk + " and does not know it yet"
			}
		}
	}
	return ""
}

// onlyWaits reports whether an attempt under way sends nothing that could hit the
// next boot of its victim.
func onlyWaits(s *cluster.State, open cluster.Fence) bool {
	levels := s.Document.Nodes[open.Node].Fence
	if open.Level >= len(levels) {
		return false
	}
	for _, name := range levels[open.Level].Devices {
		if s.Document.Devices[name].Driver != fence.DriverWatchdog {
			return false
		}
	}
	return true
}
