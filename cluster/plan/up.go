package plan

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// planUp brings an enabled service up, or says what it waits for.
func (p *planner) planUp(service cluster.Service) {
	name := service.Spec.Name
	if service.Wish != nil && service.Wish.Op == cluster.OpStop && len(service.Holders) == 0 {
		p.giveUp(service, cluster.CodeSuccess, message.Sentence("it runs nowhere; it stays stopped until the next change of a node"))
		return
	}
	if p.planLeftover(service) {
		return
	}
	if p.Lock() != nil && p.Lock().Stop && service.Wish == nil {
		return // the note about the cluster says it for all
	}
	if why := p.LockedWhy(); !why.IsZero() {
		p.heldBack(service, cluster.CodeTemporary, message.Sentence(why.String()), p.UnlockNext())
		return
	}
	if why := service.HoldsBack(); !why.IsZero() {
		p.heldBack(service, cluster.CodeInvalid, why, service.AstrayNext())
		return
	}
	if waits := p.waitsFor(service); waits != "" {
		p.wait(name, message.Sentence(waits), p.nextFor(service))
		if service.Wish != nil && service.HeldWhere(p.stuck) {
			p.giveUp(service, cluster.CodeTemporary, message.Sentence("not started yet: "+waits))
		}
		return
	}
	if why := p.notYet(service); !why.IsZero() {
		return
	}
	if node := p.expected(service); node != "" {
		p.wait(name,
			message.Sentence(fmt.Sprintf("%s is expected at any moment and would be its node; another is chosen if it is not there within %s",
				node, SettlingTime)), message.Text{})
		return
	}
	if p.restsInLoop(service) {
		return
	}
	node, why := p.choose(service)
	if node == "" {
		advice, waits := p.makeRoom(service)
		if !waits {
			p.cannotStart(service, why, message.Sentence(advice))
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
// start wait for, and tells it; "" if nothing.
func (p *planner) notYet(service cluster.Service) message.Text {
	name := service.Spec.Name
	if why, comes := p.unmet(service); !why.IsZero() {
		if comes {
			p.wait(name, why, message.Text{})
		} else {
			p.heldBack(service, cluster.CodeDependency, why, message.Sentence("it starts by itself after what it depends on"))
		}
		return why
	}
	// Who asks for one service does not ask for an order, and what was stopped to
	// move has had its turn.
	why := p.full()
	if service.Wish == nil && service.Moving == "" && why == "" {
		why = p.gate(service).String()
	}
	if why != "" {
		p.wait(name, message.Sentence(why), message.Text{})
	}
	return message.Sentence(why)
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
			p.wait(service.Spec.Name,
				message.Sentence(words.Sentence(fmt.Sprintf("%s on %s; clusterd does not go on with what it did not start there", h.Condition,
					h.Node), h.Reason)),
				message.Sentence("resume it with `virsh resume` on "+h.Node+", or destroy it there"))
			if service.Wish != nil {
				p.giveUp(service, cluster.CodeTemporary, message.Sentence(fmt.Sprintf("it is %s on %s", h.Condition, h.Node)))
			}
			return true
		case len(service.Holders) == 1 && h.StartsWith(service.Spec) && p.mayTakeUp(service, n):
			continue // an interrupted start is taken up again in place
		}
		p.begin(service, cluster.Begin{Service: service.Spec.Name, Intent: cluster.IntentStop, Node: h.Node,
			Purpose: cluster.ForCleanup, Kill: service.Killed(), By: "recovery",
			Why: message.Sentence("removing what is left of it on " + h.Node)})
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
func (p *planner) waitsFor(service cluster.Service) string {
	var waits []string
	for _, h := range service.Holders {
		n, _ := p.Nodes.Get(h.Node)
		switch {
		case p.Fences.Has(h.Node):
			waits = append(waits, fmt.Sprintf("the fencing of %s, where it may be running", h.Node))
		case !n.Reachable():
			waits = append(waits, fmt.Sprintf("%s (%s), where it may be running: until that node answers or is confirmed off",
				h.Node, n.State))
		case h.Ask:
			waits = append(waits, fmt.Sprintf("%s to tell whether it runs there", h.Node))
		case h.Condition == string(resources.Unknown), !n.HungWhy(service).IsZero():
			waits = append(waits, fmt.Sprintf("the hypervisor on %s, which does not answer", h.Node))
		}
	}
	if len(waits) == 0 {
		return ""
	}
	return "waits for " + strings.Join(waits, " and for ")
}

func (p *planner) nextFor(service cluster.Service) message.Text {
	for _, h := range service.Holders {
		if p.stuck(h) || p.nodeState(h.Node) == cluster.NodeLeft {
			return message.Sentence("boot " + h.Node + ", or make sure that it is off and say so with `clusterd fence confirm " + h.Node + "`")
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
		return h.Node, message.Sentence("what an interrupted start left there is taken up again")
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
				return v.Node, message.Sentence("moves here, " + v.Why.String())
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
			return v.Node, message.Sentence("restarted in place, " + v.Why.String())
		default:
			return v.Node, message.Sentence("asked for, " + v.Why.String())
		}
	}
	if len(verdicts) > 0 && verdicts[0].Legal {
		return verdicts[0].Node, message.Sentence(verdicts[0].Why.String())
	}
	reasons := make([]string, 0, len(verdicts))
	for _, v := range verdicts {
		reasons = append(reasons, v.Node+": "+v.Why.String())
	}
	return "", message.Sentence("no node may run it (" + strings.Join(reasons, "; ") + ")")
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
	next := "it starts by itself when a legal node is online"
	if len(service.FailedOn) > 0 {
		next = fmt.Sprintf("mend the cause, then `clusvcadm -e %s`; it is tried again every %s", service.Spec.Name,
			PauseStartRounds)
	}
	p.wait(service.Spec.Name, why, message.Sentence(words.OrElse(advice.String(), next)))
}

// disksTaken says which running service has a disk of this one (law L9). Both were
// declared with it, and whoever came first keeps it: the other does not come up
// by itself, and must not hold up what starts after it.
func (p *planner) disksTaken(service cluster.Service) string {
	for _, other := range p.Services.Rows() {
		if other.Spec.Name == service.Spec.Name || !other.Up() {
			continue
		}
		for _, h := range other.Holders {
			if disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {
				return fmt.Sprintf("its disk %s is in use by %s", disks[0], other.Spec.Name)
			}
		}
	}
	return ""
}
