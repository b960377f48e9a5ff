package plan

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// noteAstray says of a running VM that it is on other disks.
func (p *planner) noteAstray(service cluster.Service) {
	if service.Astray == nil {
		return
	}
	why := "it runs on other disks than it was started with: " + service.Astray.String()
	if taken := p.TakenFrom(service); !taken.IsZero() {
		why += ". ONE DISK, TWO SERVICES: " + taken.String()
	}
	next := ""
	if service.Left().Leaves() {
		next = service.AstrayNext().String()
	}
	p.wait(service.Spec.Name, message.Sentence(why), message.Sentence(next))
}

// planFrozen proposes the end of a freeze when its time has come, and says what
// a frozen service is not given.
func (p *planner) planFrozen(service cluster.Service) {
	name, next := service.Spec.Name, "`clusvcadm -U "+service.Spec.Name+"`"
	frozen := service.Freeze
	if frozen != nil && !frozen.Until.IsZero() && p.reached(frozen.Until) {
		p.decision.propose(cluster.Thaw{Service: name, Until: frozen.Until})
		return
	}
	switch {
	case frozen != nil:
		why := fmt.Sprintf("it is %s, and frozen by %s", service.State, words.OrElse(frozen.By, "an administrator"))
		if until := frozen.EndText(); !until.IsZero() {
			why += " " + until.String()
		}
		p.wait(name, message.Sentence(words.Sentence(why+": nothing is done to it, whatever happens", frozen.Why)), message.Sentence(next))
	default:
		p.wait(name, message.Sentence(fmt.Sprintf("it is %s and frozen: nothing is done to it", service.State)), message.Sentence(next))
	}
}

// planGraves says what keeps the disks of removed services reserved, where only a
// person can end it: nobody stops what nobody declares.
func (p *planner) planGraves() {
	for _, uuid := range p.Tombstones.Keys() {
		grave, _ := p.Tombstones.Get(uuid)
		name := grave.Spec.Name
		for _, h := range grave.Holders {
			if _, why := p.Workable(h.Node); !why.IsZero() {
				p.wait(name, message.Sentence(fmt.Sprintf(
					"removed from the document, and may still be running on %s, so its disks stay reserved; %s", h.Node, why)),
					p.nextFor(grave))
				continue
			}
			p.wait(name, message.Sentence(fmt.Sprintf("removed from the document, and not proven gone from %s, so its disks stay reserved",
				h.Node)),
				message.Sentence("if it still runs there, stop it with `virsh destroy`, or declare it again with its UUID "+uuid))
		}
	}
}

// begin proposes an intent if Apply would take it. If not, the request behind
// it is answered, or a note says what stands in the way; so nothing is proposed
// forever that is refused forever.
func (p *planner) begin(service cluster.Service, c cluster.Begin) {
	refused := rules.BeginRefused(c, &p.World)
	if c.Intent == cluster.IntentStop && p.startsWith(c.Service) {
		p.wait(c.Service, message.Sentence("it is stopped when what depends on it and is being started is up"), message.Text{})
		return
	}
	deaf := p.deaf(c)
	switch {
	case refused == rules.Accepted && deaf != "":
		p.wait(c.Service, message.Sentence(deaf), message.Text{})
	case refused == rules.Accepted && p.departsAfter(service, c):
	case refused == rules.Accepted:
		p.decision.propose(c)
		switch c.Intent {
		case cluster.IntentStart:
			p.Load[c.Node]++
			p.starting++
			p.Also[c.Service] = c.Node
		case cluster.IntentMigrate:
			p.Also[c.Service] = c.Target
		case cluster.IntentStop:
			p.leaving[c.Service] = true
		}
	case service.Wish != nil:
		p.giveUp(service, refused.Code, refused.Why)
	default:
		p.wait(service.Spec.Name, refused.Why, message.Text{})
	}
}

func (p *planner) giveUp(service cluster.Service, code int, why message.Text) {
	p.decision.propose(cluster.GiveUp{Service: service.Spec.Name, Request: service.Wish.Request, Code: code, Why: why})
}

// planService decides what one service needs next: nothing, an intent, or a
// sentence that says what it waits for.
func (p *planner) planService(service cluster.Service) {
	switch {
	case p.moved[service.Spec.Name]: // it makes room for another one
	case service.Intent != nil:
		p.noteIntent(service)
	case service.Flags&resources.Frozen != 0:
		p.planFrozen(service)
	case p.Lock() != nil && p.Lock().Stop && service.State == resources.Started && service.Going() == "":
		p.planHalt(service)
	case !service.Enabled:
		p.planDown(service)
	case service.State == resources.Started:
		p.planStarted(service)
	case service.Held:
		p.wait(service.Spec.Name, message.Sentence("it was stopped by request, until the next change of a node"),
			message.Sentence("`clusvcadm -e "+service.Spec.Name+"` starts it now"))
	case service.State == resources.Failed:
		p.planFailed(service)
	default:
		p.planUp(service)
	}
}

// noteIntent says what an open intent waits for, where it is not simply under way.
func (p *planner) noteIntent(service cluster.Service) {
	intent, name := service.Intent, service.Spec.Name
	if intent.Twice {
		p.wait(name, service.Reason, service.TwiceRemedy())
		return
	}
	if p.planEnd(service) {
		return
	}
	ends := []string{intent.Node}
	if intent.Kind == cluster.IntentMigrate {
		ends = append(ends, intent.Target)
	}
	for _, end := range ends {
		if _, why := p.Workable(end); !why.IsZero() {
			p.wait(name, message.Sentence(fmt.Sprintf("its %s waits for %s: %s", intent.Kind, end, why)), message.Text{})
			return
		}
	}
	if intent.Settling {
		p.wait(name, message.Sentence(fmt.Sprintf("its migration did not end clean: what %s show is looked at", words.Joined(ends))),
			service.HungNext(p.unheard(service)))
		return
	}
	p.noteLong(service)
}

