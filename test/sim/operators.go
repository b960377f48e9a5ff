package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// operatorFaults are what people do, at the worst moments.
func operatorFaults() []faultKind {
	return []faultKind{
		{"request", 14, (*World).request},
		{"evacuation", 2, func(w *World, f Fault, h *Host) {
			if f.Choice%4 == 0 {
				w.Propose(h.Name, cluster.BeginDrill{Node: f.Other, By: "root"}, nil)
				return
			}
			w.Propose(h.Name, cluster.Leave{Node: f.Other, By: "root"}, nil)
		}},
		{"fence by hand", 1, (*World).fenceByHand},
		{"confirmation", 2, (*World).confirm},
		{"configuration", 5, (*World).reconfigure},
		{"destroyed by hand", 1, func(w *World, f Fault, h *Host) { w.owner(f).destroyUnlessMoving(f.Service) }},
		{"paused by hand", 1, func(w *World, f Fault, h *Host) {
			if v := w.owner(f).vms[w.uuid(f.Service)]; v != nil && v.condition == resources.Running && !v.moving {
				v.host.PauseVM(f.Service, "user")
				w.After(f.While, func() { v.host.ResumeByHand(f.Service) })
			}
		}},
		{"moved by hand", 1, func(w *World, f Fault, h *Host) {
			if other := w.Hosts[f.Other]; !other.Witness && w.Leader() != "" && other.daemon != nil &&
				w.talks(other, w.Hosts[w.Leader()]) {
				w.owner(f).MoveByHand(f.Service, other)
			}
		}},
		{"node removed", 1, (*World).removeNode},
		{"node replaced", 1, (*World).replaceNode},
	}
}

// request asks for something, half of the time twice under the same name and
// through different nodes.
func (w *World) request(f Fault, h *Host) {
	r := f.random()
	ops := []cluster.Operation{cluster.OpEnable, cluster.OpDisable, cluster.OpStop, cluster.OpRestart,
		cluster.OpRelocate, cluster.OpMigrate, cluster.OpMigrate, cluster.OpMigrate, cluster.OpFreeze, cluster.OpUnfreeze}
	if f.Choice%16 == 0 {
		ops = []cluster.Operation{cluster.OpCancel}
	}
	op, node := pick(r, ops), ""
	if op == cluster.OpMigrate || r.IntN(2) == 0 {
		node = f.Other
	}
	word := f.Choice%3 == 0
	id := w.Request(h.Name, cluster.Ask{Op: op, Service: f.Service, Node: node, By: "root", DeclaredDisks: word})
	if r.IntN(2) == 0 {
		through := pick(r, w.names())
		w.sayLater(f.While/4, func() {
			w.repeat(through, cluster.Ask{Request: id, Op: op, Service: f.Service, Node: node, By: "root", DeclaredDisks: word})
		})
	}
}

func (h *Host) destroyUnlessMoving(service string) {
	if v := h.vms[h.world.uuid(service)]; v != nil && !v.moving && v.condition == resources.Running {
		h.DestroyByHand(service)
	}
}

// fenceByHand shoots a node without need, against the brake; sometimes a person
// disarms fencing instead, and may forget to arm it again.
func (w *World) fenceByHand(f Fault, h *Host) {
	if f.Choice%3 == 0 {
		w.Propose(h.Name, cluster.Disarm{For: time.Minute, By: "root", Why: "the switch is replaced"}, nil)
		if f.Choice%2 == 0 {
			w.After(f.While, func() { w.Propose(h.Name, cluster.Arm{By: "root"}, nil) })
		}
		return
	}
	n, _ := w.State().Nodes.Get(f.Other)
	w.Propose(h.Name, cluster.BeginFence{Node: f.Other, Boot: n.Boot, Fencer: f.Host,
		Why: message.Words("asked for by an operator"),
		By:  "root", Override: true, Reboot: f.Choice%5 == 0}, nil)
}

