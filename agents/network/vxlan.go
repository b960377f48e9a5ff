package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
)

// markPrefix begins the alias of every interface that is ours; the network's name follows.
const markPrefix = "clusterd network "

// port is the one that IANA assigned to VXLAN (RFC 7348).
const port = 4789

// overhead is what VXLAN adds to a packet: the inner Ethernet header, VXLAN, UDP, and the outer
// address header (RFC 7348, section 5).
const overhead4, overhead6 = 50, 70

// VXLAN makes networks by the kernel's bridge and VXLAN drivers, in the network namespace of the
// calling thread. It remembers what the host has until it changes something of it, or is told to
// look again.
type VXLAN struct{ seen *here }

var _ Driver = (*VXLAN)(nil)

// Look implements Driver.
func (v *VXLAN) Look() { v.seen = nil }

// device is the name of a network's VXLAN device.
func device(vlan int) string { return fmt.Sprintf("clvx%d", vlan) }

// Check implements Driver.
func (v *VXLAN) Check(w Wish) error {
	h, err := v.look()
	if err != nil {
		return err
	}
	if _, err := h.mtuOf(w); err != nil {
		return fmt.Errorf("network %s: %w", w.Name, err)
	}
	return h.obstacle(w)
}

// Ensure implements Driver.
func (v *VXLAN) Ensure(w Wish) error {
	if err := v.Check(w); err != nil {
		return err
	}
	mtu, err := v.seen.mtuOf(w)
	if err != nil {
		return fmt.Errorf("network %s: %w", w.Name, err)
	}
	if err := v.adopt(w); err != nil {
		return err
	}
	if err := v.clearAway(w, true); err != nil {
		return err
	}
	bridge, err := v.ensureLink(&netlink.Bridge{LinkAttrs: attributes(w.Name, w.Bridge, mtu)}, alike)
	if err != nil {
		return fmt.Errorf("network %s: bridge %s: %w", w.Name, w.Bridge, err)
	}
	want := &netlink.Vxlan{LinkAttrs: attributes(w.Name, device(w.VLAN), mtu), VxlanId: w.VLAN, Port: port,
		SrcAddr: w.Local.AsSlice(), Learning: true}
	tunnel, err := v.ensureLink(want, sameTunnel)
	if err != nil {
		return fmt.Errorf("network %s: device %s: %w", w.Name, want.Name, err)
	}
	if err := v.attach(tunnel, bridge, mtu); err != nil {
		return fmt.Errorf("network %s: %w", w.Name, err)
	}
	if err := flood(tunnel, w.Peers); err != nil {
		return fmt.Errorf("network %s: addresses of %s: %w", w.Name, want.Name, err)
	}
	return nil
}

// Clear implements Driver.
func (v *VXLAN) Clear(w Wish) error { return v.clearAway(w, false) }

// clearAway removes what is left of a network that had another bridge or number and, where it is to
// be made, what is left of others under names that are its own now. What is in use stays.
func (v *VXLAN) clearAway(w Wish, taking bool) error {
	h, err := v.look()
	if err != nil || len(h.leftOf(w, taking)) == 0 {
		return err
	}
	v.Look() // something may have been attached since
	if h, err = v.look(); err != nil {
		return err
	}
	for _, link := range h.leftOf(w, taking) {
		if err := v.remove(link); err != nil {
			network, _ := marked(link)
			return fmt.Errorf("network %s: remove %s, which network %s no longer has: %w", w.Name, link.Attrs().Name,
				network, err)
		}
	}
	return nil
}

// adopt marks a network as ours by its new name, where it has just that: nothing of it changes for
// what is attached.
func (v *VXLAN) adopt(w Wish) error {
	h, err := v.look()
	if err != nil {
		return err
	}
	bridge, tunnel := h.named(w.Bridge), h.named(device(w.VLAN))
	if !renamed(w, bridge, tunnel) {
		return nil
	}
	v.Look()
	for _, link := range []netlink.Link{bridge, tunnel} {
		if err := netlink.LinkSetAlias(link, markPrefix+w.Name); err != nil {
			return fmt.Errorf("network %s: mark %s: %w", w.Name, link.Attrs().Name, err)
		}
	}
	return nil
}