// planStarted looks after a running service: wishes, leaving nodes, failback.
func (p *planner) planStarted(service cluster.Service) {
	name, owner := service.Spec.Name, service.Owner
	n, why := p.Workable(owner)
	if !why.IsZero() {
		if h, _ := service.Holder(owner); service.Wish != nil && p.stuck(h) {
			p.giveUp(service, cluster.CodeNodeDead,
				message.Sentence(fmt.Sprintf("%s was on %s, and %s; it starts elsewhere by itself once %s is "+
					"confirmed off", name, owner, why, owner)))
		}
		p.wait(name, message.Sentence(fmt.Sprintf("ran on %s when it was last heard; %s. It is started elsewhere once %s is confirmed off",
			owner, why, owner)), message.Text{})
		return
	}
	if len(service.Running()) > 1 {
		p.wait(name, service.Reason, service.TwiceRemedy())
		if service.Wish != nil {
			p.giveUp(service, cluster.CodeTemporary, service.Reason)
		}
		return
	}
	h, _ := service.Holder(owner)
	if h.Condition == string(resources.Paused) {
		p.wait(name, message.Sentence(words.Sentence("paused on "+owner, h.Reason)), message.Sentence("mend the cause, then `virsh resume` on "+owner))
	} else if h.Condition != string(resources.Running) {
		next := ""
		if h.Condition == string(resources.Unknown) && service.Spec.Traits().Hypervisor {
			next = "if its hypervisor answers and its QEMU hangs: " + service.HungNext(owner).String()
		}
		p.wait(name, message.Sentence(words.Sentence(fmt.Sprintf("%s on %s", h.Condition, owner), h.Reason)), message.Sentence(next))
	} else if len(service.Holders) > 1 {
		p.noteCopies(service)
	}
	p.noteRules(service)
	p.noteLoop(service)
	p.noteAstray(service)
	p.asked = running{service: service, node: n, holder: h}
	p.askEach(&p.asked, movers)
}

// noteCopies says what is known of a running service besides its owner.
func (p *planner) noteCopies(service cluster.Service) {
	for _, h := range service.Holders {
		switch {
		case h.Node == service.Owner:
		case h.Ask:
			p.wait(service.Spec.Name, message.Sentence(fmt.Sprintf("it runs on %s; %s has not told yet whether it is there too", service.Owner,
				h.Node)), message.Text{})
		default:
			p.wait(service.Spec.Name,
				message.Sentence(words.Sentence(fmt.Sprintf("it runs on %s, and a copy on %s is %s", service.Owner, h.Node, h.Condition), h.Reason)),
				message.Sentence("decide which one is right and `virsh destroy` the other; it is not moved before"))
		}
	}
}

// placedByHand keeps what an administrator chose: failback waits for a change
// of the better node, as rgmanager's did for its events.
func (p *planner) placedByHand(service cluster.Service, target string) bool {
	n, _ := p.Nodes.Get(target)
	return service.IsPlaced() && service.Placed > n.Since
}

// planWish works on a request about a started service. Whether it can be done
// is asked again, because nodes come and go between the request and the act.
func (p *planner) planWish(r *running) answer {
	if r.service.Wish == nil {
		return answer{}
	}
	service, wish, name := r.service, r.service.Wish, r.service.Spec.Name
	stop := cluster.Begin{Service: name, Intent: cluster.IntentStop, Node: service.Owner, By: wish.By}
	switch wish.Op {
	case cluster.OpStop:
		stop.Purpose, stop.Why = cluster.ForStop, message.Sentence(words.Sentence("stopping until the next change of a node", wish.Reason))
	case cluster.OpRestart:
		stop.Purpose, stop.Why = cluster.ForRestart, message.Sentence(words.Sentence("stopping to restart it in place", wish.Reason))
	case cluster.OpRelocate:
		if refused := p.MayRelocate(service, cluster.Ask{Service: name, Node: wish.Target}); refused != rules.Accepted {
			return refusing(refused.Code, refused.Why)
		}
		stop.Purpose, stop.Why = cluster.ForRelocate, message.Sentence(words.Sentence("stopping to start it elsewhere", wish.Reason))
	case cluster.OpMigrate:
		if refused := p.MayMigrate(service, cluster.Ask{Service: name, Node: wish.Target}); refused != rules.Accepted {
			return refusing(refused.Code, refused.Why)
		}
		return acting(cluster.Begin{Service: name, Intent: cluster.IntentMigrate, Node: service.Owner, Target: wish.Target,
			By:  wish.By,
			Why: message.Sentence(words.Sentence(fmt.Sprintf("moves live from %s to %s", service.Owner, wish.Target), wish.Reason))})
	case cluster.OpConvalesce:
		return acting(cluster.Begin{Service: name, Intent: cluster.IntentConvalesce, Node: service.Owner, By: wish.By,
			Why: message.Sentence(words.Sentence("starting what it goes on without", wish.Reason))})
	default:
		done := p.Running(service, cluster.CodeSuccess, message.Sentence("it runs on "+service.Owner))
		return refusing(done.Code, done.Why)
	}
	if p.afterDependents(service) {
		return answer{kind: saysStay}
	}
	return acting(stop)
}
