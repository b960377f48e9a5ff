package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/test/mutants/breaks"
	"github.com/clusterd/clusterd/test/sim"
)

// TestMutantsFitTheSources keeps the mutants alive without running them: each
// edit is found, what it makes is still Go, and no law goes without.
func TestMutantsFitTheSources(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	names, laws := map[string]bool{}, map[string]int{}
	for _, m := range breaks.All() {
		if names[m.Name] {
			t.Errorf("two mutants are called %s", m.Name)
		}
		names[m.Name] = true
		if m.Harmless == "" {
			laws[m.Law]++
		}
		if m.Broken == "" || len(m.Edits) == 0 || len(m.Nets) == 0 {
			t.Errorf("%s does not say what it breaks, where, and what should notice", m.Name)
		}
		for _, kind := range m.Faults {
			if !slices.Contains(sim.FaultKinds(), kind) {
				t.Errorf("%s is said to need %q, and there is no such kind of fault", m.Name, kind)
			}
		}
		files, err := mutated(m, root)
		if err != nil {
			t.Error(err)
			continue
		}
		for path, text := range files {
			if _, err := parser.ParseFile(token.NewFileSet(), path, text, 0); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
	for number := 1; number <= 10; number++ {
		if law := fmt.Sprintf("L%d", number); laws[law] < 2 {
			t.Errorf("%s has %d mutants, two at least are needed", law, laws[law])
		}
	}
}

// sharedKinds are kinds of faults that no mutant needs alone: what they break can
// be broken by others too, or is outside the mind.
var sharedKinds = map[string]string{
	"link cut":             "whatever silences a daemon for a moment shows the same",
	"link cut one way":     "a node that is heard and does not hear is deaf, and that has mutants",
	"daemon pauses":        "a host that hangs shows the same",
	"leader pauses":        "a host that hangs shows the same",
	"mute":                 "a daemon that is silent shows the same to whoever waits for its beats",
	"isolated":             "all links cut at once",
	"slow follower":        "entries that come late show the same",
	"another leads":        "the daemon tests with real Raft show it",
	"arrivals fail":        "a migration that fails for its source shows the same",
	"migrations fail":      "a migration that breaks off shows the same",
	"migration breaks off": "a migration that fails shows the same",
	"target check hangs":   "a hypervisor that does not answer shows the same",
	"target check fails":   "a target that refuses what arrives shows the same",
	"slow migration":       "cluster tests of the order of questions show it",
	"end unseen":           "a hypervisor that does not answer shows the same",
	"guest vanishes":       "events that are lost show the same",
	"moved by hand":        "the stories show it",
	"old disk":             "every snapshot shows the same",
	"lost answer":          "entries that come late or out of limbo show the same",
	"new rules":            "what operators order needs the same level",
	"zombie":               "a host that hangs shows the same",
	"ioctls hang":          "a boot whose keys are not known runs nothing, and a cluster test shows the net behind that",
	"stragglers":           "the stories show it",
	"drift":                "nothing the mind decides today rests on the rate of a clock",
}

func TestEachKindOfFaultHasItsMutant(t *testing.T) {
	needed := map[string]bool{}
	for _, m := range breaks.All() {
		for _, kind := range m.Faults {
			needed[kind] = true
		}
	}
	for _, kind := range sim.FaultKinds() {
		switch {
		case needed[kind] && sharedKinds[kind] != "":
			t.Errorf("%q is needed by a mutant, and it is said that none needs it: %s", kind, sharedKinds[kind])
		case !needed[kind] && sharedKinds[kind] == "":
			t.Errorf("no mutant needs %q, and nothing says why", kind)
		}
	}
	for kind := range sharedKinds {
		if !slices.Contains(sim.FaultKinds(), kind) {
			t.Errorf("there is no kind of fault %q", kind)
		}
	}
}

func TestAnEditThatIsNotFoundIsAnError(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{"this text is in no file", "State"} {
		m := breaks.Mutant{Name: "lost", Edits: []breaks.Edit{{File: "cluster/document.go", Old: old, New: "x"}}}
		if _, err := mutated(m, root); err == nil || !strings.Contains(err.Error(), "the code has changed") {
			t.Errorf("%q: %v", old, err)
		}
	}
}

func TestTheFirstComplaint(t *testing.T) {
	for output, want := range map[string]string{
		"--- FAIL: TestSim (1s)\n    sim_test.go:42: SEED=17: at 3.2s: L1: vm:a executes twice\nmore": "SEED=17: " +
			"at 3.2s: L1: vm:a executes twice",
		"--- FAIL: TestTheBrake (0.00s)\n    laws_test.go:170: it was accepted\n": "TestTheBrake: " +
			"it was accepted",
		"panic: index out of range\n\ngoroutine 1": "panic: index " +
			"out of range",
	} {
		if got := firstComplaint(output); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSeedsThatFailAnywayProveNothing(t *testing.T) {
	output := []byte("    sim_test.go:95: SEED=3: at 1.0s: not settled: vm:a\n    sim_test.go:97: SEED=4: at 2.5s: " +
		"L3: node1 counts as fenced\n")
	for _, c := range []struct {
		anyway failing
		kind   string
		want   string
	}{
		{nil, "", "SEED=3: at 1.0s: not settled: vm:a"},
		{failing{3: true}, "", "SEED=4: at 2.5s: L3: node1 counts as fenced"},
		{nil, "SEED=9: at 7.0s: L3: node2 counts as fenced", "SEED=4: at 2.5s: L3: node1 counts as fenced"},
		{nil, "SEED=9: at 7.0s: L1: vm:a executes twice", ""},
		{failing{3: true, 4: true}, "", ""},
	} {
		if got := c.anyway.tells(output, kindOf(c.kind)); got != c.want {
			t.Errorf("besides %v, of the kind of %q: got %q, want %q", c.anyway, c.kind, got, c.want)
		}
	}
}

// TestTheRestOfARunBeginsAfterTheNamedOne: what was tried before is left out, and nothing else.
func TestTheRestOfARunBeginsAfterTheNamedOne(t *testing.T) {
	whole := choose("", "")
	middle := len(whole) / 2
	if rest := choose("", whole[middle].Name); len(rest) != len(whole)-middle-1 || rest[0].Name != whole[middle+1].Name {
		t.Errorf("after %s come %d of %d", whole[middle].Name, len(rest), len(whole))
	}
	if rest := choose("", "no such mutant"); len(rest) > 0 {
		t.Errorf("after one that there is not come %d", len(rest))
	}
}

// TestTheSeedsThatShowedMutantsAreKept: what is written is read again, and what is not a seed of a
// mutant that there is goes.
func TestTheSeedsThatShowedMutantsAreKept(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(shownFile)), 0o755); err != nil {
		t.Fatal(err)
	}
	first, err := readShown(root)
	if err != nil {
		t.Fatal(err)
	}
	m := breaks.All()[slices.IndexFunc(breaks.All(), func(m breaks.Mutant) bool { return m.Nets[0].Seeds > 0 })]
	first.keep(m.Name, outcome{caught: true, net: m.Nets[0].Name, seeds: 17})
	first.keep("no such mutant", outcome{caught: true, net: m.Nets[0].Name, seeds: 18})
	if err := first.write(root); err != nil {
		t.Fatal(err)
	}
	second, err := readShown(root)
	if err != nil {
		t.Fatal(err)
	}
	if seed := second.seed(m.Name, m.Nets[0].Name); seed != 17 || len(second.seeds) != 1 {
		t.Errorf("%s: seed %d of %v, want 17 alone", m.Name, seed, second.seeds)
	}
	second.keep(m.Name, outcome{net: m.Nets[0].Name, seeds: 250})
	if seed := second.seed(m.Name, m.Nets[0].Name); seed != 17 {
		t.Errorf("a mutant that survived changed its seed to %d", seed)
	}
}
