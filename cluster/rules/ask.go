package rules

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Answers are held against the State they are made from: nothing is called running
// that is only remembered, nor done that was done somewhere else.

// Running says with a code that a started service runs where it belongs. Where that is
// only remembered, or it stands still, it says that instead.
func (w *World) Running(service cluster.Service, code int, why message.Text) Refusal {
	owner := service.Owner
	n, off := w.Workable(owner)
	h, _ := service.Holder(owner)
	switch {
	case w.Fences.Has(owner):
		return RefuseAsf(cluster.CodeFencing,
			"%s ran on %s when that was last heard; %s is being fenced, and it is started elsewhere after that",
			service.Spec.Name, owner, owner)
	case off != "":
		return RefuseAsf(cluster.CodeTemporary,
			"%s ran on %s when that was last heard; %s is %s, and it is started elsewhere once %s is confirmed off",
			service.Spec.Name, owner, owner, n.State, owner)
	case h.Condition != string(resources.Running):
		return Refusal{Code: cluster.CodeTemporary, Why: message.Sentence(words.Sentence(fmt.Sprintf("%s is %s on %s", service.Spec.Name,
			words.OrElse(h.Condition, "not seen"), owner), h.Reason))}
	}
	return Refusal{Code: code, Why: why}
}

// ArrivedLive is the answer to a migration whose guest left its source: it may have fallen on its
// new node before anybody looked.
func ArrivedLive(s cluster.Service) Refusal {
	h, _ := s.Holder(s.Owner)
	if h.Condition == string(resources.Running) {
		return Refusal{Code: cluster.CodeSuccess, Why: message.Text{}}
	}
	return Refusal{Code: cluster.CodeFailure, Why: message.Sentence(words.Sentence(fmt.Sprintf("it moved live, and is %s on %s",
		words.OrElse(h.Condition, "not seen"), s.Owner), h.Reason))}
}

// StoppedHere is the answer to a request to stop whose stop on one node is proven. Where the
// service is known to have been since, and nobody is asked, the request is not fulfilled.
func StoppedHere(s cluster.Service, node string) Refusal {
	if len(s.Holders) == 0 {
		return Refusal{Code: cluster.CodeSuccess, Why: message.Text{}}
	}
	for _, h := range s.Holders {
		if !h.Ask {
			return Refusal{Code: cluster.CodeTemporary,
				Why: message.Sentence(words.Sentence(fmt.Sprintf("it is gone from %s, and it is %s on %s", node,
					words.OrElse(h.Condition, "not seen"), h.Node), h.Reason))}
		}
	}
	return Refusal{Code: cluster.CodeSuccess,
		Why: message.Sentence(fmt.Sprintf("it is gone from %s; whether it is on %s is being asked", node,
			cluster.HolderNames(s)))}
}

// MayTarget checks a node that was named by the administrator.
func (w *World) MayTarget(service cluster.Service, node string, offline, illegal int) Refusal {
	n, known := w.Nodes.Get(node)
	if !known {
		return RefuseAsf(cluster.CodeNodeDead, "there is no node %s", node)
	}
	if w.Fences.Has(node) {
		return Refusal{Code: cluster.CodeFencing, Why: message.Sentence(node + " is being fenced")}
	}
	if n.State != cluster.NodeOnline {
		return RefuseAsf(offline, "%s is %s", node, n.State)
	}
	if n.Order != nil {
		return RefuseAsf(illegal, "%s is %s; `clusterd node return %s` ends that", node, n.OrderWhy(), node)
	}
	if n.Restarts.Lately(w.At) {
		return Refusal{Code: offline,
			Why: message.Sentence(fmt.Sprintf("%s is given no work now: %s; `journalctl -u clusterd` there says why", node,
				n.Restarts.Says()))}
	}
	if why := w.MayRun(service, n); why != "" {
		return Refusal{Code: illegal, Why: message.Sentence(why)}
	}
	return w.MayJoin(service, n)
}

