package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// noteHung says which hypervisors do not answer, and which nodes stand by.
func noteHung(w *rules.World, d *Decision) {
	for _, n := range w.Nodes.Rows() {
		switch {
		case n.Hung.IsZero() || n.State != cluster.NodeOnline:
		case n.StandsBy():
			d.wait(n.Name, n.Hung, message.DoLookAtWarning.With(n.Name))
		default:
			d.wait(n.Name, message.HypervisorHangs.With(n.Hung), message.DoRestartHypervisor.With(n.Name))
		}
	}
}

// planLevel raises the level once all members know a newer one, and says until
// then whom that waits for. It asks the members alone: what this clusterd knows is
// what its own node told when it came up.
func planLevel(w *rules.World, d *Decision) {
	if w.Nodes.Len() == 0 {
		return
	}
	byLevel := func(a, b *cluster.Member) int { return cmp.Compare(a.MaxLevel, b.MaxLevel) }
	common, newest := slices.MinFunc(w.Nodes.Rows(), byLevel).MaxLevel, slices.MaxFunc(w.Nodes.Rows(), byLevel).MaxLevel
	if common > w.Level() {
		d.propose(cluster.RaiseLevel{Level: common})
		return
	}
	if newest <= w.Level() {
		return
	}
	var behind []message.Text
	for _, n := range w.Nodes.Rows() {
		switch {
		case n.MaxLevel == newest:
		case n.Incarnation == 0:
			behind = append(behind, message.BehindNotUp.With(n.Name))
		default:
			behind = append(behind, message.BehindOlder.With(n.Name, n.Version))
		}
	}
	d.wait(w.Cluster(), message.VersionHeldBack.With(w.Level(), behind, newest), message.DoUpgradeOrRemove.With())
}

// noteLock says what the lock holds back.
func (p *planner) noteLock() {
	if p.Lock() == nil {
		return
	}
	up := 0
	for _, service := range p.Services.Rows() {
		if service.Owner != "" || service.Intent != nil {
			up++
		}
	}
	why := p.LockedWhy()
	switch {
	case p.Lock().Stop && up > 0:
		why = message.LockStopping.With(why, up)
	case p.Lock().Stop:
		why = message.LockStopped.With(why)
	}
	p.wait(p.Cluster(), why, p.UnlockNext())
}

// noteVolumes says which nodes cannot write, or soon cannot.
func noteVolumes(w *rules.World, d *Decision) {
	for _, n := range w.Nodes.Rows() {
		if n.Volume != nil {
			d.wait(n.Name, n.Volume.Words(), n.Volume.Next(n.Name))
		}
	}
}

// planLeader tells that this node leads: once for each term, after its own daemon is known. It
// tells what it has measured of the leader before it and nothing else, because nobody knows why an
// election began.
func planLeader(w *rules.World, v cluster.View, d *Decision) {
	me, _ := w.Nodes.Get(v.Self)
	last := w.Leader()
	if v.Term <= last.Term || me.Incarnation == 0 {
		return
	}
	before, known := w.Nodes.Get(last.Node)
	silence := v.Contacts[last.Node].Silence
	why := message.LeaderHeard.With(v.Self, last.Node)
	switch {
	case last.Node == "":
		why = message.LeaderFirst.With(v.Self)
	case last.Node == v.Self:
		why = message.LeaderAgain.With(v.Self)
	case !known:
		why = message.LeaderRemoved.With(v.Self, last.Node)
	case before.Stopped || before.State == cluster.NodeLeft:
		why = message.LeaderStopped.With(v.Self, last.Node)
	case silence > 2*cluster.Tick:
		why = message.LeaderSilent.With(v.Self, last.Node, silence.Round(10*time.Millisecond))
	}
	d.propose(cluster.Lead{Node: v.Self, Incarnation: me.Incarnation, Term: v.Term, Why: why})
}
