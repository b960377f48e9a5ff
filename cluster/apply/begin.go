package apply

import (
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// setService moves a service to a state and tells so. The sentence also stays
// with the service as its reason.
func (t *transaction) setService(s cluster.Service, state resources.State, e cluster.Event) cluster.Service {
	from := s.State
	if from != state {
		s.Since, s.SinceAt = t.index, t.At
	}
	s.State = state
	e.Why = s.HeldByLoss(from, e.Why)
	s.Reason, s.Changed = e.Why, t.index
	if state != resources.Started {
		s.Flags &^= resources.Partial // what goes on without a part of it has to go on
	}
	if state != resources.Failed {
		s.StopFailed = ""
	}
	if state == resources.Started || state == resources.Failed || state == resources.Disabled {
		s = s.KeepsRoom("") // nobody kept it meanwhile, so it is no longer promised either
	}
	s, e, tells := t.inLoop(s, from, e)
	t.Services.Set(s.Spec.Name, s)
	e.Subject, e.From, e.To = s.Spec.Name, from.String(), state.String()
	if tells {
		t.tell(e)
	}
	return s
}

// applyBegin of an intent: the last net before something is done to a VM.
func (t *transaction) applyBegin(c cluster.Begin) rules.Refusal {
	if refused := rules.BeginRefused(c, &t.World); refused != rules.Accepted {
		return refused
	}
	service, _ := t.Services.Get(c.Service)
	n, _ := t.Nodes.Get(c.Node)
	switch c.Intent {
	case cluster.IntentStart:
		t.beginStart(c, service, n)
	case cluster.IntentStop:
		t.beginStop(c, service, n)
	case cluster.IntentMigrate:
		t.beginMigration(c, service, n)
	case cluster.IntentConvalesce:
		t.beginConvalescence(c, service, n)
	case cluster.IntentReconfigure:
		t.beginReconfigure(c, service, n)
	}
	return rules.Accepted
}

func (t *transaction) intentOf(c cluster.Begin, n cluster.Member) *cluster.Intent {
	return &cluster.Intent{
		Kind: c.Intent, Index: t.index, Generation: t.Generation, Place: len(t.events), At: t.At, Node: n.Name,
		Incarnation: n.Incarnation,
		Definition:  c.Definition, Purpose: c.Purpose, Kill: c.Kill, By: c.By, Why: c.Why,
	}
}

func (t *transaction) beginStart(c cluster.Begin, service cluster.Service, n cluster.Member) {
	h := t.holderOn(n, message.HolderStarting.With(), service.Spec, false)
	h.Creating = true
	if service.Kept.Node != n.Name {
		service = service.KeepsRoom("")
	}
	entered := len(service.Holders) == 0
	service = service.WithHolder(h)
	service.Intent, service.Behind = t.intentOf(c, n), nil
	service.Intent.Entered = entered
	service.Story = appendPhases(service.Story, cluster.Phase{What: "start issued", At: t.At})
	t.setService(service, resources.Starting, cluster.Event{Node: n.Name, By: c.By, Why: c.Why})
}

// appendPhases adds measured moments to a story that other roots may share; the
// newest are kept.
func appendPhases(story []cluster.Phase, phases ...cluster.Phase) []cluster.Phase {
	story = append(story[:len(story):len(story)], phases...)
	if excess := len(story) - cluster.MaxPhases; excess > 0 {
		story = story[excess:]
	}
	return story
}

// applyProbed ends the story of a start: the guest answers.
func (t *transaction) applyProbed(c cluster.Probed) rules.Refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Owner != c.Node {
		return rules.Refuse(message.ServiceNotHere.With(c.Service, c.Node))
	}
	service.Answered = t.index
	t.Services.Set(c.Service, service)
	took := c.At.Sub(service.SinceAt)
	if took < 0 {
		took = 0
	}
	t.tell(cluster.Event{Node: c.Node, Subject: c.Service, Cause: service.Since, Why: message.VMAnswers.With(),
		Phases: []cluster.Phase{{What: "guest answering", At: c.At}, {What: "since VM running", Took: took}}})
	return rules.Accepted
}

