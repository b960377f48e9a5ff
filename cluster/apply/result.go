package apply

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// applyDone of a result: it counts only while its intent is the newest of the
// service and its executor is the incarnation the intent was given to.
func (t *transaction) applyDone(c cluster.Done) rules.Refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Intent == nil || service.Intent.Index != c.Act {
		return rules.Refuse(message.IntentClosed.With(c.Act, c.Service))
	}
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.Ended() {
		return rules.Refuse(message.ResultOutdated.With(c.Node))
	}
	intent := *service.Intent
	if intent.Kind == cluster.IntentMigrate {
		return t.migrated(c, service, n, intent)
	}
	if intent.Node != c.Node || intent.Incarnation != c.Incarnation {
		return rules.Refuse(message.IntentNotGiven.With(c.Act, c.Service, c.Node))
	}
	service.Intent = nil
	switch intent.Kind {
	case cluster.IntentStart:
		t.started(c, service, n, intent)
	case cluster.IntentConvalesce:
		t.convalesced(c, service, n, intent)
	case cluster.IntentReconfigure:
		t.reconfigured(c, service, n, intent)
	default:
		t.stopped(c, service, n, intent)
	}
	return rules.Accepted
}

// started takes in the end of a start. A failed start is not a stop: unless
// the agent proved the VM absent, its node stays a holder (law L1).
func (t *transaction) started(c cluster.Done, service cluster.Service, n cluster.Member, intent cluster.Intent) {
	h, _ := service.Holder(n.Name)
	unsent := c.NeverSent(intent, h)
	h = h.After(c.Result, t.index)
	if c.Result.OK {
		h.Creating = false
		service = service.WithHolder(h)
		t.nowRunning(service, n, intent, c.Result)
		return
	}
	why := message.Words(c.Result.Why)
	failed := cluster.FailedStart{Node: n.Name, Why: why, Incarnation: n.Incarnation, At: t.At}
	service = t.troubled(service.WithFailedStart(failed), n, cluster.TroubleStart, why)
	if c.Result.Source == resources.Absent {
		service = service.WithoutHolder(cluster.OnBoot(n))
	} else if unsent {
		service = service.WithoutHolder(cluster.OnBoot(n))
	} else {
		service = service.WithHolder(h)
	}
	service = t.setService(service, resources.Recovering,
		cluster.Event{Node: n.Name, Cause: intent.Index, Why: message.StartFailed.With(why)})
	t.atRest(service)
}

// atRest disables for good what was disabled while something was under way,
// once it is proven to run nowhere, and answers the request.
func (t *transaction) atRest(service cluster.Service) {
	if service.Enabled || len(service.Holders) > 0 || service.Intent != nil {
		return
	}
	if service.State != resources.Disabled {
		service = t.setService(service, resources.Disabled,
			cluster.Event{Node: service.LastOwner, Why: message.ServiceDisabled.With()})
	}
	t.answer(service, cluster.CodeSuccess, message.Text{}, cluster.OpDisable)
}

// nowRunning is the good end of a start.
func (t *transaction) nowRunning(service cluster.Service, n cluster.Member, intent cluster.Intent,
	result resources.Result) {
	story := service.Story
	for _, p := range result.Phases {
		story = appendPhases(story, cluster.Phase{What: p.What, At: p.At})
	}
	story = appendPhases(story, cluster.Phase{What: service.RunningWhat(), At: t.At})
	service = t.arrived(service, n)
	service.Owner, service.Story, service.FailedOn, service.Target, service.Avoid, service.Held = n.Name, nil, nil, "",
		"", false
	why := service.RunningWhy(cluster.Holder{})
	if result.Why != "" {
		why = message.ServiceStartedSo.With(result.Why)
	}
	service, why = service.CameBack(why)
	if behind := service.LeftBehind(); !behind.IsZero() {
		why = message.ServiceUpWithout.With(why, behind)
	}
	service = t.setService(service, resources.Started,
		cluster.Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: why, Phases: story})
	t.answerRunning(service)
}

