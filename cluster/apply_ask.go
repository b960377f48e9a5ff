package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// apply of an administrator's request. What is impossible is refused here,
// before anything is stopped; what is possible becomes the service's wish. The
// same request id is never done twice (law L7).
func (t *transaction) applyAsk(c Ask) refusal {
	if c.Request == "" {
		return refuse("a request needs an id, so that it is never done twice")
	}
	if _, known := t.Requests.Get(c.Request); known {
		return accepted
	}
	if t.Requests.Len() >= maxRequests && !t.roomForRequest() {
		return refuseAs(codeTemporary, "%d requests are being worked on, the limit; try again later", maxRequests)
	}
	request := Request{ID: c.Request, Op: c.Op, Service: c.Service, Node: c.Node, By: c.By, Index: t.index}
	service, known := t.Services.Get(c.Service)
	if !known {
		t.keepRequest(answered(request, refusal{Code: codeNoService, Why: fmt.Sprintf("there is no service %s in the cluster document", c.Service)}))
		return accepted
	}
	if c.Op == OpCancel {
		t.cancelMove(service, c, request)
		return accepted
	}
	if refused := t.mayAsk(service, c); refused != accepted {
		request.Owner = service.Owner
		t.keepRequest(answered(request, refused))
		return accepted
	}
	t.keepRequest(request)
	t.wish(service, c)
	return accepted
}

func answered(request Request, r refusal) Request {
	request.Done, request.Code, request.Text, request.Why = true, r.Code, CodeText(r.Code), r.Why
	return request
}

func (t *transaction) roomForRequest() bool {
	for _, id := range t.Requests.Keys() {
		if r, _ := t.Requests.Get(id); r.Done {
			return true
		}
	}
	return false
}

// keepRequest remembers a request; the oldest finished one makes room.
func (t *transaction) keepRequest(request Request) {
	if t.Requests.Len() >= maxRequests {
		oldest, at := "", uint64(0)
		for _, id := range t.Requests.Keys() {
			if r, _ := t.Requests.Get(id); r.Done && (oldest == "" || r.Index < at) {
				oldest, at = id, r.Index
			}
		}
		t.Requests.Delete(oldest)
	}
	t.Requests.Set(request.ID, request)
}

// mayAsk checks a request against the state of its service.
func (t *transaction) mayAsk(service Service, c Ask) refusal {
	if service.Flags&resources.Frozen != 0 && c.Op != OpUnfreeze {
		return refuseAs(codeFrozen, "%s is frozen; unfreeze it with `clusvcadm -U %s`", c.Service, c.Service)
	}
	if service.Wish != nil && c.Op != OpDisable {
		return refusal{Code: codeDeadlock, Why: fmt.Sprintf("%s asked to %s %s, which is under way; try again when that is over",
			orElse(service.Wish.By, "somebody"), service.Wish.Op, c.Service)}
	}
	if refused := t.mayUnderLock(service, c.Op); refused != accepted {
		return refused
	}
	if refused := t.mayLose(service, c); refused != accepted {
		return refused
	}
	switch c.Op {
	case OpEnable:
		return t.mayEnable(service, c)
	case OpDisable:
		return accepted
	case OpUnfreeze:
		return accepted // also when its node died meanwhile: nothing recovers it before
	case OpFreeze:
		return t.mayFreeze(service, c)
	case OpStop, OpRestart:
		if service.State != resources.Started {
			return refuseAs(codeInvalid, "%s is %s, not started", c.Service, service.State)
		}
		if c.Op == OpRestart {
			return t.mayComeBack(service)
		}
		return accepted
	case OpRelocate:
		return t.mayRelocate(service, c)
	case OpMigrate:
		return t.mayMigrate(service, c)
	case OpConvalesce:
		return t.mayConvalesce(service)
	}
	return refuseAs(codeInvalid, "%q is no operation", c.Op)
}

