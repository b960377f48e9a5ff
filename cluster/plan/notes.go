package plan

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
)

// noteHung says which hypervisors do not answer.
func noteHung(w *rules.World, d *Decision) {
	for _, n := range w.Nodes.Rows() {
		if n.Hung != "" && n.State == cluster.NodeOnline {
			d.wait(n.Name, "its hypervisor does not answer, so no VM is started there or moved there, and what runs there is "+
				"left alone: "+n.Hung, fmt.Sprintf("on %s: `systemctl restart libvirtd` (or virtqemud), which leaves VMs running",
				n.Name))
		}
	}
}

// planLevel raises the level once all members know a newer one, and says until
// then whom that waits for.
func planLevel(w *rules.World, d *Decision) {
	newest := cluster.CurrentLevel
	var behind []string
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		newest = min(newest, n.MaxLevel)
		switch {
		case n.MaxLevel >= cluster.CurrentLevel:
		case n.Incarnation == 0:
			behind = append(behind, name+" (not up yet)")
		default:
			behind = append(behind, fmt.Sprintf("%s (clusterd %s)", name, n.Version))
		}
	}
	switch {
	case w.Nodes.Len() == 0:
	case newest > w.Level():
		d.propose(cluster.RaiseLevel{Level: newest})
	case w.Level() < cluster.CurrentLevel:
		d.wait(w.Cluster(), fmt.Sprintf("rules of level %d stay in force until %s can follow newer ones", w.Level(),
			strings.Join(behind, ", ")), "upgrade clusterd there, or remove what is gone for good")
	}
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
		why += fmt.Sprintf("; %s not stopped yet", words.Counted(up, "service"))
	case p.Lock().Stop:
		why += "; everything is stopped"
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