// confirm is an operator's word about a machine: true where it is off, and
// otherwise about a boot that never was, which must be refused. A false word
// about a machine that is being fenced and runs is not said here: the State
// cannot tell it from a true one.
func (w *World) confirm(f Fault, h *Host) {
	for _, victim := range w.order {
		n, known := w.State().Nodes.Get(victim.Name)
		if !known || !w.State().Fences.Has(victim.Name) || (victim.Powered && victim.BootID() == n.Boot) {
			continue
		}
		w.Propose(h.Name, cluster.ConfirmFence{Node: victim.Name, Boot: n.Boot, By: "root", Why: "I looked"}, nil)
		return
	}
	n, _ := w.State().Nodes.Get(f.Other)
	w.Propose(h.Name, cluster.ConfirmFence{Node: f.Other, Boot: n.Boot + "-wrong", By: "root"}, func(why string) {
		if why == "" {
			w.violate("L3: an operator's word about a boot that never was is accepted")
		}
	})
}

// reconfigure changes the document while everything goes on.
func (w *World) reconfigure(f Fault, h *Host) {
	next := w.State().Document
	next.Services = maps.Clone(next.Services)
	r := f.random()
	spec, known := next.Services[f.Service]
	switch {
	case !known:
		Service(&next, resources.Spec{Name: f.Service, Autostart: true})
	case r.IntN(2) == 0:
		w.changeSpec(r, next, spec)
	default:
		w.removeOrRename(r, next, spec)
	}
	if len(next.Services) == 0 {
		return
	}
	w.Configure(h.Name, next, nil)
}

// changeSpec changes a VM that may be running: its domain, its definition, or
// its disks, also to a disk that belongs to another one.
func (w *World) changeSpec(r *rand.Rand, next cluster.Document, spec resources.Spec) {
	switch r.IntN(4) {
	case 0:
		spec.Domain = pick(r, []string{"", "ordered", "restricted"})
	case 1:
		spec.Definition = fmt.Sprintf("definition-of-%s-%d", spec.Name, r.IntN(3))
	case 2:
		spec.Disks = []resources.Disk{{Identity: "disk-of-" + spec.Name}, {Identity: fmt.Sprintf("disk-%d", r.IntN(3))}}
	default:
		spec.Disks = []resources.Disk{{Identity: "disk-of-" + spec.Name}, {Identity: "disk-of-all", Shared: true}}
	}
	next.Services[spec.Name] = spec
}

// removeOrRename takes a service out that is disabled, or tries to with one
// that is not; sometimes the same VM comes back under another name at once.
func (w *World) removeOrRename(r *rand.Rand, next cluster.Document, spec resources.Spec) {
	service, _ := w.State().Services.Get(spec.Name)
	if service.Enabled && r.IntN(4) > 0 {
		return
	}
	delete(next.Services, spec.Name)
	if free := pick(r, []string{"vm:new0", "vm:new1"}); r.IntN(2) == 0 {
		if _, taken := next.Services[free]; !taken {
			spec.Name = free
			next.Services[free] = spec
		}
	}
}

// removeNode lets a node leave and takes it out for good; its machine comes
// back as a new one, with an empty log, when a person joins it again.
func (w *World) removeNode(f Fault, h *Host) {
	if len(w.order) < 4 || w.someoneAway() {
		return
	}
	through := w.Leader()
	if through == "" || through == h.Name {
		return
	}
	h.away = true
	w.Propose(through, cluster.Leave{Node: h.Name, By: "root"}, nil)
	w.After(f.While+4*time.Second, func() {
		if !w.calmly && w.Now < f.At+roundEvery/5 {
			w.Propose(w.anyone(through), cluster.RemoveNode{Node: h.Name, By: "root"}, nil)
		}
	})
}

// replaceNode takes a machine away and puts another one in its place, as soon
// as the old one is known to hold nothing.
func (w *World) replaceNode(f Fault, h *Host) {
	if len(w.order) < 4 || w.someoneAway() {
		return
	}
	h.away = true
	h.PowerOff()
	w.After(f.While, func() {
		if !w.calmly {
			w.rejoinAsNew(h)
		}
	})
}

func (w *World) someoneAway() bool {
	for _, h := range w.order {
		if h.away {
			return true
		}
	}
	return false
}

func (w *World) anyone(otherwise string) string {
	if leader := w.Leader(); leader != "" {
		return leader
	}
	return otherwise
}

