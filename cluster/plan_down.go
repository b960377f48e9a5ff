package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// planDown brings a disabled service to rest.
func (p *planner) planDown(service Service) {
	name := service.Spec.Name
	asked := service.Wish != nil && service.Wish.Op == OpDisable
	if len(service.Holders) == 0 {
		if service.Wish != nil {
			p.endWishDown(service, asked)
		}
		return
	}
	for _, h := range service.Holders {
		n, why := p.workable(h.Node)
		crashed, leaving := h.fallen(), n.State == NodeLeaving && service.Owner == h.Node
		switch {
		case !asked && !crashed && !leaving && !service.leftover(h):
			continue
		case why != "" || !onBoot(n)(h):
			p.wait(name, fmt.Sprintf("it may be running on %s, which is %s; it is stopped there when the node is back or fenced", h.Node, n.State), "")
			continue
		case asked && p.afterDependents(service):
		case asked:
			p.begin(service, Begin{Service: name, Intent: IntentStop, Node: h.Node, Purpose: ForDisable, By: service.Wish.By, Why: "stopping to disable it"})
		case crashed:
			p.begin(service, Begin{Service: name, Intent: IntentStop, Node: h.Node, Purpose: ForCleanup, Kill: service.killed(), By: "recovery", Why: "removing what its " + service.fall() + " left on " + h.Node})
		case service.leftover(h):
			p.begin(service, Begin{Service: name, Intent: IntentStop, Node: h.Node, Purpose: ForCleanup, Kill: service.killed(), By: "recovery", Why: "removing what an unfinished act left on " + h.Node})
		default:
			p.begin(service, Begin{Service: name, Intent: IntentStop, Node: h.Node, Purpose: ForCleanup, By: "leave", Why: h.Node + " leaves and the service is disabled"})
		}
		return
	}
	switch {
	case asked && service.Owner == "":
		p.giveUp(service, codeTemporary, "disabled, but it may still be running on "+holderNames(service)+"; it is not started again")
	case service.Wish != nil && !asked:
		p.endWishDown(service, asked)
	case service.State == resources.Started && !asked:
		p.wait(name, "it runs on "+service.Owner+" although it is disabled", "`clusvcadm -e "+name+"` keeps it, `clusvcadm -d "+name+"` stops it")
	default:
		if waits := p.waitsFor(service); waits != "" {
			p.wait(name, waits, "")
			return
		}
		if service.State == resources.Failed {
			p.wait(name, service.Reason, "`clusvcadm -d "+name+"` tries to stop it again")
			return
		}
		h := service.Holders[0]
		p.wait(name, sentence(fmt.Sprintf("it is disabled, and %s on %s", orElse(h.Condition, "not yet looked for"),
			h.Node), h.Reason),
			"`clusvcadm -d "+name+"` stops it there")
	}
}

// leftover tells that a start of ours which nobody wants any more, or a migration
// without its source, left a copy that never ran.
func (s Service) leftover(h Holder) bool {
	if s.Owner != "" || h.Ask {
		return false
	}
	return h.Condition == string(resources.Incoming) || (h.Creating && h.Condition == string(resources.Paused))
}

func (p *planner) endWishDown(service Service, asked bool) {
	if asked {
		p.giveUp(service, codeSuccess, "disabled, it runs nowhere")
		return
	}
	p.giveUp(service, codeAborted, sentence("the service is down", service.Reason))
}
