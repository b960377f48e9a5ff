package logbook

import "net"

// Peers are the TLS addresses of the other nodes.
func (b *Book) Peers() map[string]string {
	found := b.RecordedPeers()
	for node, address := range found {
		found[node] = b.Now(address)
	}
	return found
}

// RecordedPeers are the addresses that the State records of the other nodes. As long as it does not
// tell, they are those that were written down last: a daemon that starts anew may need one member
// to find another by, and there may be more of them by now than when it joined.
func (b *Book) RecordedPeers() map[string]string {
	root := b.options.Log.Root()
	found := map[string]string{}
	if root.Nodes.Len() == 0 {
		found = b.membersOr(b.place.Members)
	}
	for _, node := range root.Nodes.Keys() {
		n, _ := root.Nodes.Get(node)
		found[node] = n.Address
	}
	delete(found, b.options.Node)
	return found
}

// Now is where an address of before a renumbering is by now, by this node's own file.
func (b *Book) Now(address string) string {
	host, port, err := net.SplitHostPort(address)
	if moved := b.options.Moved[host]; err == nil && moved != "" {
		return net.JoinHostPort(moved, port)
	}
	return address
}
