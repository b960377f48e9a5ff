package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// apply of an answer: it counts only for the asking it answers.
func (t *transaction) applyLooked(c Looked) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.Ended() {
		return refuse("the answer comes from an older incarnation of %s", c.Node)
	}
	service, known := t.Services.Get(c.Service)
	if !known || (c.UUID != "" && service.Spec.UUID != c.UUID) {
		return t.lookedGrave(c, n)
	}
	h, held := service.holder(c.Node)
	if !held || !h.Ask || h.Since != c.Since || !onBoot(n)(h) {
		return refuse("%s was not asked about %s at index %d", c.Node, c.Service, c.Since)
	}
	t.observe(service, n, c.Observation, c.AsOf)
	return accepted
}

// lookedGrave takes an answer about a removed service.
func (t *transaction) lookedGrave(c Looked, n Member) refusal {
	for _, uuid := range t.Tombstones.Keys() {
		grave, _ := t.Tombstones.Get(uuid)
		h, held := grave.holder(c.Node)
		if grave.Spec.Name != c.Service || !held || h.Since != c.Since || !onBoot(n)(h) {
			continue
		}
		if c.Observation.Condition == resources.Absent {
			t.bury(uuid, grave.withoutHolder(onBoot(n)))
			return accepted
		}
	}
	return refuse("there is no service %s", c.Service)
}

// apply of something an agent saw unasked. While an intent of the service is
// open on that node, its result tells the end, not the events on the way.
func (t *transaction) applyObserved(c Observed) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation || n.State == NodeLooking || n.Ended() || n.Before == NodeLooking {
		return refuse("the observation comes from an older incarnation of %s", c.Node)
	}
	service, known := t.Services.Get(c.Service)
	if !known {
		return refuse("there is no service %s", c.Service)
	}
	if o := c.Observation; o.UUID != "" && service.Spec.UUID != "" && o.UUID != service.Spec.UUID {
		return refuse("the observation is about VM %s, %s is %s", o.UUID, c.Service, service.Spec.UUID)
	}
	if service.busyOn(c.Node) {
		return refuse("%s has an open intent on %s", c.Service, c.Node)
	}
	if h, held := service.holder(c.Node); (held && h.Since > c.AsOf) || (!held && service.Changed > c.AsOf) {
		return refuse("the observation is older than the last act on %s there", c.Service)
	} else if held && h.Seen >= c.AsOf {
		// Of two looks that began at one index nobody can tell which was the later one. What
		// is refused is looked at again.
		return refuse("the observation is not newer than the last look at %s there", c.Service)
	}
	if o := c.Observation.Condition; n.State == NodeLeft && o != resources.Absent && o != resources.Unknown {
		// Somebody brought it here by hand. A node that has left is neither watched
		// nor emptied; one that leaves is both.
		n = t.setNodeState(n, NodeLeaving, "", fmt.Sprintf("it had left, and %s is %s there", c.Service, o))
	}
	t.observe(service, n, c.Observation, c.AsOf)
	return accepted
}

// busyOn tells whether an intent is at work on a node, so that its result tells
// the end. A migration that left two running waits for a person, and only
// observations can tell what that person does.
func (s Service) busyOn(node string) bool {
	i := s.Intent
	return i != nil && (i.Node == node || i.Target == node) && !i.Twice
}