// stopped takes in the end of a stop.
func (t *transaction) stopped(c cluster.Done, service cluster.Service, n cluster.Member, intent cluster.Intent) {
	if !c.Result.OK || c.Result.Source != resources.Absent {
		h, _ := service.Holder(n.Name)
		service = service.WithHolder(h.After(c.Result, t.index))
		service = t.setService(service, resources.Failed, cluster.Event{Node: n.Name, Cause: intent.Index,
			Why: message.StopFailed.With(n.Name, c.Result.Why)})
		service.StopFailed = intent.Purpose
		t.Services.Set(c.Service, service)
		t.finish(service, cluster.CodeAborted, service.Reason)
		return
	}
	t.stopProven(service.WithoutHolder(cluster.OnBoot(n)), n, intent, message.Words(c.Result.Why))
}

// stopProven goes on after a stop whose end is known.
func (t *transaction) stopProven(service cluster.Service, n cluster.Member, intent cluster.Intent,
	proof message.Text) {
	if service.Owner == n.Name {
		service.Owner, service.LastOwner = "", n.Name
	}
	if t.adoptLast(service) {
		return // somebody moved it by hand while it was being stopped
	}
	e := cluster.Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: message.ServiceStopped.With()}
	if !proof.IsZero() {
		e.Why = message.ServiceStopProven.With(proof)
	}
	if !service.Enabled {
		t.atRest(t.setService(service, resources.Disabled, e))
		return
	}
	switch intent.Purpose {
	case cluster.ForStop:
		service.Held = true
		service = t.setService(service, resources.Stopped, e)
		r := rules.StoppedHere(service, n.Name)
		t.finish(service, r.Code, r.Why)
	case cluster.ForRestart:
		service.Target = n.Name
		service = service.KeepsRoom(n.Name)
		t.setService(service, resources.Stopped, e)
	case cluster.ForMove, cluster.ForDepend, cluster.ForAhead, cluster.ForHalt:
		t.setService(service, resources.Stopped, e)
	case cluster.ForRelocate:
		service.Avoid = n.Name
		if service.Wish != nil {
			service.Target = service.Wish.Target
		}
		t.setService(service, resources.Stopped, e)
	default:
		t.setService(service, resources.Recovering, e)
	}
}

// migrated takes in the end of a migration, or of one act of its settlement.
func (t *transaction) migrated(c cluster.Done, service cluster.Service, n cluster.Member,
	intent cluster.Intent) rules.Refusal {
	if n.Name != intent.Node && n.Name != intent.Target {
		return rules.Refuse(message.MigrationOtherNode.With(n.Name))
	}
	stage := intent.Present()
	if c.Stage != stage.Name {
		return rules.Refuse(message.MigrationOtherStage.With(c.Service, c.Stage))
	}
	if stage.Name != "" && (n.Name != stage.Node || c.Incarnation != stage.Incarnation) {
		return rules.Refuse(message.MigrationNotGiven.With(n.Name))
	}
	if stage.Name == cluster.StagePrepare {
		t.prepared(c, service)
		return rules.Accepted
	}
	if intent.Ending {
		if c.Result.Source == resources.Absent {
			service = service.Seen(n.Name, resources.Absent, c.Result.Why, t.index)
			t.endedMove(service)
		}
		return rules.Accepted
	}
	if intent.Settling {
		t.settled(c, service, n)
		return rules.Accepted
	}
	if c.Result.OK {
		service = service.Seen(intent.Node, resources.Absent, "", t.index)
		service = service.Seen(intent.Target, resources.Running, "", t.index)
		if target, _ := t.Nodes.Get(intent.Target); target.Incarnation > intent.Index {
			// What that daemon saw when it started came while both ends held the guest, and was not
			// taken in. It may be newer than what the source tells.
			service = t.askEnd(service, intent.Target, message.MigrationDaemonStarted.With())
		}
		t.migrationDone(service, c.Result)
		return rules.Accepted
	}
	if c.Result.Stalled && intent.Stallable() && intent.Cancelled == "" && c.Result.Source == resources.Running &&
		c.Result.Target == resources.Absent {
		t.stalled(service, c.Result)
		return rules.Accepted
	}
	t.unclean(c, service, n)
	return rules.Accepted
}

