package apply

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

func (t *transaction) applyEndMove(c cluster.EndMove) rules.Refusal {
	service, known := t.Services.Get(c.Service)
	intent := service.Intent
	switch {
	case !known || intent == nil || intent.Kind != cluster.IntentMigrate || intent.Index != c.Act:
		return rules.Refuse(message.MigrationClosed.With(c.Act, c.Service))
	case intent.Ending:
		return rules.Refuse(message.MigrationEnding.With(c.Service))
	}
	end := t.EndsMove(&service)
	if end.Since == 0 || t.At.Before(end.Due) {
		return rules.Refuse(message.MigrationWanted.With(c.Service))
	} else if !end.Keeps.IsZero() {
		return rules.Refuse(message.MigrationKept.With(end.Keeps))
	}
	next := *intent
	next.Ending, next.Settling, next.Asked, next.Generation = true, true, next.Asked+1, t.Generation
	service.Intent = &next
	for _, node := range []string{next.Node, next.Target} {
		if h, held := service.Holder(node); held {
			h.Ask = false // what it shows no longer matters
			service = service.WithHolder(h)
		}
	}
	why := message.MigrationEndless.With(next.Node, next.Target)
	if !end.Due.IsZero() {
		why = message.MigrationOverdue.With(next.Node, next.Target)
	}
	t.setService(service, service.State, cluster.Event{Node: next.Node, Cause: next.Index, By: c.By, Why: why})
	return rules.Accepted
}

// endedMove closes a migration that is being ended, once nothing is left at both ends.
func (t *transaction) endedMove(service cluster.Service) {
	intent := *service.Intent
	service.Changed = t.index
	for _, node := range []string{intent.Node, intent.Target} {
		if _, held := service.Holder(node); held {
			t.Services.Set(service.Spec.Name, service)
			return
		}
	}
	service.Intent, service.Owner, service.LastOwner = nil, "", intent.Node
	t.keepMove(service.Spec.Name, intent, cluster.Move{Undone: message.MigrationDestroyed.With()})
	if t.adoptLast(service) {
		return
	}
	service = t.askReachable(service, "", intent.SetOutAs(service.Spec))
	state := resources.Recovering
	if !service.Enabled {
		state = resources.Disabled
	}
	t.atRest(t.setService(service, state, cluster.Event{Node: intent.Node, Cause: intent.Index, By: intent.By,
		Why: message.MigrationDestroyed.With()}))
}

// cancelMove asks for a migration under way to be given up. The abort may come too
// late: then it ends as it would have.
func (t *transaction) cancelMove(service cluster.Service, c cluster.Ask, request cluster.Request) {
	// While the source is still asked, libvirt may be at it without anybody who watches: it can be
	// told to stop, and nothing else can be changed.
	unwatched := service.Intent != nil && service.Intent.Settling && !service.Intent.Ending &&
		service.Asking(service.Intent.Node)
	if refused := moveUnderWay(service); refused != rules.Accepted && !unwatched {
		t.keepRequest(answered(request, refused))
		return
	}
	intent := service.Intent
	t.setService(service.MoveCancelled(c.By), service.State, cluster.Event{Node: intent.Node, Cause: intent.Index,
		By: c.By, Why: message.MigrationCancelled.With(c.Reason)})
	t.withdrawCancelled(c.Service)
	request.Owner = service.Owner
	t.keepRequest(answered(request, rules.Refusal{Code: cluster.CodeSuccess, Why: message.Text{}}))
}

// withdrawCancelled ends a migration at once that is to be given up, if nothing was sent yet.
func (t *transaction) withdrawCancelled(name string) {
	service, _ := t.Services.Get(name)
	intent := service.Intent
	if intent == nil || !intent.Preparing() || intent.Cancelled == "" {
		return
	}
	t.withdraw(service, message.MigrationNotSent.With(""), message.MigrationGivenUp.With(intent.Cancelled))
}

// moveUnderWay refuses what only a migration has that is under way and has not ended.
func moveUnderWay(service cluster.Service) rules.Refusal {
	intent := service.Intent
	switch {
	case intent == nil || intent.Kind != cluster.IntentMigrate:
		return rules.RefuseAs(cluster.CodeInvalid, message.RequestNoMigration.With(service.Spec.Name))
	case intent.Settling:
		return rules.RefuseAs(cluster.CodeTemporary, message.RequestMigrationOver.With(service.Spec.Name))
	}
	return rules.Accepted
}

