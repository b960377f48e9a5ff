package apply

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// applyLooked of an answer: it counts only for the asking it answers.
func (t *transaction) applyLooked(c cluster.Looked) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.Ended() {
		return rules.Refuse(message.LookOutdated.With(c.Node))
	}
	service, known := t.Services.Get(c.Service)
	if !known || (c.UUID != "" && service.Spec.UUID != c.UUID) {
		return t.lookedGrave(c, n)
	}
	h, held := service.Holder(c.Node)
	if !held || !h.Ask || h.Since != c.Since || !cluster.OnBoot(n)(h) {
		return rules.Refuse(message.LookNotAsked.With(c.Node, c.Service, c.Since))
	}
	t.observe(service, n, c.Observation, c.AsOf)
	return rules.Accepted
}

// lookedGrave takes an answer about a removed service.
func (t *transaction) lookedGrave(c cluster.Looked, n cluster.Member) rules.Refusal {
	for _, uuid := range t.Tombstones.Keys() {
		grave, _ := t.Tombstones.Get(uuid)
		h, held := grave.Holder(c.Node)
		if grave.Spec.Name != c.Service || !held || h.Since != c.Since || !cluster.OnBoot(n)(h) {
			continue
		}
		if c.Observation.Condition == resources.Absent {
			t.bury(uuid, grave.WithoutHolder(cluster.OnBoot(n)))
			return rules.Accepted
		}
	}
	return rules.Refuse(message.ServiceUnknown.With(c.Service))
}

// applyObserved of something an agent saw unasked. While an intent of the service is
// open on that node, its result tells the end, not the events on the way.
func (t *transaction) applyObserved(c cluster.Observed) rules.Refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.State == cluster.NodeLooking || n.Ended() ||
		n.Before == cluster.NodeLooking {
		return rules.Refuse(message.ObservationOutdated.With(c.Node))
	}
	service, known := t.Services.Get(c.Service)
	if !known {
		return rules.Refuse(message.ServiceUnknown.With(c.Service))
	}
	if o := c.Observation; o.UUID != "" && service.Spec.UUID != "" && o.UUID != service.Spec.UUID {
		return rules.Refuse(message.ObservationOtherVM.With(o.UUID, c.Service, service.Spec.UUID))
	}
	if service.BusyOn(c.Node) {
		return rules.Refuse(message.ObservationMidAct.With(c.Service, c.Node))
	}
	if h, held := service.Holder(c.Node); (held && h.Since > c.AsOf) || (!held && service.Changed > c.AsOf) {
		return rules.Refuse(message.ObservationBeforeAct.With(c.Service))
	} else if held && h.Seen >= c.AsOf {
		// Of two looks that began at one index nobody can tell which was the later one. What
		// is refused is looked at again.
		return rules.Refuse(message.ObservationNotNewer.With(c.Service))
	}
	if o := c.Observation.Condition; n.State == cluster.NodeLeft && o != resources.Absent && o != resources.Unknown {
		// Somebody brought it here by hand. A node that has left is neither watched
		// nor emptied; one that leaves is both.
		n = t.setNodeState(n, cluster.NodeLeaving, "", message.NodeLeftNotEmpty.With(c.Service, o))
	}
	t.observe(service, n, c.Observation, c.AsOf)
	return rules.Accepted
}

