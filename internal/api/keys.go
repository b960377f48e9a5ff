package api

// KeysRequest changes a key of the cluster.
type KeysRequest struct {
	ID string `json:"id"`
	// Op is one of those below.
	Op     string `json:"op"`
	Reason string `json:"reason,omitempty"`
	// Node is the one whose key it is about. Anyway: also while others are away, who would not know
	// its new key.
	Node   string `json:"node,omitempty"`
	Anyway bool   `json:"anyway,omitempty"`
}

// RotateGossip brings a new data key into force, and with it a new key of gossip.
const RotateGossip = "rotate-gossip"

// RotateNode has a node make itself a new identity key, and AbortNode takes that back as long as it
// has told none.
const (
	RotateNode = "rotate-node"
	AbortNode  = "abort-node"
)

// RotateAuthority begins to put a new authority in the place of the present one, AbortAuthority
// gives that up, and AuthorityStatus changes nothing and tells how far that and the nodes' own keys
// are.
const (
	RotateAuthority = "rotate-authority"
	AbortAuthority  = "abort-authority"
	AuthorityStatus = "authority-status"
)
