package cluster

import (
	"time"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Document is the parsed cluster document: what the administrator declared.
// internal/config parses, checks and prints it; Apply takes it in.
type Document struct {
	// Cluster is the cluster's name.
	Cluster string `json:"cluster"`
	// Timing is the profile: fast, normal, relaxed.
	Timing string `json:"timing,omitempty"`
	// Fencing are the numbers of the brake, and what else concerns all devices.
	Fencing  Fencing                   `json:"fencing,omitzero"`
	Nodes    map[string]NodeSpec       `json:"nodes,omitempty"`
	Domains  map[string]domain.Domain  `json:"domains,omitempty"`
	Devices  map[string]fence.Device   `json:"devices,omitempty"`
	Services map[string]resources.Spec `json:"services,omitempty"`
	// StartAtOnce is how many services may be starting at the same time in the
	// whole cluster; 0 is no limit.
	StartAtOnce int `json:"startAtOnce,omitempty"`
	// StopGrace is how long a daemon that was stopped on purpose is waited for while its
	// kernel answers; 0 is DefaultStopGrace.
	StopGrace time.Duration `json:"stopGrace,omitempty"`
	// TwoNode lets one of two nodes go on without the other; nil forbids it.
	TwoNode *TwoNode `json:"twoNode,omitempty"`
	// Alerts are who is told of events, by name.
	Alerts map[string]Alert `json:"alerts,omitempty"`
}

// NodeSpec is what the document says about a node. A node that has joined but
// is not in the document runs services too; it is shown unprotected.
type NodeSpec struct {
	// Fence are the levels, tried in order.
	Fence []fence.Level `json:"fence,omitempty"`
	// Site is a label by which voters are spread.
	Site string `json:"site,omitempty"`
}
