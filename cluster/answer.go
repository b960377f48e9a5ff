package cluster

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// Answers are held against the State they are made from: nothing is called running
// that is only remembered, nor done that was done somewhere else.

// running says with a code that a started service runs where it belongs. Where that is
// only remembered, or it stands still, it says that instead.
func (w *World) running(service Service, code int, why string) refusal {
	owner := service.Owner
	n, off := w.workable(owner)
	h, _ := service.holder(owner)
	switch {
	case w.Fences.Has(owner):
		return refuseAs(codeFencing,
			"%s ran on %s when that was last heard; %s is being fenced, and it is started elsewhere after that",
			service.Spec.Name, owner, owner)
	case off != "":
		return refuseAs(codeTemporary,
			"%s ran on %s when that was last heard; %s is %s, and it is started elsewhere once %s is confirmed off",
			service.Spec.Name, owner, owner, n.State, owner)
	case h.Condition != string(resources.Running):
		return refusal{Code: codeTemporary, Why: sentence(fmt.Sprintf("%s is %s on %s", service.Spec.Name,
			orElse(h.Condition, "not seen"), owner), h.Reason)}
	}
	return refusal{Code: code, Why: why}
}

// answerRunning answers the requests that end with the service running. One to
// stop or to disable it does not: it is worked on next.
func (t *transaction) answerRunning(service Service) {
	wish, owner := service.Wish, service.Owner
	if wish == nil {
		return
	}
	elsewhere := wish.Target != "" && owner != wish.Target
	n, off := t.workable(owner)
	if r := t.running(service, codeSuccess, ""); off != "" && !n.stoppedOnPurpose() && wish.Op != OpMigrate {
		// It came up, and its node was lost before it could say so.
		t.answer(service, r.Code, r.Why, OpEnable, OpRestart, OpRelocate, OpConvalesce)
		return
	}
	switch {
	case wish.Op == OpMigrate && elsewhere:
		t.finish(service, codeFailure, "it could not move live: "+service.Reason)
	case (wish.Op == OpRelocate || wish.Op == OpEnable) && elsewhere:
		t.finish(service, codeFailure, fmt.Sprintf("it runs on %s, and not on %s: %s", owner, wish.Target,
			t.whyNotOn(service, wish.Target)))
	case wish.Op == OpRelocate && wish.Target == "" && service.LastOwner == owner:
		t.finish(service, codeRunsAtHome, fmt.Sprintf("it runs on %s again, no other node took it: %s", owner,
			t.whyNotElsewhere(service)))
	case wish.Op == OpRestart && service.LastOwner != "" && service.LastOwner != owner:
		t.finish(service, codeSuccess, fmt.Sprintf("it runs on %s now, and not on %s: %s", owner, service.LastOwner,
			t.whyNotOn(service, service.LastOwner)))
	default:
		why := service.leftBehind()
		if off != "" && n.stoppedOnPurpose() {
			why = sentence(fmt.Sprintf("it runs on %s, where clusterd was stopped on purpose since", owner), why)
		}
		t.answer(service, codeSuccess, why, OpEnable, OpRestart, OpRelocate, OpMigrate, OpConvalesce)
	}
}

// fulfilled reports whether a wish has come true. Whoever decided so may not have known yet that
// the service was found somewhere, or that its node is lost.
func (t *transaction) fulfilled(service Service) bool {
	switch service.Wish.Op {
	case OpDisable, OpStop:
		return len(service.Holders) == 0
	}
	return service.State == resources.Started && t.running(service, codeSuccess, "").Code == codeSuccess
}

// arrivedLive is the answer to a migration whose guest left its source: it may have fallen on its
// new node before anybody looked.
func (s Service) arrivedLive() refusal {
	h, _ := s.holder(s.Owner)
	if h.Condition == string(resources.Running) {
		return refusal{Code: codeSuccess, Why: ""}
	}
	return refusal{Code: codeFailure, Why: sentence(fmt.Sprintf("it moved live, and is %s on %s",
		orElse(h.Condition, "not seen"), s.Owner), h.Reason)}
}

// stoppedHere is the answer to a request to stop whose stop on one node is proven. Where the service
// is known to have been since, and nobody asks any more, the request is not fulfilled.
func (s Service) stoppedHere(node string) refusal {
	if len(s.Holders) == 0 {
		return refusal{Code: codeSuccess, Why: ""}
	}
	for _, h := range s.Holders {
		if !h.Ask {
			return refusal{Code: codeTemporary, Why: sentence(fmt.Sprintf("it is gone from %s, and it is %s on %s", node,
				orElse(h.Condition, "not seen"), h.Node), h.Reason)}
		}
	}
	return refusal{Code: codeSuccess, Why: fmt.Sprintf("it is gone from %s; whether it is on %s is being asked", node,
		holderNames(s))}
}

// foundTwice tells whether a service was last found running twice: what is paused then
// was paused by us.
func (s Service) foundTwice() bool { return strings.HasPrefix(s.Reason, "RUNNING TWICE") }

// whyNotOn says why a service did not come up on a node.
func (t *transaction) whyNotOn(service Service, node string) string {
	for _, tr := range service.Troubles {
		if tr.Node == node {
			return tr.String()
		}
	}
	for _, v := range domain.Rank(t.domainOf(service), t.candidates(service)) {
		if v.Node == node && !v.Legal {
			return v.Why
		}
	}
	return "somebody else was faster"
}

// whyNotElsewhere says of each other node why a service did not come up there.
func (t *transaction) whyNotElsewhere(service Service) string {
	var list []string
	for _, name := range t.Nodes.Keys() {
		if name != service.Owner {
			list = append(list, name+": "+t.whyNotOn(service, name))
		}
	}
	if len(list) == 0 {
		return "there is none"
	}
	return strings.Join(list, "; ")
}
