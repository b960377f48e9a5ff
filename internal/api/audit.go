package api

import (
	"context"
	"net/url"
	"strconv"

	"github.com/clusterd/clusterd/internal/audit"
)

// AuditTrail is a part of one node's audit trail, oldest first.
type AuditTrail struct {
	Node    string        `json:"node"`
	Entries []audit.Entry `json:"entries"`
	// More is set where there are entries behind these.
	More bool `json:"more,omitempty"`
}

// Audit asks for the audit trail of a node, or of the one that is asked when none is named, behind
// an entry's number. The answer has a bounded part of it; ask again behind its last entry.
func (c *Client) Audit(ctx context.Context, node string, after uint64) (AuditTrail, error) {
	var trail AuditTrail
	query := url.Values{"node": {node}, "after": {strconv.FormatUint(after, 10)}}
	err := c.Get(ctx, PathAudit, query, &trail)
	return trail, err
}
