package network

import (
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
)

// here is what the host has.
type here struct {
	links     []netlink.Link
	addresses []netlink.Addr
}

func look() (here, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return here{}, err
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	return here{links, addresses}, err
}

// marked is the network that an interface of ours is of. Whatever has a mark of ours is ours,
// whether its network is still called so or not.
func marked(link netlink.Link) (network string, is bool) {
	return strings.CutPrefix(link.Attrs().Alias, markPrefix)
}

// has reports whether an interface has one of the two names of a network.
func (w Wish) has(link netlink.Link) bool {
	name := link.Attrs().Name
	return name == w.Bridge || name == device(w.VLAN)
}

func (h here) named(name string) netlink.Link {
	for _, link := range h.links {
		if link.Attrs().Name == name {
			return link
		}
	}
	return nil
}

// bridgeOf is the bridge of ours that an interface of ours is, or is attached to.
func (h here) bridgeOf(link netlink.Link) netlink.Link {
	for _, other := range h.links {
		if _, is := marked(other); is && other.Attrs().Index == link.Attrs().MasterIndex {
			return other
		}
	}
	return link
}

// foreignAt names what somebody else has at an interface: something that is attached to it, or that
// was made upon it (macvtap, macvlan, VLAN), or an address. It is empty where there is nothing.
func (h here) foreignAt(link netlink.Link) string {
	index := link.Attrs().Index
	for _, other := range h.links {
		a := other.Attrs()
		if _, is := marked(other); is {
			continue
		}
		// The other end of a cable into another namespace has its number there.
		if a.MasterIndex == index || a.ParentIndex == index && a.NetNsID < 0 {
			return a.Name
		}
	}
	for _, address := range h.addresses {
		if address.LinkIndex == index && !address.IP.IsLinkLocalUnicast() {
			return "address " + address.IPNet.String()
		}
	}
	return ""
}

// heldAt names what keeps an interface of ours from being removed for a network. What is at the
// network's own bridge keeps only that: the rest of it may be made anew.
func (h here) heldAt(w Wish, link netlink.Link) string {
	bridge := h.bridgeOf(link)
	if bridge.Attrs().Name == w.Bridge && bridge.Attrs().Alias == markPrefix+w.Name {
		return h.foreignAt(link)
	}
	if other := h.foreignAt(link); other != "" {
		return other
	}
	return h.foreignAt(bridge)
}

// obstacle says what keeps a network from being made. It had another bridge or number before, or
// another network had its: what is attached to that is not moved into another network, nor left
// without one.
func (h here) obstacle(w Wish) error {
	for _, link := range h.links {
		network, is := marked(link)
		own, named := network == w.Name, w.has(link)
		switch {
		case named && !is:
			return fmt.Errorf("network %s: %s: an interface of this name is here: %w", w.Name, link.Attrs().Name, ErrForeign)
		case !is || own == named || named && renamed(w, h.named(w.Bridge), h.named(device(w.VLAN))):
			continue
		}
		if other := h.heldAt(w, link); other != "" {
			return fmt.Errorf("network %s: %s is still at %s, which is made for network %s as it was; take it off: %w",
				w.Name, other, h.bridgeOf(link).Attrs().Name, network, ErrInUse)
		}
	}
	return nil
}
