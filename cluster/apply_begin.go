package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// setService moves a service to a state and tells so. The sentence also stays
// with the service as its reason.
func (t *transaction) setService(s Service, state resources.State, e Event) Service {
	from := s.State
	if from != state {
		s.Since, s.SinceAt = t.index, t.at
	}
	s.State, s.Reason = state, e.Why
	t.Services.Set(s.Spec.Name, s)
	e.Subject, e.From, e.To = s.Spec.Name, from.String(), state.String()
	t.tell(e)
	return s
}

// apply of an intent: the last net before something is done to a VM.
func (c Begin) apply(t *transaction) refusal {
	service, known := t.Services.Get(c.Service)
	if !known {
		return refuse("there is no service %s", c.Service)
	}
	if service.Intent != nil {
		return refuse("%s has an open intent to %s since index %d", c.Service, service.Intent.Kind, service.Intent.Index)
	}
	if service.Flags&resources.Frozen != 0 {
		return refusal{codeFrozen, c.Service + " is frozen"}
	}
	n, why := t.workable(c.Node)
	if why != "" {
		return refuse("%s", why)
	}
	switch c.Intent {
	case IntentStart:
		return c.start(t, service, n)
	case IntentStop:
		return c.stop(t, service, n)
	case IntentMigrate:
		return c.migrate(t, service, n)
	}
	return refuse("%q is no intent", c.Intent)
}

// workable tells whether a node may be given an act at all.
func (t *transaction) workable(name string) (Member, string) {
	n, known := t.Nodes.Get(name)
	switch {
	case !known:
		return n, "there is no node " + name
	case !n.Reachable():
		return n, fmt.Sprintf("%s is %s", name, n.State)
	case t.Fences.Has(name):
		return n, name + " is being fenced"
	}
	return n, ""
}

// mayRun tells whether a node may become a home of the service.
func (t *transaction) mayRun(service Service, n Member) string {
	switch {
	case n.Witness:
		return n.Name + " is a witness and runs no services"
	case n.State != NodeOnline:
		return fmt.Sprintf("%s is %s", n.Name, n.State)
	}
	if legal, why := domain.Legal(t.domainOf(service), n.Name); !legal {
		return fmt.Sprintf("%s: %s", n.Name, why)
	}
	return ""
}

// domainOf returns the failover domain of a service, nil for none.
func (s *State) domainOf(service Service) *domain.Domain {
	d, declared := s.Document.Domains[service.Spec.Domain]
	if !declared {
		return nil
	}
	return &d
}

// disksFree enforces law L9 by what was started elsewhere.
func (t *transaction) disksFree(service Service) string {
	for _, other := range t.others(service.Spec.Name, service.Spec.UUID) {
		for _, h := range other.Holders {
			if disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {
				return fmt.Sprintf("disk %s may be written by %s on %s", disks[0], other.Spec.Name, h.Node)
			}
		}
	}
	return ""
}

func (c Begin) intent(t *transaction, n Member) *Intent {
	return &Intent{
		Kind: c.Intent, Index: t.index, Generation: t.Generation, At: t.at, Node: n.Name, Incarnation: n.Incarnation,
		Definition: c.Definition, Purpose: c.Purpose, Kill: c.Kill, By: c.By, Why: c.Why,
	}
}

// start is legal only when nobody may be running the service, or only the very
// boot that is to start it (law L1).
func (c Begin) start(t *transaction, service Service, n Member) refusal {
	if why := t.mayRun(service, n); why != "" {
		return refuse("%s", why)
	}
	for _, h := range service.Holders {
		if !onBoot(n)(h) {
			return refuse("%s may be running on %s (boot %.8s)", c.Service, h.Node, h.Boot)
		}
		if h.Ask {
			return refuse("%s has not told yet whether it runs %s", h.Node, c.Service)
		}
	}
	if c.Definition != service.Spec.Definition || !t.Blobs.Has(c.Definition) {
		return refuse("the definition %.12s is not the one in force for %s", c.Definition, c.Service)
	}
	if why := t.disksFree(service); why != "" {
		return refuse("%s", why)
	}
	if !service.Enabled {
		return refuse("%s is disabled", c.Service)
	}
	h := t.holderOn(n, "start intent", service.Spec, false)
	service = service.withHolder(h)
	service.Intent = c.intent(t, n)
	service.Story = append(service.Story[:len(service.Story):len(service.Story)], Phase{What: "start issued", At: t.at})
	t.setService(service, resources.Starting, Event{Node: n.Name, By: c.By, Why: c.Why})
	return accepted
}

