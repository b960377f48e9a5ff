package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// What is special about services made of resources: some of their parts can
// fail. A service with a failed part is broken, and has to be stopped before it
// runs anywhere; one that may go on without that part is partial.

// fallen tells that what is there does its work no more and has to be removed.
func (h Holder) fallen() bool {
	return h.Condition == string(resources.Crashed) || h.Condition == string(resources.Broken)
}

// killed tells that what is left of the service is removed without asking it to
// end: a crashed guest cannot, what is left of a service's resources can.
func (s Service) killed() bool { return s.Spec.Kind() == resources.KindVM }

// pausable tells that a copy that runs where it should not can be held without
// ending it. An address or a mounted file system cannot.
func (s Service) pausable() bool { return s.Spec.Kind() == resources.KindVM }

// twiceWhat is what is done about a service that runs twice.
func (s Service) twiceWhat() string {
	if s.pausable() {
		return "the copy that does not belong there is paused, nothing is destroyed"
	}
	return "its resources cannot be paused, and nothing is stopped"
}

// twiceRemedy is what a person does about it.
func (s Service) twiceRemedy() string {
	if s.pausable() {
		return "stop the wrong copy with `virsh destroy` on its node"
	}
	return "stop the wrong copy's resources by hand on its node, and find out who started them"
}

// fall is the word for how a service of this kind falls.
func (s Service) fall() string {
	if s.Spec.Kind() == resources.KindVM {
		return "crash"
	}
	return "failure"
}

// runningWhy is the sentence about a service that runs.
func (s Service) runningWhy(h Holder) string {
	switch {
	case s.Spec.Kind() == resources.KindVM:
		return "the guest runs"
	case s.Flags&resources.Partial != 0:
		return sentence("it goes on in part", h.Reason)
	}
	return "its resources run"
}

// runningWhat names the last moment of a recovery.
func (s Service) runningWhat() string {
	if s.Spec.Kind() == resources.KindVM {
		return "VM running"
	}
	return "service running"
}

// observedPart brings the flag P in line with what was seen where the service
// runs. It tells whether that is news.
func (s Service) observedPart(n Member, o resources.Observation) (Service, bool) {
	if o.Condition != resources.Running || (s.Owner != n.Name && s.Owner != "") {
		return s, false
	}
	before := s.Flags
	if o.Partial {
		s.Flags |= resources.Partial
	} else {
		s.Flags &^= resources.Partial
	}
	return s, s.Flags != before
}

// broken takes in that resources of a service failed where it runs. What is
// frozen is left alone: somebody may be mending it.
func (t *transaction) broken(service Service, n Member, h Holder) {
	why := sentence("failed on "+n.Name, h.Reason)
	if service.Flags&resources.Frozen != 0 {
		t.setService(service, service.State, Event{Node: n.Name, Why: why + "; it is frozen, so nothing is done"})
		return
	}
	t.setService(t.afterFailure(service, n, h.Reason), resources.Recoverable, Event{Node: n.Name, Why: why})
}

// thawed takes up what happened to a service while it was frozen.
func (t *transaction) thawed(name string) {
	service, known := t.Services.Get(name)
	n, member := t.Nodes.Get(service.Owner)
	h, held := service.holder(service.Owner)
	if known && member && held && service.Intent == nil && service.State == resources.Started && h.Condition == string(resources.Broken) {
		t.broken(service, n, h)
	}
}

func (w *World) mayConvalesce(service Service) refusal {
	name := service.Spec.Name
	switch {
	case service.State != resources.Started:
		return refuseAs(codeInvalid, "%s is %s, not started", name, service.State)
	case service.Flags&resources.Partial == 0:
		return w.running(service, codeRunning, fmt.Sprintf("no part of %s is down", name))
	}
	return accepted
}

// beginConvalescence asks the owner's agent to start what is down.
func (t *transaction) beginConvalescence(c Begin, service Service, n Member) {
	service.Intent = t.intentOf(c, n)
	t.setService(service, resources.Started, Event{Node: n.Name, By: c.By, Why: c.Why})
}

// convalesced takes in what became of it.
func (t *transaction) convalesced(c Done, service Service, n Member, intent Intent) {
	h, held := service.holder(n.Name)
	if !held {
		t.Services.Set(service.Spec.Name, service)
		return
	}
	h = h.after(c.Result, t.index)
	h.Reason = c.Result.Why
	if c.Result.OK {
		h.Reason = ""
		service.Flags &^= resources.Partial
		service = t.setService(service.withHolder(h), resources.Started, Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: "all its resources run again"})
		t.finish(service, codeSuccess, "")
		return
	}
	why := sentence("what is down could not be started", c.Result.Why)
	service = t.setService(service.withHolder(h), resources.Started, Event{Node: n.Name, Cause: intent.Index, By: intent.By, Why: why})
	service = t.answer(service, codeFailure, why, OpConvalesce)
	if c.Result.Source == resources.Broken {
		t.broken(service, n, h)
	}
}