// rejoinAsNew joins a new machine under a host's name. If the cluster refuses,
// because the old one may still hold something, the old one goes on.
func (w *World) rejoinAsNew(h *Host) {
	through := w.anyone(w.names()[0])
	replace := ""
	if w.State().Nodes.Has(h.Name) {
		replace = h.Name
	}
	w.requests++
	key := h.key + 1
	for w.State().Removed.Has(newKeyring(h.Name, key).used.fingerprint) {
		key++ // its join came and nobody heard of it, and it was taken out since: its folder is deleted
	}
	fresh := newKeyring(h.Name, key).used
	join := cluster.Join{Token: fmt.Sprintf("token-%s-%d-%d", h.Name, key, w.requests), Node: h.Name,
		Fingerprint: fresh.fingerprint, Key: fresh.public, HardwareUUID: hardwareOf(h.Name, key), Address: h.address(),
		Witness: h.Witness, By: "root"}
	token := cluster.AddToken{ID: join.Token, Token: cluster.Token{Expires: epoch.AddDate(1, 0, 0), Replace: replace}}
	w.Propose(through, token, func(why string) {
		if why != "" {
			h.away = false
			return
		}
		w.Propose(through, join, func(why string) {
			h.away = false
			if why == "outcome unknown" {
				n, _ := w.State().Nodes.Get(h.Name)
				why = ""
				if n.Fingerprint != join.Fingerprint {
					why = "it did not come"
				}
			}
			if why == "" {
				h.reinstall(key)
			}
		})
	})
}

// reinstall makes a host another machine of the same name, with an empty disk.
func (h *Host) reinstall(key int) {
	h.PowerOff()
	h.key, h.ring = key, newKeyring(h.Name, key)
	h.state, h.disk, h.Installed = &cluster.State{}, &cluster.State{}, h.world.newestFor()
	h.log = logDisk{writing: h.log.writing}
	h.world.tell("%s is a new machine", h.Name)
	h.Boot()
}

// redeclareSalt draws when the declarations of running services change; the faults
// of a seed are otherwise what they were.
const redeclareSalt = 29

// redeclare lets people change services made of resources while they run, in
// worlds that have some.
func (s *Script) redeclare() {
	var names []string
	for _, name := range s.serviceNames() {
		if strings.HasPrefix(name, resources.KindService+":") {
			names = append(names, name)
		}
	}
	r := rand.New(rand.NewPCG(uint64(s.Seed), redeclareSalt))
	if len(names) == 0 || r.IntN(2) == 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(5) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(25*time.Second))), While: time.Second,
				Kind: "declared anew",
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, names), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// redeclareFaults are drawn by redeclare alone.
func redeclareFaults() []faultKind {
	return []faultKind{{"declared anew", 0, func(w *World, f Fault, h *Host) {
		next := w.State().Document
		spec, known := next.Services[f.Service]
		if !known {
			return
		}
		spec.Definition = fmt.Sprintf("definition-of-%s-%d", spec.Name, f.Choice%5)
		spec.Disks = []resources.Disk{{Identity: "disk-of-" + spec.Name}}
		if f.Choice%3 == 0 {
			spec.Disks = append(spec.Disks, resources.Disk{Identity: fmt.Sprintf("disk-%d", f.Choice%7%3)})
		}
		next.Services = maps.Clone(next.Services)
		next.Services[f.Service] = spec
		w.Configure(h.Name, next, nil)
	}}}
}

// declaredAsRuns holds that what is called in force was put there.
func (w *World) declaredAsRuns(service cluster.Service) string {
	if service.State != resources.Started || service.Spec.Kind() != resources.KindService ||
		service.Flags&resources.Frozen != 0 {
		return ""
	}
	if !service.Enabled {
		return "" // it was found running: nothing is done to it until a person has said whether it stays
	}
	// Where another one holds the disks that it is to have, it waits for them with a note (law L9).
	if why := service.BehindWhy(); !why.IsZero() && service.Behind == nil && !w.disksTaken(service) {
		return "runs by an older declaration: " + why.String()
	}
	return ""
}
