package network

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
)

// here is what the host has.
type here struct {
	links     []netlink.Link
	addresses []netlink.Addr
}

func (v *VXLAN) look() (*here, error) {
	if v.seen != nil {
		return v.seen, nil
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	v.seen = &here{links, addresses}
	return v.seen, nil
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

func (h *here) named(name string) netlink.Link {
	for _, link := range h.links {
		if link.Attrs().Name == name {
			return link
		}
	}
	return nil
}

// bridgeOf is the bridge of ours that an interface of ours is, or is attached to.
func (h *here) bridgeOf(link netlink.Link) netlink.Link {
	for _, other := range h.links {
		if _, is := marked(other); is && other.Attrs().Index == link.Attrs().MasterIndex {
			return other
		}
	}
	return link
}

// foreignAt names what somebody else has at an interface: something that is attached to it, or that
// was made upon it (macvtap, macvlan, VLAN), or an address. It is empty where there is nothing.
func (h *here) foreignAt(link netlink.Link) string {
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
func (h *here) heldAt(w Wish, link netlink.Link) string {
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
func (h *here) obstacle(w Wish) error {
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

// leftOf are interfaces that the network no longer has and, where it is to be made, those under its
// names that other networks no longer have. What is in use is not among them.
func (h *here) leftOf(w Wish, taking bool) (left []netlink.Link) {
	for _, link := range h.links {
		network, is := marked(link)
		own, named := network == w.Name, w.has(link)
		if is && own != named && (own || taking) && h.heldAt(w, link) == "" {
			left = append(left, link)
		}
	}
	return left
}

// mtuOf is the largest packet that the network carries, by the interface that has our own address.
func (h *here) mtuOf(w Wish) (int, error) {
	if !w.Local.IsValid() {
		return 0, errors.New("this node's address is not known")
	}
	way, err := h.interfaceOf(w.Local)
	if err != nil {
		return 0, err
	}
	most := way.MTU - overhead4
	if w.Local.Is6() {
		most = way.MTU - overhead6
	}
	switch {
	case w.MTU == 0:
		return most, nil
	case w.MTU > most:
		return 0, fmt.Errorf("mtu %d does not fit: %s carries %d, of which VXLAN leaves %d; lower the network's mtu or "+
			"raise that of %s", w.MTU, way.Name, way.MTU, most, way.Name)
	}
	return w.MTU, nil
}

func (h *here) interfaceOf(local netip.Addr) (netlink.LinkAttrs, error) {
	for _, address := range h.addresses {
		at, ok := netip.AddrFromSlice(address.IP)
		if !ok || at.Unmap() != local {
			continue
		}
		for _, link := range h.links {
			if link.Attrs().Index == address.LinkIndex {
				return *link.Attrs(), nil
			}
		}
	}
	return netlink.LinkAttrs{}, fmt.Errorf("no interface here has this node's address %s", local)
}