// observe takes in what was seen of a service on a node, by a look that began as of
// an index. Unknown is never read as absent: it releases nothing.
func (t *transaction) observe(service Service, n Member, o resources.Observation, asOf uint64) {
	h, held := service.holder(n.Name)
	held = held && onBoot(n)(h)
	switch {
	case held && service.unripe(n.Name, o):
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
		h = t.holderOn(n, "found here", service.Spec, false)
	}
	// A running guest is no news, whatever the hypervisor calls the way it came.
	changed := h.Condition != string(o.Condition) || (h.Reason != o.Reason && o.Condition != resources.Running)
	h.Condition, h.Reason, h.Seen = string(o.Condition), o.Reason, max(h.Seen, asOf)
	if o.Condition != resources.Unknown {
		h.Ask = false
	}
	if o.Condition == resources.Running {
		h.Creating = false
	}
	switch {
	case len(o.Disks) == 0:
		service = service.withHolder(h)
	case service.Spec.Kind() == resources.KindVM:
		h = h.runsOn(o.Disks)
		service = t.strays(service.withHolder(h), n, h)
	default:
		h.Disks = o.Disks
		service = service.withHolder(h)
	}
	service, partly := service.observedPart(n, o)
	changed = changed || partly
	t.Services.Set(service.Spec.Name, service)
	if o.Mended != "" {
		t.tell(Event{Node: n.Name, Subject: service.Spec.Name, Why: o.Mended})
	}
	switch intent := service.Intent; {
	case intent == nil:
	case intent.Settling:
		t.settleMigration(service)
		return
	case !held && intent.Kind == IntentStart && o.Condition != resources.Unknown:
		service = t.voidIntent(service, fmt.Sprintf("found %s on %s while it was being started", o.Condition, n.Name))
	case !held && o.Condition == resources.Running:
		t.setService(service, service.State, Event{Node: n.Name, Cause: intent.Index, Why: "RUNNING TWICE: found running on " + n.Name + " while there is work on it on " + intent.Node +
			"; one of them is paused when that has ended. Decide which one is right and stop the other by hand"})
		return
	default:
		return
	}
	t.settle(service, n, h, changed || !held)
}

// unripe tells that an end of a migration says something that is not final:
// both ends stay holders until the source's end is known, and only then the
// target is asked (law L5).
func (s Service) unripe(node string, o resources.Observation) bool {
	i := s.Intent
	if i == nil || i.Kind != IntentMigrate {
		return false
	}
	switch node {
	case i.Node:
		return !i.Settling || o.Reason == resources.MigratingOut
	case i.Target:
		return i.SourceSeen == 0
	}
	return false
}

// settle brings owner and state in line with what is known to run.
func (t *transaction) settle(service Service, n Member, h Holder, changed bool) {
	running := service.running()
	switch {
	case len(running) > 1:
		if changed {
			t.setService(service, service.State, Event{Node: n.Name, Why: fmt.Sprintf(
				"RUNNING TWICE: seen on %s; %s. Decide which one is right and stop the other by hand", joined(running), service.twiceWhat())})
		}
	case h.Condition == string(resources.Unknown):
		if changed {
			t.setService(service, service.State, Event{Node: n.Name, Why: fmt.Sprintf("the hypervisor on %s does not answer (%s): nothing is known about it, so nothing is done to it", n.Name, h.Reason)})
		}
	case service.Owner == n.Name:
		t.settleOwner(service, n, h, changed)
	case h.Condition == string(resources.Running) && service.Owner == "":
		t.adopt(service, n)
	case changed && service.Owner != "":
		t.setService(service, service.State, Event{Node: n.Name, Why: sentence(fmt.Sprintf("found %s on %s, although it belongs to %s", h.Condition, n.Name, service.Owner), h.Reason)})
	default:
		t.settleUninitialized(service)
	}
}

// settleOwner follows the condition of a VM on the node where it belongs.
func (t *transaction) settleOwner(service Service, n Member, h Holder, changed bool) {
	if !changed {
		return
	}
	switch resources.Condition(h.Condition) {
	case resources.Running:
		t.setService(service, resources.Started, Event{Node: n.Name, Why: service.runningWhy(h)})
	case resources.Broken:
		t.broken(service, n, h)
	case resources.Crashed:
		t.setService(t.afterFailure(service, n, "the guest crashed"), resources.Recoverable,
			Event{Node: n.Name, Why: "the guest crashed on " + n.Name})
	case resources.Paused:
		why := fmt.Sprintf("paused on %s (%s); clusterd does not resume what it did not pause", n.Name, h.Reason)
		if service.foundTwice() {
			why = fmt.Sprintf("paused on %s by clusterd, because it was found running twice; a person decides which is right",
				n.Name)
		}
		t.setService(service, service.State, Event{Node: n.Name, Why: why})
	default:
		t.setService(service, service.State, Event{Node: n.Name, Why: fmt.Sprintf("%s on %s (%s)", h.Condition, n.Name, h.Reason)})
	}
}