func (t *transaction) mayEnable(service Service, c Ask) refusal {
	switch service.State {
	case resources.Started:
		if !service.Enabled {
			return accepted // found running although disabled, to be kept
		}
		return t.running(service, codeRunning, fmt.Sprintf("%s runs on %s", c.Service, service.Owner))
	case resources.Failed:
		return refuseAs(codeFailure, "%s is failed (%s); disable it first", c.Service, service.Reason)
	case resources.Migrating, resources.Stopping:
		return refuseAs(codeTemporary, "%s is %s", c.Service, service.State)
	}
	if refused := t.mayLack(service); refused != accepted {
		return refused
	}
	if c.Node == "" {
		return accepted
	}
	return t.mayTarget(service, c.Node, codeTemporary, codeFailure)
}

// mayTarget checks a node that was named by the administrator.
func (w *World) mayTarget(service Service, node string, offline, illegal int) refusal {
	n, known := w.Nodes.Get(node)
	if !known {
		return refuseAs(codeNodeDead, "there is no node %s", node)
	}
	if w.Fences.Has(node) {
		return refusal{Code: codeFencing, Why: node + " is being fenced"}
	}
	if n.State != NodeOnline {
		return refuseAs(offline, "%s is %s", node, n.State)
	}
	if n.Order != nil {
		return refuseAs(illegal, "%s is %s; `clusterd node return %s` ends that", node, n.orderWhy(), node)
	}
	if n.Restarts.lately(w.at) {
		return refusal{Code: offline, Why: fmt.Sprintf("%s is given no work now: %s; `journalctl -u clusterd` there says why", node,
			n.Restarts.says())}
	}
	if why := w.mayRun(service, n); why != "" {
		return refusal{Code: illegal, Why: why}
	}
	return w.mayJoin(service, n)
}

// mayComeBack refuses to stop for a restart what could not be started again: what
// it needs is down, or an order keeps its node free of services.
func (t *transaction) mayComeBack(service Service) refusal {
	if why := t.lacks(service); why != "" {
		return refusal{Code: codeDependency, Why: why + "; it could not be started again"}
	}
	if n, known := t.Nodes.Get(service.Owner); known && n.Order != nil {
		return refuseAs(codeTemporary, "%s is %s, so it could not be started there again; move it, or `clusterd node return %s`", n.Name, n.orderWhy(), n.Name)
	}
	return accepted
}

func (w *World) mayRelocate(service Service, c Ask) refusal {
	switch service.State {
	case resources.Disabled, resources.Uninitialized, resources.Failed:
		return refuseAs(codeInvalid, "%s is %s", c.Service, service.State)
	case resources.Migrating, resources.Starting, resources.Stopping:
		return refuseAs(codeTemporary, "%s is %s", c.Service, service.State)
	}
	if why := w.lacks(service); why != "" && service.up() {
		return refusal{Code: codeDependency, Why: why + "; it could not be started again"}
	}
	if c.Node != "" {
		if c.Node == service.Owner {
			return w.running(service, codeSuccess, fmt.Sprintf("%s already runs on %s", c.Service, c.Node))
		}
		return w.mayTarget(service, c.Node, codeNodeDead, codeDependency)
	}
	for _, v := range domain.Rank(w.domainOf(service), w.candidates(service)) {
		if v.Legal && v.Node != service.Owner {
			return accepted
		}
	}
	if len(w.objectionsTo(service).why) > 0 {
		return refusal{Code: codeDependency, Why: "rules between services leave no other node to " + c.Service + " now; it is left where it is"}
	}
	return refusal{Code: codeFailure, Why: "no other node may run " + c.Service + " now; it is left where it is"}
}