// observe takes in what was seen of a service on a node, by a look that began as of
// an index. Unknown is never read as absent: it releases nothing.
func (t *transaction) observe(service cluster.Service, n cluster.Member, o resources.Observation, asOf uint64) {
	h, held := service.Holder(n.Name)
	held = held && cluster.OnBoot(n)(h)
	switch {
	case held && service.Unripe(n.Name, o):
		return
	case o.Condition == resources.Absent && held:
		t.absent(service, n, h, o)
		return
	case o.Condition == resources.Absent:
		return
	case o.Condition == resources.Unknown && !held:
		return
	}
	if !held {
		h = t.foundOn(service, n)
	}
	// A running guest is no news, whatever the hypervisor calls the way it came.
	changed := h.Condition != string(o.Condition) || (h.Reason != o.Reason && o.Condition != resources.Running)
	h = t.pluggedIn(service, seenAs(h, o, asOf), o)
	switch {
	case len(o.Disks) == 0:
		service = service.WithHolder(h)
	case service.Spec.Traits().Drifts:
		h = h.RunsOn(o.Disks)
		service = t.strays(service.WithHolder(h), n, h)
	default:
		h.Disks = o.Disks
		service = service.WithHolder(h)
	}
	service, partly := service.ObservedPart(n, o)
	changed = changed || partly
	t.Services.Set(service.Spec.Name, service)
	if o.Mended != "" {
		t.tell(cluster.Event{Node: n.Name, Subject: service.Spec.Name, Why: message.ServicePartMended.With(o.Mended)})
	}
	if service, open := t.whileIntended(service, n, o, held); open {
		t.settle(service, n, h, changed || !held)
	}
}

// seenAs is a holder after a look that began as of an index.
func seenAs(h cluster.Holder, o resources.Observation, asOf uint64) cluster.Holder {
	h.Condition, h.Reason, h.Seen = string(o.Condition), o.Reason, max(h.Seen, asOf)
	if o.Condition != resources.Unknown {
		h.Ask = false
	}
	if o.Condition == resources.Running {
		h.Creating = false
	}
	return h
}

// whileIntended holds what was seen against the intent that is open, and reports whether owner and
// state are still to be settled by it. Where they are not, the intent's result does that.
func (t *transaction) whileIntended(service cluster.Service, n cluster.Member, o resources.Observation,
	held bool) (cluster.Service, bool) {
	switch intent := service.Intent; {
	case intent == nil:
		return service, true
	case intent.Settling:
		t.settleMigration(service)
	case !held && intent.Kind == cluster.IntentStart && o.Condition != resources.Unknown:
		return t.voidIntent(service, message.ServiceFoundWhileStarting.With(o.Condition, n.Name)), true
	case !held && o.Condition == resources.Running:
		t.setService(service, service.State,
			cluster.Event{Node: n.Name, Cause: intent.Index,
				Why: message.ServiceRunningTwiceBusy.With(n.Name, intent.Node)})
	}
	return service, false
}

// settle brings owner and state in line with what is known to run.
func (t *transaction) settle(service cluster.Service, n cluster.Member, h cluster.Holder, changed bool) {
	running := service.Running()
	switch {
	case len(running) > 1:
		if changed {
			t.setService(service, service.State, cluster.Event{Node: n.Name,
				Why: message.ServiceRunningTwice.With(running, service.TwiceWhat())})
		}
	case h.Condition == string(resources.Unknown):
		if changed {
			t.setService(service, service.State,
				cluster.Event{Node: n.Name, Why: message.ServiceConditionUnknown.With(n.Name, h.Reason)})
		}
	case service.Owner == n.Name:
		t.settleOwner(service, n, h, changed)
	case h.Condition == string(resources.Running) && service.Owner == "":
		t.adopt(service, n)
	case changed && service.Owner != "":
		t.setService(service, service.State,
			cluster.Event{Node: n.Name,
				Why: message.ServiceFoundElsewhere.With(h.Condition, n.Name, service.Owner, h.Reason)})
	default:
		t.settleUninitialized(service)
	}
}

