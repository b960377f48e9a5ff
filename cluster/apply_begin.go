package cluster

import (
	"fmt"
	"slices"

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
	s.State = state
	e.Why = s.heldByLoss(from, e.Why)
	s.Reason, s.Changed = e.Why, t.index
	if state != resources.Started {
		s.Flags &^= resources.Partial // what goes on without a part of it has to go on
	}
	if state != resources.Failed {
		s.StopFailed = ""
	}
	s, e, tells := t.inLoop(s, from, e)
	t.Services.Set(s.Spec.Name, s)
	e.Subject, e.From, e.To = s.Spec.Name, from.String(), state.String()
	if tells {
		t.tell(e)
	}
	return s
}

// apply of an intent: the last net before something is done to a VM.
func (t *transaction) applyBegin(c Begin) refusal {
	if refused := c.refused(&t.World); refused != accepted {
		return refused
	}
	service, _ := t.Services.Get(c.Service)
	n, _ := t.Nodes.Get(c.Node)
	switch c.Intent {
	case IntentStart:
		t.beginStart(c, service, n)
	case IntentStop:
		t.beginStop(c, service, n)
	case IntentMigrate:
		t.beginMigration(c, service, n)
	case IntentConvalesce:
		t.beginConvalescence(c, service, n)
	case IntentReconfigure:
		t.beginReconfigure(c, service, n)
	}
	return accepted
}

// refused says why an intent may not be. It changes nothing: the planner asks
// it too, so that it never proposes for ever what Apply refuses for ever.
func (c Begin) refused(w *World) refusal {
	service, known := w.Services.Get(c.Service)
	if !known {
		return refuse("there is no service %s", c.Service)
	}
	if service.Intent != nil {
		return refuse("%s has an open intent to %s since index %d", c.Service, service.Intent.Kind, service.Intent.Index)
	}
	if service.Flags&resources.Frozen != 0 {
		return refusal{Code: codeFrozen, Why: c.Service + " is frozen"}
	}
	n, why := w.workable(c.Node)
	if why != "" {
		return refuse("%s", why)
	}
	switch c.Intent {
	case IntentStart:
		return c.startRefused(w, service, n)
	case IntentStop:
		return c.stopRefused(w, service, n)
	case IntentMigrate:
		return c.migrateRefused(w, service, n)
	case IntentConvalesce:
		return w.mayConvalesce(service)
	case IntentReconfigure:
		return c.reconfigureRefused(w, service, n)
	}
	return refuse("%q is no intent", c.Intent)
}

// workable tells whether a node may be given an act at all.
func (w *World) workable(name string) (Member, string) {
	n, known := w.Nodes.Get(name)
	switch {
	case !known:
		return n, "there is no node " + name
	case !n.Reachable():
		return n, fmt.Sprintf("%s is %s", name, n.State)
	case w.Fences.Has(name):
		return n, name + " is being fenced"
	}
	return n, ""
}

// mayRun tells whether a node may become a home of the service.
func (w *World) mayRun(service Service, n Member) string {
	switch {
	case n.Witness:
		return n.Name + " is a witness and runs no services"
	case n.State != NodeOnline:
		return fmt.Sprintf("%s is %s", n.Name, n.State)
	case n.Order != nil:
		return fmt.Sprintf("%s is %s", n.Name, n.orderWhy())
	}
	if why := w.unguarded(n); why != "" {
		return n.Name + " runs nothing yet: " + why
	}
	if why := n.hung(service); why != "" {
		return n.Name + ": " + why
	}
	if legal, why := domain.Legal(w.domainOf(service), n.Name); !legal {
		return fmt.Sprintf("%s: %s", n.Name, why)
	}
	return ""
}

// mayJoin is mayRun with the rules between services.
func (w *World) mayJoin(service Service, n Member) refusal {
	if why := w.mayRun(service, n); why != "" {
		return refuse("%s", why)
	}
	if why := w.objectionsTo(service).why[n.Name]; why != "" {
		return refuseAs(codeDependency, "%s: %s", n.Name, why)
	}
	return accepted
}

// domainOf returns the failover domain of a service, nil for none.
func (w *World) domainOf(service Service) *domain.Domain {
	d, declared := w.Document.Domains[service.Spec.Domain]
	if !declared {
		return nil
	}
	return &d
}

// disksFree enforces law L9 by what was started elsewhere.
func (w *World) disksFree(service Service) string {
	for _, other := range w.others(service.Spec.Name, service.Spec.UUID) {
		for _, h := range other.Holders {
			if disks := resources.Conflicts(h.Disks, service.Spec.Disks); len(disks) > 0 {
				return fmt.Sprintf("disk %s may be written by %s on %s", disks[0], other.Spec.Name, h.Node)
			}
		}
	}
	return ""
}

func (t *transaction) intentOf(c Begin, n Member) *Intent {
	return &Intent{
		Kind: c.Intent, Index: t.index, Generation: t.Generation, Place: len(t.events), At: t.at, Node: n.Name, Incarnation: n.Incarnation,
		Definition: c.Definition, Purpose: c.Purpose, Kill: c.Kill, By: c.By, Why: c.Why,
	}
}

