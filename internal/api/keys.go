package api

// KeysRequest changes a key of the cluster.
type KeysRequest struct {
	ID string `json:"id"`
	// Op is RotateGossip.
	Op     string `json:"op"`
	Reason string `json:"reason,omitempty"`
}

// RotateGossip brings a new data key into force, and with it a new key of gossip.
const RotateGossip = "rotate-gossip"
