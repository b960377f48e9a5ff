package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/clusterd/clusterd/resources"
)

// host is a network namespace with one interface, on which the others are reached.
type host struct {
	space netns.NsHandle
	local netip.Addr
}

// do does something in the host, on a thread of its own that ends with it.
func (h host) do(t *testing.T, what func() error) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread belongs to the namespace
		if err := netns.Set(h.space); err != nil {
			ended <- err
			return
		}
		ended <- what()
	}()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// twoHosts are connected by a cable that carries packets of 1500 bytes.
func twoHosts(t *testing.T) (a, b host) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("makes network namespaces: be root")
	}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		made <- func() error {
			first, err := netns.New()
			if err != nil {
				return err
			}
			second, err := netns.New()
			if err != nil {
				return err
			}
			a, b = host{first, netip.MustParseAddr("10.7.0.1")}, host{second, netip.MustParseAddr("10.7.0.2")}
			cable := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0", MTU: 1500}, PeerName: "eth0",
				PeerNamespace: netlink.NsFd(first)}
			return netlink.LinkAdd(cable)
		}()
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.space.Close(), b.space.Close() })
	for _, h := range []host{a, b} {
		h.do(t, func() error { return addAddress("eth0", h.local.String()+"/24") })
	}
	return a, b
}

func addAddress(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	parsed, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(link, parsed), netlink.LinkSetUp(link))
}

func wish(local netip.Addr, peers ...netip.Addr) Wish {
	return Wish{Network: resources.Network{Name: "blue", VLAN: 20, Bridge: "br-blue"}, Local: local, Peers: peers}
}

// on hears and says what goes over one interface, to everybody.
func on(device string) (net.PacketConn, error) {
	bound := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = errors.Join(syscall.BindToDevice(int(fd), device),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1))
		})
		return errors.Join(err, failed)
	}}
	return bound.ListenPacket(context.Background(), "udp4", ":9")
}

// attachTap has a guest's tap at the bridge.
func attachTap(bridge string) error {
	tap := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tap0"}, Mode: netlink.TUNTAP_MODE_TAP}
	if err := netlink.LinkAdd(tap); err != nil {
		return err
	}
	to, err := netlink.LinkByName(bridge)
	if err != nil {
		return err
	}
	return netlink.LinkSetMasterByIndex(tap, to.Attrs().Index)
}

func names() ([]string, error) {
	links, err := netlink.LinkList()
	var found []string
	for _, link := range links {
		found = append(found, link.Attrs().Name)
	}
	slices.Sort(found)
	return found, err
}

// TestANetworkJoinsItsHosts: what is sent on the bridge of one host is heard on that of the other,
// and not on that of another network.
func TestANetworkJoinsItsHosts(t *testing.T) {
	a, b := twoHosts(t)
	red := func(w Wish) Wish {
		w.Name, w.VLAN, w.Bridge = "red", 30, "br-red"
		return w
	}
	for _, h := range []struct{ host, peer host }{{a, b}, {b, a}} {
		h.host.do(t, func() error {
			blue := wish(h.host.local, h.peer.local)
			return errors.Join((&VXLAN{}).Ensure(blue), (&VXLAN{}).Ensure(blue), (&VXLAN{}).Ensure(red(blue)))
		})
	}
	a.do(t, func() error { return addAddress("br-blue", "10.20.0.1/24") })
	var heard, deaf net.PacketConn
	b.do(t, func() (err error) {
		if heard, err = on("br-blue"); err != nil {
			return err
		}
		deaf, err = on("br-red")
		return err
	})
	defer func() { _, _ = heard.Close(), deaf.Close() }()
	a.do(t, func() error {
		speaker, err := on("br-blue")
		if err != nil {
			return err
		}
		_, err = speaker.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4bcast, Port: 9})
		return errors.Join(err, speaker.Close())
	})
	text := make([]byte, 16)
	if err := heard.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := heard.ReadFrom(text); err != nil || string(text[:n]) != "hello" {
		t.Fatalf("heard %q, %v", text[:n], err)
	}
	if err := deaf.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := deaf.ReadFrom(text); err == nil {
		t.Errorf("another network heard %q", text[:n])
	}
}

// TestOnlyWhatIsOursIsTouched: a name that is taken is refused, before anything is made.
func TestOnlyWhatIsOursIsTouched(t *testing.T) {
	for _, taken := range []string{"br-blue", "clvx20"} {
		t.Run(taken, func(t *testing.T) {
			a, b := twoHosts(t)
			a.do(t, func() error {
				if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: taken}}); err != nil {
					return err
				}
				before, err := names()
				if err != nil {
					return err
				}
				w := wish(a.local, b.local)
				for _, err := range []error{(&VXLAN{}).Check(w), (&VXLAN{}).Ensure(w)} {
					if !errors.Is(err, ErrForeign) {
						t.Errorf("got %v, want ErrForeign", err)
					}
				}
				if err := (&VXLAN{}).Remove("blue"); err != nil {
					t.Errorf("nothing of ours is here: %v", err)
				}
				if after, err := names(); err != nil || !slices.Equal(before, after) {
					t.Errorf("interfaces were %v, are %v (%v)", before, after, err)
				}
				return nil
			})
		})
	}
}

