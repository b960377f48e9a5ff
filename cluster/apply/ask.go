package apply

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// answerRunning answers the requests that end with the service running. One to
// stop or to disable it does not: it is worked on next.
func (t *transaction) answerRunning(service cluster.Service) {
	wish, owner := service.Wish, service.Owner
	if wish == nil {
		return
	}
	elsewhere := wish.Target != "" && owner != wish.Target
	n, off := t.Workable(owner)
	if r := t.Running(service, cluster.CodeSuccess, message.Text{}); !off.IsZero() && !n.StoppedOnPurpose() &&
		wish.Op != cluster.OpMigrate {
		// It came up, and its node was lost before it could say so.
		t.answer(service, r.Code, r.Why, cluster.OpEnable, cluster.OpRestart, cluster.OpRelocate, cluster.OpConvalesce)
		return
	}
	switch {
	case wish.Op == cluster.OpMigrate && elsewhere:
		t.finish(service, cluster.CodeFailure, message.RequestNotLive.With(service.Reason))
	case (wish.Op == cluster.OpRelocate || wish.Op == cluster.OpEnable) && elsewhere:
		t.finish(service, cluster.CodeFailure, message.RequestElsewhere.With(owner, wish.Target,
			t.whyNotOn(service, wish.Target)))
	case wish.Op == cluster.OpRelocate && wish.Target == "" && service.LastOwner == owner:
		t.finish(service, cluster.CodeRunsAtHome, t.whyNotElsewhere(service))
	case wish.Op == cluster.OpRestart && service.LastOwner != "" && service.LastOwner != owner:
		t.finish(service, cluster.CodeSuccess, message.RequestRestartedElsewhere.With(owner, service.LastOwner,
			t.whyNotOn(service, service.LastOwner)))
	default:
		why := service.LeftBehind()
		if !off.IsZero() && n.StoppedOnPurpose() {
			why = message.RequestDoneUnwatched.With(owner, why)
		}
		t.answer(service, cluster.CodeSuccess, why, cluster.OpEnable, cluster.OpRestart, cluster.OpRelocate,
			cluster.OpMigrate, cluster.OpConvalesce)
	}
}

// fulfilled reports whether a wish has come true. Whoever decided so may not have known yet that
// the service was found somewhere, or that its node is lost.
func (t *transaction) fulfilled(service cluster.Service) bool {
	switch service.Wish.Op {
	case cluster.OpDisable, cluster.OpStop:
		return len(service.Holders) == 0
	}
	return service.State == resources.Started &&
		t.Running(service, cluster.CodeSuccess, message.Text{}).Code == cluster.CodeSuccess
}

// whyNotOn says why a service did not come up on a node.
func (t *transaction) whyNotOn(service cluster.Service, node string) message.Text {
	for _, tr := range service.Troubles {
		if tr.Node == node {
			return tr.Says()
		}
	}
	for _, v := range domain.Rank(t.DomainOf(service), t.Candidates(service)) {
		if v.Node == node && !v.Legal {
			return v.Why
		}
	}
	return message.RequestStartedBefore.With()
}

// whyNotElsewhere says of a service that came up where it was before, and of each other node, why.
func (t *transaction) whyNotElsewhere(service cluster.Service) message.Text {
	var refused []message.Text
	for _, name := range t.Nodes.Keys() {
		if name != service.Owner {
			refused = append(refused, message.NodeRuledOut.With(name, t.whyNotOn(service, name)))
		}
	}
	if len(refused) == 0 {
		return message.RequestNoOtherNode.With(service.Owner)
	}
	return message.RequestTakenByNone.With(service.Owner, refused)
}

// applyAsk of an administrator's request. What is impossible is refused here,
// before anything is stopped; what is possible becomes the service's wish. The
// same request id is never done twice (law L7).
func (t *transaction) applyAsk(c cluster.Ask) rules.Refusal {
	if c.Request == "" {
		return rules.Refuse(message.RequestIDMissing.With())
	}
	if _, known := t.Requests.Get(c.Request); known {
		return rules.Accepted
	}
	if t.Requests.Len() >= cluster.MaxRequests && !t.roomForRequest() {
		return rules.RefuseAs(cluster.CodeTemporary, message.RequestLimit.With(cluster.MaxRequests))
	}
	request := cluster.Request{ID: c.Request, Op: c.Op, Service: c.Service, Node: c.Node, By: c.By, Index: t.index}
	service, known := t.Services.Get(c.Service)
	if !known {
		t.keepRequest(answered(request,
			rules.RefuseAs(cluster.CodeNoService, message.ServiceUndeclared.With(c.Service))))
		return rules.Accepted
	}
	if refused := limitsRefused(c); refused != rules.Accepted {
		t.keepRequest(answered(request, refused))
		return rules.Accepted
	}
	switch c.Op {
	case cluster.OpCancel:
		t.cancelMove(service, c, request)
		return rules.Accepted
	case cluster.OpTune:
		t.tuneMove(service, c, request)
		return rules.Accepted
	}
	if refused := t.mayAsk(service, c); refused != rules.Accepted {
		request.Owner = service.Owner
		t.keepRequest(answered(request, refused))
		return rules.Accepted
	}
	t.keepRequest(request)
	t.wish(service, c)
	return rules.Accepted
}

