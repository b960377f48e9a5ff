package api

import (
	"context"
	"time"
)

// PathLock is the cluster-wide lock. GET -> LockStatus; POST LockRequest -> Reply.
const PathLock = "/v1/lock"

// LockStatus tells whether services may start. It is in Status too.
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
	Node string    `json:"node"`
	Why  string    `json:"why"`
	At   time.Time `json:"at,omitzero"`
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
