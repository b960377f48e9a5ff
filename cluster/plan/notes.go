package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// noteHung says which hypervisors do not answer.
func noteHung(w *rules.World, d *Decision) {
	for _, n := range w.Nodes.Rows() {
		if !n.Hung.IsZero() && n.State == cluster.NodeOnline {
			d.wait(n.Name, message.Sentence("its hypervisor does not answer, so no VM is started there or moved there, and what runs there is "+
				"left alone: "+n.Hung.String()), message.Sentence(fmt.Sprintf("on %s: `systemctl restart libvirtd` (or virtqemud), which leaves VMs running",
				n.Name)))
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
	var behind []string
	for _, n := range w.Nodes.Rows() {
		switch {
		case n.MaxLevel == newest:
		case n.Incarnation == 0:
			behind = append(behind, n.Name+" (not up yet)")
		default:
			behind = append(behind, fmt.Sprintf("%s (clusterd %s)", n.Name, n.Version))
		}
	}
	d.wait(w.Cluster(), message.Sentence(fmt.Sprintf("cluster version %d stays in force until %s can follow version %d", w.Level(),
		strings.Join(behind, ", "), newest)), message.Sentence("upgrade clusterd there, or remove what is gone for good"))
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
		why = message.Sentence(why.String() + fmt.Sprintf("; %s not stopped yet", words.Counted(up, "service")))
	case p.Lock().Stop:
		why = message.Sentence(why.String() + "; everything is stopped")
	}
	p.wait(p.Cluster(), message.Sentence(why.String()), p.UnlockNext())
}

// noteVolumes says which nodes cannot write, or soon cannot.
func noteVolumes(w *rules.World, d *Decision) {
	for _, n := range w.Nodes.Rows() {
		if n.Volume != nil {
			d.wait(n.Name, n.Volume.Words(), n.Volume.Next(n.Name))
		}
	}
}
