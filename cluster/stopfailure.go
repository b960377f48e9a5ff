package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// pauseAfterFailedStop is how long a VM of which nobody can tell anything is
// looked for before its node is fenced for it.
const pauseAfterFailedStop = 30 * time.Second

// needsFence says why a node is to be fenced for a stop that failed there; ""
// where a person has to look. What is declared counts first. Left open, a
// VM's node is fenced only where the hypervisor does not answer and the cluster
// itself wanted to recover it: nothing else could ever tell that it does not run
// any more. Who asked for a stop by hand is there to look.
func (w *World) needsFence(service Service, node string) string {
	h, held := service.holder(node)
	n, known := w.Nodes.Get(node)
	if w.Level() < levelTwo || !known || !held || !onBoot(n)(h) || !service.Enabled || service.State != resources.Failed || service.Flags&resources.Frozen != 0 {
		return ""
	}
	byItself := service.StopFailed == ForRecovery || service.StopFailed == ForCleanup
	switch {
	case service.Spec.StopFailure == resources.FenceNode && service.StopFailed != "":
		return fmt.Sprintf("%s could not be stopped there, and its stop_failure is fence", service.Spec.Name)
	case service.Spec.StopFailure == "" && service.Spec.Kind() == resources.KindVM && byItself && h.Condition == string(resources.Unknown):
		return fmt.Sprintf("%s could not be stopped there to recover it, and the hypervisor cannot tell whether it still runs", service.Spec.Name)
	}
	return ""
}

// planFailed says what a failed service waits for, or has its node fenced.
func (p *planner) planFailed(service Service) {
	name := service.Spec.Name
	next := "`clusvcadm -d " + name + "` tries to stop it again"
	for _, h := range service.Holders {
		why := p.needsFence(service, h.Node)
		if why == "" {
			continue
		}
		if service.Spec.StopFailure == "" && !p.reached(service.SinceAt.Add(pauseAfterFailedStop)) {
			p.wait(name, service.Reason+fmt.Sprintf("; unless it is found within %s, %s is fenced", pauseAfterFailedStop, h.Node), next)
			return
		}
		if held := p.shootFor(service, h.Node, why); held != "" {
			p.wait(name, service.Reason+"; "+h.Node+" is not fenced for it yet: "+held, next)
		} else {
			p.wait(name, service.Reason+"; "+h.Node+" is fenced for it", "")
		}
		return
	}
	p.wait(name, service.Reason, next)
}

// shootFor proposes to fence a node for a failed stop, or says what holds that
// back. A node whose devices do not work is left alone: it would only lose what
// it is still asked to do.
func (p *planner) shootFor(service Service, node, why string) string {
	n, _ := p.Nodes.Get(node)
	if p.Fences.Has(node) || n.State == NodeLost || n.stalled() {
		return "" // it is on its way, or judged as any silent node
	}
	if !p.usable(node) {
		return "no fence level of it is known to work"
	}
	if held := p.disarmed(p.clock()); held != "" {
		return held
	}
	if held := p.brake(p.view.estimate(&p.World), p.decision.shots()...); held != "" {
		return held
	}
	fencers := fencersOf(&p.World, p.view, node)
	if len(fencers) == 0 {
		return "no node is ready to fence it"
	}
	if others := p.othersOn(n, service.Spec.Name); len(others) > 0 {
		why += "; " + strings.Join(others, ", ") + " there is started elsewhere too"
	}
	p.decision.propose(BeginFence{Node: node, Boot: n.Boot, Fencer: fencers[0], Service: service.Spec.Name, Why: why})
	return ""
}

// usable tells whether the devices of some level of a node are not known to be
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

func (p *planner) othersOn(n Member, but string) []string {
	var names []string
	for _, name := range p.heldBy(n) {
		if name != but {
			names = append(names, name)
		}
	}
	return names
}
