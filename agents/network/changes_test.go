package network

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// stands checks which interfaces there are besides those of the host.
func stands(t *testing.T, what string, want ...string) {
	t.Helper()
	found, err := names()
	found = slices.DeleteFunc(found, func(name string) bool { return name == "eth0" || name == "lo" })
	if slices.Sort(want); err != nil || !slices.Equal(found, want) {
		t.Errorf("%s: there are %v, want %v (%v)", what, found, want, err)
	}
}

// at is the bridge that an interface is attached to.
func at(name string) string {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err.Error()
	}
	bridge, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
	if err != nil {
		return err.Error()
	}
	return bridge.Attrs().Name
}

// TestAGuestKeepsItsBridgeAndItsWayOut: a network that is to have another bridge does not take the
// way out from what is attached to the one that it had.
func TestAGuestKeepsItsBridgeAndItsWayOut(t *testing.T) {
	a, b := twoHosts(t)
	a.do(t, func() error {
		w := wish(a.local, b.local)
		if err := errors.Join((&VXLAN{}).Ensure(w), attachTap("br-blue")); err != nil {
			return err
		}
		for _, change := range []func(*Wish){func(*Wish) {}, func(w *Wish) { w.VLAN = 21 }} {
			other := w
			other.Bridge = "br-other"
			change(&other)
			for _, err := range []error{(&VXLAN{}).Check(other), (&VXLAN{}).Ensure(other)} {
				if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "tap0 is still at br-blue") {
					t.Errorf("got %v", err)
				}
			}
			if err := (&VXLAN{}).Clear(other); err != nil {
				return err
			}
			stands(t, "with a guest", "br-blue", "clvx20", "tap0")
			if bridge := at("clvx20"); bridge != "br-blue" {
				t.Errorf("the way out is at %s", bridge)
			}
		}
		tap, err := netlink.LinkByName("tap0")
		w.Bridge = "br-other"
		err = errors.Join(err, netlink.LinkDel(tap), (&VXLAN{}).Ensure(w))
		stands(t, "without", "br-other", "clvx20")
		return err
	})
}

func named(name, bridge string, vlan int) func(Wish) Wish {
	return func(w Wish) Wish {
		w.Name, w.Bridge, w.VLAN = name, bridge, vlan
		return w
	}
}

// TestANetworkTakesWhatAnotherHad: names and numbers that changed hands keep nothing from being
// made, whatever was made first.
func TestANetworkTakesWhatAnotherHad(t *testing.T) {
	for _, tc := range []struct {
		name     string
		tap      string
		was, now []func(Wish) Wish
		want     []string
		fault    error
	}{
		{"renamed", "", []func(Wish) Wish{named("blue", "br-x", 20)}, []func(Wish) Wish{named("azure", "br-x", 20)},
			[]string{"br-x", "clvx20"}, nil},
		{"renamed in use", "br-x", []func(Wish) Wish{named("blue", "br-x", 20)},
			[]func(Wish) Wish{named("azure", "br-x", 20)},
			[]string{"br-x", "clvx20", "tap0"}, nil},
		{"renamed in use with another number", "br-x", []func(Wish) Wish{named("blue", "br-x", 20)},
			[]func(Wish) Wish{named("azure", "br-x", 21)}, []string{"br-x", "clvx20", "tap0"}, ErrInUse},
		{"its number taken while in use", "br-x", []func(Wish) Wish{named("blue", "br-x", 20)},
			[]func(Wish) Wish{named("azure", "br-y", 20)}, []string{"br-x", "clvx20", "tap0"}, ErrInUse},
		{"numbers swapped", "", []func(Wish) Wish{named("blue", "br-blue", 20), named("red", "br-red", 30)},
			[]func(Wish) Wish{named("blue", "br-blue", 30), named("red", "br-red", 20)},
			[]string{"br-blue", "br-red", "clvx20", "clvx30"}, nil},
		{"bridges swapped", "", []func(Wish) Wish{named("blue", "br-a", 20), named("red", "br-b", 30)},
			[]func(Wish) Wish{named("blue", "br-b", 20), named("red", "br-a", 30)},
			[]string{"br-a", "br-b", "clvx20", "clvx30"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := twoHosts(t)
			a.do(t, func() error {
				var wishes []Wish
				keeper := NewKeeper(&VXLAN{}, func([]string) ([]Wish, bool) { return wishes, true })
				become := func(changes []func(Wish) Wish) map[string]error {
					wishes = nil
					for _, change := range changes {
						wishes = append(wishes, change(wish(a.local, b.local)))
					}
					return keeper.Tidy(t.Context())
				}
				if failed := become(tc.was); len(failed) != 0 {
					t.Fatal(failed)
				}
				if tc.tap != "" {
					if err := attachTap(tc.tap); err != nil {
						return err
					}
				}
				failed := become(tc.now)
				if err := failed[wishes[0].Name]; !errors.Is(err, tc.fault) {
					t.Errorf("failed %v, want %v", failed, tc.fault)
				}
				stands(t, tc.name, tc.want...)
				if tc.fault == nil {
					areMade(t, wishes)
				}
				return nil
			})
		})
	}
}

