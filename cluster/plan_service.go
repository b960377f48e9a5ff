package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// begin proposes an intent if Apply would take it. If not, the request behind
// it is answered, or a note says what stands in the way; so nothing is proposed
// for ever that is refused for ever.
func (p *planner) begin(service Service, c Begin) {
	refused := c.refused(&p.World)
	if c.Intent == IntentStop && p.startsWith(c.Service) {
		p.wait(c.Service, "it is stopped when what depends on it and is being started is up", "")
		return
	}
	deaf := p.deaf(c)
	switch {
	case refused == accepted && deaf != "":
		p.wait(c.Service, deaf, "")
	case refused == accepted && p.departsAfter(service, c):
	case refused == accepted:
		p.decision.propose(c)
		switch c.Intent {
		case IntentStart:
			p.load[c.Node]++
			p.starting++
			p.also[c.Service] = c.Node
		case IntentMigrate:
			p.also[c.Service] = c.Target
		case IntentStop:
			p.leaving[c.Service] = true
		}
	case service.Wish != nil:
		p.giveUp(service, refused.Code, refused.Why)
	default:
		p.wait(service.Spec.Name, refused.Why, "")
	}
}

func (p *planner) giveUp(service Service, code int, why string) {
	p.decision.propose(GiveUp{Service: service.Spec.Name, Request: service.Wish.Request, Code: code, Why: why})
}

// planService decides what one service needs next: nothing, an intent, or a
// sentence that says what it waits for.
func (p *planner) planService(service Service) {
	switch {
	case p.moved[service.Spec.Name]: // it makes room for another one
	case service.Intent != nil:
		p.noteIntent(service)
	case service.Flags&resources.Frozen != 0:
		p.planFrozen(service)
	case p.Lock() != nil && p.Lock().Stop && service.State == resources.Started && service.going() == "":
		p.planHalt(service)
	case !service.Enabled:
		p.planDown(service)
	case service.State == resources.Started:
		p.planStarted(service)
	case service.Held:
		p.wait(service.Spec.Name, "it was stopped by request, until the next change of a node",
			"`clusvcadm -e "+service.Spec.Name+"` starts it now")
	case service.State == resources.Failed:
		p.planFailed(service)
	default:
		p.planUp(service)
	}
}

// noteIntent says what an open intent waits for, where it is not simply under way.
func (p *planner) noteIntent(service Service) {
	intent, name := service.Intent, service.Spec.Name
	if intent.Twice {
		p.wait(name, service.Reason, service.twiceRemedy())
		return
	}
	if p.planEnd(service) {
		return
	}
	ends := []string{intent.Node}
	if intent.Kind == IntentMigrate {
		ends = append(ends, intent.Target)
	}
	for _, end := range ends {
		if _, why := p.workable(end); why != "" {
			p.wait(name, fmt.Sprintf("its %s waits for %s: %s", intent.Kind, end, why), "")
			return
		}
	}
	if intent.Settling {
		p.wait(name, fmt.Sprintf("its migration did not end clean: what %s show is looked at", joined(ends)),
			service.hungNext(p.unheard(service)))
		return
	}
	p.noteLong(service)
}