// startRefused: a start is legal only when nobody may be running the service,
// or only the very boot that is to start it (law L1).
func (c Begin) startRefused(w *World, service Service, n Member) refusal {
	if service.State == resources.Started {
		return refuse("%s runs on %s", c.Service, service.Owner)
	}
	if refused := w.mayJoin(service, n); refused != accepted {
		return refused
	}
	if why := w.lacks(service); why != "" {
		return refusal{Code: codeDependency, Why: why}
	}
	for _, h := range service.Holders {
		switch {
		case !onBoot(n)(h):
			return refuse("%s may be running on %s (boot %.8s)", c.Service, h.Node, h.Boot)
		case h.Ask:
			return refuse("%s has not told yet whether it runs %s", h.Node, c.Service)
		case h.Definition != c.Definition:
			return refuse("what is left of %s on %s was started from definition %.12s", c.Service, h.Node, h.Definition)
		case !h.startsWith(service.Spec):
			return refuse("what is left of %s on %s was started with other disks than it is declared with now",
				c.Service, h.Node)
		}
	}
	if c.Definition != service.Spec.Definition || !w.Blobs.Has(c.Definition) {
		return refuse("the definition %.12s is not the one in force for %s", c.Definition, c.Service)
	}
	if why := w.disksFree(service); why != "" {
		return refuse("%s", why)
	}
	if why := service.holdsBack(); why != "" {
		return refusal{Code: codeInvalid, Why: why}
	}
	if !service.Enabled {
		return refuse("%s is disabled", c.Service)
	}
	if why := w.lockedWhy(); why != "" {
		return refusal{Code: codeTemporary, Why: why}
	}
	return accepted
}

func (t *transaction) beginStart(c Begin, service Service, n Member) {
	h := t.holderOn(n, "start intent", service.Spec, false)
	h.Creating = true
	entered := len(service.Holders) == 0
	service = service.withHolder(h)
	service.Intent, service.Behind = t.intentOf(c, n), nil
	service.Intent.Entered = entered
	service.Story = appendPhases(service.Story, Phase{What: "start issued", At: t.at})
	t.setService(service, resources.Starting, Event{Node: n.Name, By: c.By, Why: c.Why})
}

// appendPhases adds measured moments to a story that other roots may share; the
// newest are kept.
func appendPhases(story []Phase, phases ...Phase) []Phase {
	story = append(story[:len(story):len(story)], phases...)
	if excess := len(story) - maxPhases; excess > 0 {
		story = story[excess:]
	}
	return story
}

// stopRefused: only what may be there is stopped. A stop on request needs the
// request, so that a late twin of an intent stops nothing twice (law L7).
func (c Begin) stopRefused(w *World, service Service, n Member) refusal {
	h, held := service.holder(n.Name)
	if !held || !onBoot(n)(h) {
		return refuse("%s does not hold %s", n.Name, c.Service)
	}
	op, byRequest := map[Purpose]Operation{ForDisable: OpDisable, ForStop: OpStop, ForRestart: OpRestart, ForRelocate: OpRelocate}[c.Purpose]
	if byRequest && (service.Wish == nil || service.Wish.Op != op) {
		return refuse("there is no longer a request to %s %s", op, c.Service)
	}
	if why := service.throwsAway(); why != "" && c.Purpose != ForCleanup {
		return refusal{Code: codeInvalid, Why: why}
	}
	switch {
	case c.Purpose == ForRecovery && c.By == byLeave && n.State != NodeLeaving:
		return refuse("%s is no longer leaving", n.Name)
	case c.Purpose == ForRecovery && n.State == NodeLeaving && w.takesLive(service) != "":
		return refuse("%s leaves, and %s can take %s live", n.Name, w.takesLive(service), c.Service)
	case c.Purpose == ForDepend && w.follows(service) == "":
		return refuse("what %s depends on is there", c.Service)
	case c.Purpose == ForAhead && !slices.ContainsFunc(service.Spec.Depend, func(d resources.Dependency) bool { return d.Mode == resources.Hard }):
		return refuse("%s depends on nothing", c.Service)
	case c.Purpose == ForHalt && (w.Lock() == nil || !w.Lock().Stop):
		return refuse("the cluster is not being stopped")
	case c.Purpose == ForMove:
		return w.mayMoveTo(service, c.Target)
	}
	return accepted
}

// mayMoveTo asks before a stop whether the service may be started where it is to
// go.
func (w *World) mayMoveTo(service Service, target string) refusal {
	n, why := w.workable(target)
	if why != "" {
		return refusal{Code: codeNodeDead, Why: why}
	}
	if refused := w.mayJoin(service, n); refused != accepted {
		return refused
	}
	if why := w.lacks(service); why != "" {
		return refusal{Code: codeDependency, Why: why}
	}
	if why := w.lockedWhy(); why != "" {
		return refusal{Code: codeTemporary, Why: why}
	}
	return accepted
}

