package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// NodeHypervisor tells of an edge: the hypervisor of a node does not answer, or does so
// again. It releases nothing: what ran there may go on running.
type NodeHypervisor struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	// Why says what it did not answer; empty where it answers.
	Why string `json:"why,omitempty"`
}

// Kind is the word that names the command in the log.
func (NodeHypervisor) Kind() string { return "node-hypervisor" }

// mostHypervisorWords bounds what a node may say about its hypervisor, and
// pauseHypervisor how soon it says so again.
const (
	mostHypervisorWords = 500
	pauseHypervisor     = 5 * time.Second
)

func (t *transaction) applyNodeHypervisor(c NodeHypervisor) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known || n.Incarnation != c.Incarnation:
		return refuse("what is said about the hypervisor of %s is from an older incarnation", c.Node)
	case len(c.Why) > mostHypervisorWords:
		return refuse("%s says too much about its hypervisor", c.Node)
	case n.Hung == c.Why:
		return accepted // told twice
	}
	before := n.Hung
	n.Hung = c.Why
	t.Nodes.Set(c.Node, n)
	switch {
	case c.Why == "":
		t.tell(Event{Node: c.Node, Subject: c.Node, Why: "its hypervisor answers again"})
	case before == "":
		t.tell(Event{Node: c.Node, Subject: c.Node, Why: "its hypervisor does not answer, so it is given no VM: " + c.Why})
	}
	return accepted
}

// hung says why a node can take no VM in at present; "" if it can. A service made of
// resources needs no hypervisor.
func (n Member) hung(service Service) string {
	if n.Hung == "" || service.Spec.Kind() != resources.KindVM {
		return ""
	}
	return "its hypervisor does not answer"
}

// noteHung says which hypervisors do not answer.
func noteHung(w *World, d *Decision) {
	for _, n := range w.Nodes.Rows() {
		if n.Hung != "" && n.State == NodeOnline {
			d.wait(n.Name, "its hypervisor does not answer, so no VM is started there or moved there, and what runs there is "+
				"left alone: "+n.Hung, fmt.Sprintf("on %s: `systemctl restart libvirtd` (or virtqemud), which leaves VMs running",
				n.Name))
		}
	}
}

// hungWatch is what a node knows of its own hypervisor, and when it said so.
type hungWatch struct {
	now  string
	at   time.Duration
	ever bool
}

// tellHypervisor proposes what this node found out about its hypervisor, where the State
// says something else.
func (n *Node) tellHypervisor(now time.Duration, in Input, out *Output) {
	w := &n.hypervisor
	if in.Hypervisor != nil && *in.Hypervisor != w.now {
		w.now, w.ever = *in.Hypervisor, false
	}
	me, known := in.State.Nodes.Get(n.self)
	if !known || in.Incarnation == 0 || me.Incarnation != in.Incarnation || w.idle(me) ||
		(w.ever && now-w.at < pauseHypervisor) {
		return
	}
	w.at, w.ever = now, true
	command := NodeHypervisor{Node: n.self, Incarnation: in.Incarnation, Why: w.now}
	n.proposeOnce(now, in.State, []string{"hypervisor"}, []Command{command}, false, out)
}

// idle reports whether the State knows enough: other words for the same are no news.
func (w *hungWatch) idle(me Member) bool { return (w.now == "") == (me.Hung == "") }
