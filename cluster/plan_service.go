package cluster

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// planService decides what one service needs next: nothing, an intent, or a
// sentence that says what it waits for.
func (t *transaction) planService(service Service, d *Decision) {
	name := service.Spec.Name
	switch {
	case service.Intent != nil:
		if service.Intent.Twice {
			d.wait(name, service.Reason, "stop the wrong copy with `virsh destroy` on its node")
		}
		return
	case service.Flags&resources.Frozen != 0:
		return
	case !service.Enabled:
		t.planDown(service, d)
	case service.State == resources.Started:
		t.planStarted(service, d)
	case service.Held:
		return
	case service.State == resources.Failed:
		d.wait(name, service.Reason, "`clusvcadm -d "+name+"` tries to stop it again")
	default:
		t.planUp(service, d)
	}
}

// planDown brings a disabled service to rest.
func (t *transaction) planDown(service Service, d *Decision) {
	name := service.Spec.Name
	if len(service.Holders) == 0 {
		return
	}
	asked := service.Wish != nil && service.Wish.Op == OpDisable
	if service.State != resources.Disabled && service.State != resources.Failed && service.Owner != "" && !asked {
		return // found running although disabled: a person decides
	}
	if !asked {
		if waits := t.waitsFor(service); waits != "" {
			d.wait(name, waits, "")
		}
		return
	}
	for _, h := range service.Holders {
		n, _ := t.Nodes.Get(h.Node)
		if !n.Reachable() || !onBoot(n)(h) || t.Fences.Has(h.Node) {
			d.wait(name, fmt.Sprintf("it may be running on %s, which is %s; it is stopped there when the node is back or fenced", h.Node, n.State), "")
			continue
		}
		d.propose(Begin{Service: name, Intent: IntentStop, Node: h.Node, Purpose: ForDisable, By: service.Wish.By, Why: "stopping to disable it"})
		return
	}
	if service.Owner == "" {
		d.propose(GiveUp{Service: name, Request: service.Wish.Request, Code: codeTemporary,
			Why: "disabled, but it may still be running on " + holderNames(service) + "; it is not started again"})
	}
}

// planStarted looks after a running service: wishes, leaving nodes, failback.
func (t *transaction) planStarted(service Service, d *Decision) {
	name, owner := service.Spec.Name, service.Owner
	n, _ := t.Nodes.Get(owner)
	if !n.Reachable() || t.Fences.Has(owner) {
		return
	}
	if len(service.running()) > 1 {
		d.wait(name, service.Reason, "stop the wrong copy with `virsh destroy` on its node")
		return
	}
	h, _ := service.holder(owner)
	if h.Condition != string(resources.Running) {
		d.wait(name, fmt.Sprintf("%s on %s (%s)", h.Condition, owner, h.Reason), "")
		if service.Wish == nil {
			return
		}
	}
	if service.Wish != nil {
		t.planWish(service, d)
		return
	}
	if n.State == NodeLeaving {
		t.planEvacuation(service, d)
		return
	}
	if target, why, move := domain.Failback(t.domainOf(service), owner, t.candidates(service)); move {
		if t.recentlyBounced(service, target) {
			return
		}
		d.propose(Begin{Service: name, Intent: IntentMigrate, Node: owner, Target: target, By: "failback", Why: "fails back live: " + why})
	}
}

// recentlyBounced stops ping-pong: a failback that was undone is not tried
// again until a node's standing changes.
func (t *transaction) recentlyBounced(service Service, target string) bool {
	n, _ := t.Nodes.Get(target)
	return service.LastBounce != "" && service.LastBounce == fmt.Sprintf("%s@%d", target, n.Incarnation)
}

// planWish works on a request about a started service.
func (t *transaction) planWish(service Service, d *Decision) {
	wish, name := service.Wish, service.Spec.Name
	stop := Begin{Service: name, Intent: IntentStop, Node: service.Owner, By: wish.By}
	switch wish.Op {
	case OpStop:
		stop.Purpose, stop.Why = ForStop, sentence("stopping until the next change of a node", wish.Reason)
	case OpRestart:
		stop.Purpose, stop.Why = ForRestart, sentence("stopping to restart it in place", wish.Reason)
	case OpRelocate:
		stop.Purpose, stop.Why = ForRelocate, sentence("stopping to start it elsewhere", wish.Reason)
	case OpMigrate:
		if refused := t.mayMigrate(service, Ask{Service: name, Node: wish.Target}); refused != accepted {
			d.propose(GiveUp{Service: name, Request: wish.Request, Code: refused.Code, Why: refused.Why})
			return
		}
		d.propose(Begin{Service: name, Intent: IntentMigrate, Node: service.Owner, Target: wish.Target, By: wish.By,
			Why: sentence(fmt.Sprintf("moves live from %s to %s", service.Owner, wish.Target), wish.Reason)})
		return
	default:
		return
	}
	d.propose(stop)
}

