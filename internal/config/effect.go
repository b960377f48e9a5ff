package config

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/cluster"
)

// Effect says what becomes of a change of the document.
type Effect string

// The effects, in the order in which they are shown.
const (
	// EffectNow is a change in place: nothing is started or stopped for it.
	EffectNow Effect = "in place, at once"
	// EffectNextStart waits: what runs goes on as it was started.
	EffectNextStart Effect = "from the next start on"
	// EffectStart is a service, or a part of one that runs, that comes up by it.
	EffectStart Effect = "started"
	// EffectRestart is a part of a service that runs and cannot go on as it is; what
	// its agent can do about that only the node knows where it runs.
	EffectRestart Effect = "changed in place where its agent can, else stopped and started"
	// EffectEnd is what the document no longer has.
	EffectEnd Effect = "removed"
)

// Effects are all of them.
var Effects = []Effect{EffectNow, EffectNextStart, EffectStart, EffectRestart, EffectEnd}

// Change is one sentence of a plan with its effect.
type Change struct {
	Effect Effect
	Text   string
}

// changes are what is told of one thing, in order.
type changes []Change

func (c changes) and(effect Effect, format string, arguments ...any) changes {
	return append(c, Change{Effect: effect, Text: fmt.Sprintf(format, arguments...)})
}

// of says in each what it is about.
func (c changes) of(what string) changes {
	for i := range c {
		c[i].Text = what + ": " + c[i].Text
	}
	return c
}

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