// planStarted looks after a running service: wishes, leaving nodes, failback.
func (p *planner) planStarted(service Service) {
	name, owner := service.Spec.Name, service.Owner
	n, why := p.workable(owner)
	if why != "" {
		if h, _ := service.holder(owner); service.Wish != nil && p.stuck(h) {
			p.giveUp(service, codeNodeDead, fmt.Sprintf("%s was on %s, and %s; it starts elsewhere by itself once %s is "+
				"confirmed off", name, owner, why, owner))
		}
		p.wait(name, fmt.Sprintf("ran on %s when it was last heard; %s. It is started elsewhere once %s is confirmed off", owner, why, owner), "")
		return
	}
	if len(service.running()) > 1 {
		p.wait(name, service.Reason, service.twiceRemedy())
		if service.Wish != nil {
			p.giveUp(service, codeTemporary, service.Reason)
		}
		return
	}
	h, _ := service.holder(owner)
	if h.Condition == string(resources.Paused) {
		p.wait(name, sentence("paused on "+owner, h.Reason), "mend the cause, then `virsh resume` on "+owner)
	} else if h.Condition != string(resources.Running) {
		next := ""
		if h.Condition == string(resources.Unknown) && service.Spec.Kind() == resources.KindVM {
			next = "if its hypervisor answers and its QEMU hangs: " + service.hungNext(owner)
		}
		p.wait(name, sentence(fmt.Sprintf("%s on %s", h.Condition, owner), h.Reason), next)
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
func (p *planner) noteCopies(service Service) {
	for _, h := range service.Holders {
		switch {
		case h.Node == service.Owner:
		case h.Ask:
			p.wait(service.Spec.Name, fmt.Sprintf("it runs on %s; %s has not told yet whether it is there too", service.Owner, h.Node), "")
		default:
			p.wait(service.Spec.Name, sentence(fmt.Sprintf("it runs on %s, and a copy on %s is %s", service.Owner, h.Node, h.Condition), h.Reason),
				"decide which one is right and `virsh destroy` the other; it is not moved before")
		}
	}
}

// placed tells whether a service is where an administrator put it.
func (s Service) placed() bool { return s.Placed > 0 && s.PlacedOn == s.Owner }

// placedBy marks a service as put where it is, if the request that ended well said
// where: another service's wish is no wish about a place.
func (s Service) placedBy(wish Wish, index uint64) Service {
	chosen := wish.Op == OpMigrate || wish.Op == OpRelocate || wish.Op == OpEnable
	if chosen && (wish.Target == s.Owner || (wish.Target == "" && wish.Op == OpRelocate)) {
		s.Placed, s.PlacedOn = index, s.Owner
	}
	return s
}

// placedByHand keeps what an administrator chose: failback waits for a change
// of the better node, as rgmanager's did for its events.
func (p *planner) placedByHand(service Service, target string) bool {
	n, _ := p.Nodes.Get(target)
	return service.placed() && service.Placed > n.Since
}

// planWish works on a request about a started service. Whether it can be done
// is asked again, because nodes come and go between the request and the act.
func (p *planner) planWish(r *running) answer {
	if r.service.Wish == nil {
		return answer{}
	}
	service, wish, name := r.service, r.service.Wish, r.service.Spec.Name
	stop := Begin{Service: name, Intent: IntentStop, Node: service.Owner, By: wish.By}
	switch wish.Op {
	case OpStop:
		stop.Purpose, stop.Why = ForStop, sentence("stopping until the next change of a node", wish.Reason)
	case OpRestart:
		stop.Purpose, stop.Why = ForRestart, sentence("stopping to restart it in place", wish.Reason)
	case OpRelocate:
		if refused := p.mayRelocate(service, Ask{Service: name, Node: wish.Target}); refused != accepted {
			return refusing(refused.Code, refused.Why)
		}
		stop.Purpose, stop.Why = ForRelocate, sentence("stopping to start it elsewhere", wish.Reason)
	case OpMigrate:
		if refused := p.mayMigrate(service, Ask{Service: name, Node: wish.Target}); refused != accepted {
			return refusing(refused.Code, refused.Why)
		}
		return acting(Begin{Service: name, Intent: IntentMigrate, Node: service.Owner, Target: wish.Target, By: wish.By,
			Why: sentence(fmt.Sprintf("moves live from %s to %s", service.Owner, wish.Target), wish.Reason)})
	case OpConvalesce:
		return acting(Begin{Service: name, Intent: IntentConvalesce, Node: service.Owner, By: wish.By,
			Why: sentence("starting what it goes on without", wish.Reason)})
	default:
		done := p.running(service, codeSuccess, "it runs on "+service.Owner)
		return refusing(done.Code, done.Why)
	}
	if p.afterDependents(service) {
		return answer{kind: saysStay}
	}
	return acting(stop)
}
