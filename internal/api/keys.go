package api

// KeysRequest changes a key of the cluster.
type KeysRequest struct {
	ID string `json:"id"`
	// Op is one of those below.
	Op     string `json:"op"`
	Reason string `json:"reason,omitempty"`
}

// RotateGossip brings a new data key into force, and with it a new key of gossip.
const RotateGossip = "rotate-gossip"

// RotateAuthority begins to put a new authority in the place of the present one, AbortAuthority gives that up, and
// AuthorityStatus changes nothing and tells how far it is.
const (
	RotateAuthority = "rotate-authority"
	AbortAuthority  = "abort-authority"
	AuthorityStatus = "authority-status"
)