// limitsRefused refuses limits of a migration that are none, or that go with another request.
func limitsRefused(c cluster.Ask) rules.Refusal {
	if err := c.Migration.Bad(); err != nil {
		return rules.RefuseAs(cluster.CodeInvalid, message.RequestLimitsBad.With(err.Error()))
	}
	none := c.Migration == resources.Migration{}
	if !none && c.Op != cluster.OpMigrate && c.Op != cluster.OpTune {
		return rules.RefuseAs(cluster.CodeInvalid, message.RequestLimitsUnasked.With(c.Service))
	}
	return rules.Accepted
}

func answered(request cluster.Request, r rules.Refusal) cluster.Request {
	request.Done, request.Code, request.Text, request.Why = true, r.Code, cluster.CodeText(r.Code), r.Why
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
func (t *transaction) keepRequest(request cluster.Request) {
	if t.Requests.Len() >= cluster.MaxRequests {
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
func (t *transaction) mayAsk(service cluster.Service, c cluster.Ask) rules.Refusal {
	if service.Flags&resources.Frozen != 0 && c.Op != cluster.OpUnfreeze {
		return rules.RefuseAs(cluster.CodeFrozen, message.RequestServiceFrozen.With(c.Service))
	}
	if service.Wish != nil && c.Op != cluster.OpDisable {
		return rules.RefuseAs(cluster.CodeDeadlock,
			message.RequestUnderWay.With(service.Wish.By, service.Wish.Op, c.Service))
	}
	if refused := t.mayUnderLock(service, c.Op); refused != rules.Accepted {
		return refused
	}
	if refused := t.mayLose(service, c); refused != rules.Accepted {
		return refused
	}
	switch c.Op {
	case cluster.OpEnable:
		return t.mayEnable(service, c)
	case cluster.OpDisable:
		return rules.Accepted
	case cluster.OpUnfreeze:
		return rules.Accepted // also when its node died meanwhile: nothing recovers it before
	case cluster.OpFreeze:
		return t.mayFreeze(service, c)
	case cluster.OpStop, cluster.OpRestart:
		if service.State != resources.Started {
			return rules.RefuseAs(cluster.CodeInvalid, message.ServiceNotStarted.With(c.Service, service.State))
		}
		if c.Op == cluster.OpRestart {
			return t.mayComeBack(service)
		}
		return rules.Accepted
	case cluster.OpRelocate:
		return t.MayRelocate(service, c)
	case cluster.OpMigrate:
		return t.MayMigrate(service, c)
	case cluster.OpConvalesce:
		return t.MayConvalesce(service)
	}
	return rules.RefuseAs(cluster.CodeInvalid, message.RequestOperationUnknown.With(c.Op))
}

func (t *transaction) mayEnable(service cluster.Service, c cluster.Ask) rules.Refusal {
	switch service.State {
	case resources.Started:
		if !service.Enabled {
			return rules.Accepted // found running although disabled, to be kept
		}
		return t.Running(service, cluster.CodeRunning, message.ServiceRunsAlready.With(c.Service, service.Owner))
	case resources.Failed:
		return rules.RefuseAs(cluster.CodeFailure, message.RequestServiceFailed.With(c.Service, service.Reason))
	case resources.Migrating, resources.Stopping:
		return rules.RefuseAs(cluster.CodeTemporary, message.ServiceInState.With(c.Service, service.State))
	}
	if refused := t.mayLack(service); refused != rules.Accepted {
		return refused
	}
	if c.Node == "" {
		return rules.Accepted
	}
	return t.MayTarget(service, c.Node, cluster.CodeTemporary, cluster.CodeFailure)
}

// mayComeBack refuses to stop for a restart what could not be started again: what it needs is down,
// an order keeps its node free of services, or it is declared larger than any node has room for.
func (t *transaction) mayComeBack(service cluster.Service) rules.Refusal {
	if why := t.Lacks(service); !why.IsZero() {
		return rules.RefuseAs(cluster.CodeDependency, message.RelocateLacks.With(why))
	}
	if n, known := t.Nodes.Get(service.Owner); known && n.Order != nil {
		return rules.RefuseAs(cluster.CodeTemporary, message.RequestNodeOrdered.With(n.Name, n.OrderWhy()))
	}
	if why := t.TooFull(&service, service.Owner); !why.IsZero() && !t.fitsElsewhere(service) {
		return rules.RefuseAs(cluster.CodeTemporary, message.NodeRuledOut.With(service.Owner, why))
	}
	return rules.Accepted
}

// fitsElsewhere reports whether a service that runs could be started on another node.
func (t *transaction) fitsElsewhere(service cluster.Service) bool {
	anew := rules.StartedAnew(service)
	for _, v := range domain.Rank(t.DomainOf(anew), t.Candidates(anew)) {
		if v.Legal && v.Node != service.Owner {
			return true
		}
	}
	return false
}

// wish takes an accepted request over.
func (t *transaction) wish(service cluster.Service, c cluster.Ask) {
	if service.Wish != nil {
		service = t.finish(service, cluster.CodeAborted, c.Overtakes())
	}
	service.Wish = &cluster.Wish{Request: c.Request, Op: c.Op, Target: c.Node, By: c.By, Reason: c.Reason, Index: t.index,
		Migration: c.Migration}
	service.FailedOn, service.Target, service.Avoid, service.Held = nil, "", "", false
	if elsewhere := c.Node != "" && c.Node != service.Kept.Node; elsewhere || c.Op == cluster.OpStop ||
		c.Op == cluster.OpDisable || c.Op == cluster.OpRelocate {
		service = service.KeepsRoom("")
	}
	if c.Op != cluster.OpFreeze && c.Op != cluster.OpUnfreeze {
		service.Troubles, service.Loop = nil, nil // who asks for something knows better
	}
	if c.DeclaredDisks {
		service = service.Given(c.By)
	}
	if c.Op == cluster.OpEnable || c.Op == cluster.OpRelocate || c.Op == cluster.OpMigrate {
		service.Home = "" // who is put somewhere by hand belongs there
	}
	service, state, why := t.takenOver(service, c)
	service = t.setService(service, state, cluster.Event{Node: service.Owner, By: c.By, Why: why})
	if c.Op == cluster.OpDisable {
		t.withdrawCancelled(c.Service)
	}
	if c.Op == cluster.OpRelocate && !service.Up() && c.Node == "" {
		service.Avoid = service.LastOwner // it is down, and is to come up somewhere else
		t.Services.Set(c.Service, service)
	}
	if t.doneAtOnce(service, c) {
		done := rules.DoneAtOnce(c, service)
		t.finish(service, done.Code, done.Why)
	}
	if c.Op == cluster.OpUnfreeze {
		t.thawed(c.Service)
	}
}

// takenOver is what a request makes of its service in the moment in which it is taken over: the
// service, its state, and why.
func (t *transaction) takenOver(service cluster.Service, c cluster.Ask) (
	cluster.Service, resources.State, message.Text) {
	why := message.RequestAsked.With(c.Op, c.Node, c.Reason)
	if c.Node != "" && c.Op == cluster.OpEnable {
		why = message.RequestAskedStart.With(c.Node, c.Reason)
	}
	state := service.State
	switch c.Op {
	case cluster.OpEnable:
		service.Enabled, service.Target = true, c.Node
		if state == resources.Disabled {
			state = resources.Stopped
		}
	case cluster.OpDisable:
		service.Enabled = false
		service = service.MoveCancelled(c.By)
		if len(service.Holders) == 0 && service.Intent == nil {
			state = resources.Disabled
		}
	case cluster.OpFreeze:
		service = t.freeze(service, c)
		if !service.Freeze.Until.IsZero() {
			why = message.RequestAskedFreeze.With(service.Freeze.EndText(), c.Reason)
		}
	case cluster.OpUnfreeze:
		service.Flags &^= resources.Frozen
		service.Freeze = nil
	}
	return service, state, why
}

// doneAtOnce reports whether nothing is left to be done for a request that was taken over.
func (t *transaction) doneAtOnce(service cluster.Service, c cluster.Ask) bool {
	runs := service.State == resources.Started &&
		t.Running(service, cluster.CodeSuccess, message.Text{}).Code == cluster.CodeSuccess
	return c.Op == cluster.OpFreeze || c.Op == cluster.OpUnfreeze || (c.Op == cluster.OpEnable && runs) ||
		(c.Op == cluster.OpDisable && len(service.Holders) == 0 && service.Intent == nil)
}
