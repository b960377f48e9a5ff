package cluster

import (
	"fmt"
	"maps"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Waited measures how long this node has seen a fence intent in its log, by its
// own stopwatch. No lease was asked for after the intent was committed, so what
// has passed since then has passed since the last lease too (law L6).
type Waited struct {
	// Intent is the index of the intent; another one begins at zero.
	Intent uint64
	For    time.Duration
}

// waitOut advances the stopwatches on the boots that a watchdog ends. Each node
// has its own; a new leader has nothing but its own.
func (n *Node) waitOut(tick time.Duration, in Input) {
	maps.DeleteFunc(n.view.Waited, func(name string, _ Waited) bool { return !in.State.Fences.Has(name) })
	for _, name := range in.State.Fences.Keys() {
		open, _ := in.State.Fences.Get(name)
		victim, _ := in.State.Nodes.Get(name)
		if _, guarded := victim.guardOf(open.Boot).WaitOut(); !guarded {
			continue
		}
		w := n.view.Waited[name]
		if w.Intent != open.Index {
			w = Waited{Intent: open.Index}
		} else {
			w.For += tick
		}
		n.view.Waited[name] = w
	}
}

// ready tells whether a fence duty can be handed out. One that rests on a
// watchdog is kept back until that has been waited out; a boot that is heard even
// then has a watchdog that does not work, and nothing is proven.
func (n *Node) ready(in Input, d *Duty) bool {
	if d.Kind != DutyFence {
		return true
	}
	if w := n.view.Waited[d.Node]; w.Intent == d.Index {
		d.Waited = w.For
	}
	limit, guarded := d.Guard.WaitOut()
	if !guarded || !waitsOut(d.Devices) {
		return true
	}
	if d.Waited < limit {
		return false
	}
	victim, _ := in.State.Nodes.Get(d.Node)
	w := n.view.Contacts[d.Node]
	if w.Heard && w.Silence < TimingFor(in.State.Document.Timing).Test && w.Incarnation == victim.Incarnation {
		why := fmt.Sprintf("%s is heard after %s, in which its watchdog should have reset it: the watchdog does not work", d.Node, d.Waited.Round(time.Second))
		n.handed[d.Key()] = true
		n.post(*d, FenceDone{Node: d.Node, Act: d.Index, Ordinal: d.Ordinal, Fencer: n.self, Incarnation: d.Incarnation, Result: fence.Result{Outcome: fence.Unknown, Evidence: []string{why}}})
		return false
	}
	return true
}

func waitsOut(devices []fence.Device) bool {
	for _, d := range devices {
		if d.Nature() == fence.ByWatchdog {
			return true
		}
	}
	return false
}

// planGuards says what storage and watchdogs are waited for, and what for.
func planGuards(w *World, v View, d *Decision) {
	for _, name := range w.Fences.Keys() {
		open, _ := w.Fences.Get(name)
		victim, _ := w.Nodes.Get(name)
		limit, guarded := victim.guardOf(open.Boot).WaitOut()
		if guarded && open.Fencer != "" && waitsOut(w.devicesOf(name, open.Level)) {
			d.wait(name, fmt.Sprintf("%s waits %s until the lease and the watchdog of %s have surely run out; %s have passed by %s's own stopwatch",
				open.Fencer, limit.Round(time.Second), name, v.Waited[name].For.Round(time.Second), v.Self), "")
		}
	}
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		if n.State == NodeCut {
			planCut(w, v, n, d)
		}
		if why := w.unguarded(n); why != "" && n.State == NodeOnline && !n.Witness {
			d.wait(name, name+" runs nothing yet: "+why, "`clusterd doctor` on "+name+" says what is in the way")
		}
	}
}

func planCut(w *World, v View, n Member, d *Decision) {
	d.wait(n.Name, n.Name+" is cut off from its storage and may still be running; only a new boot of it is admitted", "restart the host")
	proof := fence.Proven{Nature: fence.ByStorage, Waited: v.Waited[n.Name].For}
	for _, service := range w.others("", "") {
		if h, held := service.holder(n.Name); held && onBoot(n)(h) {
			if why := w.keptFrom(n, service.Spec, h, proof); why != "" {
				d.wait(service.Spec.Name, fmt.Sprintf("%s keeps it although it is cut off: %s", n.Name, why), "make sure that "+n.Name+" is off, then: `clusterd fence confirm "+n.Name+"`")
			}
		}
	}
}
