package api

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// PathReserve says how many hosts may be lost. GET ?hosts=N -> ReserveReply.
const PathReserve = "/v1/reserve"

// PathWhatIf says what would become of the services. GET, or POST ConfigChange -> WhatIfReply.
const PathWhatIf = "/v1/whatif"

// PathLock is the cluster-wide lock. GET -> LockStatus; POST LockRequest -> Reply.
const PathLock = "/v1/lock"

// PathServices holds one path per service: GET /v1/services/NAME/why -> Explanation.
const PathServices = "/v1/services"

// PathView is what the leader has measured: GET -> Sight. A node that does not lead has none.
const PathView = "/v1/view"

// Sight is what the leader has measured, from which it decides and explains.
type Sight struct {
	// Index is that of the State at the leader, and At the moment of its measures.
	Index uint64       `json:"index"`
	At    time.Time    `json:"at"`
	View  cluster.View `json:"view"`
}

// Ground is what an answer about decisions rests on.
type Ground struct {
	// Leader is the node whose measures it rests on, and AsOf the moment of those. Both are empty
	// where it rests on the State of the node that was asked alone.
	Leader string    `json:"leader,omitempty"`
	AsOf   time.Time `json:"asOf,omitzero"`
	// Remark says what the answer may lack; empty where it lacks nothing.
	Remark string `json:"remark,omitempty"`
}

// Explanation is why a service is where it is, and what that rests on.
type Explanation struct {
	cluster.Explanation
	Ground
}

// Rehearsal is what would come of a request, and what that rests on.
type Rehearsal struct {
	cluster.Rehearsal
	Ground
	// Foresight is what source and target say of a live move; nil for anything else.
	Foresight *Foresight `json:"foresight,omitempty"`
}

// Foresight is what the nodes of a live move say of it before it begins. What a node that cannot be
// asked would have said is empty, and Silent says why.
type Foresight struct {
	// Ready tells that the target can take it; Target says what it found, or all that stands in the
	// way.
	Ready  bool   `json:"ready"`
	Target string `json:"target,omitempty"`
	// Forecast is what the move would come to, as the source measured it.
	Forecast *Forecast `json:"forecast,omitempty"`
	Silent   string    `json:"silent,omitempty"`
}

// Forecast is what a live move would come to. Sizes are in bytes, rates in bytes a second; a move
// that does not end by itself has no Total and no Downtime.
type Forecast struct {
	Memory   uint64        `json:"memory"`
	Dirty    uint64        `json:"dirty"`
	Rate     uint64        `json:"rate"`
	Ends     bool          `json:"ends"`
	Total    time.Duration `json:"total,omitempty"`
	Downtime time.Duration `json:"downtime,omitempty"`
}

// ForesightQuery asks one node what it has to say of a live move.
type ForesightQuery struct {
	Service   string              `json:"service"`
	Target    string              `json:"target"`
	Migration resources.Migration `json:"migration,omitzero"`
}

// LockStatus reports whether services may start. It is in Status too.
type LockStatus struct {
	Locked bool `json:"locked"`
	// Stopped: the whole cluster is being stopped in order, or is.
	Stopped bool      `json:"stopped,omitempty"`
	At      time.Time `json:"at,omitzero"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

// LockRequest locks ("lock") and unlocks ("unlock") the cluster, or stops
// ("stop") and starts ("start") all its services in order.
type LockRequest struct {
	Op     string `json:"op"`
	Reason string `json:"reason,omitempty"`
}

// FreezeStatus tells who froze a service, why, and until when.
type FreezeStatus struct {
	At     time.Time `json:"at,omitzero"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// Until is when the freeze ends by itself; zero is never.
	Until time.Time `json:"until,omitzero"`
}

// Failed is one node where a service failed to start.
type Failed struct {
	Node string       `json:"node"`
	Why  message.Text `json:"why"`
	At   time.Time    `json:"at,omitzero"`
}

// Lock asks whether services may start.
func (c *Client) Lock(ctx context.Context) (LockStatus, error) {
	var status LockStatus
	err := c.Get(ctx, PathLock, nil, &status)
	return status, err
}

// ChangeLock locks, unlocks, stops or starts the cluster.
func (c *Client) ChangeLock(ctx context.Context, request LockRequest) (Reply, error) {
	var reply Reply
	err := c.Post(ctx, PathLock, request, &reply)
	return reply, err
}