func (w *World) mayMigrate(service Service, c Ask) refusal {
	if c.Node == "" {
		return refusal{Code: codeInvalid, Why: "a migration needs a target node"}
	}
	if service.Spec.Kind() != resources.KindVM {
		return refusal{Code: codeInvalid, Why: notLive(service)}
	}
	if refused := w.mayTarget(service, c.Node, codeNodeDead, codeDependency); refused != accepted {
		return refused
	}
	switch service.State {
	case resources.Started:
	case resources.Starting, resources.Stopping, resources.Migrating, resources.Recovering, resources.Recoverable:
		return refuseAs(codeTemporary, "%s is %s", c.Service, service.State)
	default:
		return refuseAs(codeFailure, "%s is %s, not started", c.Service, service.State)
	}
	if service.Owner == c.Node {
		return w.running(service, codeSuccess, fmt.Sprintf("%s already runs on %s", c.Service, c.Node))
	}
	if len(service.Holders) != 1 {
		return refuseAs(codeTemporary, "%s may be on %s; it migrates when that is clear", c.Service, holderNames(service))
	}
	if h, _ := service.holder(service.Owner); h.Condition != string(resources.Running) {
		return refuseAs(codeTemporary, "%s is %s on %s; only a running VM migrates", c.Service, h.Condition, service.Owner)
	}
	if why := w.turnsKey(service.Owner, c.Node); why != "" {
		return refusal{Code: codeTemporary, Why: why}
	}
	return accepted
}

// doneAtOnce is the answer to a request that needs no act. What was found running where nobody
// asked for it is kept, and it is not where it was asked for.
func (c Ask) doneAtOnce(service Service) refusal {
	if c.Op != OpEnable || c.Node == "" || c.Node == service.Owner {
		return accepted
	}
	return refusal{Code: codeFailure, Why: fmt.Sprintf("it is enabled and runs on %s already, and not on %s: "+
		"move it with `clusvcadm -r %s -m %s`", service.Owner, c.Node, c.Service, c.Node)}
}

// overtakes is what the request is told that this one takes the place of.
func (c Ask) overtakes() string {
	return fmt.Sprintf("overtaken: %s asked to %s it", orElse(c.By, "an administrator"), c.Op)
}

// wish takes an accepted request over.
func (t *transaction) wish(service Service, c Ask) {
	if service.Wish != nil {
		service = t.finish(service, codeAborted, c.overtakes())
	}
	service.Wish = &Wish{Request: c.Request, Op: c.Op, Target: c.Node, By: c.By, Reason: c.Reason, Index: t.index}
	service.FailedOn, service.Target, service.Avoid, service.Held = nil, "", "", false
	if c.Op != OpFreeze && c.Op != OpUnfreeze {
		service.Troubles, service.Loop = nil, nil // who asks for something knows better
	}
	if c.DeclaredDisks {
		service = service.given(c.By)
	}
	if c.Op == OpEnable || c.Op == OpRelocate || c.Op == OpMigrate {
		service.Home = "" // who is put somewhere by hand belongs there
	}
	why := sentence(fmt.Sprintf("asked to %s", c.Op), c.Reason)
	if c.Node != "" {
		why = sentence(fmt.Sprintf("asked to %s to %s", c.Op, c.Node), c.Reason)
		if c.Op == OpEnable {
			why = sentence("asked to start on "+c.Node, c.Reason)
		}
	}
	state := service.State
	switch c.Op {
	case OpEnable:
		service.Enabled, service.Target = true, c.Node
		if state == resources.Disabled {
			state = resources.Stopped
		}
	case OpDisable:
		service.Enabled = false
		service = service.moveCancelled(c.By)
		if len(service.Holders) == 0 && service.Intent == nil {
			state = resources.Disabled
		}
	case OpFreeze:
		service = t.freeze(service, c)
		if until := service.Freeze.until(); until != "" {
			why = sentence("asked to freeze it "+until, c.Reason)
		}
	case OpUnfreeze:
		service.Flags &^= resources.Frozen
		service.Freeze = nil
	}
	service = t.setService(service, state, Event{Node: service.Owner, By: c.By, Why: why})
	if c.Op == OpRelocate && !service.up() && c.Node == "" {
		service.Avoid = service.LastOwner // it is down, and is to come up somewhere else
		t.Services.Set(c.Service, service)
	}
	runs := state == resources.Started && t.running(service, codeSuccess, "").Code == codeSuccess
	atOnce := c.Op == OpFreeze || c.Op == OpUnfreeze || (c.Op == OpEnable && runs) ||
		(c.Op == OpDisable && len(service.Holders) == 0 && service.Intent == nil)
	if atOnce {
		done := c.doneAtOnce(service)
		t.finish(service, done.Code, done.Why)
	}
	if c.Op == OpUnfreeze {
		t.thawed(c.Service)
	}
}
