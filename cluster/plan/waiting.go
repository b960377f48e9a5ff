package plan

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// noteLong tells of an intent that has been open for long on a node in order: since when, why,
// and what to do. A note says nothing about how it will end: a deadline ends our waiting, not
// the act.
func (p *planner) noteLong(service cluster.Service) {
	intent, name := service.Intent, service.Spec.Name
	w := p.view.Opens[name]
	if w.Index != intent.Index || w.For < cluster.IntentNoted {
		return
	}
	since := clockOf(intent.At)
	if open, most := p.crowd(*intent); open > most {
		// Its time begins with its turn, which only that node knows.
		p.wait(name, message.ActForTurn.With(intent.Kind, intent.Node, since, open, most), message.Text{})
		return
	}
	if w.For >= w.Limit {
		p.wait(name, message.ActOverdue.With(intent.Kind, intent.Node, since, w.Limit),
			message.DoRestartForAct.With(intent.Node, intent.Act()))
		return
	}
	next := message.DoReadActLog.With(intent.Node, intent.Act())
	if intent.Kind == cluster.IntentMigrate {
		next = message.DoCancelMigration.With(name)
	}
	p.wait(name, message.ActUnderWay.With(intent.Kind, intent.Node, since, clockOf(intent.At.Add(w.Limit))), next)
}

// backlog is how many acts are open on a node.
type backlog struct{ acts, moves int }

// crowd is how many acts such as this one are open on its node, and how many it does at a time.
func (p *planner) crowd(intent cluster.Intent) (open, most int) {
	if p.crowds == nil {
		p.crowds = map[string]backlog{}
		for _, service := range p.Services.Rows() {
			i := service.Intent
			if i == nil {
				continue
			}
			b := p.crowds[i.Node]
			if i.Kind == cluster.IntentMigrate {
				b.moves++
			} else {
				b.acts++
			}
			p.crowds[i.Node] = b
		}
	}
	if intent.Kind == cluster.IntentMigrate {
		return p.crowds[intent.Node].moves, cluster.MovesAtOnce
	}
	return p.crowds[intent.Node].acts, cluster.ActsAtOnce
}

func clockOf(at time.Time) string { return at.UTC().Format("15:04:05 MST") }

// TellsSilence: the edge says how long a node was silent, which changes.
func (d Decision) TellsSilence() bool {
	for _, c := range d.Commands {
		if _, edge := c.(cluster.Contact); edge {
			return true
		}
	}
	return false
}

// Pauses before something that did not work is tried again.
const (
	PauseAfterRefusal = time.Second
	PauseAfterFailure = 200 * time.Millisecond
	PauseBetweenLooks = 500 * time.Millisecond
	PauseBetweenTests = 500 * time.Millisecond
	PauseFenceRounds  = 30 * time.Second
	PauseStartRounds  = 30 * time.Second
	PauseBetweenTries = 2 * time.Second
	TestDeadline      = 3 * time.Second
)

// The leader's plan has no wall clock. What ends at a time of day is judged by
// the time of the last event and what this leader has measured since then; Apply
// judges again, by the time that the entry carries.

// clock is the time of day as far as the planner knows.
func (p *planner) clock() time.Time { return p.newestAt().Add(p.view.Quiet) }

func (p *planner) newestAt() time.Time {
	if len(p.Timeline()) == 0 {
		return time.Time{}
	}
	return p.Timeline()[len(p.Timeline())-1].At
}

// reached reports whether a time of day has come. If not, the decision holds no
// longer than until then.
func (p *planner) reached(at time.Time) bool {
	if !p.clock().Before(at) {
		return true
	}
	left := at.Sub(p.newestAt())
	if p.decision.Again == 0 || left < p.decision.Again {
		p.decision.Again = left
	}
	return false
}

// WaitsOut reports whether one of the devices proves by the time of a watchdog.
func WaitsOut(devices []fence.Device) bool {
	for _, d := range devices {
		if d.Effect() == fence.ByWatchdog {
			return true
		}
	}
	return false
}

// planGuards says what storage and watchdogs are waited for, and what for.
func planGuards(w *rules.World, v cluster.View, d *Decision) {
	for _, name := range w.Fences.Keys() {
		open, _ := w.Fences.Get(name)
		victim, _ := w.Nodes.Get(name)
		limit, guarded := victim.GuardOf(open.Boot).WaitOut()
		if guarded && open.Fencer != "" && WaitsOut(w.DevicesOf(name, open.Level)) {
			d.wait(name, message.WatchdogWaited.With(open.Fencer, limit.Round(time.Second), name,
				v.Waited[name].For.Round(time.Second), v.Self), message.Text{})
		}
	}
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		if n.State == cluster.NodeCut {
			planCut(w, v, n, d)
		}
		if why := w.Unguarded(n); why != "" && n.State == cluster.NodeOnline && !n.Witness {
			d.wait(name, message.TargetUnguarded.With(name, why), message.DoRunDoctor.With(name))
		}
	}
}

func planCut(w *rules.World, v cluster.View, n cluster.Member, d *Decision) {
	d.wait(n.Name, message.CutOffNode.With(n.Name), message.DoRestartHost.With())
	proof := fence.Proven{Effect: fence.ByStorage, Waited: v.Waited[n.Name].For}
	for _, service := range w.Others("", "") {
		if h, held := service.Holder(n.Name); held && cluster.OnBoot(n)(h) {
			if why := w.KeptFrom(n, service.Spec, h, proof); !why.IsZero() {
				d.wait(service.Spec.Name, message.CutOffKeeps.With(n.Name, why), message.DoConfirmOff.With(n.Name))
			}
		}
	}
}