// Why asks why a service is where it is, and where it would be started now.
func (c *Client) Why(ctx context.Context, service string) (Explanation, error) {
	var explanation Explanation
	err := c.Get(ctx, PathServices+"/"+url.PathEscape(service)+"/why", nil, &explanation)
	return explanation, err
}

// Rehearse asks what would come of a request; nothing is done.
func (c *Client) Rehearse(ctx context.Context, request Request) (Rehearsal, error) {
	var rehearsal Rehearsal
	request.DryRun = true
	err := c.Post(ctx, PathRequests, request, &rehearsal)
	return rehearsal, err
}

// NodeOrder is the standing order about a node.
type NodeOrder struct {
	// Order is one of cluster.OrderKind's words: standby, drain, maintenance.
	Order  string    `json:"order"`
	At     time.Time `json:"at,omitzero"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// Deadline is from when on what could not move live is stopped and started
	// elsewhere; zero is never.
	Deadline time.Time `json:"deadline,omitzero"`
	// Empty: it holds nothing.
	Empty bool `json:"empty,omitempty"`
	// Holds are the services that may still be there.
	Holds []string `json:"holds,omitempty"`
}

// DrainReply tells what an order would do to the services of its node.
type DrainReply struct {
	Node  string              `json:"node"`
	Order string              `json:"order"`
	Steps []cluster.DrainStep `json:"steps"`
	Ground
}

// WhatIfReply is what would become of the services.
type WhatIfReply struct {
	cluster.WhatIf
	// Votes are how many of Voters would be left; fewer than a majority decide nothing.
	Votes  int `json:"votes"`
	Voters int `json:"voters"`
	// Alone: one of two nodes may go on without the other, so that no majority is asked for.
	Alone bool `json:"alone,omitempty"`
	// Plan is what a document changes; Refused says why the cluster would not take it.
	Plan    []ConfigEffect `json:"plan,omitempty"`
	Refused message.Text   `json:"refused,omitzero"`
	Ground
}

// WhatIf asks what would become of the services if hosts were lost, or a node were emptied: GET
// /v1/whatif?down=NODE&down=NODE or ?drain=NODE.
func (c *Client) WhatIf(ctx context.Context, down []string, drain string) (WhatIfReply, error) {
	var reply WhatIfReply
	query := url.Values{"down": down}
	if drain != "" {
		query.Set("drain", drain)
	}
	err := c.Get(ctx, PathWhatIf, query, &reply)
	return reply, err
}

// WhatIfDocument asks what would become of the services if a document were put into force: POST
// /v1/whatif. Nothing is changed.
func (c *Client) WhatIfDocument(ctx context.Context, change ConfigChange) (WhatIfReply, error) {
	var reply WhatIfReply
	err := c.Post(ctx, PathWhatIf, change, &reply)
	return reply, err
}

// ReserveReply is how many hosts may be lost.
type ReserveReply struct {
	cluster.Reserve
	Ground
}

// Reserve asks how many hosts may be lost at once, up to a number: GET /v1/reserve?hosts=N.
func (c *Client) Reserve(ctx context.Context, hosts int) (ReserveReply, error) {
	var reply ReserveReply
	err := c.Get(ctx, PathReserve, url.Values{"hosts": {strconv.Itoa(hosts)}}, &reply)
	return reply, err
}

// DrainPlan asks what an order would do: GET /v1/nodes/NODE/plan?order=&within=.
func (c *Client) DrainPlan(ctx context.Context, node, order string, within time.Duration) (DrainReply, error) {
	var reply DrainReply
	err := c.Get(ctx, PathNodes+"/"+url.PathEscape(node)+"/plan",
		url.Values{"order": {order}, "within": {within.String()}}, &reply)
	return reply, err
}

// HaltPlan asks in which order the services would be stopped with the whole
// cluster: GET /v1/lock/plan.
func (c *Client) HaltPlan(ctx context.Context) (HaltReply, error) {
	var reply HaltReply
	err := c.Get(ctx, PathLock+"/plan", nil, &reply)
	return reply, err
}

// HaltReply tells what stopping the whole cluster would do.
type HaltReply struct {
	// Events are those that would follow, in order.
	Events []cluster.Event `json:"events"`
	// Notes are what would not be stopped, and why.
	Notes []cluster.Note `json:"notes,omitempty"`
	Ground
}