func (t *transaction) beginStop(c cluster.Begin, service cluster.Service, n cluster.Member) {
	service.Intent = t.intentOf(c, n)
	state := resources.Stopping
	switch c.Purpose {
	case cluster.ForRestart:
		service = service.KeepsRoom(n.Name)
	case cluster.ForDepend, cluster.ForAhead:
		if t.comesAfterAll(service) {
			service = service.KeepsRoom(n.Name)
		}
	case cluster.ForRelocate:
		service = service.KeepsRoom(n.Name) // it comes back if nobody takes it
		anew := rules.StartedAnew(service)
		if w := service.Wish; w != nil && w.Target != "" && t.TooFull(&anew, w.Target).IsZero() {
			service = service.KeepsRoom(w.Target)
		}
	}
	if c.Purpose == cluster.ForMove {
		service = t.sentAway(t.stopToMove(service, c.Target), n)
	}
	if c.Purpose == cluster.ForRecovery && n.State == cluster.NodeLeaving {
		service = t.sentAway(service, n)
	}
	if c.Purpose == cluster.ForRecovery || c.Purpose == cluster.ForCleanup {
		state = resources.Recoverable
	}
	t.setService(service, state, cluster.Event{Node: n.Name, By: c.By, Why: c.Why})
}

// comesAfterAll reports whether what a service depends on is down for a moment only. For what a
// person took down, or what failed, no room is kept: nobody knows for how long.
func (t *transaction) comesAfterAll(service cluster.Service) bool {
	for _, d := range service.Spec.Depend {
		needed, _ := t.Services.Get(d.Service)
		op := needed.Going()
		gone := !needed.Enabled || needed.Held || needed.State == resources.Failed
		if op == cluster.OpStop || op == cluster.OpDisable || (gone && !needed.Up()) {
			return false
		}
	}
	return true
}

// beginMigration makes both boots holders, from reservation to commit (law L5).
func (t *transaction) beginMigration(c cluster.Begin, service cluster.Service, n cluster.Member) {
	target, _ := t.Nodes.Get(c.Target)
	source := service.Holders[0]
	h := t.holderOn(target, message.HolderMigrationTarget.With(), service.Spec, false).RunsAs(source)
	service = service.WithHolder(h)
	service.Intent = t.intentOf(c, n)
	service.Intent.Target, service.Intent.TargetIncarnation = target.Name, target.Incarnation
	service.Intent.Source = &source
	service.Intent.Limits = service.Spec.Migration
	if service.Wish != nil && service.Wish.Op == cluster.OpMigrate {
		service.Intent.Limits = service.Intent.Limits.With(service.Wish.Migration)
	}
	service = t.sentAway(service, n)
	if c.By == "room" {
		service = t.troubled(service, n, cluster.TroubleRoom, c.Why)
	}
	t.setService(service, resources.Migrating, cluster.Event{Node: n.Name, By: c.By, Why: c.Why})
}

// voidIntentsOf takes the acts of older incarnations of a node back (law L2).
func (t *transaction) voidIntentsOf(n cluster.Member, why message.Text) {
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		if i := service.Intent; i != nil && (i.Node == n.Name || i.Preparing() && i.Target == n.Name) {
			t.voidIntent(service, why)
		}
	}
	for _, name := range t.Fences.Keys() {
		if open, _ := t.Fences.Get(name); open.Fencer == n.Name {
			t.Fences.Set(name, open.AfterAttempt(unknownAttempt(open), why))
			t.tell(cluster.Event{Node: n.Name, Subject: name, Cause: open.Index,
				Why: message.FenceAttemptVoided.With(n.Name, why)})
		}
	}
}

