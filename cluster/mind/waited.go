package mind

import (
	"maps"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// waitOut advances the stopwatches on the boots that a watchdog ends. Each node
// has its own; a new leader has nothing but its own.
func (n *Node) waitOut(tick time.Duration, in Input) {
	maps.DeleteFunc(n.view.Waited, func(name string, _ cluster.Waited) bool { return !in.State.Fences.Has(name) })
	for _, name := range in.State.Fences.Keys() {
		open, _ := in.State.Fences.Get(name)
		victim, _ := in.State.Nodes.Get(name)
		if _, guarded := victim.GuardOf(open.Boot).WaitOut(); !guarded {
			continue
		}
		w := n.view.Waited[name]
		if w.Intent != open.Index {
			w = cluster.Waited{Intent: open.Index}
		} else {
			w.For += tick
		}
		n.view.Waited[name] = w
	}
}

// ready reports whether a fence duty can be handed out. One that rests on a
// watchdog is kept back until that has been waited out; a boot that is heard even
// then has a watchdog that does not work, and nothing is proven.
func (n *Node) ready(in Input, d *cluster.Duty) bool {
	if d.Kind != cluster.DutyFence {
		return true
	}
	if w := n.view.Waited[d.Node]; w.Intent == d.Index {
		d.Waited = w.For
	}
	limit, guarded := d.Guard.WaitOut()
	if !guarded || !plan.WaitsOut(d.Devices) {
		return true
	}
	if d.Waited < limit {
		return false
	}
	victim, _ := in.State.Nodes.Get(d.Node)
	w := n.view.Contacts[d.Node]
	if w.Heard && w.Silence < cluster.TimingFor(in.State.Document.Timing).Test && w.Incarnation == victim.Incarnation {
		why := message.WatchdogDidNotReset.With(d.Node, d.Waited.Round(time.Second)).String()
		n.handed[d.Key()] = true
		n.post(*d, cluster.FenceDone{Node: d.Node, Act: d.Index, Ordinal: d.Ordinal, Fencer: n.self,
			Incarnation: d.Incarnation, Result: fence.Result{Outcome: fence.Unknown, Evidence: []string{why}}})
		return false
	}
	return true
}