// tuneMove changes the limits of a migration under way.
func (t *transaction) tuneMove(service cluster.Service, c cluster.Ask, request cluster.Request) {
	refused := moveUnderWay(service)
	switch {
	case refused != rules.Accepted:
	case c.Migration.Fixed():
		refused = rules.RefuseAs(cluster.CodeInvalid, message.RequestMoveFixed.With(c.Service))
	case c.Migration == resources.Migration{}:
		refused = rules.RefuseAs(cluster.CodeInvalid, message.RequestNoLimits.With(c.Service))
	default:
		next := *service.Intent
		next.Limits, next.Tuned = next.Limits.With(c.Migration), next.Tuned+1
		service.Intent = &next
		t.setService(service, service.State, cluster.Event{Node: next.Node, Cause: next.Index, By: c.By,
			Why: message.MigrationTuned.With(c.Migration.String(), c.Reason)})
		request.Owner, refused = service.Owner, rules.Refusal{Code: cluster.CodeSuccess}
	}
	t.keepRequest(answered(request, refused))
}

// holderGone lets a holder go on proof and moves the service on.
func (t *transaction) holderGone(service cluster.Service, h cluster.Holder, cause uint64, proof message.Text) {
	service = service.WithoutHolder(func(other cluster.Holder) bool {
		return other.Machine == h.Machine &&
			other.Boot == h.Boot
	})
	service.Changed = t.index
	intent := service.Intent
	if intent != nil && intent.Kind == cluster.IntentMigrate {
		if h.Node == intent.Node {
			service.Owner, service.LastOwner = "", h.Node
		}
		if intent.Ending {
			t.endedMove(service)
			return
		}
		if !intent.Settling || intent.SourceSeen == 0 || h.Node == intent.Node {
			t.tell(cluster.Event{Node: h.Node, Subject: service.Spec.Name, Cause: cause,
				Why: message.MigrationOtherEnd.With(h.Node, proof)})
			service = t.askBothEnds(service, message.MigrationEndGone.With(h.Node))
		}
		t.settleMigration(service)
		return
	}
	if intent != nil && intent.Node == h.Node {
		service.Intent = nil
		if intent.Kind == cluster.IntentStop {
			t.stopProven(service, cluster.Member{Name: h.Node}, *intent, proof)
			return
		}
	}
	if service.Owner == h.Node {
		service.Owner, service.LastOwner = "", h.Node
	}
	t.afterRelease(service, h, cause, proof)
}

// afterRelease finds the state of a service that one holder less may run.
func (t *transaction) afterRelease(service cluster.Service, h cluster.Holder, cause uint64, proof message.Text) {
	switch {
	case t.adoptLast(service):
		return
	case service.State == resources.Uninitialized:
		t.settleUninitialized(service)
		return
	case service.Owner != "":
		service, drift := t.ranElsewhere(service, h)
		t.Services.Set(service.Spec.Name, service)
		if h.Condition != "" {
			t.setService(service, service.State, cluster.Event{Node: h.Node, Cause: cause,
				Why: message.ServiceCopyGone.With(h.Node, service.Owner, drift, proof)})
		}
		return
	case len(service.Holders) > 0 && (service.State == resources.Recovering || service.State == resources.Failed):
		t.Services.Set(service.Spec.Name, service)
		return
	}
	e := cluster.Event{Node: h.Node, Cause: cause, Why: message.ServiceReleased.With(h.Node, proof)}
	if service.Enabled {
		if service.State != resources.Stopped {
			t.setService(service, resources.Recovering, e)
			return
		}
		t.Services.Set(service.Spec.Name, service)
		return
	}
	if service.State != resources.Disabled {
		service = t.setService(service, resources.Disabled, e)
	}
	t.Services.Set(service.Spec.Name, service)
	t.atRest(service)
}

