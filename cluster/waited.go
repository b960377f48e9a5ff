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
func planGuards(s *State, v View, d *Decision) {
	for _, name := range s.Fences.Keys() {
		open, _ := s.Fences.Get(name)
		victim, _ := s.Nodes.Get(name)
		limit, guarded := victim.guardOf(open.Boot).WaitOut()
		if guarded && open.Fencer != "" && waitsOut(s.devicesOf(name, open.Level)) {
			d.wait(name, fmt.Sprintf("%s waits %s until the lease and the watchdog of %s have surely run out; %s have passed by %s's own stopwatch",
				open.Fencer, limit.Round(time.Second), name, v.Waited[name].For.Round(time.Second), v.Self), "")
		}
	}
	for _, name := range s.Nodes.Keys() {
		n, _ := s.Nodes.Get(name)
		if n.State == NodeCut {
			planCut(s, v, n, d)
		}
		if why := s.unguarded(n); why != "" && n.State == NodeOnline && !n.Witness {
			d.wait(name, name+" runs nothing yet: "+why, "`clusterd doctor` on "+name+" says what is in the way")
		}
	}
}

func planCut(s *State, v View, n Member, d *Decision) {
	d.wait(n.Name, n.Name+" is cut off from its storage and may still be running; only a new boot of it is admitted", "restart the host")
	proof := fence.Proven{Nature: fence.ByStorage, Waited: v.Waited[n.Name].For}
	for _, service := range (&transaction{State: s}).others("", "") {
		if h, held := service.holder(n.Name); held && onBoot(n)(h) {
			if why := s.keptFrom(n, service.Spec, h, proof); why != "" {
				d.wait(service.Spec.Name, fmt.Sprintf("%s keeps it although it is cut off: %s", n.Name, why), "make sure that "+n.Name+" is off, then: `clusterd fence confirm "+n.Name+"`")
			}
		}
	}
}

// How many acts one node carries out at a time: starts, stops and their like, and live
// migrations. What is decided beyond that waits there for its turn.
const (
	ActsAtOnce  = 16
	MovesAtOnce = 4
)

// ActMargin is what an act may take beyond the time that its declaration gives it.
const ActMargin = 15 * time.Second

// intentNoted is how long an intent may be open on a node in order before a note tells of it.
// Most acts take seconds.
const intentNoted = time.Minute

// openwatch is this node's own measure of how long an intent has been open.
type openwatch struct {
	Index uint64
	For   time.Duration
	// Limit is the time that the act has.
	Limit time.Duration
}

// allowed is how long the act of an intent may take before whoever carries it out gives it up.
func (s *Service) allowed() time.Duration {
	spec := s.Spec.WithDefaults()
	limit := spec.StartTimeout
	switch s.Intent.Kind {
	case IntentStop:
		limit = spec.StopTimeout + spec.DestroyTimeout
	case IntentMigrate:
		limit = spec.MigrateTimeout
	case IntentReconfigure:
		limit = spec.StopTimeout + spec.StartTimeout
	}
	return limit + ActMargin
}

// restOpen measures how long an intent has been open, and reports whether the time has come at
// which something else is said about it.
func (v View) restOpen(service *Service, tick time.Duration) (turned bool) {
	if service.Intent == nil {
		return false
	}
	name := service.Spec.Name
	w := v.Opens[name]
	if w.Index != service.Intent.Index {
		w = openwatch{Index: service.Intent.Index, Limit: service.allowed()}
	}
	before := w.For
	w.For = min(w.For+tick, max(w.Limit, intentNoted))
	v.Opens[name] = w
	passed := func(limit time.Duration) bool { return before < limit && w.For >= limit }
	return passed(intentNoted) || passed(w.Limit)
}

// watchesMove reports whether time alone will change what is decided or said.
func (v View) watchesMove() bool { return v.loopsMove() || v.opensMove() }

// opensMove reports whether time alone will change what is said of an open intent.
func (v View) opensMove() bool {
	for _, w := range v.Opens {
		if w.For < max(w.Limit, intentNoted) {
			return true
		}
	}
	return false
}

// noteLong tells of an intent that has been open for long on a node in order: since when, why,
// and what to do. A note says nothing about how it will end: a deadline ends our waiting, not
// the act.
func (p *planner) noteLong(service Service) {
	intent, name := service.Intent, service.Spec.Name
	w := p.view.Opens[name]
	if w.Index != intent.Index || w.For < intentNoted {
		return
	}
	what := fmt.Sprintf("its %s on %s has been under way since %s", intent.Kind, intent.Node, clockOf(intent.At))
	if w.For >= w.Limit {
		p.wait(name, fmt.Sprintf("%s, longer than it has time for (%s), and %s has not told how it ended, so nothing "+
			"else is tried", what, told(w.Limit), intent.Node),
			fmt.Sprintf("on %s: `journalctl -u clusterd` tells of act %s; `systemctl restart clusterd` lets it look what "+
				"became of that, and touches no VM", intent.Node, intent.Act()))
		return
	}
	next := fmt.Sprintf("on %s: `journalctl -u clusterd` tells of act %s", intent.Node, intent.Act())
	if intent.Kind == IntentMigrate {
		next = "`clusvcadm --cancel " + name + "` gives it up"
	}
	p.wait(name, fmt.Sprintf("%s; %sit is given up at %s", what, p.crowd(*intent), clockOf(intent.At.Add(w.Limit))), next)
}

// crowd says that a node has more to do than it does at a time; "" if it has not.
func (p *planner) crowd(intent Intent) string {
	acts, moves := 0, 0
	for _, service := range p.Services.rows {
		switch i := service.Intent; {
		case i == nil || i.Node != intent.Node:
		case i.Kind == IntentMigrate:
			moves++
		default:
			acts++
		}
	}
	open, most := acts, ActsAtOnce
	if intent.Kind == IntentMigrate {
		open, most = moves, MovesAtOnce
	}
	if open <= most {
		return ""
	}
	return fmt.Sprintf("%d such acts are open there, which does %d at a time; ", open, most)
}

func clockOf(at time.Time) string { return at.UTC().Format("15:04:05 MST") }