// voidIntent ends an act whose executor is gone. The call it made may still
// come about, so the holders stay; the node is asked what is there.
func (t *transaction) voidIntent(service cluster.Service, why message.Text) cluster.Service {
	intent := service.Intent
	if intent.Ending {
		next := *intent
		next.Asked, next.Generation = next.Asked+1, t.Generation
		service.Intent = &next
		t.Services.Set(service.Spec.Name, service)
		return service
	}
	if intent.Preparing() && intent.Generation == t.Generation {
		return t.withdraw(service, message.MigrationNotSent.With(why), why)
	}
	if intent.Kind == cluster.IntentMigrate {
		t.tell(cluster.Event{Node: intent.Node, Subject: service.Spec.Name, Cause: intent.Index,
			Why: message.MigrationEndsAsked.With(why)})
		service = t.askBothEnds(service, why)
		t.Services.Set(service.Spec.Name, service)
		return service
	}
	service.Intent = nil
	if h, held := service.Holder(intent.Node); held {
		h.Ask, h.Since, h.Why = true, t.index, why
		service = service.WithHolder(h)
	}
	// A stop that may not have happened leaves the service where it belongs; the
	// request behind it is still there and asks again.
	state := resources.Recovering
	if h, _ := service.Holder(intent.Node); h.Fallen() {
		state = resources.Recoverable // what its crash left behind has still to be removed
	} else if intent.Kind != cluster.IntentStart && service.Owner == intent.Node {
		state = resources.Started
	}
	return t.setService(service, state, cluster.Event{Node: intent.Node, Cause: intent.Index,
		Why: message.IntentVoided.With(why, intent.Kind, intent.Node)})
}

// askBothEnds begins a new round of settling a migration: first the source is
// asked, then the target. What was known of either end is from before.
func (t *transaction) askBothEnds(service cluster.Service, why message.Text) cluster.Service {
	next := *service.Intent
	if next.Generation != t.Generation {
		// The entry that had it sent may be among those that were lost with the generation before.
		next.Stage = len(next.Stages()) - 1
	}
	next.Settling, next.Asked, next.SourceSeen, next.Generation = true, next.Asked+1, 0, t.Generation
	service.Intent, service.Changed = &next, t.index
	service = t.askEnd(service, next.Node, why)
	if !service.Asking(next.Node) {
		next.SourceSeen = t.index
		service = t.askEnd(service, next.Target, why)
	}
	return service
}

// askEnd marks one end of a migration as unknown, so that its node looks.
func (t *transaction) askEnd(service cluster.Service, node string, why message.Text) cluster.Service {
	h, held := service.Holder(node)
	if !held {
		return service
	}
	h.Ask, h.Since, h.Why = true, t.index, why
	return service.WithHolder(h)
}

// broken takes in that resources of a service failed where it runs. What is
// frozen is left alone: somebody may be mending it.
func (t *transaction) broken(service cluster.Service, n cluster.Member, h cluster.Holder) {
	if service.Flags&resources.Frozen != 0 {
		t.setService(service, service.State,
			cluster.Event{Node: n.Name, Why: message.ServiceFailedFrozen.With(n.Name, h.Reason)})
		return
	}
	t.setService(t.afterFailure(service, n, message.Words(h.Reason)), resources.Recoverable,
		cluster.Event{Node: n.Name, Why: message.ServiceFailed.With(n.Name, h.Reason)})
}

// afterFailure applies the recovery policy to a service that failed on a node, and
// remembers the node and how it ended.
func (t *transaction) afterFailure(service cluster.Service, n cluster.Member, what message.Text) cluster.Service {
	service = t.fell(t.troubled(service, n, cluster.TroubleCrash, what), n, what)
	remedy, restarts := resources.AfterFailure(service.Spec, service.Restarts, t.At)
	service.Restarts = restarts
	switch remedy {
	case resources.InPlace:
		service.Target = n.Name
		service = service.KeepsRoom(n.Name)
	case resources.Elsewhere:
		service.Avoid = n.Name
		service = service.KeepsRoom("")
	case resources.LeaveDown:
		service.Enabled = false
	}
	return service
}

