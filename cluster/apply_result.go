package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// apply of a result: it counts only while its intent is the newest of the
// service and its executor is the incarnation the intent was given to.
func (t *transaction) applyDone(c Done) refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Intent == nil || service.Intent.Index != c.Act {
		return refuse("the intent %d of %s is no longer open", c.Act, c.Service)
	}
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.Ended() {
		return refuse("the result comes from an older incarnation of %s", c.Node)
	}
	intent := *service.Intent
	if intent.Kind == IntentMigrate {
		return t.migrated(c, service, n, intent)
	}
	if intent.Node != c.Node || intent.Incarnation != c.Incarnation {
		return refuse("the intent %d of %s was not given to this incarnation of %s", c.Act, c.Service, c.Node)
	}
	service.Intent = nil
	switch intent.Kind {
	case IntentStart:
		t.started(c, service, n, intent)
	case IntentConvalesce:
		t.convalesced(c, service, n, intent)
	case IntentReconfigure:
		t.reconfigured(c, service, n, intent)
	default:
		t.stopped(c, service, n, intent)
	}
	return accepted
}

// started takes in the end of a start. A failed start is not a stop: unless
// the agent proved the VM absent, its node stays a holder (law L1).
func (t *transaction) started(c Done, service Service, n Member, intent Intent) {
	h, _ := service.holder(n.Name)
	unsent := c.neverSent(intent, h)
	h = h.after(c.Result, t.index)
	if c.Result.OK {
		h.Creating = false
		service = service.withHolder(h)
		t.nowRunning(service, n, intent, c.Result)
		return
	}
	failed := FailedStart{Node: n.Name, Why: c.Result.Why, Incarnation: n.Incarnation}
	if t.Level >= levelTwo {
		failed.At = t.at
	}
	service = t.troubled(service.failedOn(failed), n, TroubleStart, c.Result.Why)
	if c.Result.Source == resources.Absent {
		service = service.withoutHolder(onBoot(n))
	} else if unsent {
		service = service.withoutHolder(onBoot(n))
	} else {
		service = service.withHolder(h)
	}
	service = t.setService(service, resources.Recovering, Event{Node: n.Name, Cause: intent.Index, Why: sentence("start failed", c.Result.Why)})
	t.atRest(service)
}

// neverSent reports whether a start is proven not to have happened: the executor
// sent no call, and its node became a holder by this very intent and was seen
// with nothing since. A holder from before stays, whatever this act did not do.
func (c Done) neverSent(intent Intent, h Holder) bool {
	return c.Result.Unsent && !c.Result.OK && c.Result.Source == resources.Unknown && intent.Entered && h.Condition == ""
}

// after is a holder as an act left it. Where nothing was proven the node looks
// until something is: a hypervisor that answers again tells of no VM that is
// not there.
func (h Holder) after(result resources.Result, index uint64) Holder {
	h.Condition, h.Since = string(result.Source), index
	if result.Source == resources.Unknown {
		h.Ask, h.Why = true, "the last act there proved nothing"
	}
	return h
}

// atRest disables for good what was disabled while something was under way,
// once it is proven to run nowhere, and answers the request.
func (t *transaction) atRest(service Service) {
	if service.Enabled || len(service.Holders) > 0 || service.Intent != nil {
		return
	}
	if service.State != resources.Disabled {
		service = t.setService(service, resources.Disabled, Event{Node: service.LastOwner, Why: "disabled, it runs nowhere"})
	}
	t.answer(service, codeSuccess, "", OpDisable)
}

// nowRunning is the good end of a start.
func (t *transaction) nowRunning(service Service, n Member, intent Intent, result resources.Result) {
	story := service.Story
	for _, p := range result.Phases {
		story = appendPhases(story, Phase{What: p.What, At: p.At})
	}
	story = appendPhases(story, Phase{What: service.runningWhat(), At: t.at})
	service = t.arrived(service, n)
	service.Owner, service.Story, service.FailedOn, service.Target, service.Avoid, service.Held = n.Name, nil, nil, "", "", false
	service, why := service.cameBack(orElse(result.Why, service.runningWhy(Holder{})))
	if behind := service.leftBehind(); behind != "" {
		why += "; " + behind
	}
	service = t.setService(service, resources.Started,
		Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: why, Phases: story})
	t.answerRunning(service)
}

