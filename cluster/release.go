package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// holderGone lets a holder go on proof and moves the service on.
func (t *transaction) holderGone(service Service, h Holder, cause uint64, proof string) {
	service = service.withoutHolder(func(other Holder) bool { return other.Machine == h.Machine && other.Boot == h.Boot })
	service.Changed = t.index
	intent := service.Intent
	if intent != nil && intent.Kind == IntentMigrate {
		if h.Node == intent.Node {
			service.Owner, service.LastOwner = "", h.Node
		}
		if intent.Ending {
			t.endedMove(service)
			return
		}
		if !intent.Settling || intent.SourceSeen == 0 || h.Node == intent.Node {
			why := h.Node + " is out of the migration"
			t.tell(Event{Node: h.Node, Subject: service.Spec.Name, Cause: cause,
				Why: sentence(why+", what is left at the other end is looked at", proof)})
			service = t.askBothEnds(service, why)
		}
		t.settleMigration(service)
		return
	}
	if intent != nil && intent.Node == h.Node {
		service.Intent = nil
		if intent.Kind == IntentStop {
			t.stopProven(service, Member{Name: h.Node}, *intent, proof)
			return
		}
	}
	if service.Owner == h.Node {
		service.Owner, service.LastOwner = "", h.Node
	}
	t.afterRelease(service, h, cause, proof)
}

// afterRelease finds the state of a service that one holder less may run.
func (t *transaction) afterRelease(service Service, h Holder, cause uint64, proof string) {
	switch {
	case t.adoptLast(service):
		return
	case service.State == resources.Uninitialized:
		t.settleUninitialized(service)
		return
	case service.Owner != "":
		t.Services.Set(service.Spec.Name, service)
		if h.Condition != "" {
			t.setService(service, service.State, Event{Node: h.Node, Cause: cause,
				Why: sentence(fmt.Sprintf("the copy on %s is gone, it belongs to %s", h.Node, service.Owner), proof)})
		}
		return
	case len(service.Holders) > 0 && (service.State == resources.Recovering || service.State == resources.Failed):
		t.Services.Set(service.Spec.Name, service)
		return
	}
	e := Event{Node: h.Node, Cause: cause, Why: sentence("no longer running on "+h.Node, proof)}
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