func (c Begin) stop(t *transaction, service Service, n Member) refusal {
	h, held := service.holder(n.Name)
	if !held || !onBoot(n)(h) {
		return refuse("%s does not hold %s", n.Name, c.Service)
	}
	service.Intent = c.intent(t, n)
	state := resources.Stopping
	if c.Purpose == ForRecovery || c.Purpose == ForCleanup {
		state = resources.Recoverable
	}
	t.setService(service, state, Event{Node: n.Name, By: c.By, Why: c.Why})
	return accepted
}

// migrate makes both boots holders, from reservation to commit (law L5).
func (c Begin) migrate(t *transaction, service Service, n Member) refusal {
	target, why := t.workable(c.Target)
	if why != "" {
		return refusal{codeNodeDead, why}
	}
	if why := t.mayRun(service, target); why != "" {
		return refusal{codeDependency, why}
	}
	if service.Owner != n.Name || service.State != resources.Started || target.Name == n.Name {
		return refuse("%s is %s on %q, it cannot migrate from %s to %s", c.Service, service.State, service.Owner, n.Name, target.Name)
	}
	if len(service.Holders) != 1 || service.Holders[0].Ask || service.Holders[0].Condition != string(resources.Running) {
		return refuse("%s is not known to run on %s alone (%s)", c.Service, n.Name, holderNames(service))
	}
	if why := t.disksFree(service); why != "" {
		return refuse("%s", why)
	}
	source := service.Holders[0]
	h := t.holderOn(target, "migration target", service.Spec, false)
	h.Definition, h.Disks = source.Definition, source.Disks
	service = service.withHolder(h)
	service.Intent = c.intent(t, n)
	service.Intent.Target, service.Intent.TargetIncarnation = target.Name, target.Incarnation
	t.setService(service, resources.Migrating, Event{Node: n.Name, By: c.By, Why: c.Why})
	return accepted
}

// voidIntentsOf takes the acts of older incarnations of a node back (law L2).
func (t *transaction) voidIntentsOf(n Member, why string) {
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		if service.Intent != nil && service.Intent.Node == n.Name {
			t.voidIntent(service, why)
		}
	}
	for _, name := range t.Fences.Keys() {
		if open, _ := t.Fences.Get(name); open.Fencer == n.Name {
			t.Fences.Set(name, open.afterAttempt(unknownAttempt(open), why))
		}
	}
}

// voidIntent ends an act whose executor is gone. The call it made may still
// come about, so the holders stay; the node is asked what is there.
func (t *transaction) voidIntent(service Service, why string) {
	intent := service.Intent
	if intent.Kind == IntentMigrate {
		next := *intent
		next.Settling, next.Asked, next.SourceSeen = true, next.Asked+1, 0
		service.Intent = &next
		t.Services.Set(service.Spec.Name, t.askEnd(service, intent.Node, why))
		t.tell(Event{Node: intent.Node, Subject: service.Spec.Name, Cause: intent.Index, Why: why + ": both ends of the migration are asked"})
		return
	}
	service.Intent = nil
	if h, held := service.holder(intent.Node); held {
		h.Ask, h.Since, h.Why = true, t.index, why
		service = service.withHolder(h)
	}
	state := service.State
	if intent.Kind == IntentStart {
		state = resources.Recovering
	}
	t.setService(service, state, Event{Node: intent.Node, Cause: intent.Index, Why: fmt.Sprintf("%s: what became of the %s is looked for", why, intent.Kind)})
}

// askEnd marks one end of a migration as unknown, so that its node looks.
func (t *transaction) askEnd(service Service, node, why string) Service {
	h, held := service.holder(node)
	if !held {
		return service
	}
	h.Ask, h.Since, h.Why = true, t.index, why
	return service.withHolder(h)
}