// settled takes in what one act of a migration's settlement came to.
func (t *transaction) settled(c cluster.Done, service cluster.Service, n cluster.Member) {
	intent := service.Intent
	service = service.Seen(n.Name, c.Result.Source, c.Result.Why, t.index)
	if c.Result.Target != "" {
		// The copying was taken up again, so what both ends showed before that is over.
		service = t.askBothEnds(service, message.MigrationSplit.With(intent.Node, intent.Target, c.Result.Why))
	}
	t.settleMigration(service)
}

// unclean begins to settle a migration that did not end clean.
func (t *transaction) unclean(c cluster.Done, service cluster.Service, n cluster.Member) {
	intent := service.Intent
	next := *intent
	next.Settling, next.Asked = true, next.Asked+1
	service.Intent, service.Changed = &next, t.index
	service = service.Seen(intent.Node, c.Result.Source, c.Result.Why, t.index)
	t.tell(cluster.Event{Node: n.Name, Subject: service.Spec.Name, Cause: intent.Index,
		Why: message.MigrationUnclean.With(c.Result.Why)})
	if h, held := service.Holder(intent.Node); held && !cluster.Settled(h.Condition) {
		service = t.askEnd(service, intent.Node, message.MigrationEndUnknown.With())
	}
	service.Reason = message.MigrationFailed.With(intent.Target, c.Result.Why)
	t.settleMigration(service)
}

// stalled lets a hybrid move go on by post-copy: its passes no longer shrank, and both ends are
// known to be as they were before it. The entry comes before the switch (law L6).
func (t *transaction) stalled(service cluster.Service, result resources.Result) {
	next := *service.Intent
	next.Stage, next.Asked = next.Stage+1, next.Asked+1 // a call of its own, with a name of its own
	service.Intent, service.Changed = &next, t.index
	t.Services.Set(service.Spec.Name, service)
	t.tell(cluster.Event{Node: next.Node, Subject: service.Spec.Name, Cause: next.Index,
		Why: message.MigrationStalled.With(next.Target, result.Why)})
}

// migrationDone is the clean end: the guest runs on the target alone.
func (t *transaction) migrationDone(service cluster.Service, result resources.Result) {
	intent := *service.Intent
	service.Intent, service.LastOwner, service.Owner = nil, intent.Node, intent.Target
	t.keepMove(service.Spec.Name, intent, cluster.Move{Arrived: true, Total: result.Total, Downtime: result.Downtime})
	n, _ := t.Nodes.Get(intent.Target)
	service = t.arrived(service, n)
	var phases []cluster.Phase
	if !intent.ReadyAt.IsZero() {
		phases = append(phases, cluster.Phase{What: "target ready", At: intent.ReadyAt})
	}
	for _, p := range result.Phases {
		phases = appendPhases(phases, cluster.Phase{What: p.What, At: p.At})
	}
	why := message.MigrationDone.With(intent.Node, intent.Target, "", "")
	if result.Total > 0 {
		why = message.MigrationDone.With(intent.Node, intent.Target, result.Total.Round(time.Millisecond),
			result.Downtime.Round(time.Millisecond))
		phases = append(phases, cluster.Phase{What: "total", Took: result.Total},
			cluster.Phase{What: "downtime", Took: result.Downtime})
	}
	service = t.setService(service, resources.Started, cluster.Event{Node: intent.Target, Cause: intent.Index,
		By: intent.By, Why: why, Phases: phases})
	if service.Wish != nil && service.Wish.Op == cluster.OpMigrate {
		r := rules.ArrivedLive(service)
		service = t.finishMigration(service, r.Code, r.Why, result)
	}
	t.crashedAtEnd(service)
}

// answer ends the wish of a service if it is one of these operations.
func (t *transaction) answer(service cluster.Service, code int, why message.Text,
	ops ...cluster.Operation) cluster.Service {
	for _, op := range ops {
		if service.Wish != nil && service.Wish.Op == op {
			return t.finish(service, code, why)
		}
	}
	return service
}

// finish ends the wish of a service, if it has one, and answers its request.
func (t *transaction) finish(service cluster.Service, code int, why message.Text) cluster.Service {
	return t.finishMigration(service, code, why, resources.Result{})
}