// ranElsewhere remembers on which disks a copy ran that is gone now, unless the service is known
// to run at its owner: the copy may have been the guest itself, moved by hand, and what it wrote
// last is not on its declared disks then. It returns how those disks differ, "" if that is no news.
func (t *transaction) ranElsewhere(service cluster.Service, h cluster.Holder) (cluster.Service, string) {
	drift := resources.DriftOf(h.StartedWith(), h.Disks)
	if !service.Spec.Traits().Drifts || service.Astray != nil || drift.None() {
		return service, ""
	}
	owner, held := service.Holder(service.Owner)
	n, _ := t.Nodes.Get(service.Owner)
	if held && owner.Condition == string(resources.Running) && n.Reachable() && cluster.OnBoot(n)(owner) {
		return service, ""
	}
	service.Astray = &cluster.Astray{Drift: drift, Node: h.Node, Index: t.index}
	return service, drift.String()
}

// settleMigration goes on with a migration that did not end cleanly: first the
// source answers, then the target is asked, then it is decided.
func (t *transaction) settleMigration(service cluster.Service) {
	intent := *service.Intent
	if intent.Ending {
		t.endedMove(service)
		return
	}
	service.Changed = t.index
	t.Services.Set(service.Spec.Name, service)
	if service.Asking(intent.Node) {
		return
	}
	if intent.SourceSeen == 0 {
		intent.SourceSeen = t.index
		service.Intent = &intent
		service = t.askEnd(service, intent.Target, message.MigrationSourceAnswered.With())
		t.Services.Set(service.Spec.Name, service)
	}
	if service.Asking(intent.Target) {
		return
	}
	source, target := service.Ends()
	switch cluster.Settlement(source, target, intent.Twice) {
	case cluster.SettleAskAgain:
		t.askAgain(service)
	case cluster.SettlePauseTarget:
		if !intent.Twice {
			intent.Twice = true
			service.Intent = &intent
			t.setService(service, resources.Migrating, cluster.Event{Node: intent.Target, Cause: intent.Index,
				Why: message.MigrationRunningTwice.With(intent.Node, intent.Target)})
		}
	case cluster.SettleCopyOn:
		t.tellOnce(service, intent.Node, message.MigrationSplit.With(intent.Node, intent.Target, ""))
	case cluster.SettleDropSource:
		t.tellPartLost(service, intent.Node, source, target)
	case cluster.SettleDropTarget:
		t.tellPartLost(service, intent.Target, target, source)
	case cluster.SettleEnd:
		t.endMigration(service, source, target)
	}
}

// tellPartLost says that what is left of a guest at one end is ended, because a part of its memory
// went with the other.
func (t *transaction) tellPartLost(service cluster.Service, left, there, other string) {
	if there == string(resources.Split) && other == string(resources.Absent) {
		t.tellOnce(service, left, message.MigrationPartLost.With(left))
	}
}

// tellOnce tells what is done about a migration, however often its ends answer the same.
func (t *transaction) tellOnce(service cluster.Service, node string, why message.Text) {
	if service.Reason != why {
		t.setService(service, resources.Migrating, cluster.Event{Node: node, Cause: service.Intent.Index, Why: why})
	}
}

func (t *transaction) askAgain(service cluster.Service) {
	service = t.askBothEnds(service, message.MigrationNoProof.With())
	t.Services.Set(service.Spec.Name, service)
}

// endMigration closes the intent by what runs now. A VM that is alive is never
// marked failed.
func (t *transaction) endMigration(service cluster.Service, source, target string) {
	intent := *service.Intent
	absent := string(resources.Absent)
	if source == absent && target != absent {
		t.migrationDone(service, resources.Result{})
		return
	}
	service.Intent = nil
	if source != absent {
		t.keepMove(service.Spec.Name, intent, cluster.Move{Undone: service.UndoneWhy()})
		service.Owner = intent.Node
		n, _ := t.Nodes.Get(intent.Target)
		service = t.troubled(service, n, cluster.TroubleMove, service.UndoneWhy())
		service = t.setService(service, resources.Started, cluster.Event{Node: intent.Node, Cause: intent.Index,
			Why: message.MigrationUndone.With(intent.Node, service.Reason)})
		code := cluster.CodeRunsAtHome
		if source != string(resources.Running) {
			code = cluster.CodeFailure // it ended there, or does not run on
		}
		service = t.answer(service, code, service.Reason, cluster.OpMigrate)
		t.crashedAtEnd(service)
		return
	}
	t.keepMove(service.Spec.Name, intent, cluster.Move{Undone: message.MigrationGuestLost.With()})
	n, _ := t.Nodes.Get(intent.Target)
	service = t.troubled(service, n, cluster.TroubleMove, message.MigrationGuestLost.With())
	service.Owner, service.LastOwner = "", intent.Node
	if t.adoptLast(service) {
		return
	}
	// A target that booted anew in between may have got the guest on its new boot,
	// where nobody held it; so every node in touch is asked first (law L1).
	service = t.askReachable(service, "", intent.SetOutAs(service.Spec))
	state := resources.Recovering
	if !service.Enabled {
		state = resources.Disabled
	}
	service = t.setService(service, state, cluster.Event{Node: intent.Node, Cause: intent.Index,
		Why: message.MigrationAtNeitherEnd.With()})
	service = t.answer(service, cluster.CodeFailure, service.Reason, cluster.OpMigrate)
	t.atRest(service)
}