// TestABridgeInUseStays: a guest's network is not taken from under it.
func TestABridgeInUseStays(t *testing.T) {
	a, b := twoHosts(t)
	a.do(t, func() error {
		before, err := names()
		if err := errors.Join(err, (&VXLAN{}).Ensure(wish(a.local, b.local)), attachTap("br-blue")); err != nil {
			return err
		}
		if err := (&VXLAN{}).Remove("blue"); !errors.Is(err, ErrInUse) {
			t.Errorf("got %v, want ErrInUse", err)
		}
		if present, err := (&VXLAN{}).Present(); err != nil || !slices.Equal(present, []string{"blue"}) {
			t.Errorf("present are %v, %v", present, err)
		}
		tap, err := netlink.LinkByName("tap0")
		if err := errors.Join(err, netlink.LinkDel(tap), (&VXLAN{}).Remove("blue"), (&VXLAN{}).Remove("blue")); err != nil {
			return err
		}
		if after, err := names(); err != nil || !slices.Equal(before, after) {
			t.Errorf("interfaces were %v, are %v (%v)", before, after, err)
		}
		return nil
	})
}

// TestACrashInBetweenIsMended: whatever was made when the daemon died, the next round makes the
// rest or takes it away.
func TestACrashInBetweenIsMended(t *testing.T) {
	for _, left := range []string{"br-blue", "clvx20"} {
		t.Run("without "+left, func(t *testing.T) {
			a, b := twoHosts(t)
			a.do(t, func() error {
				before, err := names()
				w := wish(a.local, b.local)
				if err := errors.Join(err, (&VXLAN{}).Ensure(w)); err != nil {
					return err
				}
				whole, err := names()
				if err != nil {
					return err
				}
				link, err := netlink.LinkByName(left)
				if err := errors.Join(err, netlink.LinkDel(link), (&VXLAN{}).Ensure(w)); err != nil {
					return err
				}
				if again, err := names(); err != nil || !slices.Equal(whole, again) {
					t.Errorf("interfaces were %v, are %v (%v)", whole, again, err)
				}
				link, err = netlink.LinkByName(left)
				if err := errors.Join(err, netlink.LinkDel(link), (&VXLAN{}).Remove("blue")); err != nil {
					return err
				}
				if after, err := names(); err != nil || !slices.Equal(before, after) {
					t.Errorf("interfaces were %v, are %v (%v)", before, after, err)
				}
				return nil
			})
		})
	}
}

// TestANetworkChanges: other peers, another number, another bridge.
func TestANetworkChanges(t *testing.T) {
	a, b := twoHosts(t)
	third := netip.MustParseAddr("10.7.0.3")
	a.do(t, func() error {
		w := wish(a.local, b.local)
		if err := (&VXLAN{}).Ensure(w); err != nil {
			return err
		}
		w.Peers = []netip.Addr{third}
		if err := (&VXLAN{}).Ensure(w); err != nil {
			return err
		}
		if got, err := flooded("clvx20"); err != nil || !slices.Equal(got, []netip.Addr{third}) {
			t.Errorf("frames for all go to %v, %v", got, err)
		}
		w.VLAN, w.Bridge = 21, "br-other"
		if err := (&VXLAN{}).Ensure(w); err != nil {
			return err
		}
		found, err := names()
		if err != nil || slices.Contains(found, "br-blue") || slices.Contains(found, "clvx20") ||
			!slices.Contains(found, "br-other") || !slices.Contains(found, "clvx21") {
			t.Errorf("interfaces are %v (%v)", found, err)
		}
		return nil
	})
}

func flooded(device string) ([]netip.Addr, error) {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return nil, err
	}
	entries, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	bridged, err := netlink.NeighList(link.Attrs().Index, 7) // AF_BRIDGE
	var found []netip.Addr
	for _, entry := range append(entries, bridged...) {
		if at, ok := netip.AddrFromSlice(entry.IP); ok && isFlood(entry.HardwareAddr) && !slices.Contains(found, at.Unmap()) {
			found = append(found, at.Unmap())
		}
	}
	return found, err
}

// TestAPacketThatDoesNotFitIsRefused: VXLAN takes 50 bytes of each packet.
func TestAPacketThatDoesNotFitIsRefused(t *testing.T) {
	a, b := twoHosts(t)
	a.do(t, func() error {
		w := wish(a.local, b.local)
		w.MTU = 1451
		if err := (&VXLAN{}).Ensure(w); err == nil {
			t.Error("an MTU of 1451 over 1500 was taken")
		}
		if present, err := (&VXLAN{}).Present(); err != nil || len(present) != 0 {
			t.Errorf("it left %v, %v", present, err)
		}
		w.MTU = 1450
		return (&VXLAN{}).Ensure(w)
	})
}
