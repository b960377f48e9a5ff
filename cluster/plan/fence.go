package plan

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// planDisarmed arms fencing again once its time is over, and says until then
// that it is not.
func planDisarmed(w *rules.World, v cluster.View, d *Decision) {
	switch why := w.DisarmedWhy(rules.Estimate(v, w)); {
	case !why.IsZero():
		d.wait(w.Cluster(), message.DisarmedShots.With(why), message.DoArmFencing.With())
	case w.Disarmed() != nil:
		d.propose(cluster.Arm{Expired: true})
	}
}

// drillPatience bounds each phase that waits for services or for a boot. It is
// for policy only; what a drill cut off stays as safe as any other shot.
const drillPatience = 15 * time.Minute

// planDrill takes the next step of the drill under way.
func planDrill(w *rules.World, v cluster.View, d *Decision) {
	run := w.Drill()
	if run == nil {
		return
	}
	n, known := w.Nodes.Get(run.Node)
	end := func(ok bool, why message.Text) {
		d.propose(cluster.EndDrill{Node: run.Node, Act: run.Index, OK: ok, Why: why})
	}
	late := rules.Estimate(v, w).Sub(run.PhaseAt) > drillPatience
	switch {
	case !known:
		end(false, message.DrillNodeRemoved.With(run.Node))
	case run.Phase == cluster.DrillEmptying:
		planEmptying(w, v, n, late, d, end)
	case run.Phase == cluster.DrillOff && !w.Fences.Has(run.Node):
		end(false, message.DrillFenceClosed.With(run.Node))
	case run.Phase == cluster.DrillOn && n.State == cluster.NodeOnline:
		end(true, message.DrillPassed.With(run.Level+1, run.Node))
	case run.Phase == cluster.DrillOn && late:
		end(false, message.DrillNodeNotBack.With(run.Node, drillPatience))
	case run.Phase == cluster.DrillOn:
		d.wait(run.Node, message.DrillWaitsBoot.With(run.Node), message.Text{})
	}
}

func planEmptying(w *rules.World, v cluster.View, n cluster.Member, late bool, d *Decision,
	end func(bool, message.Text)) {
	run := w.Drill()
	switch {
	case late:
		end(false, message.DrillNodeNotEmpty.With(run.Node, w.HeldBy(n), drillPatience))
	case n.State == cluster.NodeOnline:
		d.propose(cluster.Leave{Node: run.Node, By: run.By})
	case n.State == cluster.NodeLeaving:
		d.wait(run.Node, message.DrillWaitsEmpty.With(run.Node), message.Text{})
	case n.State != cluster.NodeLeft:
		end(false, message.DrillNodeUnfit.With(run.Node, n.State))
	default:
		if fencers := fencersOf(w, v, run.Node); len(fencers) > 0 && w.Fences.Len() == 0 &&
			w.DisarmedWhy(rules.Estimate(v, w)).IsZero() {
			d.propose(cluster.BeginFence{Node: run.Node, Boot: n.Boot, Fencer: fencers[0],
				Why: message.FenceForDrill.With(), By: run.By, Override: true, Drill: true, Level: run.Level})
			return
		}
		d.wait(run.Node, message.DrillWaitsFencing.With(run.Node), message.Text{})
	}
}

// planPowerOns gives up what nobody can answer for.
func planPowerOns(w *rules.World, d *Decision) {
	for _, name := range w.PowerOns.Keys() {
		asked, _ := w.PowerOns.Get(name)
		fencer, _ := w.Nodes.Get(asked.Fencer)
		if !fencer.Reachable() || fencer.StandsBy() || fencer.Incarnation != asked.Incarnation {
			d.propose(cluster.PowerOnDone{Node: name, Act: asked.Index, Fencer: asked.Fencer, Incarnation: asked.Incarnation,
				Problem: message.FencerLost.With(asked.Fencer)})
		}
	}
}
