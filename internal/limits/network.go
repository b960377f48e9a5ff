package limits

import "net/netip"

// Network is whose share somebody at ADDRESS:PORT uses: the address, or for IPv6 the /64, of which
// one machine has all the addresses.
func Network(remote string) string {
	plain := Address(remote)
	if !plain.IsValid() {
		return remote
	}
	if plain.Is4() {
		return plain.String()
	}
	prefix, _ := plain.Prefix(64)
	return prefix.String()
}

// Address is the address itself of somebody at ADDRESS:PORT; the zero one where it cannot be read.
func Address(remote string) netip.Addr {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return Plain(address.Addr())
}

// Plain is an address as it is compared: IPv4 as IPv4, and without the name of an interface.
func Plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }
