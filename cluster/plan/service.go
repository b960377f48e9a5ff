package plan

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// noteAstray says of a running VM that it is on other disks.
func (p *planner) noteAstray(service cluster.Service) {
	if service.Astray == nil {
		return
	}
	var next message.Text
	if service.Left().Leaves() {
		next = service.AstrayNext()
	}
	p.wait(service.Spec.Name, message.VMDisksOther.With(service.Astray.String(), p.TakenFrom(service)), next)
}

// notePlugged says of a running VM which of its devices the next start is without. Nothing looks
// again because a definition was declared anew: until something does, what can be told of the new
// one is that it may have them.
func (p *planner) notePlugged(service cluster.Service, h cluster.Holder) {
	name, devices := service.Spec.Name, h.PluggedNames()
	switch {
	case devices == "":
	case h.Definition == service.Spec.Definition:
		p.wait(name, message.VMPlugged.With(devices), message.DoDeclareDevices.With(name))
	default:
		p.wait(name, message.VMPluggedThen.With(devices), message.DoSeeDevices.With(name))
	}
}

// planFrozen proposes the end of a freeze when its time has come, and says what
// a frozen service is not given.
func (p *planner) planFrozen(service cluster.Service) {
	name := service.Spec.Name
	frozen := service.Freeze
	if frozen != nil && !frozen.Until.IsZero() && p.reached(frozen.Until) {
		p.decision.propose(cluster.Thaw{Service: name, Until: frozen.Until})
		return
	}
	why := message.FrozenAlone.With(service.State, "", "", "")
	if frozen != nil {
		why = message.FrozenAlone.With(service.State, frozen.By, frozen.EndText(), frozen.Why)
	}
	p.wait(name, why, message.DoThawService.With(name))
}

// planGraves says what keeps the disks of removed services reserved, where only a
// person can end it: nobody stops what nobody declares.
func (p *planner) planGraves() {
	for _, uuid := range p.Tombstones.Keys() {
		grave, _ := p.Tombstones.Get(uuid)
		name := grave.Spec.Name
		for _, h := range grave.Holders {
			if _, why := p.Workable(h.Node); !why.IsZero() {
				p.wait(name, message.GraveSilent.With(h.Node, why), p.nextFor(grave))
				continue
			}
			p.wait(name, message.GraveUnproven.With(h.Node), message.DoDestroyOrDeclare.With(uuid))
		}
	}
}

// begin proposes an intent if Apply would take it. If not, the request behind
// it is answered, or a note says what stands in the way; so nothing is proposed
// forever that is refused forever.
func (p *planner) begin(service cluster.Service, c cluster.Begin) {
	refused := rules.BeginRefused(c, &p.World)
	if c.Intent == cluster.IntentStop && p.startsWith(c.Service) {
		p.wait(c.Service, message.StopAfterStarts.With(), message.Text{})
		return
	}
	deaf := p.deaf(c)
	switch {
	case refused == rules.Accepted && !deaf.IsZero():
		p.wait(c.Service, deaf, message.Text{})
	case refused == rules.Accepted && p.departsAfter(service, c):
	case refused == rules.Accepted:
		p.decision.propose(c)
		switch c.Intent {
		case cluster.IntentStart:
			p.Load[c.Node]++
			p.starting++
			p.Puts(&service, c.Node)
		case cluster.IntentMigrate:
			p.Puts(&service, c.Target)
		case cluster.IntentStop:
			p.leaving[c.Service] = true
			p.takes(&service, goesTo(service, c))
		}
	case service.Wish != nil:
		p.giveUp(service, refused.Code, refused.Why)
	default:
		p.wait(service.Spec.Name, refused.Why, message.Text{})
	}
}

// goesTo is where a service is to be started once a stop is over, as far as that was chosen.
func goesTo(service cluster.Service, c cluster.Begin) string {
	if c.Purpose == cluster.ForRelocate && service.Wish != nil {
		return service.Wish.Target
	}
	return c.Target
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
		p.wait(service.Spec.Name, message.HeldByRequest.With(), message.DoStartNow.With(service.Spec.Name))
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
			p.wait(name, message.ActWaits.With(intent.Kind, end, why), message.Text{})
			return
		}
	}
	if source, target := service.Ends(); intent.Settling && (source == string(resources.Split) ||
		target == string(resources.Split)) {
		p.wait(name, message.MigrationSplit.With(intent.Node, intent.Target, ""), message.Text{})
		return
	}
	if intent.Settling {
		p.wait(name, message.MigrationUnsettled.With(ends), service.HungNext(p.unheard(service)))
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
			p.giveUp(service, cluster.CodeNodeDead, message.RequestOwnerSilent.With(name, owner, why))
		}
		p.wait(name, message.ServiceThenSilent.With(owner, why), message.Text{})
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
		p.wait(name, message.OwnerPaused.With(owner, h.Reason), message.DoFixAndResume.With(owner))
	} else if h.Condition != string(resources.Running) {
		var next message.Text
		if h.Condition == string(resources.Unknown) && service.Spec.Traits().Hypervisor {
			next = message.DoIfQEMUHangs.With(service.HungNext(owner))
		}
		p.wait(name, message.OwnerUnwell.With(h.Condition, owner, h.Reason), next)
	} else if len(service.Holders) > 1 {
		p.noteCopies(service)
	}
	p.noteRules(service)
	p.noteLoop(service)
	p.noteAstray(service)
	p.notePlugged(service, h)
	p.asked = running{service: service, node: n, holder: h}
	p.askEach(&p.asked, movers)
}

// noteCopies says what is known of a running service besides its owner.
func (p *planner) noteCopies(service cluster.Service) {
	for _, h := range service.Holders {
		switch {
		case h.Node == service.Owner:
		case h.Ask:
			p.wait(service.Spec.Name, message.CopyUntold.With(service.Owner, h.Node), message.Text{})
		default:
			p.wait(service.Spec.Name,
				message.CopyFound.With(service.Owner, h.Node, h.Condition, h.Reason), message.DoDestroyCopy.With())
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
		stop.Purpose, stop.Why = cluster.ForStop, message.RequestStops.With(wish.Reason)
	case cluster.OpRestart:
		stop.Purpose, stop.Why = cluster.ForRestart, message.RequestRestarts.With(wish.Reason)
	case cluster.OpRelocate:
		if refused := p.MayRelocate(service, cluster.Ask{Service: name, Node: wish.Target}); refused != rules.Accepted {
			return refusing(refused.Code, refused.Why)
		}
		stop.Purpose, stop.Why = cluster.ForRelocate, message.RequestRelocates.With(wish.Reason)
	case cluster.OpMigrate:
		if refused := p.MayMigrate(service, cluster.Ask{Service: name, Node: wish.Target}); refused != rules.Accepted {
			return refusing(refused.Code, refused.Why)
		}
		return acting(cluster.Begin{Service: name, Intent: cluster.IntentMigrate, Node: service.Owner, Target: wish.Target,
			By: wish.By, Why: message.RequestMigrates.With(service.Owner, wish.Target, wish.Reason)})
	case cluster.OpConvalesce:
		return acting(cluster.Begin{Service: name, Intent: cluster.IntentConvalesce, Node: service.Owner, By: wish.By,
			Why: message.RequestConvalesces.With(wish.Reason)})
	default:
		done := p.Running(service, cluster.CodeSuccess, message.RequestAlreadyUp.With(service.Owner))
		return refusing(done.Code, done.Why)
	}
	if p.afterDependents(service) {
		return answer{kind: saysStay}
	}
	return acting(stop)
}