// settleOwner follows the condition of a VM on the node where it belongs.
func (t *transaction) settleOwner(service cluster.Service, n cluster.Member, h cluster.Holder, changed bool) {
	if !changed {
		return
	}
	switch resources.Condition(h.Condition) {
	case resources.Running:
		t.setService(service, resources.Started, cluster.Event{Node: n.Name, Why: service.RunningWhy(h)})
	case resources.Broken:
		t.broken(service, n, h)
	case resources.Crashed:
		t.setService(t.afterFailure(service, n, message.VMCrashed.With("")), resources.Recoverable,
			cluster.Event{Node: n.Name, Why: message.VMCrashed.With(n.Name)})
	case resources.Paused:
		why := message.VMPaused.With(n.Name, h.Reason)
		if service.FoundTwice() {
			why = message.VMPausedByClusterd.With(n.Name)
		}
		t.setService(service, service.State, cluster.Event{Node: n.Name, Why: why})
	default:
		t.setService(service, service.State,
			cluster.Event{Node: n.Name, Why: message.ServiceSeen.With(h.Condition, n.Name, h.Reason)})
	}
}

// adopt takes a VM that is found running as what it is: started.
func (t *transaction) adopt(service cluster.Service, n cluster.Member) {
	why := message.ServiceFound.With(n.Name)
	if service.State == resources.Uninitialized && (service.Wish == nil || service.Wish.Op != cluster.OpDisable) {
		service.Enabled = true
	}
	if !service.Enabled {
		why = message.ServiceFoundDisabled.With(n.Name)
	}
	service = t.arrived(service, n)
	service.Owner = n.Name
	service = t.setService(service, resources.Started, cluster.Event{Node: n.Name, Why: why})
	if h, held := service.Holder(n.Name); held {
		service = t.strays(service, n, h) // what it runs on was no news while it belonged to another node
	}
	t.answerRunning(service)
}

// adoptLast takes in the only copy that is left running after another one went.
func (t *transaction) adoptLast(service cluster.Service) bool {
	running := service.Running()
	if service.Owner != "" || service.Intent != nil || len(running) != 1 {
		return false
	}
	n, known := t.Nodes.Get(running[0])
	if !known {
		return false
	}
	t.adopt(service, n)
	return true
}

// settleUninitialized ends the first look: once nobody may be running it, the
// service is stopped, or disabled if it shall not start by itself.
func (t *transaction) settleUninitialized(service cluster.Service) {
	if service.State != resources.Uninitialized || len(service.Holders) > 0 {
		t.Services.Set(service.Spec.Name, service)
		return
	}
	state := resources.Stopped
	if !service.Enabled {
		state = resources.Disabled
	}
	t.atRest(t.setService(service, state, cluster.Event{Why: message.ServiceNowhere.With()}))
}

// absent takes in the proof that a VM is not on a node. Where it belonged
// there, that is a failure; and unless an event told how it ended, somebody may
// have moved it by hand, so every node in touch is asked first (law L1).
func (t *transaction) absent(service cluster.Service, n cluster.Member, h cluster.Holder, o resources.Observation) {
	belonged := service.Owner == n.Name && service.Intent == nil
	if !belonged {
		t.holderGone(service, h, t.index, message.Words(o.Evidence))
		return
	}
	service = service.WithoutHolder(cluster.OnBoot(n))
	if t.stoppedAsAsked(service, n, h, o) {
		return
	}
	service.Owner, service.LastOwner = "", n.Name
	service = service.KeepsRoomAs(n.Name, h.Demand)
	if t.adoptLast(service) {
		return
	}
	why := message.ServiceGone.With(n.Name, o.Reason)
	if !o.Explained {
		why = message.ServiceDisappeared.With(n.Name)
		service = t.askReachable(service, n.Name, h)
	}
	if !service.Enabled {
		t.atRest(t.setService(service, resources.Disabled, cluster.Event{Node: n.Name, Why: why}))
		return
	}
	service = t.afterFailure(service, n, message.Words(o.Reason).OrElse(message.ServiceVanished.With()))
	state := resources.Recovering
	if !service.Enabled {
		state, why = resources.Disabled, message.ServiceLeftDown.With(why)
	}
	t.setService(service, state, cluster.Event{Node: n.Name, Why: why})
}

