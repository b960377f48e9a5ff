package networks

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/agents/network"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/networks/users"
	"github.com/clusterd/clusterd/resources"
)

func TestWishesNameWhoIsReachedWhere(t *testing.T) {
	s := &cluster.State{}
	s.Document.Networks = map[string]resources.Network{"blue": {Name: "blue"}, "red": {Name: "red"}}
	web := &cluster.Service{Spec: resources.Spec{Networks: []string{"blue"}}, Holders: []cluster.Holder{{Node: "node1"}},
		Intent: &cluster.Intent{Kind: cluster.IntentMigrate, Node: "node1", Target: "node2"}}
	s.Services.Set("vm:web", *web)
	addresses := map[string]string{"node1": "10.0.0.1:7440", "node2": "[fd00::2]:7440", "node3": "host.example:7440"}
	for _, tc := range []struct {
		name, self string
		besides    []string
		blue       []string
		fault      string
	}{
		{"the source reaches the target", "node1", nil, []string{"fd00::2"}, ""},
		{"the target reaches the source", "node2", nil, []string{"10.0.0.1"}, ""},
		{"who has no part in it has no network", "node3", nil, nil, ""},
		{"who only asks is told all the same", "node3", []string{"blue"}, []string{"10.0.0.1", "fd00::2"},
			`"host.example" is a name`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wishes, err := wishes(s, users.Of(s), tc.self, addresses[tc.self], addresses, tc.besides)
			if (err != nil) != (tc.fault != "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("error %v, want %q", err, tc.fault)
			}
			if len(tc.blue) == 0 {
				if len(wishes) != 0 {
					t.Errorf("wished for %v", wishes)
				}
				return
			}
			if len(wishes) != 1 || wishes[0].Name != "blue" {
				t.Fatalf("wished for %v", wishes)
			}
			var peers []string
			for _, peer := range wishes[0].Peers {
				peers = append(peers, peer.String())
			}
			if !slices.Equal(peers, tc.blue) {
				t.Errorf("peers are %v, want %v", peers, tc.blue)
			}
			if own, _, _ := strings.Cut(addresses[tc.self], ":"); tc.self == "node1" &&
				wishes[0].Local != netip.MustParseAddr(own) {
				t.Errorf("own address is %v", wishes[0].Local)
			}
		})
	}
}

// stubborn is a driver that cannot make a network at first.
type stubborn struct {
	network.Driver
	fails int
	tries []time.Time
}

func (s *stubborn) Look() {}

func (s *stubborn) Clear(network.Wish) error { return nil }

func (s *stubborn) Present() ([]string, error) { return nil, nil }

func (s *stubborn) Ensure(network.Wish) error {
	s.tries = append(s.tries, time.Now())
	if len(s.tries) <= s.fails {
		return errors.New("no such device")
	}
	return nil
}

// TestAStateFromBeforeTheAdmissionTakesNothingAway: the node is admitted between two questions.
func TestAStateFromBeforeTheAdmissionTakesNothingAway(t *testing.T) {
	before, after := &cluster.State{}, &cluster.State{}
	admitted := false
	h := New(Options{Node: "node1", Root: func() *cluster.State {
		if admitted {
			return after
		}
		admitted = true // right after this State was read
		return before
	}, Admitted: func() bool { return admitted }, Own: func() string { return "" },
		Addresses: func() map[string]string { return nil }, Warn: func(string, string) {}})
	if _, known := h.wanted(nil); known {
		t.Error("what an older State says is taken for what is known")
	}
	if _, known := h.wanted(nil); !known {
		t.Error("what the newest State says is not known")
	}
}

// TestWhoUsesWhatIsCountedOncePerState: and anew for the next one.
func TestWhoUsesWhatIsCountedOncePerState(t *testing.T) {
	states := map[bool]*cluster.State{}
	for _, used := range []bool{true, false} {
		s := &cluster.State{}
		s.Document.Networks = map[string]resources.Network{"blue": {Name: "blue"}}
		if used {
			s.Services.Set("vm:web", cluster.Service{Spec: resources.Spec{Networks: []string{"blue"}},
				Holders: []cluster.Holder{{Node: "node1"}}})
		}
		states[used] = s
	}
	used := true
	h := New(Options{Node: "node1", Root: func() *cluster.State { return states[used] },
		Admitted: func() bool { return true }, Own: func() string { return "10.0.0.1:7440" },
		Addresses: func() map[string]string { return nil }, Warn: func(string, string) {}})
	if found, _ := h.wanted(nil); len(found) != 1 {
		t.Fatalf("wished for %v", found)
	}
	h.used["blue"] = nil // counted once more, it would be back
	if found, _ := h.wanted(nil); len(found) != 0 {
		t.Errorf("counted twice by one State: %v", found)
	}
	used = false
	h.wanted(nil)
	used = true
	if found, _ := h.wanted(nil); len(found) != 1 {
		t.Errorf("by another State %v is wished for", found)
	}
}

// TestWhatFailedIsTriedAgainSoon: at first after a second, then less and less often.
func TestWhatFailedIsTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &cluster.State{}
		s.Document.Networks = map[string]resources.Network{"blue": {Name: "blue"}}
		s.Services.Set("vm:web", cluster.Service{Spec: resources.Spec{Networks: []string{"blue"}},
			Holders: []cluster.Holder{{Node: "node1"}}})
		warned := ""
		driver := &stubborn{fails: 8}
		h := New(Options{Node: "node1", Driver: driver, Root: func() *cluster.State { return s },
			Changed: func() <-chan struct{} { return nil }, Admitted: func() bool { return true },
			Own: func() string { return "10.0.0.1:7440" }, Addresses: func() map[string]string { return nil },
			Warn: func(name, text string) {
				if name == "network blue" {
					warned = text
				}
			}})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		h.Run(ctx)
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30} {
			if got := driver.tries[i+1].Sub(driver.tries[i]); got != want*time.Second+between {
				t.Errorf("pause %d is %s", i, got)
			}
		}
		if warned != "" {
			t.Errorf("after it was made it is said: %s", warned)
		}
	})
}