// thawed takes up what happened to a service while it was frozen.
func (t *transaction) thawed(name string) {
	service, known := t.Services.Get(name)
	n, member := t.Nodes.Get(service.Owner)
	h, held := service.Holder(service.Owner)
	if known && member && held && service.Intent == nil && service.State == resources.Started &&
		h.Condition == string(resources.Broken) {
		t.broken(service, n, h)
	}
}

// beginConvalescence asks the owner's agent to start what is down.
func (t *transaction) beginConvalescence(c cluster.Begin, service cluster.Service, n cluster.Member) {
	service.Intent = t.intentOf(c, n)
	t.setService(service, resources.Started, cluster.Event{Node: n.Name, By: c.By, Why: c.Why})
}

// convalesced takes in what became of it.
func (t *transaction) convalesced(c cluster.Done, service cluster.Service, n cluster.Member, intent cluster.Intent) {
	h, held := service.Holder(n.Name)
	if !held {
		t.Services.Set(service.Spec.Name, service)
		return
	}
	h = h.After(c.Result, t.index)
	h.Reason = c.Result.Why
	if c.Result.OK {
		h.Reason = ""
		service.Flags &^= resources.Partial
		service = t.setService(service.WithHolder(h), resources.Started,
			cluster.Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: message.ConvalesceDone.With()})
		if w := service.Wish; w != nil && w.Op == cluster.OpConvalesce { // another request may have taken its place
			t.answerRunning(service)
		}
		return
	}
	why := message.ConvalesceFailed.With(c.Result.Why)
	service = t.setService(service.WithHolder(h), resources.Started,
		cluster.Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: why})
	service = t.answer(service, cluster.CodeFailure, why, cluster.OpConvalesce)
	if c.Result.Source == resources.Broken {
		t.broken(service, n, h)
	}
}

// beginReconfigure begins it. From here on it may write to what it was started with and
// to what is declared now.
func (t *transaction) beginReconfigure(c cluster.Begin, service cluster.Service, n cluster.Member) {
	h, _ := service.Holder(n.Name)
	h.Disks, h.Demand = slices.Clip(h.Disks), h.Demand.Most(service.Spec.Demand)
	h.Networks = words.Union(h.Networks, service.Spec.Networks)
	for _, disk := range service.Spec.Disks {
		if !slices.Contains(h.Disks, disk) {
			h.Disks = append(h.Disks, disk)
		}
	}
	service = service.WithHolder(h)
	service.Intent = t.intentOf(c, n)
	t.setService(service, resources.Started,
		cluster.Event{Node: n.Name, By: c.By, Why: message.ReconfigureBegun.With()})
}

// reconfigured takes in what became of it. What failed broke the service, or
// nothing was done; that is not tried again before the declaration changes once
// more or the service starts anew.
func (t *transaction) reconfigured(c cluster.Done, service cluster.Service, n cluster.Member, intent cluster.Intent) {
	h, held := service.Holder(n.Name)
	if !held {
		t.Services.Set(service.Spec.Name, service)
		return
	}
	h = h.After(c.Result, t.index)
	e := cluster.Event{Node: n.Name, Cause: intent.Index, By: intent.By,
		Why: message.ReconfigureInForce.With(c.Result.Why)}
	if c.Result.OK {
		h.Definition, h.Reason, service.Behind = intent.Definition, "", nil
		if intent.Definition == service.Spec.Definition {
			h.Demand, h.Networks = service.Spec.Demand, service.Spec.Networks
		}
		t.setService(service.WithHolder(h), resources.Started, e)
		return
	}
	why := message.ReconfigureFailed.With(cut(c.Result.Why, maxBehind))
	h.Reason, e.Why = c.Result.Why, why
	if c.Result.Source != resources.Broken {
		service.Behind = &cluster.Behind{Definition: intent.Definition, At: t.At,
			Why: message.ReconfigureWaits.With(why, service.Spec.Name)}
	}
	service = t.setService(service.WithHolder(h), resources.Started, e)
	if c.Result.Source == resources.Broken {
		t.broken(service, n, h)
	}
}

// maxBehind bounds what is kept of the reason why a change was not taken in.
const maxBehind = 300
