package api

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// AuditEntry is one line of a node's audit trail.
type AuditEntry struct {
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	Node string    `json:"node"`
	// Who is the login: a name with how it is known.
	Who string `json:"who"`
	// From is where it came from: the socket, or an address.
	From string `json:"from,omitempty"`
	// Act is what was asked for, and Result how that ended: "ok", "refused: why", "outcome unknown:
	// why".
	Act    string `json:"act"`
	Result string `json:"result"`
	// More is how many like it were not written down, to keep a flood from pushing out the rest.
	More int `json:"more,omitempty"`
	// Sum covers this line and the sum of the line before.
	Sum string `json:"sum"`
}

// ResultOK is the result of what was done, and ResultUnknown begins that of what may have been.
const (
	ResultOK      = "ok"
	ResultUnknown = "outcome unknown: "
)

// AuditTrail is a part of one node's audit trail, oldest first.
type AuditTrail struct {
	Node    string       `json:"node"`
	Entries []AuditEntry `json:"entries"`
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