func (t *transaction) beginStop(c Begin, service Service, n Member) {
	service.Intent = t.intentOf(c, n)
	state := resources.Stopping
	if c.Purpose == ForMove {
		service = t.sentAway(t.stopToMove(service, c.Target), n)
	}
	if c.Purpose == ForRecovery && n.State == NodeLeaving {
		service = t.sentAway(service, n)
	}
	if c.Purpose == ForRecovery || c.Purpose == ForCleanup {
		state = resources.Recoverable
	}
	t.setService(service, state, Event{Node: n.Name, By: c.By, Why: c.Why})
}

func (c Begin) migrateRefused(w *World, service Service, n Member) refusal {
	target, why := w.workable(c.Target)
	if why != "" {
		return refusal{Code: codeNodeDead, Why: why}
	}
	if refused := w.mayJoin(service, target); refused != accepted {
		return refusal{Code: codeDependency, Why: refused.Why}
	}
	if service.Spec.Kind() != resources.KindVM {
		return refusal{Code: codeInvalid, Why: notLive(service)}
	}
	if service.Owner != n.Name || service.State != resources.Started || target.Name == n.Name {
		return refuse("%s is %s on %q, it cannot migrate from %s to %s", c.Service, service.State, service.Owner, n.Name, target.Name)
	}
	if len(service.Holders) != 1 || service.Holders[0].Ask || service.Holders[0].Condition != string(resources.Running) {
		return refuseAs(codeTemporary, "%s is not known to run on %s alone (it may be on %s)", c.Service, n.Name, holderNames(service))
	}
	if why := w.turnsKey(n.Name, target.Name); why != "" {
		return refusal{Code: codeTemporary, Why: why}
	}
	// Nobody is asked about its disks: it brings along those that it has, and who else may
	// write to one does so already. To stop it instead would only add an outage to that.
	return accepted
}

// beginMigration makes both boots holders, from reservation to commit (law L5).
func (t *transaction) beginMigration(c Begin, service Service, n Member) {
	target, _ := t.Nodes.Get(c.Target)
	source := service.Holders[0]
	h := t.holderOn(target, "migration target", service.Spec, false)
	h.Definition, h.Disks, h.Declared = source.Definition, source.Disks, source.Declared
	service = service.withHolder(h)
	service.Intent = t.intentOf(c, n)
	service.Intent.Target, service.Intent.TargetIncarnation = target.Name, target.Incarnation
	service = t.sentAway(service, n)
	if c.By == "room" {
		service = t.troubled(service, n, TroubleRoom, c.Why)
	}
	t.setService(service, resources.Migrating, Event{Node: n.Name, By: c.By, Why: c.Why})
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
			t.tell(Event{Node: n.Name, Subject: name, Cause: open.Index, Why: "the fence attempt by " + n.Name + " has no result: " + why})
		}
	}
}

// voidIntent ends an act whose executor is gone. The call it made may still
// come about, so the holders stay; the node is asked what is there.
func (t *transaction) voidIntent(service Service, why string) Service {
	intent := service.Intent
	if intent.Ending {
		next := *intent
		next.Asked, next.Generation = next.Asked+1, t.Generation
		service.Intent = &next
		t.Services.Set(service.Spec.Name, service)
		return service
	}
	if intent.Kind == IntentMigrate {
		t.tell(Event{Node: intent.Node, Subject: service.Spec.Name, Cause: intent.Index, Why: why + ": both ends of the migration are asked"})
		service = t.askBothEnds(service, why)
		t.Services.Set(service.Spec.Name, service)
		return service
	}
	service.Intent = nil
	if h, held := service.holder(intent.Node); held {
		h.Ask, h.Since, h.Why = true, t.index, why
		service = service.withHolder(h)
	}
	// A stop that may not have happened leaves the service where it belongs; the
	// request behind it is still there and asks again.
	state := resources.Recovering
	if h, _ := service.holder(intent.Node); h.fallen() {
		state = resources.Recoverable // what its crash left behind has still to be removed
	} else if intent.Kind != IntentStart && service.Owner == intent.Node {
		state = resources.Started
	}
	return t.setService(service, state, Event{Node: intent.Node, Cause: intent.Index, Why: fmt.Sprintf("%s: what became of the %s is looked for", why, intent.Kind)})
}

// askBothEnds begins a new round of settling a migration: first the source is
// asked, then the target. What was known of either end is from before.
func (t *transaction) askBothEnds(service Service, why string) Service {
	next := *service.Intent
	next.Settling, next.Asked, next.SourceSeen, next.Generation = true, next.Asked+1, 0, t.Generation
	service.Intent, service.Changed = &next, t.index
	service = t.askEnd(service, next.Node, why)
	if !service.asking(next.Node) {
		next.SourceSeen = t.index
		service = t.askEnd(service, next.Target, why)
	}
	return service
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
