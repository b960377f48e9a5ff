package cluster

import (
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// settled tells whether a condition at one end of a migration is final: not
// unknown, and not still moving.
func settled(condition string) bool {
	return condition != "" && condition != string(resources.Unknown)
}

// Act is what one end of an unclean migration has to do next.
type settleAct int

const (
	settleWait settleAct = iota
	settleEnd
	settleResumeTarget
	settleResumeSource
	settleDropTarget
	settleDropSource
	settlePauseTarget
	settleAskAgain
)

// A copy at the target that does not run is dropped as long as anything is left
// at the source, whatever its condition: going on with it later would bring
// old memory to a newer disk.
//
// settlement decides how an unclean migration goes on, from what both ends
// show (law L5). The source stays primary until the target was resumed; a copy
// that never ran is dropped; two running are paused, and then a person decides.
func settlement(source, target string, twice bool) settleAct {
	absent, running, paused := string(resources.Absent), string(resources.Running), string(resources.Paused)
	copyAtTarget := target == paused || target == string(resources.Incoming)
	switch {
	case !settled(source) || !settled(target):
		return settleAskAgain
	case source == running && target == running:
		return settlePauseTarget
	case twice:
		if source == absent || target == absent {
			return settleEnd
		}
		return settleWait
	case target == absent && source == paused:
		return settleResumeSource
	case source == absent && target == paused:
		return settleResumeTarget
	case source == absent && target == string(resources.Incoming):
		return settleDropTarget
	case copyAtTarget:
		return settleDropTarget
	case source == paused && target == running:
		return settleDropSource
	}
	return settleEnd
}

// ends returns the conditions at both ends; a holder that has left is absent.
func (s Service) ends() (source, target string) {
	source, target = string(resources.Absent), string(resources.Absent)
	if h, held := s.holder(s.Intent.Node); held {
		source = h.Condition
	}
	if h, held := s.holder(s.Intent.Target); held {
		target = h.Condition
	}
	return source, target
}

// asking tells whether an end still has to answer.
func (s Service) asking(node string) bool {
	h, held := s.holder(node)
	return held && h.Ask
}

// settleMigration goes on with a migration that did not end clean: first the
// source answers, then the target is asked, then it is decided.
func (t *transaction) settleMigration(service Service) {
	intent := *service.Intent
	if intent.Ending {
		t.endedMove(service)
		return
	}
	service.Changed = t.index
	t.Services.Set(service.Spec.Name, service)
	if service.asking(intent.Node) {
		return
	}
	if intent.SourceSeen == 0 {
		intent.SourceSeen = t.index
		service.Intent = &intent
		service = t.askEnd(service, intent.Target, "asked after the source has answered")
		t.Services.Set(service.Spec.Name, service)
	}
	if service.asking(intent.Target) {
		return
	}
	source, target := service.ends()
	switch settlement(source, target, intent.Twice) {
	case settleAskAgain:
		t.askAgain(service)
	case settlePauseTarget:
		if !intent.Twice {
			intent.Twice = true
			service.Intent = &intent
			t.setService(service, resources.Migrating, Event{Node: intent.Target, Cause: intent.Index, Why: "RUNNING TWICE on " + intent.Node + " and " + intent.Target +
				": the copy on " + intent.Target + " is paused at once. Decide which one is right and stop the other by hand"})
		}
	case settleEnd:
		t.endMigration(service, source, target)
	}
}

func (t *transaction) askAgain(service Service) {
	service = t.askBothEnds(service, "the last answer proved nothing")
	t.Services.Set(service.Spec.Name, service)
}

// endMigration closes the intent by what runs now. A VM that is alive is never
// marked failed.
func (t *transaction) endMigration(service Service, source, target string) {
	intent := *service.Intent
	absent := string(resources.Absent)
	if source == absent && target != absent {
		t.migrationDone(service, resources.Result{})
		return
	}
	service.Intent = nil
	if source != absent {
		service.Owner = intent.Node
		n, _ := t.Nodes.Get(intent.Target)
		service = t.troubled(service, n, TroubleMove, service.undoneWhy())
		why := service.Reason
		service = t.setService(service, resources.Started, Event{Node: intent.Node, Cause: intent.Index, Why: sentence("the migration is undone, it stays on "+intent.Node, why)})
		code := codeRunsAtHome
		if source != string(resources.Running) {
			code = codeFailure // it ended there, or does not run on
		}
		service = t.answer(service, code, service.Reason, OpMigrate)
		t.crashedAtEnd(service)
		return
	}
	n, _ := t.Nodes.Get(intent.Target)
	service = t.troubled(service, n, TroubleMove, "it ended with the guest at neither end")
	service.Owner, service.LastOwner = "", intent.Node
	if t.adoptLast(service) {
		return
	}
	// A target that booted anew in between may have got the guest on its new boot,
	// where nobody held it; so every node in touch is asked first (law L1).
	service = t.askReachable(service, "")
	state := resources.Recovering
	if !service.Enabled {
		state = resources.Disabled
	}
	service = t.setService(service, state, Event{Node: intent.Node, Cause: intent.Index, Why: "the migration ended with the guest at neither end: every node in touch is asked, then it is started again"})
	service = t.answer(service, codeFailure, service.Reason, OpMigrate)
	t.atRest(service)
}

// undoneWhy is what a migration that was undone died of.
func (s Service) undoneWhy() string {
	_, why, _ := strings.Cut(s.Reason, " failed: ")
	return why
}

// crashedAtEnd hands a guest that crashed during its migration to recovery.
func (t *transaction) crashedAtEnd(service Service) {
	h, held := service.holder(service.Owner)
	if !held || h.Condition != string(resources.Crashed) {
		return
	}
	n, _ := t.Nodes.Get(service.Owner)
	t.setService(t.afterFailure(service, n, "the guest crashed"), resources.Recoverable,
		Event{Node: n.Name, Why: "the guest crashed on " + n.Name})
}
