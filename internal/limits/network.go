package limits

import "net/netip"

// Network is whose share somebody at ADDRESS:PORT uses: the address, or for IPv6 the /64, of which
// one machine has all the addresses.
func Network(remote string) string {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote
	}
	plain := address.Addr().Unmap().WithZone("")
	if plain.Is4() {
		return plain.String()
	}
	prefix, _ := plain.Prefix(64)
	return prefix.String()
}
