package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/resources"
)

// Effect says what becomes of a change of the document.
type Effect = keys.Effect

// The effects, in the order in which they are shown.
const (
	EffectNow       = keys.Now
	EffectNextStart = keys.NextStart
	EffectStart     = keys.Start
	EffectRestart   = keys.Restart
	EffectEnd       = keys.End
)

// Effects are all of them.
var Effects = keys.Effects

// Change is one sentence of a plan with its effect.
type Change = keys.Change

// Plan tells in words what taking the new document in place of the old one changes, one sentence
// per thing, and what that means for what runs. It is empty when both mean the same, however
// they are written.
func Plan(old, new cluster.Document) []Change { return keys.Diff(documentKeys, old, new) }

// Diff is the texts of Plan.
func Diff(old, new cluster.Document) []string {
	var lines []string
	for _, change := range Plan(old, new) {
		lines = append(lines, change.Text)
	}
	return lines
}

// longestSummary is how many bytes a summary takes.
const longestSummary = 120

// Summary is a whole change in one line, for the history.
func Summary(lines []string) string {
	if len(lines) == 0 {
		return "written in another way"
	}
	first, _, _ := strings.Cut(lines[0], "; ")
	first, _, _ = strings.Cut(first, " (")
	if letters := []rune(first); len(letters) > longestSummary {
		first = string(letters[:longestSummary]) + "..."
	}
	if more := len(lines) - 1; more > 0 {
		first += fmt.Sprintf(" (and %d more)", more)
	}
	return first
}

// compare tells what was added, removed and changed in one section.
func compare[T any](what string, old, new map[string]T, changed func(old, new T) keys.Changes,
	added func(name string, value T) Change, removed string,
) keys.Changes {
	var plan keys.Changes
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range new {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, was := old[name]
		after, is := new[name]
		switch {
		case !was:
			addition := added(name, after)
			addition.Text = sentence(what, name, "is added", addition.Text)
			plan = append(plan, addition)
		case !is:
			plan = plan.And(EffectEnd, "%s", sentence(what, name, "is removed", removed))
		default:
			plan = append(plan, changed(before, after).Of(what+" "+name)...)
		}
	}
	return plan
}

func sentence(what, name, change, meaning string) string {
	text := what + " " + name + ": " + change
	if meaning != "" {
		text += "; " + meaning
	}
	return text
}

// says is the consequence of additions that all have the same.
func says[T any](effect Effect, text string) func(string, T) Change {
	return func(string, T) Change { return Change{Effect: effect, Text: text} }
}

// addedService is what the addition of a service leads to.
func addedService(_ string, spec resources.Spec) Change {
	if spec.Autostart {
		return Change{Effect: EffectStart, Text: "it is started once every node has said that it does not run there"}
	}
	return Change{Effect: EffectNow, Text: "it stays down until it is enabled (autostart is false)"}
}