func (s Service) failedOn(failed FailedStart) Service {
	list := make([]FailedStart, 0, len(s.FailedOn)+1)
	for _, f := range s.FailedOn {
		if f.Node != failed.Node {
			list = append(list, f)
		}
	}
	if len(list) < maxFailedStarts {
		list = append(list, failed)
	}
	s.FailedOn = list
	return s
}

// stopped takes in the end of a stop.
func (t *transaction) stopped(c Done, service Service, n Member, intent Intent) {
	if !c.Result.OK || c.Result.Source != resources.Absent {
		h, _ := service.holder(n.Name)
		service = service.withHolder(h.after(c.Result, t.index))
		service = t.setService(service, resources.Failed, Event{Node: n.Name, Cause: intent.Index,
			Why: fmt.Sprintf("stop failed on %s: %s; it may still be running there. Disable it to try again, or fence %s", n.Name, c.Result.Why, n.Name)})
		if t.Level >= levelTwo {
			service.StopFailed = intent.Purpose
			t.Services.Set(c.Service, service)
		}
		t.finish(service, codeAborted, service.Reason)
		return
	}
	t.stopProven(service.withoutHolder(onBoot(n)), n, intent, c.Result.Why)
}

// stopProven goes on after a stop whose end is known.
func (t *transaction) stopProven(service Service, n Member, intent Intent, proof string) {
	if service.Owner == n.Name {
		service.Owner, service.LastOwner = "", n.Name
	}
	if t.adoptLast(service) {
		return // somebody moved it by hand while it was being stopped
	}
	e := Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: orElse(proof, "it is proven to have stopped")}
	if !service.Enabled {
		t.atRest(t.setService(service, resources.Disabled, e))
		return
	}
	switch intent.Purpose {
	case ForStop:
		service.Held = true
		service = t.setService(service, resources.Stopped, e)
		r := service.stoppedHere(n.Name)
		t.finish(service, r.Code, r.Why)
	case ForRestart:
		service.Target = n.Name
		t.setService(service, resources.Stopped, e)
	case ForMove, ForDepend, ForAhead, ForHalt:
		t.setService(service, resources.Stopped, e)
	case ForRelocate:
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
func (t *transaction) migrated(c Done, service Service, n Member, intent Intent) refusal {
	if n.Name != intent.Node && n.Name != intent.Target {
		return refuse("%s is no end of this migration", n.Name)
	}
	if !intent.Settling && (n.Name != intent.Node || c.Incarnation != intent.Incarnation) {
		return refuse("the migration was not given to this incarnation of %s", n.Name)
	}
	if intent.Ending {
		if c.Result.Source == resources.Absent {
			service = service.seen(n.Name, resources.Absent, c.Result.Why, t.index)
			t.endedMove(service)
		}
		return accepted
	}
	if intent.Settling {
		service = service.seen(n.Name, c.Result.Source, c.Result.Why, t.index)
		t.settleMigration(service)
		return accepted
	}
	if c.Result.OK {
		service = service.seen(intent.Node, resources.Absent, "", t.index)
		service = service.seen(intent.Target, resources.Running, "", t.index)
		if target, _ := t.Nodes.Get(intent.Target); target.Incarnation > intent.Index {
			// What that daemon saw when it started came while both ends held the guest, and was not
			// taken in. It may be newer than what the source tells.
			service = t.askEnd(service, intent.Target, "its daemon started during the migration")
		}
		t.migrationDone(service, c.Result)
		return accepted
	}
	next := intent
	next.Settling, next.Asked = true, 1
	service.Intent, service.Changed = &next, t.index
	service = service.seen(intent.Node, c.Result.Source, c.Result.Why, t.index)
	t.tell(Event{Node: n.Name, Subject: service.Spec.Name, Cause: intent.Index, Why: "the migration did not end clean: " + c.Result.Why})
	if h, held := service.holder(intent.Node); held && !settled(h.Condition) {
		service = t.askEnd(service, intent.Node, "the end of the migration is unknown")
	}
	service.Reason = "migration to " + intent.Target + " failed: " + c.Result.Why
	t.settleMigration(service)
	return accepted
}

// seen takes in what was found on a node; Absent lets the holder go.
func (s Service) seen(node string, condition resources.Condition, reason string, index uint64) Service {
	h, held := s.holder(node)
	if !held {
		return s
	}
	if condition == resources.Absent {
		s.Changed = index
		if s.Owner == node {
			s.Owner, s.LastOwner = "", node
		}
		return s.withoutHolder(func(other Holder) bool { return other.Node == node && other.Boot == h.Boot })
	}
	s.Changed = index
	h.Condition, h.Reason, h.Ask, h.Since = string(condition), reason, false, index
	return s.withHolder(h)
}

// migrationDone is the clean end: the guest runs on the target alone.
func (t *transaction) migrationDone(service Service, result resources.Result) {
	intent := *service.Intent
	service.Intent, service.LastOwner, service.Owner = nil, intent.Node, intent.Target
	n, _ := t.Nodes.Get(intent.Target)
	service = t.arrived(service, n)
	var phases []Phase
	for _, p := range result.Phases {
		phases = appendPhases(phases, Phase{What: p.What, At: p.At})
	}
	why := fmt.Sprintf("moved live from %s to %s", intent.Node, intent.Target)
	if result.Total > 0 {
		why += fmt.Sprintf(": %s in all, guest stopped for %s", result.Total.Round(time.Millisecond), result.Downtime.Round(time.Millisecond))
		phases = append(phases, Phase{What: "total", Took: result.Total}, Phase{What: "downtime", Took: result.Downtime})
	}
	service = t.setService(service, resources.Started, Event{Node: intent.Target, Cause: intent.Index, By: intent.By, Why: why, Phases: phases})
	if service.Wish != nil && service.Wish.Op == OpMigrate {
		r := service.arrivedLive()
		service = t.finishMigration(service, r.Code, r.Why, result)
	}
	t.crashedAtEnd(service)
}

// answer ends the wish of a service if it is one of these operations.
func (t *transaction) answer(service Service, code int, why string, ops ...Operation) Service {
	for _, op := range ops {
		if service.Wish != nil && service.Wish.Op == op {
			return t.finish(service, code, why)
		}
	}
	return service
}

// finish ends the wish of a service, if it has one, and answers its request.
func (t *transaction) finish(service Service, code int, why string) Service {
	return t.finishMigration(service, code, why, resources.Result{})
}

func (t *transaction) finishMigration(service Service, code int, why string, result resources.Result) Service {
	wish := service.Wish
	if wish == nil {
		return service
	}
	service.Wish = nil
	service = service.wordIsOver()
	if code == codeSuccess && service.Owner != "" {
		service = service.placedBy(*wish, t.index)
	}
	t.Services.Set(service.Spec.Name, service)
	request, known := t.Requests.Get(wish.Request)
	if !known {
		return service
	}
	request.Done, request.Code, request.Text, request.Why, request.Owner = true, code, CodeText(code), why, service.Owner
	request.Total, request.Downtime = result.Total, result.Downtime
	t.Requests.Set(request.ID, request)
	return service
}

func (t *transaction) applyProbed(c Probed) refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Owner != c.Node {
		return refuse("%s does not run on %s", c.Service, c.Node)
	}
	if t.Level >= levelTwo {
		service.Answered = t.index
		t.Services.Set(c.Service, service)
	}
	took := c.At.Sub(service.SinceAt)
	if took < 0 {
		took = 0
	}
	t.tell(Event{Node: c.Node, Subject: c.Service, Cause: service.Since, Why: "the guest answers its probe", Phases: []Phase{{What: "guest answering", At: c.At}, {What: "since VM running", Took: took}}})
	return accepted
}

func (t *transaction) applyGiveUp(c GiveUp) refusal {
	service, known := t.Services.Get(c.Service)
	if !known || service.Wish == nil || service.Wish.Request != c.Request || service.Intent != nil {
		return refuse("the request %s is not open", c.Request)
	}
	if c.Code == codeSuccess && !t.fulfilled(service) {
		return refuse("the request %s is no longer fulfilled", c.Request)
	}
	state := service.State
	if len(service.Holders) == 0 {
		state = resources.Stopped
		service.Held = service.Wish.Op == OpStop
	}
	if len(service.Holders) == 0 && !service.Enabled {
		state = resources.Disabled
	}
	service = t.setService(service, state, Event{Node: service.Owner, By: service.Wish.By, Why: c.Why})
	t.finish(service, c.Code, c.Why)
	return accepted
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