// renamed reports whether a bridge and its device are those of the network under another name.
func renamed(w Wish, bridge, tunnel netlink.Link) bool {
	if bridge == nil || tunnel == nil {
		return false
	}
	before, is := marked(bridge)
	return is && before != w.Name && bridge.Type() == "bridge" && tunnel.Attrs().Alias == bridge.Attrs().Alias &&
		tunnel.Attrs().MasterIndex == bridge.Attrs().Index
}

func (v *VXLAN) remove(link netlink.Link) error {
	v.Look()
	if err := netlink.LinkDel(link); err != nil && !errors.As(err, &netlink.LinkNotFoundError{}) {
		return err
	}
	return nil
}

func attributes(network, name string, mtu int) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name, a.MTU, a.Alias = name, mtu, markPrefix+network
	return a
}

func alike(netlink.Link, netlink.Link) bool { return true }

// sameTunnel reports whether a VXLAN device goes where it should; neither can be changed later.
func sameTunnel(has, want netlink.Link) bool {
	a, is := has.(*netlink.Vxlan)
	b := want.(*netlink.Vxlan)
	return is && a.VxlanId == b.VxlanId && a.SrcAddr.Equal(b.SrcAddr) && a.Port == b.Port
}

// ensureLink finds an interface that is ours, or makes it. One of another kind is made anew.
func (v *VXLAN) ensureLink(want netlink.Link, same func(has, want netlink.Link) bool) (netlink.Link, error) {
	h, err := v.look()
	if err != nil {
		return nil, err
	}
	has := h.named(want.Attrs().Name)
	switch {
	case has == nil:
	case has.Attrs().Alias != want.Attrs().Alias:
		return nil, ErrForeign // it came a moment ago
	case has.Type() == want.Type() && same(has, want):
		return has, nil
	default:
		if err := v.remove(has); err != nil {
			return nil, err
		}
	}
	return v.add(want)
}

// unmarked is what an interface is called until it has its mark.
const unmarked = "clusterd-new"

// add makes an interface. The kernel takes no alias with the order to make one, so it gets its own
// name only once it is marked: what a crash leaves in between is ours by its name.
func (v *VXLAN) add(want netlink.Link) (netlink.Link, error) {
	v.Look()
	attrs := want.Attrs()
	name := attrs.Name
	if left, err := netlink.LinkByName(unmarked); err == nil {
		if err := netlink.LinkDel(left); err != nil {
			return nil, err
		}
	}
	attrs.Name = unmarked
	if err := netlink.LinkAdd(want); err != nil {
		return nil, unsupported(err)
	}
	made, err := netlink.LinkByName(unmarked)
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetAlias(made, attrs.Alias); err != nil {
		return nil, err
	}
	if err := netlink.LinkSetName(made, name); err != nil {
		return nil, err
	}
	return netlink.LinkByIndex(made.Attrs().Index)
}

// unsupported says what a kernel means that has no such device.
func unsupported(err error) error {
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return fmt.Errorf("this kernel cannot make it; load the module (modprobe vxlan bridge): %w", err)
	}
	return err
}

// attach has frames go between the two, both up and of one size.
func (v *VXLAN) attach(tunnel, bridge netlink.Link, mtu int) error {
	if tunnel.Attrs().MasterIndex != bridge.Attrs().Index {
		v.Look()
		if err := netlink.LinkSetMasterByIndex(tunnel, bridge.Attrs().Index); err != nil {
			return fmt.Errorf("attach %s to %s: %w", tunnel.Attrs().Name, bridge.Attrs().Name, err)
		}
	}
	for _, link := range []netlink.Link{tunnel, bridge} {
		if link.Attrs().MTU != mtu {
			v.Look()
			if err := netlink.LinkSetMTU(link, mtu); err != nil {
				return fmt.Errorf("MTU %d of %s: %w", mtu, link.Attrs().Name, err)
			}
		}
		if link.Attrs().Flags&net.FlagUp == 0 {
			v.Look()
			if err := keepOut(link.Attrs().Name); err != nil {
				return fmt.Errorf("keep this host out of %s: %w", link.Attrs().Name, err)
			}
			if err := netlink.LinkSetUp(link); err != nil {
				return fmt.Errorf("bring %s up: %w", link.Attrs().Name, err)
			}
		}
	}
	return nil
}