// stoppedAsAsked reads an absence as the end of a stop that was asked for and
// whose result was lost with its daemon.
func (t *transaction) stoppedAsAsked(service cluster.Service, n cluster.Member, h cluster.Holder,
	o resources.Observation) bool {
	if service.Wish == nil {
		return false
	}
	purpose, stops := map[cluster.Operation]cluster.Purpose{cluster.OpDisable: cluster.ForDisable,
		cluster.OpStop: cluster.ForStop, cluster.OpRestart: cluster.ForRestart,
		cluster.OpRelocate: cluster.ForRelocate}[service.Wish.Op]
	if !stops {
		return false
	}
	if !o.Explained {
		service = t.askReachable(service, n.Name, h)
	}
	if purpose == cluster.ForRestart {
		service = service.KeepsRoomAs(n.Name, h.Demand)
	}
	t.stopProven(service, n, cluster.Intent{Node: n.Name, Index: service.Wish.Index, Purpose: purpose,
		By: service.Wish.By}, message.Words(o.Evidence))
	return true
}

// foundOn makes the holder of a guest that nobody expected on a node. It was brought from where the
// service is held, as far as that is known.
func (t *transaction) foundOn(service cluster.Service, n cluster.Member) cluster.Holder {
	h := t.holderOn(n, message.HolderFound.With(), service.Spec, false)
	if owner, held := service.Holder(service.Owner); held {
		return h.RunsAs(owner)
	}
	if len(service.Holders) > 0 {
		return h.RunsAs(service.Holders[0])
	}
	return h
}

// askReachable makes every node in touch a holder that has to look. What may be there is the guest
// that disappeared: its disks are those that it had where it was last, not those that it would be
// started with now (law L9).
func (t *transaction) askReachable(service cluster.Service, except string, last cluster.Holder) cluster.Service {
	for _, name := range t.Nodes.Keys() {
		other, _ := t.Nodes.Get(name)
		if name == except || other.Witness || !other.Reachable() {
			continue
		}
		if _, held := service.Holder(name); !held {
			h := t.holderOn(other, message.HolderAskedMissing.With(), service.Spec, true)
			service = service.WithHolder(h.RunsAs(last))
		}
	}
	return service
}

// strays compares what runs with what was started, and tells of an edge.
func (t *transaction) strays(service cluster.Service, n cluster.Member, h cluster.Holder) cluster.Service {
	if service.Owner != "" && service.Owner != n.Name {
		return service
	}
	drift := resources.DriftOf(h.StartedWith(), h.Disks)
	was := service.Astray
	switch {
	case was == nil && drift.None():
		return service
	case was != nil && was.Drift.Equal(drift):
		return service
	}
	why := message.VMDisksBack.With()
	service.Astray = nil
	if !drift.None() {
		service.Astray = &cluster.Astray{Drift: drift, Node: n.Name, Index: t.index}
		why = message.VMDisksOther.With(drift, t.TakenFrom(service))
	}
	t.Services.Set(service.Spec.Name, service)
	t.tell(cluster.Event{Node: n.Name, Subject: service.Spec.Name, Why: why})
	return service
}

// mayLose refuses a request that would leave behind what nobody has given up.
func (t *transaction) mayLose(service cluster.Service, c cluster.Ask) rules.Refusal {
	if c.DeclaredDisks {
		return rules.Accepted
	}
	var why message.Text
	switch c.Op {
	case cluster.OpDisable, cluster.OpStop, cluster.OpRestart, cluster.OpRelocate:
		// What moves refuses all of them but a disable by its state: a word would not help.
		moves := service.State == resources.Migrating
		if service.State == resources.Started || (moves && c.Op == cluster.OpDisable) {
			why = service.ThrowsAway()
		} else if c.Op == cluster.OpRelocate && !moves {
			why = service.HoldsBack()
		}
	case cluster.OpEnable:
		if service.State != resources.Started {
			why = service.HoldsBack()
		}
	}
	if why.IsZero() {
		return rules.Accepted
	}
	return rules.RefuseAs(cluster.CodeInvalid, message.RequestWouldLose.With(why, service.AstrayNext()))
}
