package report

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// WithNext fills in where each service that runs would go next, and what stands in the way of a
// live move there now. It weighs all nodes for all services, so it is for those who ask for it.
func WithNext(root *cluster.State, status api.Status) api.Status {
	w := rules.Of(root).Counted()
	loads := w.Loads()
	for i, shown := range status.Services {
		service, known := root.Services.Get(shown.Name)
		if !known || service.State != resources.Started {
			continue
		}
		status.Services[i].Next = nextOf(w, service, loads)
	}
	return status
}

// nextOf is the best node besides the one where a service runs. Where none may run it, Why says of
// each why not.
func nextOf(w *rules.World, service cluster.Service, loads map[string]int) *api.Next {
	var out []message.Text
	for _, v := range domain.Rank(w.DomainOf(service), w.Rankable(service, service.FailedOn, loads)) {
		switch {
		case v.Node == service.Owner:
		case v.Legal:
			if !service.Spec.Traits().Live {
				return &api.Next{Node: v.Node}
			}
			refused := w.MayMigrate(service, cluster.Ask{Service: service.Spec.Name, Node: v.Node})
			return &api.Next{Node: v.Node, Why: refused.Why}
		default:
			out = append(out, message.NodeRuledOut.With(v.Node, v.Why))
		}
	}
	if len(out) == 0 {
		return &api.Next{}
	}
	return &api.Next{Why: message.NextRuledOut.With(out)}
}