// MayRelocate says why a request to relocate is refused.
func (w *World) MayRelocate(service cluster.Service, c cluster.Ask) Refusal {
	switch service.State {
	case resources.Disabled, resources.Uninitialized, resources.Failed:
		return RefuseAsf(cluster.CodeInvalid, "%s is %s", c.Service, service.State)
	case resources.Migrating, resources.Starting, resources.Stopping:
		return RefuseAsf(cluster.CodeTemporary, "%s is %s", c.Service, service.State)
	}
	if why := w.Lacks(service); why != "" && service.Up() {
		return Refusal{Code: cluster.CodeDependency, Why: message.Sentence(why + "; it could not be started again")}
	}
	if c.Node != "" {
		// What is taken off its node for a recovery or a leave still belongs there, and is seen
		// running until it is gone: it has to be started again, so its node is a target like any.
		if c.Node == service.Owner && service.State == resources.Started {
			return w.Running(service, cluster.CodeSuccess, message.Sentence(fmt.Sprintf("%s already runs on %s", c.Service, c.Node)))
		}
		return w.MayTarget(service, c.Node, cluster.CodeNodeDead, cluster.CodeDependency)
	}
	for _, v := range domain.Rank(w.DomainOf(service), w.Candidates(service)) {
		if v.Legal && v.Node != service.Owner {
			return Accepted
		}
	}
	if len(w.ObjectionsTo(service).Why) > 0 {
		return Refusal{Code: cluster.CodeDependency, Why: message.Sentence("rules between services leave no other node to " + c.Service +
			" now; it is left where it is")}
	}
	return Refusal{Code: cluster.CodeFailure, Why: message.Sentence("no other node may run " + c.Service + " now; it is left where it is")}
}

// MayMigrate says why a request to migrate is refused.
func (w *World) MayMigrate(service cluster.Service, c cluster.Ask) Refusal {
	if c.Node == "" {
		return Refusal{Code: cluster.CodeInvalid, Why: message.Sentence("a migration needs a target node")}
	}
	if !service.Spec.Traits().Live {
		return Refusal{Code: cluster.CodeInvalid, Why: cluster.NotLive(service)}
	}
	if refused := w.MayTarget(service, c.Node, cluster.CodeNodeDead, cluster.CodeDependency); refused != Accepted {
		return refused
	}
	switch service.State {
	case resources.Started:
	case resources.Starting, resources.Stopping, resources.Migrating, resources.Recovering, resources.Recoverable:
		return RefuseAsf(cluster.CodeTemporary, "%s is %s", c.Service, service.State)
	default:
		return RefuseAsf(cluster.CodeFailure, "%s is %s, not started", c.Service, service.State)
	}
	if service.Owner == c.Node {
		return w.Running(service, cluster.CodeSuccess, message.Sentence(fmt.Sprintf("%s already runs on %s", c.Service, c.Node)))
	}
	if len(service.Holders) != 1 {
		return RefuseAsf(cluster.CodeTemporary, "%s may be on %s; it migrates when that is clear", c.Service,
			cluster.HolderNames(service))
	}
	if h, _ := service.Holder(service.Owner); h.Condition != string(resources.Running) {
		return RefuseAsf(cluster.CodeTemporary, "%s is %s on %s; only a running VM migrates", c.Service, h.Condition,
			service.Owner)
	}
	if why := w.turnsKey(service.Owner, c.Node); !why.IsZero() {
		return RefuseAs(cluster.CodeTemporary, why)
	}
	return Accepted
}

// DoneAtOnce is the answer to a request that needs no act. What was found running where nobody
// asked for it is kept, and it is not where it was asked for.
func DoneAtOnce(c cluster.Ask, service cluster.Service) Refusal {
	if c.Op != cluster.OpEnable || c.Node == "" || c.Node == service.Owner {
		return Accepted
	}
	return Refusal{Code: cluster.CodeFailure, Why: message.Sentence(fmt.Sprintf("it is enabled and runs on %s already, and not on %s: "+
		"move it with `clusvcadm -r %s -m %s`", service.Owner, c.Node, c.Service, c.Node))}
}
