package network

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// paper is a driver that makes networks on paper.
type paper struct {
	made   []string
	did    []string
	busy   map[string]bool
	faults map[string]error
}

func (p *paper) Look() {}

func (p *paper) Check(w Wish) error { return p.faults[w.Name] }

func (p *paper) Clear(w Wish) error {
	p.did = append(p.did, "clear "+w.Name)
	return nil
}

func (p *paper) Ensure(w Wish) error {
	p.did = append(p.did, "ensure "+w.Name)
	if err := p.faults[w.Name]; err != nil {
		return err
	}
	if !slices.Contains(p.made, w.Name) {
		p.made = append(p.made, w.Name)
	}
	return nil
}

func (p *paper) Present() ([]string, error) { return slices.Clone(p.made), nil }

func (p *paper) Remove(name string) error {
	if p.busy[name] {
		return ErrInUse
	}
	p.did = append(p.did, "remove "+name)
	p.made = slices.DeleteFunc(p.made, func(made string) bool { return made == name })
	return nil
}

// keeping makes a keeper of a document with blue and red, of which this host is to have some.
func keeping(driver *paper, known bool, used ...string) *Keeper {
	return NewKeeper(driver, func(besides []string) (wishes []Wish, _ bool) {
		for _, name := range []string{"blue", "red"} {
			if slices.Contains(used, name) || slices.Contains(besides, name) {
				wishes = append(wishes, Wish{Network: resources.Network{Name: name, Bridge: "br-" + name}})
			}
		}
		return wishes, known
	})
}

func TestTidyFollowsWhatIsWanted(t *testing.T) {
	for _, tc := range []struct {
		name  string
		known bool
		used  []string
		busy  bool
		want  []string
	}{
		{"what is used is made", true, []string{"blue"}, false, []string{"blue"}},
		{"what nobody uses goes", true, nil, false, nil},
		{"what a guest is attached to stays", true, nil, true, []string{"red"}},
		{"before it is known what is used, nothing goes", false, nil, false, []string{"red"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			driver := &paper{made: []string{"red"}, busy: map[string]bool{"red": tc.busy}}
			if failed := keeping(driver, tc.known, tc.used...).Tidy(t.Context()); len(failed) != 0 {
				t.Fatal(failed)
			}
			if !slices.Equal(driver.made, tc.want) {
				t.Errorf("there are %v, want %v", driver.made, tc.want)
			}
		})
	}
}

// TestWhatGoesGoesFirst: what is made may need the names of what goes.
func TestWhatGoesGoesFirst(t *testing.T) {
	driver := &paper{made: []string{"green"}}
	if failed := keeping(driver, true, "blue", "red").Tidy(t.Context()); len(failed) != 0 {
		t.Fatal(failed)
	}
	want := []string{"clear blue", "clear red", "remove green", "ensure blue", "ensure red"}
	if !slices.Equal(driver.did, want) {
		t.Errorf("did %q", driver.did)
	}
}

// TestWhatStandsIsLeftAlone: what was made a moment ago is looked at again after a while, or when
// it is to be otherwise, or gone. A start has it looked at in any case.
func TestWhatStandsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := &paper{}
		wish := Wish{Network: resources.Network{Name: "blue", Bridge: "br-blue"}}
		k := NewKeeper(driver, func([]string) ([]Wish, bool) { return []Wish{wish}, true })
		did := func(what string, want ...string) {
			t.Helper()
			if !slices.Equal(driver.did, want) {
				t.Errorf("%s it did %q, want %q", what, driver.did, want)
			}
			driver.did = nil
		}
		tidied := []string{"clear blue", "ensure blue"}
		k.Tidy(t.Context())
		did("at first", tidied...)
		k.Tidy(t.Context())
		did("at once again")
		time.Sleep(trusted)
		k.Tidy(t.Context())
		did("after a while", tidied...)
		for _, change := range []func(){
			func() { wish.Peers = []netip.Addr{netip.MustParseAddr("10.0.0.2")} },
			func() { wish.Local = netip.MustParseAddr("10.0.0.1") },
			func() { wish.MTU = 1400 },
			func() { driver.made = nil },
		} {
			change()
			k.Tidy(t.Context())
			did("after a change", tidied...)
		}
		start := agents.Act{Verb: agents.VerbStart, Spec: resources.Spec{Networks: []string{"blue"}}}
		k.Before(func(context.Context, agents.Act) agents.Result { return agents.Result{OK: true} })(t.Context(), start)
		did("before a start", "ensure blue")
		driver.faults = map[string]error{"blue": errors.New("no such device")}
		wish.MTU = 1300
		for range 2 {
			if k.Tidy(t.Context()); len(driver.did) == 0 {
				t.Error("what could not be made is not tried again")
			}
			driver.did = nil
		}
	})
}

