package sim

import (
	"slices"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// faultKind is a kind of fault, how often it is chosen, and what it does; what
// it breaks it mends again later.
type faultKind struct {
	name   string
	weight int
	do     func(w *World, f Fault, h *Host)
}

// faultKinds lists what machines do; people are in operators.go.
func faultKinds() []faultKind {
	kinds := []faultKind{
		{"strikes", 0, (*World).strikeBusy},
		{"power loss", 4, func(w *World, f Fault, h *Host) {
			h.PowerOff()
			w.After(f.While, h.bootUnlessAway)
		}},
		{"blackout", 1, (*World).blackout},
		{"daemon dies", 5, func(w *World, f Fault, h *Host) {
			h.KillDaemon()
			w.After(f.While, h.StartDaemon)
		}},
		{"daemon pauses", 3, func(w *World, f Fault, h *Host) {
			h.PauseDaemon()
			w.After(f.While, h.ContinueDaemon)
		}},
		{"leader pauses", 2, func(w *World, f Fault, _ *Host) {
			if h := w.Hosts[w.Leader()]; h != nil {
				h.PauseDaemon()
				w.After(f.While, h.ContinueDaemon)
			}
		}},
		{"host hangs", 2, func(w *World, f Fault, h *Host) {
			h.Hang(true)
			w.After(f.While, func() { h.Hang(false) })
		}},
	}
	return slices.Concat(kinds, networkFaults(), boardFaults(), hypervisorFaults(), operatorFaults(), levelFaults(),
		orderFaults(), guardFaults(),
		redeclareFaults(), arrivalFaults(), stoppingFaults(), lostLogFaults(), twinFaults(), troubleFaults(),
		volumeFaults(), deafFaults(), hangFaults(), turnFaults(), addressFaults(), boardChecks(), restlessFaults())
}

func networkFaults() []faultKind {
	return []faultKind{
		{"link cut", 4, func(w *World, f Fault, h *Host) {
			if f.Host != f.Other {
				w.Cut(f.Host, f.Other)
				w.After(f.While, func() { w.Heal(f.Host, f.Other) })
			}
		}},
		{"link cut one way", 3, func(w *World, f Fault, h *Host) {
			if f.Host != f.Other {
				w.CutOneWay(Management, f.Host, f.Other)
				w.After(f.While, func() { w.Heal(f.Host, f.Other) })
			}
		}},
		{"board network cut", 2, func(w *World, f Fault, h *Host) {
			if f.Host != f.Other {
				w.CutOneWay(Board, f.Host, f.Other)
				w.After(3*f.While, func() { w.Heal(f.Host, f.Other) })
			}
		}},
		{"isolated", 3, func(w *World, f Fault, h *Host) {
			w.Isolate(h.Name)
			w.After(f.While, func() { w.Rejoin(h.Name) })
		}},
		{"slow follower", 3, func(w *World, f Fault, h *Host) {
			h.Slow = f.While / 2
			w.After(f.While, func() {
				h.Slow, w.healed = 0, w.Now
				h.catchUp()
			})
		}},
		{"another leads", 2, func(w *World, f Fault, h *Host) {
			if leader := w.Hosts[w.Leader()]; leader != nil && w.hasQuorum(h) && leader.counts(h) {
				h.holds(uint64(len(w.raft.log))) // who hands over brings its successor up to date
				w.Lead(h.Name)
			}
		}},
	}
}

func boardFaults() []faultKind {
	return []faultKind{
		{"wall clock jumps", 1, func(w *World, f Fault, h *Host) {
			h.Wall = time.Duration(f.random().Int64N(int64(4*time.Hour))) - 2*time.Hour
		}},
		{"storage gone", 1, func(w *World, f Fault, h *Host) {
			h.SetStorage(false)
			w.After(f.While, func() { h.SetStorage(true) })
		}},
		{"storage gone for all", 1, (*World).storageGone},
		{"BMC", 6, func(w *World, f Fault, h *Host) {
			h.BMC = pick(f.random(), []BMCMode{BMCDead, BMCDeaf, BMCMute, BMCSlow, BMCHangs, BMCEarly, BMCWrongHost})
			w.After(3*f.While, func() { h.BMC = BMCWorks })
		}},
	}
}

// chances are the kinds that come by chance and not from the list.
var chances = []string{"late entry", "lost answer", "limbo", "snapshot", "old disk", "drift", "board shares power",
	"stragglers",
	"autostart", "target check hangs", "target check fails",
	"slow migration", "migration breaks off", "reply lost", "half a copy stays", "end unseen"}

// FaultKinds names all kinds of faults.
func FaultKinds() []string {
	var names []string
	for _, k := range faultKinds() {
		names = append(names, k.name)
	}
	return append(names, chances...)
}

func hypervisorFaults() []faultKind {
	flag := func(name string, weight int, which func(h *Host) *bool) faultKind {
		return faultKind{name, weight, func(w *World, f Fault, h *Host) {
			*which(h) = true
			w.After(2*f.While, func() { *which(h) = false })
		}}
	}
	return []faultKind{
		{"libvirt down", 3, func(w *World, f Fault, h *Host) {
			h.SetLibvirt(false)
			w.After(f.While, func() { h.SetLibvirt(true) })
		}},
		flag("starts fail", 2, func(h *Host) *bool { return &h.StartsFail }),
		flag("stops fail", 1, func(h *Host) *bool { return &h.StopsFail }),
		flag("migrations fail", 1, func(h *Host) *bool { return &h.MigrationsFail }),
		flag("calls hang", 2, func(h *Host) *bool { return &h.CallsHang }),
		flag("events lost", 2, func(h *Host) *bool { return &h.EventsLost }),
		{"guest crashes", 3, func(w *World, f Fault, h *Host) { w.owner(f).CrashVM(f.Service) }},
		{"guest shuts down", 2, func(w *World, f Fault, h *Host) { w.owner(f).EndVM(f.Service, true) }},
		{"guest vanishes", 2, func(w *World, f Fault, h *Host) { w.owner(f).EndVM(f.Service, false) }},
		{"guest pauses", 1, func(w *World, f Fault, h *Host) {
			if v := w.owner(f).vms[w.uuid(f.Service)]; v != nil && v.condition == resources.Running && !v.moving {
				v.host.PauseVM(f.Service, "ioerror")
			}
		}},
	}
}

// owner is the host where the fault's service is, or else the fault's own host.
func (w *World) owner(f Fault) *Host {
	uuid := w.uuid(f.Service)
	for _, h := range w.order {
		if v := h.vms[uuid]; v != nil && v.condition == resources.Running {
			return h
		}
	}
	return w.Hosts[f.Host]
}

func (h *Host) bootUnlessAway() {
	if !h.away {
		h.Boot()
	}
}

// blackout takes the power from everybody; some come back late.
func (w *World) blackout(f Fault, _ *Host) {
	r := f.random()
	for _, h := range w.order {
		if r.IntN(5) == 0 {
			continue
		}
		h.PowerOff()
		pause := f.While + time.Duration(r.Int64N(int64(3*time.Second)))
		if r.IntN(4) == 0 && !w.without["stragglers"] {
			pause += time.Duration(r.Int64N(int64(70 * time.Second)))
		}
		w.After(pause, h.bootUnlessAway)
	}
}

func (w *World) storageGone(f Fault, _ *Host) {
	for _, h := range w.order {
		h.SetStorage(false)
		w.After(f.While, func() { h.SetStorage(true) })
	}
}

// strikeBusy strikes where it hurts most, now and then: a host, or its daemon,
// in the middle of an act.
func (w *World) strikeBusy(f Fault, _ *Host) {
	until := w.Now + f.While
	var look func()
	look = func() {
		if w.Now >= until {
			return
		}
		w.After(20*time.Millisecond, look)
		if w.chance(150) {
			w.strike()
		}
	}
	look()
}

func (w *World) strike() {
	s := w.State()
	for _, name := range s.Services.Keys() {
		service, _ := s.Services.Get(name)
		if service.Intent == nil || w.chance(2) {
			continue
		}
		h := w.Hosts[service.Intent.Node]
		if target := w.Hosts[service.Intent.Target]; target != nil && w.chance(2) {
			h = target
		}
		if w.chance(3) {
			h.BMC = BMCMute // the machine may boot before anybody knows
			h.PowerOff()
		} else {
			h.KillDaemon()
		}
		w.After(w.between(100*time.Millisecond, 6*time.Second),
			func() {
				h.bootUnlessAway()
				h.StartDaemon()
				h.BMC = BMCWorks
			})
		return
	}
}
