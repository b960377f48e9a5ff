package network

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

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
			if failed := keeping(driver, tc.known, tc.used...).Tidy(); len(failed) != 0 {
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
	if failed := keeping(driver, true, "blue", "red").Tidy(); len(failed) != 0 {
		t.Fatal(failed)
	}
	want := []string{"clear blue", "clear red", "remove green", "ensure blue", "ensure red"}
	if !slices.Equal(driver.did, want) {
		t.Errorf("did %q", driver.did)
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
