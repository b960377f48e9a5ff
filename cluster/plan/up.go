package plan

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// planUp brings an enabled service up, or says what it waits for.
func (p *planner) planUp(service cluster.Service) {
	name := service.Spec.Name
	if service.Wish != nil && service.Wish.Op == cluster.OpStop && len(service.Holders) == 0 {
		p.giveUp(service, cluster.CodeSuccess, message.RequestStopsNothing.With())
		return
	}
	if p.planLeftover(service) {
		return
	}
	if p.Lock() != nil && p.Lock().Stop && service.Wish == nil {
		return // the note about the cluster says it for all
	}
	if why := p.LockedWhy(); !why.IsZero() {
		p.heldBack(service, cluster.CodeTemporary, why, p.UnlockNext())
		return
	}
	if why := service.HoldsBack(); !why.IsZero() {
		p.heldBack(service, cluster.CodeInvalid, why, service.AstrayNext())
		return
	}
	if waits := p.waitsFor(service); !waits.IsZero() {
		p.wait(name, waits, p.nextFor(service))
		if service.Wish != nil && service.HeldWhere(p.stuck) {
			p.giveUp(service, cluster.CodeTemporary, message.RequestWaits.With(waits))
		}
		return
	}
	if why := p.notYet(service); !why.IsZero() {
		return
	}
	if node := p.expected(service); node != "" {
		p.wait(name, message.WaitsForExpectedNode.With(SettlingTime, node), message.Text{})
		return
	}
	if p.restsInLoop(service) {
		return
	}
	node, why := p.choose(service)
	if node == "" {
		advice, waits := p.makeRoom(service)
		if !waits {
			p.cannotStart(service, why, advice)
		}
		return
	}
	by := cluster.ByRecovery
	switch {
	case service.Wish != nil:
		by = service.Wish.By
	case service.Moving != "":
		by = "move"
	}
	p.begin(service, cluster.Begin{Service: name, Intent: cluster.IntentStart, Node: node,
		Definition: service.Spec.Definition, By: by, Why: why})
}

// notYet says what the rules between services and the order of starts make a
// start wait for, and tells it.
func (p *planner) notYet(service cluster.Service) message.Text {
	name := service.Spec.Name
	if why, comes := p.unmet(service); !why.IsZero() {
		if comes {
			p.wait(name, why, message.Text{})
		} else {
			p.heldBack(service, cluster.CodeDependency, why, message.DoNothingForDependency.With())
		}
		return why
	}
	// Who asks for one service does not ask for an order, and what was stopped to
	// move has had its turn.
	why := p.full()
	if service.Wish == nil && service.Moving == "" && why.IsZero() {
		why = p.gate(service)
	}
	if !why.IsZero() {
		p.wait(name, why, message.Text{})
	}
	return why
}

// heldBack answers a waiting administrator that a rule forbids the start, or
// notes it.
func (p *planner) heldBack(service cluster.Service, code int, why, next message.Text) {
	if service.Wish != nil {
		p.giveUp(service, code, why)
		return
	}
	p.wait(service.Spec.Name, why, next)
}

// stuck tells that nothing the cluster does by itself will soon free a holder:
// its node is out of touch and cannot be fenced.
func (p *planner) stuck(h cluster.Holder) bool {
	n, _ := p.Nodes.Get(h.Node)
	if open, fencing := p.Fences.Get(h.Node); fencing {
		return open.Fencer == "" && open.TriedTotal >= fence.Rounds
	}
	return !n.Reachable() && n.State != cluster.NodeLooking && len(p.Document.Nodes[h.Node].Fence) == 0
}

// planLeftover stops what a failed start or a crash left behind. It reports
// whether the service waits for that, or for a person: what was paused by
// others is neither resumed nor removed.
func (p *planner) planLeftover(service cluster.Service) bool {
	for _, h := range service.Holders {
		n, why := p.Workable(h.Node)
		if h.Ask || !why.IsZero() || !cluster.OnBoot(n)(h) || !n.HungWhy(service).IsZero() {
			continue
		}
		failedHere := false
		for _, f := range service.FailedOn {
			failedHere = failedHere || f.Node == h.Node
		}
		switch {
		case failedHere, h.Fallen():
		case h.Condition == string(resources.Incoming) && len(service.Holders) == 1:
			// Nothing is left that could complete this copy.
		case h.Condition == string(resources.Unknown):
			continue
		case !h.Creating:
			p.wait(service.Spec.Name, message.ForeignCopy.With(h.Condition, h.Node, h.Reason),
				message.DoResumeOrDestroy.With(h.Node))
			if service.Wish != nil {
				p.giveUp(service, cluster.CodeTemporary, message.RequestLeftover.With(h.Condition, h.Node))
			}
			return true
		case len(service.Holders) == 1 && h.StartsWith(service.Spec) && p.mayTakeUp(service, n):
			continue // an interrupted start is taken up again in place
		}
		p.begin(service, cluster.Begin{Service: service.Spec.Name, Intent: cluster.IntentStop, Node: h.Node,
			Purpose: cluster.ForCleanup, Kill: service.Killed(), By: "recovery",
			Why: message.CleanupLeftover.With(h.Node)})
		return true
	}
	return false
}