// adopt takes a VM that is found running as what it is: started.
func (t *transaction) adopt(service Service, n Member) {
	why := "found running on " + n.Name + ", taken in as it is"
	if service.State == resources.Uninitialized && (service.Wish == nil || service.Wish.Op != OpDisable) {
		service.Enabled = true
	}
	if !service.Enabled {
		why = "found running on " + n.Name + " although disabled; disable it again to stop it, or enable it to keep it"
	}
	service = t.arrived(service, n)
	service.Owner = n.Name
	service = t.setService(service, resources.Started, Event{Node: n.Name, Why: why})
	if h, held := service.holder(n.Name); held {
		service = t.strays(service, n, h) // what it runs on was no news while it belonged to another node
	}
	t.answerRunning(service)
}

// adoptLast takes in the only copy that is left running after another one went.
func (t *transaction) adoptLast(service Service) bool {
	running := service.running()
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
func (t *transaction) settleUninitialized(service Service) {
	if service.State != resources.Uninitialized || len(service.Holders) > 0 {
		t.Services.Set(service.Spec.Name, service)
		return
	}
	state := resources.Stopped
	if !service.Enabled {
		state = resources.Disabled
	}
	t.atRest(t.setService(service, state, Event{Why: "every node has looked, it runs nowhere"}))
}

// absent takes in the proof that a VM is not on a node. Where it belonged
// there, that is a failure; and unless an event told how it ended, somebody may
// have moved it by hand, so every node in touch is asked first (law L1).
func (t *transaction) absent(service Service, n Member, h Holder, o resources.Observation) {
	belonged := service.Owner == n.Name && service.Intent == nil
	if !belonged {
		t.holderGone(service, h, t.index, o.Evidence)
		return
	}
	service = service.withoutHolder(onBoot(n))
	if t.stoppedAsAsked(service, n, o) {
		return
	}
	service.Owner, service.LastOwner = "", n.Name
	if t.adoptLast(service) {
		return
	}
	why := sentence("gone from "+n.Name, o.Reason)
	if !o.Explained {
		why = "disappeared from " + n.Name + " without an event; every node in touch is asked for it before it is started again"
		service = t.askReachable(service, n.Name)
	}
	if !service.Enabled {
		t.atRest(t.setService(service, resources.Disabled, Event{Node: n.Name, Why: why}))
		return
	}
	service = t.afterFailure(service, n, orElse(o.Reason, "it disappeared"))
	state := resources.Recovering
	if !service.Enabled {
		state, why = resources.Disabled, why+"; its recovery policy leaves it down"
	}
	t.setService(service, state, Event{Node: n.Name, Why: why})
}

// stoppedAsAsked reads an absence as the end of a stop that was asked for and
// whose result was lost with its daemon.
func (t *transaction) stoppedAsAsked(service Service, n Member, o resources.Observation) bool {
	if service.Wish == nil {
		return false
	}
	purpose, stops := map[Operation]Purpose{OpDisable: ForDisable, OpStop: ForStop, OpRestart: ForRestart, OpRelocate: ForRelocate}[service.Wish.Op]
	if !stops {
		return false
	}
	if !o.Explained {
		service = t.askReachable(service, n.Name)
	}
	t.stopProven(service, n, Intent{Node: n.Name, Index: service.Wish.Index, Purpose: purpose, By: service.Wish.By}, o.Evidence)
	return true
}

// afterFailure applies the recovery policy to a service that failed on a node, and
// remembers the node and how it ended.
func (t *transaction) afterFailure(service Service, n Member, what string) Service {
	service = t.fell(t.troubled(service, n, TroubleCrash, what), n, what)
	remedy, restarts := resources.AfterFailure(service.Spec, service.Restarts, t.at)
	service.Restarts = restarts
	switch remedy {
	case resources.InPlace:
		service.Target = n.Name
	case resources.Elsewhere:
		service.Avoid = n.Name
	case resources.LeaveDown:
		service.Enabled = false
	}
	return service
}

// askReachable makes every node in touch a holder that has to look.
func (t *transaction) askReachable(service Service, except string) Service {
	for _, name := range t.Nodes.Keys() {
		other, _ := t.Nodes.Get(name)
		if name == except || other.Witness || !other.Reachable() {
			continue
		}
		if _, held := service.holder(name); !held {
			service = service.withHolder(t.holderOn(other, "asked after a disappearance", service.Spec, true))
		}
	}
	return service
}

func joined(names []string) string {
	text := ""
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " and "
		default:
			text += ", "
		}
		text += name
	}
	return text
}
