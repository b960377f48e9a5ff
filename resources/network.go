package resources

// Network is one of the cluster's networks for guests: on each host that needs it, a bridge with a
// way to the bridges of the same network on other hosts. Guests of two networks never hear each
// other. A Network is an immutable value.
type Network struct {
	Name string `json:"name"`
	// Over is how frames come to other hosts: OverVXLAN.
	Over string `json:"over"`
	// VLAN is its number, 1 to 4094, which no other network of the cluster has. It is the VXLAN's
	// network identifier (RFC 7348).
	VLAN int `json:"vlan"`
	// Bridge is the Linux bridge that guests are attached to.
	Bridge string `json:"bridge"`
	// MTU is the largest packet in bytes; 0 takes what the way to the other hosts carries.
	MTU int `json:"mtu,omitempty"`
}

// OverVXLAN carries frames in UDP between the cluster's addresses, by the kernel, unencrypted.
const OverVXLAN = "vxlan"

// BridgeOf is the bridge of a network that names none.
func BridgeOf(network string) string { return "br-" + network }