// mayTakeUp reports whether an interrupted start may go on now where it began. What
// may not is removed, and not left paused until it may.
func (p *planner) mayTakeUp(service cluster.Service, n cluster.Member) bool {
	return p.MayJoin(service, n) == rules.Accepted && p.Lacks(service).IsZero() && p.Lock() == nil
}

// waitsFor says which holders stand in the way of a start.
func (p *planner) waitsFor(service cluster.Service) message.Text {
	var waits []message.Text
	for _, h := range service.Holders {
		n, _ := p.Nodes.Get(h.Node)
		switch {
		case p.Fences.Has(h.Node):
			waits = append(waits, message.WaitsForFencing.With(h.Node))
		case !n.Reachable():
			waits = append(waits, message.WaitsForLostNode.With(h.Node, n.State))
		case h.Ask:
			waits = append(waits, message.WaitsForAnswer.With(h.Node))
		case h.Condition == string(resources.Unknown), !n.HungWhy(service).IsZero():
			waits = append(waits, message.WaitsForHypervisor.With(h.Node))
		}
	}
	if len(waits) == 0 {
		return message.Text{}
	}
	return message.StartWaits.With(waits)
}

func (p *planner) nextFor(service cluster.Service) message.Text {
	for _, h := range service.Holders {
		if p.stuck(h) || p.nodeState(h.Node) == cluster.NodeLeft {
			return message.DoBootOrConfirm.With(h.Node)
		}
	}
	return message.Text{}
}

func (p *planner) nodeState(name string) cluster.NodeState {
	n, _ := p.Nodes.Get(name)
	return n.State
}

// choose picks the node for a start, and says why it.
func (p *planner) choose(service cluster.Service) (node string, why message.Text) {
	if len(service.Holders) == 1 {
		h := service.Holders[0]
		return h.Node, message.StartTakenUp.With()
	}
	failedOn := service.FailedOn
	verdicts := p.rank(service, failedOn, service.Gathers())
	if p.view.Stuck[service.Spec.Name] >= PauseStartRounds {
		// Their trouble may be over; the one that failed longest ago and may run it is
		// tried again.
		for len(failedOn) > 0 && (len(verdicts) == 0 || !verdicts[0].Legal) {
			service, failedOn = service.Untroubled(failedOn[0].Node), failedOn[1:]
			verdicts = p.rank(service, failedOn, service.Gathers())
		}
	}
	if service.Moving != "" {
		// Where it goes was chosen before it was stopped, for those too that run together with it:
		// they are where it came from, and follow.
		for _, v := range p.rank(service, failedOn, false) {
			if v.Node == service.Target && v.Legal {
				return v.Node, message.StartMovedHere.With(v.Why)
			}
		}
	}
	wanted := service.Target
	if wanted == "" && service.Wish != nil {
		wanted = service.Wish.Target
	}
	for _, v := range verdicts {
		switch {
		case v.Node != wanted || !v.Legal:
		case service.Wish == nil:
			return v.Node, message.StartInPlace.With(v.Why)
		default:
			return v.Node, message.StartAskedFor.With(v.Why)
		}
	}
	if len(verdicts) > 0 && verdicts[0].Legal {
		return verdicts[0].Node, verdicts[0].Why
	}
	nodes := make([]message.Text, 0, len(verdicts))
	for _, v := range verdicts {
		nodes = append(nodes, message.NodeRuledOut.With(v.Node, v.Why))
	}
	return "", message.StartNowhere.With(nodes)
}

// cannotStart answers a waiting administrator, or notes what has to change.
func (p *planner) cannotStart(service cluster.Service, why, advice message.Text) {
	if service.Wish != nil {
		code := cluster.CodeFailure
		if p.ObjectionsTo(service).Exclusive {
			code = cluster.CodeExclusive
		}
		p.giveUp(service, code, why)
		return
	}
	next := message.DoNothingForNode.With()
	if len(service.FailedOn) > 0 {
		next = message.DoFixAndEnable.With(service.Spec.Name, PauseStartRounds)
	}
	if advice.IsZero() {
		advice = p.wouldFit(service)
	}
	p.wait(service.Spec.Name, why, advice.OrElse(next))
}

// disksTaken says which running service has a disk of this one (law L9). Both were
// declared with it, and whoever came first keeps it: the other does not come up
// by itself, and must not hold up what starts after it.
func (p *planner) disksTaken(service cluster.Service) message.Text {
	for _, other := range p.Services.Rows() {
		if other.Spec.Name == service.Spec.Name || !other.Up() {
			continue
		}
		for _, h := range other.Holders {
			if disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {
				return message.IdleDiskTaken.With(disks[0], other.Spec.Name)
			}
		}
	}
	return message.Text{}
}