// TestARoundGoesByWhatIsWantedNow: what came to be wanted since the round began stays, and what
// no longer is, is not made. The lock is free in between.
func TestARoundGoesByWhatIsWantedNow(t *testing.T) {
	driver := &paper{made: []string{"green"}}
	green := Wish{Network: resources.Network{Name: "green"}}
	wishes := []Wish{{Network: resources.Network{Name: "blue"}}, {Network: resources.Network{Name: "red"}}}
	rounds := 0
	var k *Keeper
	k = NewKeeper(driver, func([]string) ([]Wish, bool) {
		if rounds++; rounds == 2 {
			wishes = []Wish{wishes[0], green}
		}
		if k.mu.TryLock() {
			t.Error("it is asked without the lock")
		}
		return wishes, true
	})
	if failed := k.Tidy(t.Context()); len(failed) != 0 {
		t.Fatal(failed)
	}
	if want := []string{"clear blue", "ensure blue"}; !slices.Equal(driver.did, want) {
		t.Errorf("did %q, want %q", driver.did, want)
	}
}

// TestWhoNoLongerWaitsIsNotServed: an act whose time is over makes nothing more.
func TestWhoNoLongerWaitsIsNotServed(t *testing.T) {
	driver := &paper{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	result := keeping(driver, true).Before(func(context.Context, agents.Act) agents.Result {
		return agents.Result{OK: true}
	})(ctx, agents.Act{Verb: agents.VerbStart, Spec: resources.Spec{Networks: []string{"blue", "red"}}})
	if result.OK || len(driver.did) != 0 || len(keeping(driver, true, "blue").Tidy(ctx)) != 0 || len(driver.did) != 0 {
		t.Errorf("answered %+v, did %q", result, driver.did)
	}
}

func TestNetworksComeBeforeTheirGuest(t *testing.T) {
	broken := errors.New("no such device")
	for _, tc := range []struct {
		name     string
		verb     agents.Verb
		needs    []string
		faults   map[string]error
		rehearse bool
		asked    bool
		ok       bool
		made     []string
		why      string
	}{
		{"a start", agents.VerbStart, []string{"blue"}, nil, false, true, true, []string{"blue"}, ""},
		{"a start without its network", agents.VerbStart, []string{"blue"}, map[string]error{"blue": broken}, false, false,
			false, nil, "no such device"},
		{"a network that nobody declares", agents.VerbStart, []string{"green"}, nil, false, false, false, nil, "green"},
		{"the target of a migration", agents.VerbPrepare, []string{"blue", "red"}, nil, false, true, true,
			[]string{"blue", "red"}, ""},
		{"a target without one of two", agents.VerbPrepare, []string{"blue", "red"}, map[string]error{"red": broken}, false,
			true, false, []string{"blue"}, "no such device"},
		{"a rehearsal makes nothing", agents.VerbPrepare, []string{"blue"}, nil, true, true, true, nil, ""},
		{"a rehearsal tells", agents.VerbPrepare, []string{"blue"}, map[string]error{"blue": broken}, true, true, false, nil,
			"no such device"},
		{"a stop makes nothing", agents.VerbStop, []string{"blue"}, nil, false, true, true, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			driver := &paper{faults: tc.faults}
			asked := false
			do := keeping(driver, true).Before(func(_ context.Context, act agents.Act) agents.Result {
				asked = true
				return agents.Result{OK: true, Source: agents.Absent}
			})
			result := do(t.Context(), agents.Act{Verb: tc.verb, Rehearsed: tc.rehearse,
				Spec: resources.Spec{Name: "vm:web", Networks: tc.needs}})
			if asked != tc.asked || result.OK != tc.ok || !strings.Contains(result.Why, tc.why) ||
				!slices.Equal(driver.made, tc.made) {
				t.Errorf("asked %t, ok %t, why %q, made %v", asked, result.OK, result.Why, driver.made)
			}
			if tc.verb == agents.VerbStart && !asked && !result.Unsent {
				t.Error("a start that was not sent counts as one that may have happened")
			}
		})
	}
}