// keepOut has the kernel speak no IPv6 on an interface that comes up. Else it would give itself an
// address there, where guests reach the host, and take addresses and routes from any guest that
// calls itself a router. A kernel without IPv6 has nothing to be told.
func keepOut(name string) error {
	setting, err := os.OpenFile(filepath.Join("/proc/sys/net/ipv6/conf", name, "disable_ipv6"), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = setting.WriteString("1")
	return errors.Join(err, setting.Close())
}

// flood has frames for all, and for whom nobody knows, go to exactly these addresses.
func flood(tunnel netlink.Link, peers []netip.Addr) error {
	entries, err := netlink.NeighList(tunnel.Attrs().Index, syscall.AF_BRIDGE)
	if err != nil {
		return err
	}
	known := map[netip.Addr]bool{}
	for _, entry := range entries {
		address, ok := netip.AddrFromSlice(entry.IP)
		if !ok || !isFlood(entry.HardwareAddr) {
			continue
		}
		address = address.Unmap()
		known[address] = slices.Contains(peers, address)
		if !known[address] {
			if err := netlink.NeighDel(floodEntry(tunnel, address)); err != nil {
				return fmt.Errorf("forget %s: %w", address, err)
			}
		}
	}
	for _, peer := range peers {
		if !known[peer] {
			if err := netlink.NeighAppend(floodEntry(tunnel, peer)); err != nil {
				return fmt.Errorf("add %s: %w", peer, err)
			}
			known[peer] = true
		}
	}
	return nil
}

// isFlood reports whether an entry of the forwarding database is the one for all frames that no
// other entry is for: its address is all zeroes (bridge(8)).
func isFlood(address net.HardwareAddr) bool {
	return len(address) == 6 && !slices.ContainsFunc(address, func(b byte) bool { return b != 0 })
}

func floodEntry(tunnel netlink.Link, peer netip.Addr) *netlink.Neigh {
	return &netlink.Neigh{LinkIndex: tunnel.Attrs().Index, Family: syscall.AF_BRIDGE, State: netlink.NUD_PERMANENT,
		Flags: netlink.NTF_SELF, IP: peer.AsSlice(), HardwareAddr: make(net.HardwareAddr, 6)}
}

// Present implements Driver.
func (v *VXLAN) Present() ([]string, error) {
	h, err := v.look()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, link := range h.links {
		if name, is := marked(link); is && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Remove implements Driver. The device goes first: a bridge without it is taken for ours as long as
// it has the mark, and a crash in between leaves nothing that the next Remove would not find.
func (v *VXLAN) Remove(network string) error {
	v.Look() // something may have been attached since
	h, err := v.look()
	if err != nil {
		return err
	}
	var ours []netlink.Link
	for _, link := range h.links {
		if name, is := marked(link); !is || name != network {
			continue
		}
		if other := h.foreignAt(link); other != "" {
			return fmt.Errorf("network %s: %s is at %s: %w", network, other, link.Attrs().Name, ErrInUse)
		}
		ours = append(ours, link)
	}
	slices.SortStableFunc(ours, func(a, b netlink.Link) int { return strings.Compare(b.Type(), a.Type()) })
	for _, link := range ours {
		if err := v.remove(link); err != nil {
			return fmt.Errorf("network %s: remove %s: %w", network, link.Attrs().Name, err)
		}
	}
	return nil
}