// areMade checks that the networks have their marks and their ways out.
func areMade(t *testing.T, wishes []Wish) {
	t.Helper()
	for _, w := range wishes {
		link, err := netlink.LinkByName(device(w.VLAN))
		if err != nil || link.Attrs().Alias != markPrefix+w.Name || at(device(w.VLAN)) != w.Bridge {
			t.Errorf("%s is %v at %s", device(w.VLAN), link, at(device(w.VLAN)))
		}
	}
}

// TestWhatOthersHaveAtABridgeStays: not only what is attached to it, but what stands upon it, and
// addresses. The other end of a cable into another namespace is not at it, whatever its number.
func TestWhatOthersHaveAtABridgeStays(t *testing.T) {
	var this, other host
	for _, tc := range []struct {
		name  string
		put   func(bridge netlink.Link) error
		stays bool
	}{
		{"macvtap", func(bridge netlink.Link) error {
			return netlink.LinkAdd(&netlink.Macvtap{Macvlan: netlink.Macvlan{Mode: netlink.MACVLAN_MODE_BRIDGE,
				LinkAttrs: netlink.LinkAttrs{Name: "upon", ParentIndex: bridge.Attrs().Index}}})
		}, true},
		{"macvlan", func(bridge netlink.Link) error {
			return netlink.LinkAdd(&netlink.Macvlan{Mode: netlink.MACVLAN_MODE_BRIDGE,
				LinkAttrs: netlink.LinkAttrs{Name: "upon", ParentIndex: bridge.Attrs().Index}})
		}, true},
		{"address", func(netlink.Link) error { return addAddress("br-blue", "10.20.0.1/24") }, true},
		{"link-local address", func(netlink.Link) error { return addAddress("br-blue", "169.254.7.1/16") }, false},
		{"a cable's other end", func(bridge netlink.Link) error {
			return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "far", Index: bridge.Attrs().Index,
				Namespace: netlink.NsFd(other.space)}, PeerName: "near", PeerNamespace: netlink.NsFd(this.space)})
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			this, other = twoHosts(t)
			this.do(t, func() error {
				w := wish(this.local, other.local)
				if err := (&VXLAN{}).Ensure(w); err != nil {
					return err
				}
				bridge, err := netlink.LinkByName("br-blue")
				if err := errors.Join(err, tc.put(bridge)); err != nil {
					return err
				}
				if err := (&VXLAN{}).Remove("blue"); errors.Is(err, ErrInUse) != tc.stays {
					t.Errorf("got %v", err)
				}
				if _, err := netlink.LinkByName("br-blue"); (err == nil) != tc.stays {
					t.Errorf("the bridge: %v", err)
				}
				return nil
			})
		})
	}
}

// TestTheHostStaysOutOfItsGuestsNetworks: no IPv6 address comes by itself, no guest is believed to
// be a router. What an administrator sets afterwards stays.
func TestTheHostStaysOutOfItsGuestsNetworks(t *testing.T) {
	a, b := twoHosts(t)
	a.do(t, func() error {
		w := wish(a.local, b.local)
		w.Bridge = "br.blue"
		if err := (&VXLAN{}).Ensure(w); err != nil {
			return err
		}
		of := func(name string) string { return "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6" }
		for _, name := range []string{"br.blue", "clvx20"} {
			text, err := os.ReadFile(of(name))
			if errors.Is(err, fs.ErrNotExist) {
				t.Skip("this kernel has no IPv6")
			}
			if err != nil || strings.TrimSpace(string(text)) != "1" {
				t.Errorf("of %s the setting is %q, %v", name, text, err)
			}
		}
		err := errors.Join(os.WriteFile(of("br.blue"), []byte("0"), 0), (&VXLAN{}).Ensure(w))
		if text, _ := os.ReadFile(of("br.blue")); strings.TrimSpace(string(text)) != "0" {
			t.Errorf("what an administrator set became %q", text)
		}
		return err
	})
}

// TestARoundLooksOnce: where nothing changes, one look at the host is enough for all networks; what
// is taken away is looked at once more.
func TestARoundLooksOnce(t *testing.T) {
	a, b := twoHosts(t)
	a.do(t, func() error {
		blue := wish(a.local, b.local)
		red := named("red", "br-red", 30)(blue)
		v := &VXLAN{}
		if err := errors.Join(v.Ensure(blue), v.Ensure(red), v.Ensure(blue)); err != nil {
			return err
		}
		seen := v.seen
		if err := errors.Join(v.Ensure(red), v.Clear(blue), v.Ensure(blue)); err != nil || v.seen != seen {
			t.Errorf("the host was looked at again (%v)", err)
		}
		if err := attachTap("br-blue"); err != nil {
			return err
		}
		if err := v.Remove("blue"); !errors.Is(err, ErrInUse) {
			t.Errorf("got %v, want ErrInUse", err)
		}
		blue.Bridge = "br-other"
		v.seen = seen
		err := v.Clear(blue)
		stands(t, "with a guest", "br-blue", "br-red", "clvx20", "clvx30", "tap0")
		return err
	})
}