func (t *transaction) finishMigration(service cluster.Service, code int, why message.Text,
	result resources.Result) cluster.Service {
	wish := service.Wish
	if wish == nil {
		return service
	}
	service.Wish = nil
	service = service.WordIsOver()
	if code == cluster.CodeSuccess && service.Owner != "" {
		service = service.PlacedBy(*wish, t.index)
	}
	t.Services.Set(service.Spec.Name, service)
	request, known := t.Requests.Get(wish.Request)
	if !known {
		return service
	}
	request.Done, request.Code, request.Text, request.Why, request.Owner = true, code, cluster.CodeText(code), why,
		service.Owner
	request.Total, request.Downtime = result.Total, result.Downtime
	t.Requests.Set(request.ID, request)
	return service
}

func (t *transaction) applyGiveUp(c cluster.GiveUp) rules.Refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Wish == nil || service.Wish.Request != c.Request || service.Intent != nil {
		return rules.Refuse(message.RequestClosed.With(c.Request))
	}
	if c.Code == cluster.CodeSuccess && !t.fulfilled(service) {
		return rules.Refuse(message.RequestUnfulfilled.With(c.Request))
	}
	state := service.State
	if len(service.Holders) == 0 {
		state = resources.Stopped
		service.Held = service.Wish.Op == cluster.OpStop
	}
	if len(service.Holders) == 0 && !service.Enabled {
		state = resources.Disabled
	}
	if state == resources.Stopped || state == resources.Disabled {
		service = service.KeepsRoom("") // it waits for an end that nobody knows
	}
	service = t.setService(service, state, cluster.Event{Node: service.Owner, By: service.Wish.By, Why: c.Why})
	t.finish(service, c.Code, c.Why)
	return rules.Accepted
}

// everywhere is the set of holders of a service about which nothing is known:
// every boot of every machine that could run it (law L1). A boot that is
// confirmed off, and a machine that was never up, cannot.
func (t *transaction) everywhere(why message.Text, spec resources.Spec) []cluster.Holder {
	var holders []cluster.Holder
	for _, name := range t.Nodes.Keys() {
		n, _ := t.Nodes.Get(name)
		if n.Witness || n.Boot == "" || n.State == cluster.NodeFenced {
			continue
		}
		holders = append(holders, t.holderOn(n, why, spec, true))
	}
	return holders
}

// holderOn makes the holder of a service on a node's present boot. The disks
// are those of the definition that would run there.
func (t *transaction) holderOn(n cluster.Member, why message.Text, spec resources.Spec, ask bool) cluster.Holder {
	return cluster.Holder{Node: n.Name, Machine: n.Machine(), Boot: n.Boot, Since: t.index, Ask: ask, Why: why,
		Definition: spec.Definition, Disks: spec.Disks, Demand: spec.Demand, Networks: spec.Networks}
}

func mergeHolders(a, b []cluster.Holder) []cluster.Holder {
	merged := cluster.Service{Holders: append([]cluster.Holder(nil), a...)}
	for _, h := range b {
		merged = merged.WithHolder(h)
	}
	return merged.Holders
}

// stopToMove remembers where a service goes that is stopped for it.
func (t *transaction) stopToMove(service cluster.Service, target string) cluster.Service {
	n, _ := t.Nodes.Get(target)
	service.Target, service.Moving = target, bounce(n)
	return service.KeepsRoom(target)
}

// arrived is a service that has come to a node. A move that was to end elsewhere is
// not tried again by a rule for a while.
func (t *transaction) arrived(s cluster.Service, n cluster.Member) cluster.Service {
	if s.Moving != "" && s.Moving != bounce(n) {
		if target := bounced(s.Moving); !s.TroubledOn(target, t.At) {
			s = t.troubled(s, target, cluster.TroubleMove, message.ServiceUpElsewhere.With(n.Name))
		}
	}
	if inPlace := s.Moving == "" && s.LastOwner == n.Name && s.Target == n.Name; !inPlace {
		s.Arrived = t.index
	}
	s.Moving, s.Avoid = "", ""
	return s.Untroubled(n.Name).ArrivedHome(n.Name)
}
