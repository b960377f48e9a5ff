package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// endPatience is how long a disabled service may go on migrating, or be looked for at
// both ends, before it is ended there without a further look.
const endPatience = 10 * time.Second

// EndMove ends a migration that does not end by itself, because somebody wants its
// service down: what is left at either end is destroyed. That needs no answer about
// what is there, and a guest process that hangs gives none.
type EndMove struct {
	Service string `json:"service"`
	// Act is the index of the migration's intent.
	Act uint64 `json:"act"`
	By  string `json:"by,omitempty"`
}

// Kind names it in the log.
func (EndMove) Kind() string { return "end-move" }

func (t *transaction) applyEndMove(c EndMove) refusal {
	service, known := t.Services.Get(c.Service)
	intent := service.Intent
	switch {
	case !known || intent == nil || intent.Kind != IntentMigrate || intent.Index != c.Act:
		return refuse("the migration %d of %s is no longer open", c.Act, c.Service)
	case service.Wish == nil || service.Wish.Op != OpDisable:
		return refuse("nobody wants %s down", c.Service)
	case intent.Ending:
		return refuse("%s is being ended already", c.Service)
	}
	next := *intent
	next.Ending, next.Settling, next.Asked, next.Generation = true, true, next.Asked+1, t.Generation
	service.Intent = &next
	for _, node := range []string{next.Node, next.Target} {
		if h, held := service.holder(node); held {
			h.Ask = false // what it shows does not matter any more
			service = service.withHolder(h)
		}
	}
	t.setService(service, service.State, Event{Node: next.Node, Cause: next.Index, By: c.By,
		Why: fmt.Sprintf("disabled, and its migration does not end: it is destroyed on %s and on %s",
			next.Node, next.Target)})
	return accepted
}

// endedMove closes a migration that is being ended, once nothing is left at both ends.
func (t *transaction) endedMove(service Service) {
	intent := *service.Intent
	service.Changed = t.index
	for _, node := range []string{intent.Node, intent.Target} {
		if _, held := service.holder(node); held {
			t.Services.Set(service.Spec.Name, service)
			return
		}
	}
	service.Intent, service.Owner, service.LastOwner = nil, "", intent.Node
	if t.adoptLast(service) {
		return
	}
	service = t.askReachable(service, "")
	state := resources.Recovering
	if !service.Enabled {
		state = resources.Disabled
	}
	t.atRest(t.setService(service, state, Event{Node: intent.Node, Cause: intent.Index, By: intent.By,
		Why: "destroyed at both ends of its migration"}))
}

// endDuty is what one end of a migration has to do that is being ended.
func endDuty(s *State, service Service, n Member) []Duty {
	h, held := service.holder(n.Name)
	if !held || !onBoot(n)(h) || (n.Name != service.Intent.Node && n.Name != service.Intent.Target) {
		return nil
	}
	d := vmDuty(s, service, n, DutyStop)
	d.Kill, d.Ends = true, true
	return []Duty{d}
}

// cancelMove asks for a migration under way to be given up. The abort may come too
// late: then it ends as it would have.
func (t *transaction) cancelMove(service Service, c Ask, request Request) {
	intent := service.Intent
	switch {
	case intent == nil || intent.Kind != IntentMigrate:
		t.keepRequest(answered(request, refusal{Code: codeInvalid, Why: c.Service + " is not being migrated"}))
		return
	case intent.Settling:
		t.keepRequest(answered(request, refusal{Code: codeTemporary, Why: "the migration of " + c.Service +
			" has ended already; what both ends show is looked at"}))
		return
	}
	t.setService(service.moveCancelled(c.By), service.State, Event{Node: intent.Node, Cause: intent.Index, By: c.By,
		Why: sentence("its migration is to be given up", c.Reason)})
	request.Owner = service.Owner
	t.keepRequest(answered(request, refusal{Code: codeSuccess, Why: ""}))
}

// moveCancelled notes that a migration under way is to be given up.
func (s Service) moveCancelled(by string) Service {
	if i := s.Intent; i != nil && i.Kind == IntentMigrate && !i.Settling {
		next := *i
		next.Cancelled = orElse(by, "an administrator")
		s.Intent = &next
	}
	return s
}

// endsMove tells whether a migration goes on of a service that is to be down, and has
// not been told to end.
func (s *Service) endsMove() bool {
	i := s.Intent
	return i != nil && i.Kind == IntentMigrate && !i.Ending && s.Wish != nil && s.Wish.Op == OpDisable
}

// restEnd measures how long a migration has gone on whose service is to be down.
func (v View) restEnd(service *Service, tick time.Duration) {
	if !service.endsMove() {
		return
	}
	name := service.Spec.Name
	w := v.Ends[name]
	if w.Index != service.Wish.Index {
		w = loopwatch{Index: service.Wish.Index}
	}
	w.For += tick
	v.Ends[name] = w
}

// planEnd ends a migration that does not end by itself, or says how a person can. It
// tells whether there is nothing more to be said.
func (p *planner) planEnd(service Service) bool {
	intent, name := service.Intent, service.Spec.Name
	if intent.Kind != IntentMigrate {
		return false
	}
	if intent.Ending {
		for _, node := range []string{intent.Node, intent.Target} {
			if _, held := service.holder(node); held {
				p.wait(name, "it is being ended; "+node+" has not confirmed it",
					fmt.Sprintf("`virsh destroy %s` on %s", service.Spec.Short(), node))
			}
		}
		return true
	}
	if w := p.view.Ends[name]; service.Wish != nil && w.Index == service.Wish.Index && w.For >= endPatience {
		p.decision.propose(EndMove{Service: name, Act: intent.Index, By: service.Wish.By})
		return true
	}
	return false
}

// hungNext says what a person does about a guest of which nobody can tell anything.
func (s Service) hungNext(node string) string {
	return fmt.Sprintf("`virsh destroy %s` on %s, where nothing answers for it, or `clusvcadm -d %s`, which ends it",
		s.Spec.Short(), node, s.Spec.Name)
}

// unheard is the end of a migration that has not answered: the target is asked after
// the source.
func (p *planner) unheard(service Service) string {
	if service.asking(service.Intent.Node) || service.Intent.SourceSeen == 0 {
		return service.Intent.Node
	}
	return service.Intent.Target
}
