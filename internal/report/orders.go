package report

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/api"
)

// Lock is the lock as the tools show it; nil when there is none.
func Lock(root *cluster.State) *api.LockStatus {
	if root.Lock == nil {
		return nil
	}
	return &api.LockStatus{Locked: true, Stopped: root.Lock.Stop, At: root.Lock.At, By: root.Lock.By,
		Reason: root.Lock.Why}
}

// Order is the standing order about a node; nil when there is none.
func Order(root *cluster.State, n cluster.Member) *api.NodeOrder {
	if n.Order == nil {
		return nil
	}
	o := n.Order
	return &api.NodeOrder{Order: string(o.Kind), At: o.At, By: o.By, Reason: o.Why, Deadline: o.Deadline,
		Empty: o.Empty != 0, Holds: rules.HeldBy(root, n)}
}

// freezeStatus tells of a frozen service; nil for any other.
func freeze(service cluster.Service) *api.FreezeStatus {
	if service.Freeze == nil {
		return nil
	}
	f := service.Freeze
	return &api.FreezeStatus{At: f.At, By: f.By, Reason: f.Why, Until: f.Until}
}

// failures are the nodes where a service failed to start since its last success.
func failures(service cluster.Service) []api.Failed {
	var list []api.Failed
	for _, f := range service.FailedOn {
		list = append(list, api.Failed{Node: f.Node, Why: f.Why, At: f.At})
	}
	return list
}
