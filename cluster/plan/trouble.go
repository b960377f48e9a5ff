package plan

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
)

// restsInLoop reports whether a service in a loop waits for its next start.
func (p *planner) restsInLoop(service cluster.Service) bool {
	l := service.Loop
	if l.Pause() == 0 || service.Wish != nil || service.Moving != "" {
		return false
	}
	name := service.Spec.Name
	if w := p.view.Loops[name]; w.Index == l.Index && w.For >= l.Pause() {
		return false
	}
	p.wait(name, message.WaitsForLoopPause.With(l.Says(), l.Pause()), l.Next(name))
	return true
}

// noteLoop says of what runs that it does not run for long.
func (p *planner) noteLoop(service cluster.Service) {
	l := service.Loop
	if l == nil || len(l.Starts) < cluster.LoopTold {
		return
	}
	if w := p.view.Loops[service.Spec.Name]; w.Index == l.Index && w.For >= cluster.LoopForgets {
		return
	}
	p.wait(service.Spec.Name, l.Says(), l.Next(service.Spec.Name))
}

// restless says that a node's daemon does not stay up; nothing if it does. The time comes at
// which it has.
func (p *planner) restless(n cluster.Member) message.Text {
	r := n.Restarts
	if !r.Loop() || !p.reached(r.Last.Add(-cluster.RestartsApart)) || p.reached(r.Last.Add(cluster.RestartsApart)) {
		return message.Text{} // in the second case the clock was set back
	}
	return r.Says()
}

// noteRestarts tells of the nodes that get no work because their daemon starts again and again.
func (p *planner) noteRestarts() {
	for i, name := range p.Nodes.Keys() {
		n := p.Nodes.Rows()[i]
		if n.Ended() || n.State == cluster.NodeLeft {
			continue
		}
		if why := p.restless(*n); !why.IsZero() {
			p.wait(name, p.restarting(*n, why), message.DoReadDaemonLog.With(name))
		}
	}
}

// restarting tells of a node whose daemon starts again and again, and when it is fenced for that.
func (p *planner) restarting(n cluster.Member, why message.Text) message.Text {
	starts, timing := p.view.Contacts[n.Name].Starts, p.TimingOf(n)
	left := (timing.SilentGrace - starts.Restless).Round(time.Second)
	held, _, _ := heldBack(&p.World, p.view, n, p.decision)
	switch {
	case len(p.HeldBy(n)) == 0 || n.State == cluster.NodeLost || p.Fences.Has(n.Name):
		return message.NodeRestarting.With(why, "", "", "", "")
	case held && left <= 0:
		return message.NodeRestarting.With(why, "", "", "", p.unshot(n))
	case held || left <= 0 || starts.Restless == 0:
		return message.NodeRestarting.With(why, "", "", "", "")
	}
	return message.NodeRestarting.With(why, timing.SilentGrace, n.Name, left, "")
}

// unshot says of a node that is in touch and should be fenced what speaks against that; nothing
// where it is only a matter of time.
func (p *planner) unshot(n cluster.Member) message.Text {
	at := rules.Estimate(p.view, &p.World)
	switch {
	case p.Maintained(n):
		return n.OrderWhy()
	case len(p.Document.Nodes[n.Name].Fence) == 0:
		return message.StopNoLevel.With()
	case len(fencersOf(&p.World, p.view, n.Name)) == 0:
		return message.StopNoFencer.With()
	}
	return p.DisarmedWhy(at).OrElse(p.Brake(at, p.decision.Shots()...))
}

// pauseAfterFailedStop is how long a VM of which nobody can tell anything is
// looked for before its node is fenced for it.
const pauseAfterFailedStop = 30 * time.Second

// planFailed says what a failed service waits for, or has its node fenced.
func (p *planner) planFailed(service cluster.Service) {
	name := service.Spec.Name
	next := message.DoStopAgain.With(name)
	for _, h := range service.Holders {
		why := p.NeedsFence(service, h.Node)
		if why.IsZero() {
			continue
		}
		if service.Spec.StopFailure == "" && !p.reached(service.SinceAt.Add(pauseAfterFailedStop)) {
			p.wait(name, message.StopThenFence.With(service.Reason, pauseAfterFailedStop, h.Node), next)
			return
		}
		if held := p.shootFor(service, h.Node, why); !held.IsZero() {
			p.wait(name, message.StopNotFenced.With(service.Reason, h.Node, held), next)
		} else {
			p.wait(name, message.StopFenced.With(service.Reason, h.Node), message.Text{})
		}
		return
	}
	p.wait(name, service.Reason, next)
}

// shootFor proposes to fence a node for a failed stop, or says what holds that
// back. A node whose devices do not work is left alone: it would only lose what
// it is still asked to do.
func (p *planner) shootFor(service cluster.Service, node string, why message.Text) message.Text {
	n, _ := p.Nodes.Get(node)
	if p.Fences.Has(node) || n.State == cluster.NodeLost || n.Stalled() {
		return message.Text{} // it is on its way, or judged as any silent node
	}
	if !p.usable(node) {
		return message.StopNoLevel.With()
	}
	if held := p.DisarmedWhy(p.clock()); !held.IsZero() {
		return held
	}
	if held := p.Brake(rules.Estimate(p.view, &p.World), p.decision.Shots()...); !held.IsZero() {
		return held
	}
	fencers := fencersOf(&p.World, p.view, node)
	if len(fencers) == 0 {
		return message.StopNoFencer.With()
	}
	if others := p.othersOn(n, service.Spec.Name); len(others) > 0 {
		why = message.FenceAlsoMoves.With(why, others)
	}
	p.decision.propose(cluster.BeginFence{Node: node, Boot: n.Boot, Fencer: fencers[0], Service: service.Spec.Name,
		Why: why})
	return message.Text{}
}

// usable reports whether the devices of some level of a node are not known to be
// out of order.
func (p *planner) usable(node string) bool {
	for _, level := range p.Document.Nodes[node].Fence {
		works := len(level.Devices) > 0
		for _, device := range level.Devices {
			check, _ := p.Checks.Get(device)
			works = works && check.Problem == ""
		}
		if works {
			return true
		}
	}
	return false
}

func (p *planner) othersOn(n cluster.Member, but string) []string {
	var names []string
	for _, name := range p.HeldBy(n) {
		if name != but {
			names = append(names, name)
		}
	}
	return names
}

// troubles are the failures of a service that still count, by node.
func (p *planner) troubles(service cluster.Service) map[string]cluster.Trouble {
	var list map[string]cluster.Trouble
	for _, tr := range service.Troubles {
		n, known := p.Nodes.Get(tr.Node)
		if !known || n.Incarnation != tr.Incarnation || p.reached(tr.At.Add(cluster.TroubleLasts)) {
			continue
		}
		if list == nil {
			list = map[string]cluster.Trouble{}
		}
		list[tr.Node] = tr
	}
	return list
}

// shun puts nodes last where a service failed, but for the one where its policy
// restarts it. A live move that failed is not tried again by the cluster itself while
// that counts, and says nothing about a start.
func (p *planner) shun(service cluster.Service, list []domain.Candidate) {
	troubles := p.troubles(service)
	for i, c := range list {
		tr, troubled := troubles[c.Node]
		switch {
		case !troubled || !c.Barred.IsZero() || c.Node == service.Target:
		case tr.Kind == cluster.TroubleMove && service.Owner != "":
			list[i].Barred = tr.TriedLater()
		case tr.Kind == cluster.TroubleMove:
		case tr.Kind == cluster.TroubleStart:
			list[i].Failed = true
		default:
			list[i].Last = tr.Says()
		}
	}
}