// longestUndone bounds what is kept of the reason why a move did not arrive.
const longestUndone = 500

// keepMove remembers how a live move ended.
func (t *transaction) keepMove(service string, intent cluster.Intent, end cluster.Move) {
	end.At, end.Index, end.From, end.To = intent.At, intent.Index, intent.Node, intent.Target
	end.By, end.Why = intent.By, intent.Why
	if undone := end.Undone.String(); len(undone) > longestUndone {
		end.Undone = message.Words(cut(undone, longestUndone))
	}
	moves, known := t.Moves.Get(service)
	services := t.Moves.Len()
	if !known {
		services++
	}
	t.Moves.Set(service, moves.Another(end, services))
}

// crashedAtEnd hands a guest that crashed during its migration to recovery.
func (t *transaction) crashedAtEnd(service cluster.Service) {
	h, held := service.Holder(service.Owner)
	if !held || h.Condition != string(resources.Crashed) {
		return
	}
	n, _ := t.Nodes.Get(service.Owner)
	t.setService(t.afterFailure(service, n, message.VMCrashed.With("")), resources.Recoverable,
		cluster.Event{Node: n.Name, Why: message.VMCrashed.With(n.Name)})
}

// prepared takes in what the target of a migration says: it can take the VM, and the source moves
// it now, or it cannot. Then nothing was sent, and the VM runs on untouched.
func (t *transaction) prepared(c cluster.Done, service cluster.Service) {
	if !c.Result.OK {
		told := message.MigrationRefused.With(c.Result.Why)
		if c.Result.Source == resources.Unknown {
			told = message.MigrationUnanswered.With(c.Result.Why)
		}
		t.withdraw(service, told, message.Words(c.Result.Why))
		return
	}
	next := *service.Intent
	next.Stage, next.ReadyAt = next.Stage+1, t.At
	told := message.MigrationReady.With(c.Result.Why)
	if c.Result.OnlyPreCopy && next.Limits.Mode == resources.MoveHybrid {
		next.Limits.Mode, told = resources.MovePreCopy, message.MigrationOnlyPreCopy.With(c.Result.Why)
	}
	service.Intent, service.Changed = &next, t.index
	t.Services.Set(service.Spec.Name, service)
	t.tell(cluster.Event{Node: next.Target, Subject: service.Spec.Name, Cause: next.Index, Why: told})
}

// withdraw ends a migration whose target has not been sent anything, by the log of this generation.
// It tells the event, and the request is answered by the reason. The source is asked what became of
// the VM meanwhile: what it told since the act began was not taken in.
func (t *transaction) withdraw(service cluster.Service, told, why message.Text) cluster.Service {
	intent := service.Intent
	service.Reason = message.MigrationFailed.With(intent.Target, why)
	t.tell(cluster.Event{Node: intent.Target, Subject: service.Spec.Name, Cause: intent.Index, Why: told})
	service = t.askBothEnds(service.WithoutTarget(), told)
	t.settleMigration(service)
	service, _ = t.Services.Get(service.Spec.Name)
	return service
}

// withdrawFrom ends the migrations to a node that has not been sent anything and no longer answers.
func (t *transaction) withdrawFrom(node string, why message.Text) {
	for _, name := range t.Services.Keys() {
		service, _ := t.Services.Get(name)
		if i := service.Intent; i != nil && i.Preparing() && i.Target == node {
			t.withdraw(service, message.MigrationUnanswered.With(why), why)
		}
	}
}
