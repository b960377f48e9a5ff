package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/config/rewrite"
)

func TestAnEarlierDocumentKeepsThePasswordsInForce(t *testing.T) {
	old := parse(t, alpha(t)).Text // as the log has it: with the contents of files
	current := parse(t, []byte(strings.Replace(old, "first: secret", "rotated since", 1))).Document
	masked, kept, err := rewrite.Earlier(old, current)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(masked, "first: secret") || len(kept) != 1 ||
		!strings.Contains(kept[0], "device bmc1: the password stays") {
		t.Errorf("kept %q in\n%s", kept, masked)
	}
	again, err := Parse("document", []byte(masked), nil, &current)
	if err != nil {
		t.Fatal(err)
	}
	if again.Document.Devices["bmc1"].Password != "rotated since" ||
		again.Document.Devices["bmc2"].Password != current.Devices["bmc2"].Password {
		t.Error("the rolled back document has other passwords")
	}
	// A device that is no longer there comes back with the password it had.
	delete(current.Devices, "bmc1")
	masked, kept, err = rewrite.Earlier(old, current)
	if err != nil || len(kept) != 0 || !strings.Contains(masked, "first: secret") {
		t.Errorf("a device that was removed: kept %q, %v", kept, err)
	}
}

func TestEffects(t *testing.T) {
	before := parse(t, alpha(t)).Document
	edited := strings.Replace(string(alpha(t)), "<name>web</name>", "<name>web</name><title>Web</title>", 1)
	edited = strings.Replace(edited, "  witness1:\n", "", 1)
	edited = strings.Replace(edited, "stop_timeout: 90s", "stop_timeout: 3m", 1)
	changes := Plan(before, parse(t, []byte(edited+vm("new", uuidA, ""))).Document)
	want := []Effect{EffectEnd, EffectStart, EffectNextStart, EffectNow}
	if len(changes) != len(want) {
		t.Fatalf("%d changes, want %d: %v", len(changes), len(want), changes)
	}
	for i, change := range changes {
		if change.Effect != want[i] {
			t.Errorf("%q is %s, want %s", change.Text, change.Effect, want[i])
		}
	}
}

func TestSummary(t *testing.T) {
	for want, lines := range map[string][]string{
		"written in another way":                       nil,
		"node node3: is removed":                       {"node node3: is removed; it stays a member"},
		"domain main: restricted changes (and 2 more)": {"domain main: restricted changes", "b", "c"},
	} {
		if got := Summary(lines); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if long := Summary([]string{strings.Repeat("é", 500)}); len([]rune(long)) > longestSummary+3 {
		t.Errorf("a summary of %d letters", len([]rune(long)))
	}
}