// planEvacuation moves a service off a node that leaves: live where a legal
// node is there, else it is shut down, so that the node's power can go.
func (t *transaction) planEvacuation(service Service, d *Decision) {
	name := service.Spec.Name
	verdicts := domain.Rank(t.domainOf(service), t.candidates(service))
	if len(verdicts) > 0 && verdicts[0].Legal {
		target := verdicts[0].Node
		if !t.recentlyBounced(service, target) {
			d.propose(Begin{Service: name, Intent: IntentMigrate, Node: service.Owner, Target: target, By: "leave", Why: fmt.Sprintf("moves live to %s because %s leaves", target, service.Owner)})
			return
		}
	}
	d.propose(Begin{Service: name, Intent: IntentStop, Node: service.Owner, Purpose: ForRecovery, By: "leave", Why: service.Owner + " leaves and no other node can take it live"})
}

// planUp brings an enabled service up, or says what it waits for.
func (t *transaction) planUp(service Service, d *Decision) {
	name := service.Spec.Name
	if t.planCleanup(service, d) {
		return
	}
	if waits := t.waitsFor(service); waits != "" {
		d.wait(name, waits, "")
		return
	}
	node, why := t.choose(service)
	if node == "" {
		t.cannotStart(service, why, d)
		return
	}
	by := "recovery"
	if service.Wish != nil {
		by = service.Wish.By
	}
	d.propose(Begin{Service: name, Intent: IntentStart, Node: node, Definition: service.Spec.Definition, By: by, Why: fmt.Sprintf("starting on %s: %s", node, why)})
}

// planCleanup stops what a failed start or a crash left behind, and starts in
// place what a voided start left paused. It tells whether that is going on.
func (t *transaction) planCleanup(service Service, d *Decision) bool {
	for _, h := range service.Holders {
		n, _ := t.Nodes.Get(h.Node)
		if h.Ask || !n.Reachable() || !onBoot(n)(h) || t.Fences.Has(h.Node) {
			continue
		}
		failedHere := false
		for _, f := range service.FailedOn {
			failedHere = failedHere || f.Node == h.Node
		}
		inPlace := len(service.Holders) == 1 && h.Condition != string(resources.Crashed) && !failedHere && n.State == NodeOnline && h.Condition != string(resources.Unknown)
		if inPlace {
			return false
		}
		d.propose(Begin{Service: service.Spec.Name, Intent: IntentStop, Node: h.Node, Purpose: ForCleanup, Kill: true, By: "recovery", Why: "removing what is left of it on " + h.Node})
		return true
	}
	return false
}

// waitsFor says which holders stand in the way of a start.
func (t *transaction) waitsFor(service Service) string {
	var waits []string
	for _, h := range service.Holders {
		n, _ := t.Nodes.Get(h.Node)
		switch {
		case t.Fences.Has(h.Node):
			waits = append(waits, fmt.Sprintf("the fencing of %s, where it may be running", h.Node))
		case !n.Reachable():
			waits = append(waits, fmt.Sprintf("%s (%s), where it may be running: until that node answers or is confirmed off", h.Node, n.State))
		case h.Ask:
			waits = append(waits, fmt.Sprintf("%s to tell whether it runs there", h.Node))
		case h.Condition == string(resources.Unknown):
			waits = append(waits, fmt.Sprintf("the hypervisor on %s, which does not answer", h.Node))
		}
	}
	if len(waits) == 0 {
		return ""
	}
	return "waits for " + strings.Join(waits, " and for ")
}

// choose picks the node for a start, and says why it.
func (t *transaction) choose(service Service) (node, why string) {
	if len(service.Holders) == 1 {
		h := service.Holders[0]
		return h.Node, "what an interrupted start left there is taken up again"
	}
	verdicts := domain.Rank(t.domainOf(service), t.candidates(service))
	for _, v := range verdicts {
		if v.Node == service.Target && v.Legal {
			return v.Node, "asked for, " + v.Why
		}
	}
	if len(verdicts) > 0 && verdicts[0].Legal {
		return verdicts[0].Node, verdicts[0].Why
	}
	reasons := make([]string, 0, len(verdicts))
	for _, v := range verdicts {
		reasons = append(reasons, v.Node+": "+v.Why)
	}
	return "", "no node may run it (" + strings.Join(reasons, "; ") + ")"
}

// cannotStart answers a waiting administrator, or notes what has to change.
func (t *transaction) cannotStart(service Service, why string, d *Decision) {
	if service.Wish != nil {
		d.propose(GiveUp{Service: service.Spec.Name, Request: service.Wish.Request, Code: codeFailure, Why: why})
		return
	}
	next := "it starts by itself when a legal node is online"
	if len(service.FailedOn) > 0 {
		next = "mend the cause, then `clusvcadm -e " + service.Spec.Name + "`"
	}
	d.wait(service.Spec.Name, why, next)
}
